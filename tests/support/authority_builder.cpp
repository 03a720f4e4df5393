#include "tests/support/authority_builder.hpp"

#include <algorithm>

#include "protocol/authority/sshsig.hpp"

namespace fw::authority::test {
namespace {

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

template <class Array>
Array bytes_of(std::string_view text) {
  const auto digest = sha256(as_bytes(text));
  Array out{};
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

constexpr std::string_view kTokenType = "sk-ssh-ed25519@openssh.com";

Bytes concat(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Bytes ssh_string(ByteView bytes) {
  const Bytes length{0, 0, static_cast<std::uint8_t>(bytes.size() >> 8U), static_cast<std::uint8_t>(bytes.size())};
  return concat({length, bytes});
}

std::vector<Signature> signatures(Domain domain, const Bytes& document, const Names& names) {
  std::vector<Signature> out;
  for (const auto& name : names) out.push_back(sign_as(name, domain, document));
  return out;
}

Approver approver(std::string_view name) {
  Approver out;
  out.person = person(name);
  out.keys = {public_key_of(name)};
  return out;
}

}  // namespace

PrivateKey key_of(std::string_view name) { return PrivateKey::from_seed(sha256(as_bytes(name))); }

PublicKey public_key_of(std::string_view name) {
  const auto plain = key_of(name).public_key();
  if (name != "erin") return plain;
  return {Algorithm::sk_ed25519, concat({ssh_string(as_bytes(kTokenType)), ssh_string(plain.bytes), ssh_string(as_bytes("ssh:"))})};
}

Signature sign_as(std::string_view name, Domain domain, ByteView document) {
  const auto key = public_key_of(name);
  if (key.algorithm == Algorithm::ed25519) return key_of(name).sign(domain, document);
  // The token's half of PROTOCOL.u2f: touched, counter 7.
  const Bytes tail{kUserPresent, 0, 0, 0, 7};
  SshSignature header;
  header.name_space = kSshNamespace;
  header.hash_name = "sha512";
  header.flags = kUserPresent;
  header.counter = 7;
  const auto token = key_of(name).sign(security_key_input(*parse_ssh_key(key.bytes), header, signing_input(domain, document)));
  const auto inner = concat({ssh_string(as_bytes(kTokenType)), ssh_string(token), tail});
  const Bytes version{0, 0, 0, 1};
  return {key_id(key), key.algorithm,
          concat({as_bytes("SSHSIG"), version, ssh_string(key.bytes), ssh_string(as_bytes(kSshNamespace)), ssh_string({}),
                  ssh_string(as_bytes("sha512")), ssh_string(inner)})};
}

Person person(std::string_view name) { return {"local", std::string(name)}; }
Nonce nonce_of(std::string_view text) { return bytes_of<Nonce>(text); }
Uuid node_uid() { return {bytes_of<decltype(Uuid::bytes)>("node")}; }
Uuid boot_uid() { return {bytes_of<decltype(Uuid::bytes)>("boot")}; }
Nonce incarnation() { return nonce_of("incarnation"); }

Policy team_policy() {
  Policy policy;
  policy.version = 1;
  policy.organisation = "acme";
  policy.profile = Profile::team;
  policy.issued_ms = kNowMs - kHourMs;
  policy.not_after_ms = kNowMs + 30 * 24 * kHourMs;
  for (const auto* root : {"root-1", "root-2", "root-3"}) policy.roots.push_back({root, key_of(root).public_key()});
  policy.root_threshold = 2;
  policy.approvers = {approver("alice"), approver("bob"), approver("carol"), approver("dave"), approver("erin")};
  policy.approvers[2].level = Level::senior;
  policy.approvers[2].groups = {"platform"};
  policy.classes.resize(4);
  for (std::uint8_t i = 0; i < 4; ++i) {
    policy.classes[i].action_class = i;
    policy.classes[i].threshold = std::min<std::uint32_t>(i, 2);
  }
  policy.classes[3].seniors = 1;
  policy.resume_threshold = 2;
  policy.enabled.resize(1);
  policy.log_origin = kOrigin;
  policy.log_key = key_of("log").public_key();
  return policy;
}

Policy solo_policy() {
  auto policy = team_policy();
  policy.profile = Profile::solo;
  policy.roots.resize(1);
  policy.root_threshold = 1;
  policy.approvers.resize(1);
  policy.classes[2].threshold = 1;
  policy.resume_threshold = 1;
  return policy;
}

SignedDocument sign(const Policy& policy, const Names& roots) {
  const auto document = to_bytes(policy);
  return {document, signatures(Domain::policy, document, roots)};
}

SignedDocument sign(const Statement& statement, const Names& names) {
  const auto document = to_bytes(statement);
  return {document, signatures(Domain::statement, document, names)};
}

SignedStanding sign(const StandingApproval& standing, const Names& names) {
  const auto document = to_bytes(standing);
  return {document, signatures(Domain::standing, document, names)};
}

Statement statement(decltype(Statement::body) body) {
  Statement out;
  out.nonce = nonce_of("statement " + std::to_string(body.index()));
  out.body = std::move(body);
  out.policy_version = 1;
  out.issued_ms = kNowMs;
  out.expires_ms = kNowMs + kHourMs;
  return out;
}

Target target() {
  Target out;
  out.node = node_uid();
  out.incarnation = incarnation();
  out.cgroup_path = "/shop/checkout";
  out.display_name = "checkout";
  return out;
}

std::vector<Action> every_action() {
  constexpr std::uint64_t kTtlMs = 600'000;
  return {Diagnose{64 << 10},
          SetMemoryLimit{256LL << 20, 0},
          SetMemoryHigh{192LL << 20, kTtlMs},
          SetCpuMax{200'000, 100'000, kTtlMs},
          SetCpuWeight{50, kTtlMs},
          SetPidsMax{512, kTtlMs},
          Freeze{kTtlMs},
          Thaw{},
          KillProcess{5'000},
          KillCgroup{},
          SetSysctl{"net.core.somaxconn", 4'096, kTtlMs},
          RotateLog{"/var/log/pods/shop_checkout_1/app/0.log", 1 << 20},
          Undo{sha256(as_bytes("done plan"))},
          Extend{sha256(as_bytes("done plan")), kTtlMs}};
}

Plan plan(const Action& action) {
  const auto& info = info_of(action);
  Plan out;
  out.nonce = nonce_of("plan " + describe(action));
  out.incident = "INC-7";
  out.target = target();
  out.action = action;
  out.not_before_ms = kNowMs;
  out.not_after_ms = kNowMs + kHourMs;
  out.evidence = sha256(as_bytes("evidence"));
  if (info.binds_incarnation) {
    out.target.boot = boot_uid();
    out.target.cgroup_inode = 4711;
    out.target.pid = 4242;
    out.target.start_ticks = 123'456;
  }
  if (is_setting(action)) {
    const auto probe = changed_probe(action);
    out.preconditions = {{probe, Comparison::equal, 100}};
    out.effect = Check{probe, Comparison::equal, *main_value(action)};
  }
  if (std::holds_alternative<Freeze>(action)) out.effect = Check{Probe::frozen, Comparison::equal, 1};
  if (std::holds_alternative<Thaw>(action)) out.effect = Check{Probe::frozen, Comparison::equal, 0};
  if (std::holds_alternative<KillProcess>(action)) out.effect = Check{Probe::process_alive, Comparison::equal, 0};
  if (std::holds_alternative<KillCgroup>(action)) out.effect = Check{Probe::populated, Comparison::equal, 0};
  if (const auto* log = std::get_if<RotateLog>(&action))
    out.effect = Check{Probe::file_bytes, Comparison::less_or_equal, static_cast<std::int64_t>(log->keep_bytes)};
  if (out.effect) out.effect_within_ms = 60'000;
  return out;
}

Approval approval(const Plan& plan, std::string_view name, Decision decision) {
  Approval out;
  out.plan = plan_digest(class_of(plan), to_bytes(plan));
  out.decision = decision;
  out.person = person(name);
  out.policy_version = 1;
  out.nonce = nonce_of("approval of " + std::string(name));
  out.issued_ms = kNowMs;
  out.expires_ms = kNowMs + kHourMs;
  out.render = sha256(as_bytes("the text that was shown"));
  out.renderer = "fleetwright test";
  return out;
}

Vote sign(const Approval& approval, std::string_view name) {
  const auto document = to_bytes(approval);
  return {document, sign_as(name, Domain::approval, document)};
}

Vote vote(const Plan& plan, std::string_view name, Decision decision) { return sign(approval(plan, name, decision), name); }

StandingApproval standing() {
  StandingApproval out;
  out.name = "night-memory";
  out.nonce = nonce_of("standing");
  out.policy_version = 1;
  out.actions = {find_action("set_memory_limit")->index};
  out.max_class = 2;
  out.max_value = 1LL << 30;
  out.not_before_ms = kNowMs - kHourMs;
  out.not_after_ms = kNowMs + 7 * 24 * kHourMs;
  return out;
}

Log::Log(std::string origin, std::string_view key) : origin_(std::move(origin)), key_(key_of(key)) {}

std::uint64_t Log::append(std::string entry) {
  tree_.append(leaf_hash(entry));
  entries_.push_back(std::move(entry));
  return entries_.size() - 1;
}

Checkpoint Log::checkpoint() const { return {origin_, tree_.size(), tree_.root()}; }
std::string Log::note() const { return sign_note(checkpoint(), key_); }

LogProof Log::prove(std::uint64_t index, std::uint64_t from) const {
  LogProof out;
  out.entry = entries_.at(index);
  out.index = index;
  out.path = tree_.inclusion(index, tree_.size()).value();
  out.consistent_from = from;
  if (from > 0) out.consistency = tree_.consistency(from, tree_.size()).value();
  out.note = note();
  return out;
}

std::string release_entry(const Envelope& envelope) {
  return R"({"verb":"plan.release","plan":")" + to_text(plan_digest(envelope.action_class, envelope.plan)) + R"(","release":")" +
         to_text(release_digest(envelope)) + "\"}";
}

Envelope envelope(const Plan& plan, const Names& voters, std::optional<SignedStanding> standing) {
  Envelope out;
  out.action_class = class_of(plan);
  out.plan = to_bytes(plan);
  for (const auto& name : voters) out.votes.push_back(vote(plan, name));
  out.standing = std::move(standing);
  return out;
}

Envelope released(Envelope envelope, Log& log, std::uint64_t from) {
  envelope.proof = log.prove(log.append(release_entry(envelope)), from);
  return envelope;
}

}  // namespace fw::authority::test
