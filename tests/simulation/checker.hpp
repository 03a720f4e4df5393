// The invariants of docs/security-model.md that a node must hold, checked at every step from the truth about who signed what, by code that
// shares nothing with the verifier: lists and loops, no order of checks, no caches.
#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/simulation/heads.hpp"
#include "tests/simulation/node.hpp"

namespace fw::sim {

class Checker final : public NodeWatcher {
 public:
  Checker(Timeline& timeline, Truth& truth, Heads& heads, Marks& marks) : timeline_(timeline), truth_(truth), heads_(heads), marks_(marks) {}

  void on_started(Node& node) override;
  void on_start_failed(Node& node, const Error& error) override;
  void on_step(Node& node) override;
  void on_delivered(Node& node, const Bytes& packet) override;
  void before_effect(Node& node, const authority::Plan& plan) override;
  void after_effect(Node& node, const Act& act) override;
  void on_failed(Node& node, const authority::Plan& plan) override;
  void on_sent(Node& node, const authority::Packet& packet) override;
  void on_wiped(Node& node) override;

  void broken(std::string invariant, std::string what);
  const std::vector<Violation>& violations() const { return violations_; }
  std::uint64_t effects() const { return effects_; }
  std::uint64_t unapproved() const { return unapproved_; }

  // For the end of a schedule, I33: plans that a node took and never finished.
  std::vector<std::string> unfinished(Node& node) const;

 private:
  struct Effects {
    std::uint64_t attempts = 0, applies = 0, changes = 0, epoch = 0, errors = 0;   // an attempt may have failed before it did anything
    std::int64_t first_ms = 0;
  };
  // What was last seen of one node's journal.
  struct Seen {
    bool any = false;
    bool durable = false;   // its journal was whole on the disk at some time
    authority::Nonce incarnation{};
    std::vector<authority::Nonce> gone;
    bool lost = false;                 // somebody removed the journal
    std::uint64_t policy_version = 0;
    authority::Digest policy{};
    std::int64_t floor_ms = 0;
    bool paused = false;
    HeadName head;
    std::map<authority::Digest, authority::Outcome> plans;
    std::int64_t known_ms = 0, known_at_ns = 0;        // the least that its clocks have told it, and when
    std::map<std::pair<const TruePlan*, std::uint64_t>, Effects> effects;   // by plan and incarnation number
    std::map<authority::Digest, std::vector<authority::Envelope>> envelopes;   // delivered
    std::set<std::tuple<authority::Digest, authority::State, bool>> told;
    std::vector<std::pair<std::string, std::int64_t>> uses;   // budget or standing, true time
  };

  void check_status(Node& node, Seen& seen, bool durable);
  void check_outcomes(Node& node, Seen& seen, bool durable);
  void check_target(Node& node, const Seen& seen, const authority::Plan& plan);
  void check_time(Node& node, const Seen& seen, const authority::Plan& plan);
  bool check_people(Node& node, Seen& seen, const TruePlan& plan, const authority::Policy& policy, bool first);
  void check_logged(Node& node, const Seen& seen, const TruePlan& plan, const authority::Policy& policy);
  void check_restore(Node& node, const Seen& seen, const TruePlan& plan);
  void check_once(Node& node, Seen& seen, const TruePlan& plan, const Act& act);
  const authority::Policy* policy_of(Node& node, const Seen& seen);
  std::string name(const Node& node) const { return "node " + std::to_string(node.number()); }

  Timeline& timeline_;
  Truth& truth_;
  Heads& heads_;
  Marks& marks_;
  std::map<int, Seen> seen_;
  std::vector<Violation> violations_;
  std::uint64_t effects_ = 0, unapproved_ = 0;
};

// The class by the table of docs/actions.md, written down a second time.
std::uint8_t naive_class(const authority::Plan& plan);

}  // namespace fw::sim
