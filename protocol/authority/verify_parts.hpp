// What the verifier's files share; nobody else includes it. Each check is one function: a Problem when it fails, with the sentence.
#pragma once
#include <boost/system/result.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/verifier.hpp"

namespace fw::authority::verify {

using Problem = std::optional<Refusal>;                       // nothing: the check passed
template <class T>
using Checked = boost::system::result<T, Refusal>;

inline std::string part(std::string_view text) { return std::string(text); }
inline std::string part(const char* text) { return text; }
template <class Number>
  requires std::is_arithmetic_v<Number>
std::string part(Number number) { return std::to_string(number); }

template <class... Parts>
Refusal refuse(Code code, const Parts&... parts) { return {code, (part(parts) + ... + std::string())}; }

std::string time_text(std::int64_t unix_ms);                  // "2026-11-24T15:02:26Z"
std::string short_text(const Digest& digest);                 // the first 12 hex digits

// The two ends of time. What ends is over by the later of clock and floor; what begins begins by the clock alone.
class Instant {
 public:
  Instant(std::int64_t now_ms, std::int64_t floor_ms, std::int64_t skew_ms)
      : now_ms_(now_ms), latest_ms_(std::max(now_ms, floor_ms)), skew_ms_(std::clamp<std::int64_t>(skew_ms, 0, kMaxSkewMs)) {}

  bool before(std::int64_t begin_ms) const noexcept { return now_ms_ + skew_ms_ < begin_ms; }
  bool after(std::int64_t end_ms) const noexcept { return latest_ms_ - skew_ms_ > end_ms; }
  std::int64_t now_ms() const noexcept { return now_ms_; }
  std::int64_t latest_ms() const noexcept { return latest_ms_; }

 private:
  static constexpr std::int64_t kMaxSkewMs = 3'600'000;
  std::int64_t now_ms_, latest_ms_, skew_ms_;
};

template <class T>
bool contains(const std::vector<T>& list, const T& value) { return std::find(list.begin(), list.end(), value) != list.end(); }
// A list of a scope: empty means any. One that is not empty does not cover what has no name (no namespace, no cluster).
inline bool admits(const std::vector<std::string>& list, const std::string& value) {
  return list.empty() || (!value.empty() && contains(list, value));
}
inline bool admits_one_of(const std::vector<std::string>& list, const std::vector<std::string>& values) {
  return list.empty() || std::any_of(values.begin(), values.end(), [&](const auto& value) { return contains(list, value); });
}
std::string joined(const std::vector<std::string>& list, const std::string& between = ", ");

// ---- people (votes.cpp) ---------------------------------------------------------------------------------------------

// Whose key signed `document`: known, of its algorithm, of one person, not expired, and the signature is good.
Checked<const Approver*> signer_of(const Signature& signature, Domain domain, ByteView document, const Policy& policy, const Instant& at);

struct Ballot { Approval approval; const Approver* voter = nullptr; };
// A good signature by the person whom the document names; nothing about time and policy version.
Checked<Ballot> read_ballot(const Vote& vote, const Policy& policy, const Instant& at);
Problem check_ballot_time(const Ballot& ballot, const Instant& at);
// That this yes holds now, for this plan.
Problem check_ballot(const Ballot& ballot, const Digest& plan, const Policy& policy, const Instant& at);

// Each person once, whatever the number of their keys and signatures.
std::vector<const Approver*> distinct_people(const std::vector<const Approver*>& voters);

bool has_group(const std::vector<const Approver*>& people, const std::string& group);
Checked<ClassRule> rule_of(const Policy& policy, std::uint8_t action_class);   // its threshold is at least the compiled-in minimum
Problem check_people(const std::vector<const Approver*>& people, const ClassRule& rule);

// Where a plan acts, as a scope sees it. No labels: they are not known here and not judged.
struct Place { std::string cluster, name_space; const std::vector<std::string>* labels = nullptr; };
Problem check_scope(const Approver& approver, std::uint8_t action_class, const Place& place);
Problem check_proposer(const Plan& plan, const std::vector<Ballot>& ballots);
std::vector<const Approver*> without_proposer(std::vector<const Approver*> people, const Plan& plan);

// ---- standing approval (verify_standing.cpp) ------------------------------------------------------------------------

struct Standing { StandingApproval approval; std::vector<const Approver*> signers; Digest digest{}; };
// Signed by as many people as its highest class needs, of this policy version, in its time.
Checked<Standing> read_standing(const SignedStanding& signed_standing, const Policy& policy, const Instant& at);
Problem check_covers(const StandingApproval& standing, const Plan& plan, std::uint8_t action_class, const Place& place);
Problem check_hours(const StandingApproval& standing, const Instant& at);
Problem check_rate(const Standing& standing, const Memory& memory, const Instant& at);

// ---- proofs (verify_inclusion.cpp) ----------------------------------------------------------------------------------

// That `head` is of the log that this node has seen, or goes on from it: the proof begins at exactly what was seen (0: nothing).
Problem check_continues(const Checkpoint& head, std::uint64_t from_size, const std::vector<Digest>& path, const std::optional<Checkpoint>& seen);
// The checkpoint under which the release of the envelope stands in the log.
Checked<Checkpoint> check_inclusion(const Envelope& envelope, const Policy& policy, const Memory& memory);

// ---- limits (verify_limits.cpp) -------------------------------------------------------------------------------------

// The number that bounds are about; "max" is above every number. Nothing: the action has none.
std::optional<std::int64_t> bounded_value(const Action& action);
// How long it lasts, 0 when it is kept. Nothing: the action has no such time.
std::optional<std::uint64_t> bounded_ttl(const Action& action);
Problem check_bounds(const Plan& plan, const Policy& policy);
Problem check_enabled(const Plan& plan, std::uint8_t action_class, const Policy& policy, const NodeFacts& facts);
Problem check_budgets(const Plan& plan, const Policy& policy, const Memory& memory, const Instant& at);
// Uses of `what` that began less than `window_ms` ago, and those that a clock ahead dated later.
std::size_t count_uses(const Memory& memory, const std::string& what, std::int64_t window_ms, const Instant& at);
inline constexpr std::int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;

// ---- roots (verify_policy.cpp) --------------------------------------------------------------------------------------

// That the threshold of the policy's roots signed it, each key counted once. Signatures by others are not looked at.
Problem check_roots(Domain domain, ByteView document, const std::vector<Signature>& signatures, const Policy& policy);

}  // namespace fw::authority::verify
