// Keys, a policy, plans, votes and envelopes that are good, for tests that then make one thing bad. Everything is a function of names, so
// that bytes are the same in every run: the key of "alice" is made from the seed SHA-256("alice").
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/catalogue.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/envelope.hpp"
#include "protocol/authority/merkle.hpp"

namespace fw::authority::test {

inline constexpr std::int64_t kNowMs = 1'800'000'000'000;      // plans and votes are valid from here on
inline constexpr std::int64_t kHourMs = 3'600'000;
inline constexpr std::string_view kOrigin = "fleetwright/acme/audit";

using Names = std::vector<std::string>;

PrivateKey key_of(std::string_view name);                     // an Ed25519 key
PublicKey public_key_of(std::string_view name);                // of erin the security key, whose token signs with key_of("erin")
Signature sign_as(std::string_view name, Domain domain, ByteView document);
Person person(std::string_view name);                          // a local one
Nonce nonce_of(std::string_view text);
Uuid node_uid();
Uuid boot_uid();
Nonce incarnation();

// Profile team. Roots root-1, root-2, root-3 (two sign). alice, bob, dave, erin (with a security key): approvers; carol: senior, group
// "platform". Classes: 0, 1, 2 and 2 people, of which one senior for class 3. Log key "log", no witnesses. Everything is enabled
// everywhere; valid for 30 days.
Policy team_policy();
// One approver "alice", one root.
Policy solo_policy();

struct SignedDocument { Bytes document; std::vector<Signature> signatures; };
SignedDocument sign(const Policy& policy, const Names& roots);
SignedDocument sign(const Statement& statement, const Names& names);
SignedStanding sign(const StandingApproval& standing, const Names& names);
Statement statement(decltype(Statement::body) body);           // valid for an hour, policy version 1

Target target();                                               // cgroup /shop/checkout of node_uid(), outside of Kubernetes
std::vector<Action> every_action();                            // one good one each, in the order of the catalogue
// A good plan with any action of the catalogue: check_plan() has nothing to say. Class 1 settings take a TTL, ttl_ms 0 is kept.
Plan plan(const Action& action = SetMemoryLimit{256LL << 20, 0});

// policy_version 1, valid for an hour.
Approval approval(const Plan& plan, std::string_view name, Decision decision = Decision::approve);
Vote sign(const Approval& approval, std::string_view name);
Vote vote(const Plan& plan, std::string_view name, Decision decision = Decision::approve);
// Night pass for set_memory_limit up to 1 GiB, whole day, class <= 2.
StandingApproval standing();

// A small audit log with real proofs.
class Log {
 public:
  explicit Log(std::string origin = std::string(kOrigin), std::string_view key = "log");
  std::uint64_t append(std::string entry);                     // its index
  Checkpoint checkpoint() const;
  std::string note() const;                                    // signed
  // Of the newest tree; consistent with the tree of `from` entries.
  LogProof prove(std::uint64_t index, std::uint64_t from = 0) const;

 private:
  std::string origin_;
  PrivateKey key_;
  Tree tree_;
  std::vector<std::string> entries_;
};

// The line that says that this plan is released by these votes.
std::string release_entry(const Envelope& envelope);
// Without a proof.
Envelope envelope(const Plan& plan, const Names& voters, std::optional<SignedStanding> standing = std::nullopt);
// Appended to the log and proven.
Envelope released(Envelope envelope, Log& log, std::uint64_t from = 0);

}  // namespace fw::authority::test
