// The honest aggregator: the real governance core over a store in memory and the real audit log on a simulated disk. It dies and comes back.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "aggregator/audit/log.hpp"
#include "aggregator/governance/core.hpp"
#include "tests/simulation/heads.hpp"
#include "tests/simulation/node.hpp"

namespace fw::sim {

// The tables of aggregator/store as rows in memory: a write happens whole or not at all.
class MemoryStore {
 public:
  void commit(const store::WriteGovernance& write);
  const store::GovernanceRows& rows() const { return rows_; }

 private:
  store::GovernanceRows rows_;
};

// Looks at the aggregator's steps, as NodeWatcher does at a node's.
class AuditWatcher {
 public:
  virtual ~AuditWatcher() = default;
  virtual void on_log_lost(const Error& error) = 0;                                         // cannot be opened
  virtual void on_head(const audit::Log& log, const SimDisk& disk) = 0;                     // a note that may leave the process
  virtual void on_released(const Uuid& node, const authority::Packet& packet) = 0;          // leaves for a node
  virtual void on_taken(std::string_view what, bool log_works) = 0;                         // a person's document was accepted
  virtual void on_durable(const governance::Reply& reply, std::string_view what) = 0;       // and the person was told so
};

class Aggregator {
 public:
  struct Deps {
    Timeline& timeline;
    Faults& faults;
    Network& network;
    AuditWatcher& watcher;
    Marks& marks;
    std::vector<std::unique_ptr<Node>>& nodes;
  };
  Aggregator(Deps deps, Rng rng, Bytes policy, std::vector<authority::Signature> policy_signatures);

  void start();
  void die(const std::string& where);
  void on_packet(int from, const Bytes& packet);
  void connect(int node);
  // A person's call; nothing when nobody answers.
  std::optional<governance::Reply> call(std::string_view what, const std::function<governance::Reply(governance::Core&)>& request);
  void with_core(const std::function<void(governance::Core&)>& what);   // facts: incidents, limits
  std::function<void(governance::Core&)> on_restored;                    // the program tells the new core what lives: incidents
  std::function<void(const governance::IncidentWord&)> on_word;

  governance::Core* core() { return core_.get(); }
  audit::Log* log() { return log_.get(); }
  SimDisk& disk() { return disk_; }
  const MemoryStore& store() const { return store_; }
  MachineClock& clock() { return clock_; }
  void store_broken(bool yes) { store_broken_ = yes; }
  void calm();

 private:
  void guard(const std::function<void()>& what);
  void pump();
  void write(const store::WriteGovernance& rows);
  void work(const governance::LogWork& work);
  void answer(const governance::LogAnswer& answer);
  void open_log();
  void arm();
  int number_of(const Uuid& node) const;

  Deps deps_;
  Rng rng_;
  Bytes policy_;
  std::vector<authority::Signature> policy_signatures_;
  MachineClock clock_;
  SimDisk disk_;
  MemoryStore store_;
  std::unique_ptr<audit::Log> log_;
  std::unique_ptr<governance::Core> core_;
  std::uint64_t life_ = 0, armed_ = 0;
  std::vector<std::pair<governance::Reply, std::string>> to_tell_;   // people who wait for the store
  bool store_broken_ = false, opening_ = false;
};

}  // namespace fw::sim
