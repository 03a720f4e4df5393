#include "protocol/authority/packets.hpp"

#include "protocol/authority/schema_io.hpp"
#include "schema/packets.capnp.h"

namespace fw::authority {

// Static, not in an unnamed namespace: the templates of schema_io.hpp find them by their arguments.

static constexpr std::string_view kMagic = "FLX1";
static constexpr std::size_t kHeaderBytes = kMagic.size() + 1;
static constexpr auto kProse = TextKind::prose;

static void write(const Signature& signature, schema::Signature::Builder to) {
  to.setKey(to_data(signature.key));
  to.setAlgorithm(to_enum<schema::Algorithm>(signature.algorithm, Algorithm::ed25519));
  to.setBytes(to_data(signature.bytes));
}

static Signature read(Reading& in, schema::Signature::Reader from) {
  return {in.fixed<Digest>("key", from.getKey()), in.enumerator("algorithm", from.getAlgorithm(), Algorithm::sk_p256, Algorithm::ed25519),
          in.data("signature", from.getBytes(), kMaxSignatureBytes)};
}

static void write(const Bytes& document, const std::vector<Signature>& signatures, schema::SignedDocument::Builder to) {
  to.setDocument(to_data(document));
  write_list(signatures, to.initSignatures(count(signatures)), [](const Signature& s, schema::Signature::Builder entry) { write(s, entry); });
}

static std::vector<Signature> read_signatures(Reading& in, schema::SignedDocument::Reader from) {
  return in.list("signatures", from.getSignatures(), [&](schema::Signature::Reader s) { return read(in, s); }, kMaxVotes);
}

static Signature read_one_signature(Reading& in, schema::SignedDocument::Reader from) {
  const auto signatures = read_signatures(in, from);
  if (signatures.size() == 1) return signatures.front();
  in.fail(Errc::malformed, "signatures", "not exactly one");
  return {};
}

static void write(const DeliverPlan& packet, schema::DeliverPlan::Builder to) { to.setEnvelope(to_data(packet.envelope)); }
static void read(Reading& in, schema::DeliverPlan::Reader from, DeliverPlan& out) {
  out.envelope = in.data("envelope", from.getEnvelope(), kMaxEnvelopeBytes);
}

static void write(const DeliverDenial& packet, schema::SignedDocument::Builder to) { write(packet.vote.document, {packet.vote.signature}, to); }
static void read(Reading& in, schema::SignedDocument::Reader from, DeliverDenial& out) {
  out.vote = {in.data("denial", from.getDocument(), kMaxDocumentBytes), read_one_signature(in, from)};
}

static void write(const DeliverPolicy& packet, schema::SignedDocument::Builder to) { write(packet.policy, packet.signatures, to); }
static void read(Reading& in, schema::SignedDocument::Reader from, DeliverPolicy& out) {
  out = {in.data("policy", from.getDocument(), kMaxPolicyBytes), read_signatures(in, from)};
}

static void write(const DeliverStatement& packet, schema::SignedDocument::Builder to) { write(packet.statement, packet.signatures, to); }
static void read(Reading& in, schema::SignedDocument::Reader from, DeliverStatement& out) {
  out = {in.data("statement", from.getDocument(), kMaxDocumentBytes), read_signatures(in, from)};
}

// Notes hold line ends and are checked by their own parser.
static capnp::Data::Reader to_data(const std::string& text) { return {reinterpret_cast<const kj::byte*>(text.data()), text.size()}; }
static std::string read_note(Reading& in, capnp::Data::Reader from) {
  const auto bytes = in.data("note", from, kMaxNoteBytes);
  return {bytes.begin(), bytes.end()};
}

static void write(const DeliverCheckpoint& packet, schema::DeliverCheckpoint::Builder to) {
  to.setNote(to_data(packet.note));
  to.setFromSize(packet.from_size);
  auto digests = to.initConsistency(count(packet.consistency));
  for (unsigned i = 0; i < digests.size(); ++i) digests.set(i, to_data(packet.consistency[i]));
}
static void read(Reading& in, schema::DeliverCheckpoint::Reader from, DeliverCheckpoint& out) {
  out.note = read_note(in, from.getNote());
  out.from_size = from.getFromSize();
  out.consistency = in.list("consistency", from.getConsistency(),
                            [&](capnp::Data::Reader digest) { return in.fixed<Digest>("consistency", digest); }, kMaxProofPath);
}

static void write(const AckOutcome& packet, schema::AckOutcome::Builder to) {
  to.setPlan(to_data(packet.plan));
  to.setJournalSeq(packet.journal_seq);
  to.setLogIndex(packet.log_index);
}
static void read(Reading& in, schema::AckOutcome::Reader from, AckOutcome& out) {
  out = {in.fixed<Digest>("plan", from.getPlan()), from.getJournalSeq(), from.getLogIndex()};
}

static void write(const AskStatus&, schema::AskStatus::Builder) {}
static void read(Reading&, schema::AskStatus::Reader, AskStatus&) {}

static void write(const ExecutorStatus& packet, schema::ExecutorStatus::Builder to) {
  to.setVersion(to_text(packet.version));
  to.setNode(to_data(packet.node.bytes));
  to.setIncarnation(to_data(packet.incarnation));
  write(packet.key, to.initKey());
  to.setPolicyVersion(packet.policy_version);
  to.setPolicy(to_data(packet.policy));
  to.setHasPending(packet.pending_policy_version.has_value());
  to.setPendingPolicyVersion(packet.pending_policy_version.value_or(0));
  to.setPolicyNotAfterMs(packet.policy_not_after_ms);
  to.setObserveOnly(packet.observe_only);
  to.setPaused(packet.paused);
  to.setJournalProblem(to_text(packet.journal_problem));
  to.setTimeFloorMs(packet.time_floor_ms);
  to.setCheckpoint(to_data(packet.checkpoint));
  to.setJournalSeq(packet.journal_seq);
  to.setPendingRestores(packet.pending_restores);
}
static void read(Reading& in, schema::ExecutorStatus::Reader from, ExecutorStatus& out) {
  out.version = in.text("version", from.getVersion());
  out.node = in.uuid("node", from.getNode());
  out.incarnation = in.fixed<Nonce>("incarnation", from.getIncarnation());
  out.key = read(in, "key", from.getKey());
  out.policy_version = from.getPolicyVersion();
  out.policy = in.fixed<Digest>("policy", from.getPolicy());
  if (from.getHasPending()) out.pending_policy_version = from.getPendingPolicyVersion();
  out.policy_not_after_ms = from.getPolicyNotAfterMs();
  out.observe_only = from.getObserveOnly();
  out.paused = from.getPaused();
  out.journal_problem = in.text("journalProblem", from.getJournalProblem(), kProse);
  out.time_floor_ms = from.getTimeFloorMs();
  out.checkpoint = read_note(in, from.getCheckpoint());
  out.journal_seq = from.getJournalSeq();
  out.pending_restores = from.getPendingRestores();
}

static void write(const OutcomeReport& packet, schema::SignedDocument::Builder to) { write(packet.outcome, {packet.signature}, to); }
static void read(Reading& in, schema::SignedDocument::Reader from, OutcomeReport& out) {
  out = {in.data("outcome", from.getDocument(), kMaxDocumentBytes), read_one_signature(in, from)};
}

static void write(const Notice& packet, schema::Notice::Builder to) {
  to.setSubject(to_data(packet.subject));
  to.setCode(to_text(packet.code));
  to.setSentence(to_text(packet.sentence));
  to.setAgain(packet.again);
}
static void read(Reading& in, schema::Notice::Reader from, Notice& out) {
  out = {in.fixed<Digest>("subject", from.getSubject()), in.text("code", from.getCode()), in.text("sentence", from.getSentence(), kProse),
         from.getAgain()};
}

namespace {

// The body of each packet. The type byte is its place in Packet, from 1.
template <class T> struct BodyOf;
template <> struct BodyOf<DeliverPlan> { using type = schema::DeliverPlan; };
template <> struct BodyOf<DeliverDenial> { using type = schema::SignedDocument; };
template <> struct BodyOf<DeliverPolicy> { using type = schema::SignedDocument; };
template <> struct BodyOf<DeliverStatement> { using type = schema::SignedDocument; };
template <> struct BodyOf<DeliverCheckpoint> { using type = schema::DeliverCheckpoint; };
template <> struct BodyOf<AckOutcome> { using type = schema::AckOutcome; };
template <> struct BodyOf<AskStatus> { using type = schema::AskStatus; };
template <> struct BodyOf<ExecutorStatus> { using type = schema::ExecutorStatus; };
template <> struct BodyOf<OutcomeReport> { using type = schema::SignedDocument; };
template <> struct BodyOf<Notice> { using type = schema::Notice; };

template <std::size_t Index>
Result<Packet> parse_body(ByteView body) {
  using T = std::variant_alternative_t<Index, Packet>;
  auto parsed = from_canonical_bytes<typename BodyOf<T>::type, T>("packet", body, kMaxPacketBytes);
  if (!parsed) return parsed.error();
  return Packet(std::move(*parsed));
}

template <std::size_t... Indices>
Result<Packet> parse_type(std::size_t type, ByteView body, std::index_sequence<Indices...>) {
  static constexpr std::array kParsers = {&parse_body<Indices>...};
  return kParsers[type](body);
}

constexpr std::size_t kTypes = std::variant_size_v<Packet>;

}  // namespace

Bytes to_bytes(const Packet& packet) {
  Bytes out(kMagic.begin(), kMagic.end());
  out.push_back(static_cast<std::uint8_t>(packet.index() + 1));
  const auto body = std::visit(
      []<class T>(const T& value) { return canonical_bytes<typename BodyOf<T>::type>(value); }, packet);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Result<Packet> parse_packet(ByteView bytes) {
  if (bytes.size() > kMaxPacketBytes) return Error(Errc::too_large, "packet: " + std::to_string(bytes.size()) + " bytes");
  if (bytes.size() < kHeaderBytes || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin()))
    return Error(Errc::malformed, "packet: no FLX1");
  const std::size_t type = bytes[kMagic.size()];
  if (type == 0 || type > kTypes) return Error(Errc::unsupported, "packet: type " + std::to_string(type));
  return parse_type(type - 1, bytes.subspan(kHeaderBytes), std::make_index_sequence<kTypes>());
}

}  // namespace fw::authority
