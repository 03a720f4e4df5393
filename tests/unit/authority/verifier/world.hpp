// A small organisation that tests bend in one place each: four people, a log, two witnesses, one node, one plan that is good.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "protocol/authority/merkle.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::authority {

inline void PrintTo(Code code, std::ostream* out) { *out << to_string(code); }

namespace verifier_test {

// Monday, 2026-11-23 12:00:00 UTC.
inline constexpr std::int64_t kNow = 1'795'435'200'000;
inline constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
inline constexpr std::int64_t kSkew = 120'000;

const PrivateKey& key(const std::string& name);               // always the same for a name
Person person(const std::string& name);
Nonce nonce(const std::string& name);
Uuid uuid(const std::string& name);

// The audit log: entries, proofs and notes that hold.
class Book {
 public:
  explicit Book(std::string origin = "fleetwright/acme/audit", std::string log_key = "log") : origin_(std::move(origin)), log_key_(std::move(log_key)) {}
  std::uint64_t append(const std::string& entry);             // its index
  void fill(std::uint64_t size, const std::string& word = "other");
  Checkpoint checkpoint(std::uint64_t size) const;
  std::string note(std::uint64_t size, const std::vector<std::string>& witnesses = {}) const;
  const Tree& tree() const { return tree_; }

 private:
  std::string origin_, log_key_;
  Tree tree_;
};

struct World {
  Policy policy;
  NodeFacts facts;
  Memory memory;
  Plan plan;
  Book book;
  std::vector<std::string> cosigners;                         // of every note
  std::int64_t now_ms = kNow;

  World();

  Approval approval(const std::string& name, std::optional<std::uint8_t> action_class = {}) const;   // a yes to `plan`
  // Signed with the key of that name; without one, with the person's own.
  static Vote sign(const Approval& approval, const std::string& key_name = "");
  Vote vote(const std::string& name) const { return sign(approval(name)); }
  std::vector<Vote> votes(const std::vector<std::string>& names) const;

  StandingApproval pass() const;                              // a night pass that covers `plan`
  static SignedStanding sign(const StandingApproval& standing, const std::vector<std::string>& key_names);

  // With its entry in the log and a proof that this node accepts.
  Envelope envelope(std::vector<Vote> votes, std::optional<SignedStanding> standing = {}, std::optional<std::uint8_t> action_class = {});
  Envelope envelope() { return envelope(votes({"alice", "bob"})); }
  void prove(Envelope& envelope);                             // its entry and proof anew

  Verdict verify(const Envelope& envelope) const { return verify_plan(envelope, policy, facts, memory, now_ms); }
  Refusal refusal(const Envelope& envelope) const { return seen(verify(envelope).refusal); }
  Code code(const Envelope& envelope) const { return refusal(envelope).code; }

  // Remembers that a test saw this code (every one must be seen), and that its sentence is one.
  static Refusal seen(Refusal refusal);
};

std::set<Code>& seen_codes();

Approver& approver(Policy& policy, const std::string& name);
ClassRule& rule(Policy& policy, std::uint8_t action_class);

}  // namespace verifier_test
}  // namespace fw::authority
