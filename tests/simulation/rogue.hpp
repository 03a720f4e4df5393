// An aggregator that somebody owns, log key included: it writes plans, asks people who do read what they sign, mixes what it has, and shows
// each node the log that suits it. A script step is a good delivery with nothing, one thing or two things wrong; its words are the flaws.
// Network attackers and node attackers are here too, as what they do to packets and machines.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "protocol/authority/merkle.hpp"
#include "protocol/authority/packets.hpp"
#include "tests/simulation/heads.hpp"
#include "tests/simulation/plans.hpp"

namespace fw::sim {

enum class VoteFlaw : std::uint8_t {
  none = 0, none_at_all, one_only, same_person_twice, other_plan, other_person, unknown_key, bad_signature, expired, early, old_policy, with_denial,
  mangled, proposer_votes, count_,
};
enum class ProofFlaw : std::uint8_t {
  none = 0, missing, wrong_entry, wrong_index, other_log_key, forked, older_head, no_witness, from_nowhere, count_,
};
enum class EnvelopeFlaw : std::uint8_t { none = 0, lower_class, higher_class, garbage_plan, flipped_bit, cut_short, count_ };
enum class StandingFlaw : std::uint8_t { none = 0, unsigned_, one_signer, wrong_hours, other_action, no_vote, mangled, count_ };

class Rogue {
 public:
  struct Deps {
    Timeline& timeline;
    Faults& faults;
    Network& network;
    Truth& truth;
    Heads& heads;
    Marks& marks;
    std::vector<std::unique_ptr<Node>>& nodes;
  };
  // stolen: whose approver key it has, if any. flaws: odds that a step has something wrong.
  Rogue(Deps deps, Rng rng, PolicyMix mix, std::optional<std::size_t> stolen, double flaws);

  void step();                                   // one sentence of the script
  void on_packet(int from, const Bytes& packet);
  // Both branches that it showed, when it forked: what a monitor must notice.
  bool forked() const { return branches_.size() > 1; }
  std::uint64_t policy_version() const { return policy_.version; }

 private:
  struct Branch { std::shared_ptr<std::vector<std::string>> lines = std::make_shared<std::vector<std::string>>(); authority::Tree tree; };
  struct NodeNews {
    bool known = false, paused = false;
    authority::Nonce incarnation{};
    std::optional<HeadName> head;
    std::uint64_t policy_version = 1;
    std::size_t branch = 0;
    std::vector<authority::Digest> done;         // plans that it can undo
    std::vector<authority::Digest> unknown;
  };

  void deliver_plan();
  void deliver_statement();
  void deliver_policy();
  void deliver_checkpoint();
  void deliver_denial();
  void deliver_old();
  void deliver_noise();

  std::vector<authority::Vote> gather(const authority::Plan& plan, const Bytes& bytes, std::uint8_t action_class, std::uint64_t version, VoteFlaw flaw);
  std::optional<authority::SignedStanding> standing_for(const authority::Plan& plan, std::uint8_t action_class, std::uint64_t version, StandingFlaw flaw);
  authority::LogProof prove(NodeNews& news, authority::Envelope& envelope, ProofFlaw flaw);
  std::size_t append(std::size_t branch, std::string line);
  std::string note_of(std::size_t branch, std::uint64_t size, bool witnessed, bool other_key = false);
  void send(int node, authority::Packet packet);
  void mark(std::string_view part, std::string_view word);
  template <class E>
  E flaw(double odds, E last) {
    if (!rng_.chance(odds)) return E{};
    return static_cast<E>(1 + rng_.below(static_cast<std::uint64_t>(last) - 1));
  }

  Deps deps_;
  Rng rng_;
  Pens pens_;
  const Keys& keys_;
  authority::Policy policy_;
  std::vector<authority::DeliverPolicy> older_policies_;   // which the roots signed
  std::optional<std::size_t> stolen_;
  double flaws_;
  std::size_t last_node_ = 0;
  std::vector<Branch> branches_;
  std::map<int, NodeNews> news_;
  std::vector<std::pair<int, Bytes>> sent_;      // to be sent again
  std::vector<authority::Vote> old_votes_;
  std::vector<std::pair<authority::SignedStanding, authority::StandingApproval>> standings_;
  std::map<int, std::vector<authority::Digest>> pending_;
};

}  // namespace fw::sim
