#include "aggregator/audit/verify.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aggregator/audit/entry.hpp"
#include "common/base64.hpp"
#include "common/id.hpp"

namespace fw::audit {
namespace {

constexpr std::size_t kKeyBytes = 32;
// SubjectPublicKeyInfo of Ed25519 (RFC 8410): always these bytes, then the key.
constexpr std::array<std::uint8_t, 12> kSpkiStart = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::string_view kPemStart = "-----BEGIN PUBLIC KEY-----", kPemEnd = "-----END PUBLIC KEY-----";
constexpr std::string_view kLineStart = "ed25519:";   // as `fleetwright init` writes log.pub; a comment may follow
constexpr std::uint8_t kNoteTypeEd25519 = 1;
constexpr std::string_view kContinuedVerb = "\"verb\":\"log.continued\"";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

Result<authority::PublicKey> ed25519(ByteView bytes) {
  if (bytes.size() != kKeyBytes) return Error{Errc::malformed, "the key of a log has 32 bytes (Ed25519)"};
  return authority::PublicKey{authority::Algorithm::ed25519, {bytes.begin(), bytes.end()}};
}

}  // namespace

Trust trust_of(const authority::Policy& policy) { return {policy.log_origin, policy.log_key, policy.witnesses, policy.witness_quorum}; }

Result<authority::PublicKey> parse_log_key(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with(kPemStart) && text.ends_with(kPemEnd)) {
    std::string body(text.substr(kPemStart.size(), text.size() - kPemStart.size() - kPemEnd.size()));
    std::erase_if(body, [](char c) { return c == '\n' || c == '\r'; });
    const auto der = decode_base64(body);
    if (!der || der->size() != kSpkiStart.size() + kKeyBytes || !std::equal(kSpkiStart.begin(), kSpkiStart.end(), der->begin()))
      return Error{Errc::malformed, "the PEM text is not an Ed25519 public key"};
    return ed25519(ByteView(*der).subspan(kSpkiStart.size()));
  }
  if (const auto digest = authority::parse_digest(text)) return ed25519(*digest);   // 32 bytes in hex, as a digest
  if (text.starts_with(kLineStart)) {
    const auto bytes = decode_base64(text.substr(kLineStart.size(), text.find(' ') - kLineStart.size()));
    return bytes ? ed25519(*bytes) : Error{Errc::malformed, "the key after ed25519: is not base64"};
  }
  const auto last = text.find('+'), key = last == std::string_view::npos ? last : text.find('+', last + 1);
  const auto bytes = key == std::string_view::npos ? std::nullopt : decode_base64(text.substr(key + 1));
  if (!bytes || bytes->empty() || bytes->front() != kNoteTypeEd25519)
    return Error{Errc::malformed, "the key is neither PEM, nor ed25519:BASE64, nor 64 hex digits, nor NAME+HASH+BASE64"};
  return ed25519(ByteView(*bytes).subspan(1));
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::valid: return "valid";
    case Verdict::tampered: return "tampered";
    case Verdict::forked: return "forked";
    case Verdict::quorum_missing: return "quorum-missing";
    case Verdict::stale: return "stale";
  }
  return "tampered";
}

void LogVerifier::set_head(std::string_view note) { head_ = authority::parse_note(note); }

void LogVerifier::add(std::string_view line) {
  if (line.find(kContinuedVerb) != std::string_view::npos) {
    const auto stored = parse_line(line);
    if (stored && stored->entry.verb == "log.continued") continued_.push_back({chain_.size(), std::string(line)});
  }
  chain_.add(line);
}

void LogVerifier::add_seen(std::string_view who, std::string_view note) { seen_.push_back({std::string(who), authority::parse_note(note)}); }

bool LogVerifier::good(const authority::Note& note) const { return authority::verify_note(note, trust_.origin, trust_.log_key).has_value(); }

LogReport LogVerifier::report() const {
  LogReport report;
  report.continued = continued_;
  const auto verified = head_ ? authority::verify_note(*head_, trust_.origin, trust_.log_key) : Result<void>(head_.error());
  if (!verified) {
    report.verdict = Verdict::tampered;
    report.why = verified.error().context;
    return report;
  }
  report.head = head_->checkpoint;
  check_entries(report);
  compare_seen(report);
  count_witnesses(report);
  return report;
}

void LogVerifier::check_entries(LogReport& report) const {
  auto damage = chain_.check(report.head);
  if (!damage && chain_.size() > report.head.size)
    damage = Damage{report.head.size, fmt::format("entry {} is not under the signed head", report.head.size), true};
  if (!damage) {
    report.trusted_entries = report.head.size;
    return;
  }
  report.verdict = Verdict::tampered;
  report.why = damage->why;
  report.first_bad = damage->seq;
  report.others_good = damage->alone;
  for (const auto& seen : seen_) {
    if (!seen.note || !good(*seen.note)) continue;
    const auto& head = seen.note->checkpoint;
    if (head.size <= damage->seq && head.size <= chain_.size() && chain_.tree().root_at(head.size) == head.root)
      report.trusted_entries = std::max(report.trusted_entries, head.size);
  }
  if (damage->alone && damage->seq == report.head.size) report.trusted_entries = report.head.size;
}

void LogVerifier::compare_seen(LogReport& report) const {
  if (report.verdict != Verdict::valid) return;
  for (const auto& seen : seen_) {
    if (seen.note && seen.note->checkpoint.origin != trust_.origin) continue;   // of the time before a new origin
    if (!seen.note || !good(*seen.note)) {
      report.verdict = Verdict::forked;
      report.why = fmt::format("the head that {} saw is not signed by the log", seen.who);
      return;
    }
    const auto& head = seen.note->checkpoint;
    if (head.size <= report.head.size && chain_.tree().root_at(head.size) != head.root) {
      report.verdict = Verdict::forked;
      report.why = fmt::format("{} saw another log: its head of {} entries is not one of this log", seen.who, head.size);
      return;
    }
    if (head.size > report.head.size) {
      report.verdict = Verdict::stale;
      report.why = fmt::format("{} saw {} entries, and the log shows {} only", seen.who, head.size, report.head.size);
    }
  }
}

void LogVerifier::count_witnesses(LogReport& report) const {
  std::set<authority::PublicKey> counted;
  for (const auto& witness : trust_.witnesses) {
    const auto signed_by = [&](const authority::Note& note) {
      const auto time_s = authority::verify_cosignature(note, witness.name, witness.key);
      if (!time_s || counted.contains(witness.key)) return;
      counted.insert(witness.key);
      report.witnesses.push_back({witness.name, note.checkpoint.size, *time_s});
    };
    signed_by(*head_);
    for (const auto& seen : seen_)
      if (seen.note && seen.note->checkpoint == report.head) signed_by(*seen.note);
  }
  if (report.verdict != Verdict::valid || counted.size() >= trust_.witness_quorum) return;
  report.verdict = Verdict::quorum_missing;
  report.why = fmt::format("{} of {} witnesses have signed the head", counted.size(), trust_.witness_quorum);
}

}  // namespace fw::audit
