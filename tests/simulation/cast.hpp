// Everybody who holds a key in a schedule, the documents that they write, and the truth about who signed what. Keys are the same in every
// schedule; only whose key was stolen differs.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/authority/catalogue.hpp"
#include "protocol/authority/documents.hpp"
#include "protocol/authority/envelope.hpp"
#include "tests/simulation/rng.hpp"

namespace fw::sim {

struct Human {
  authority::Person person;
  std::vector<authority::PrivateKey> keys;   // alice has two
};

// Keys that exist once in the process: making them is slow.
struct Keys {
  std::vector<Human> humans;                        // 0..5; 5 is in no policy
  std::vector<authority::PrivateKey> roots;         // 5: three of the first policy, two of later ones
  std::vector<authority::PrivateKey> witnesses;     // 2
  authority::PrivateKey log, other_log;
  static const Keys& get();
  static authority::PrivateKey log_again();         // for whoever owns one
};
inline constexpr std::size_t kAlice = 0, kBob = 1, kCarol = 2, kDave = 3, kErin = 4, kStranger = 5;
inline constexpr const char* kOrigin = "fleetwright/acme/audit";
inline constexpr const char* kRestoredOrigin = "fleetwright/acme/audit-restored";

// What a schedule's first policy is like; swarm: each schedule has its own mix.
struct PolicyMix {
  bool seniors = false, group = false, short_life = false, solo = false, low_budget = false, narrow = false, paused = false;
  bool erin_leaves = false;
  std::uint32_t witness_quorum = 0;
};
authority::Policy make_policy(const PolicyMix& mix, std::int64_t now_ms);

// ---- the truth ------------------------------------------------------------------------------------------------------

struct TrueVote {
  authority::Person person;          // whose key it was, whatever the document says
  authority::Decision decision = authority::Decision::deny;
  std::int64_t issued_ms = 0, expires_ms = 0, signed_at_ms = 0;
  std::uint64_t policy_version = 0;
  authority::Digest plan{};          // what was signed: bytes and class
};
struct TruePlan {
  authority::Plan plan;
  Bytes bytes;
  std::int64_t made_ms = 0;
  std::vector<TrueVote> votes;
};
struct TrueStanding { authority::StandingApproval standing; Bytes bytes; std::set<authority::Person> people; };
struct TruePolicy { authority::Policy policy; authority::Digest digest{}; std::set<std::string> roots; };
struct TrueStatement { authority::Statement statement; std::set<authority::Person> people; std::set<std::string> roots; std::int64_t signed_at_ms = 0; };

// Written by those who sign, read by the checker alone.
class Truth {
 public:
  TruePlan& plan(const authority::Plan& plan, const Bytes& bytes, std::int64_t now_ms);
  const TruePlan* find(const authority::Plan& plan) const;

  std::vector<TrueStanding> standings;
  std::vector<TruePolicy> policies;
  std::vector<TrueStatement> statements;
  const std::vector<std::unique_ptr<TruePlan>>& plans() const { return plans_; }

 private:
  std::vector<std::unique_ptr<TruePlan>> plans_;
  std::map<authority::Nonce, std::vector<TruePlan*>> by_nonce_;   // an attacker can use a nonce again
};

// The pens. Each signature is written into the truth as it is made.
class Pens {
 public:
  Pens(Truth& truth, const Keys& keys, Rng rng) : truth_(truth), keys_(keys), rng_(rng) {}

  struct VoteOptions {
    authority::Decision decision = authority::Decision::approve;
    std::size_t key = 0;                              // of the person's
    std::optional<authority::Person> claims;          // the document says another person
    std::int64_t issued_shift_ms = 0, valid_ms = 3'600'000;
    std::uint64_t policy_version = 1;
    bool mangled_document = false;                    // signed, but no Approval
  };
  authority::Vote vote(std::size_t human, const authority::Plan& plan, const Bytes& bytes, std::uint8_t action_class, std::int64_t now_ms,
                       const VoteOptions& options);
  authority::Signature sign_standing(std::size_t human, const authority::StandingApproval& standing, const Bytes& bytes);
  authority::Signature sign_statement(std::size_t human, const authority::Statement& statement, const Bytes& bytes, std::int64_t now_ms);
  authority::Signature root_sign_statement(std::size_t root, const authority::Statement& statement, const Bytes& bytes, std::int64_t now_ms);
  authority::Signature root_sign_policy(std::size_t root, const authority::Policy& policy, const Bytes& bytes);
  authority::Nonce nonce();
  authority::Digest some_digest();

 private:
  TrueStatement& statement(const authority::Statement& statement, std::int64_t now_ms);

  Truth& truth_;
  const Keys& keys_;
  Rng rng_;
};

}  // namespace fw::sim
