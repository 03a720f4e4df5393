// The invariants of the audit log and of what leaves the aggregator: I20 to I25, I33. It reads lines and the store's rows, not the core.
#pragma once
#include <map>
#include <set>
#include <string>

#include "tests/simulation/aggregator.hpp"
#include "tests/simulation/checker.hpp"

namespace fw::sim {

class AuditChecker final : public AuditWatcher {
 public:
  AuditChecker(Timeline& timeline, Checker& checker, Heads& heads, Marks& marks)
      : timeline_(timeline), checker_(checker), heads_(heads), marks_(marks) {}

  void on_head(const audit::Log& log, const SimDisk& disk) override;
  void on_log_lost(const Error& error) override;
  void on_released(const Uuid& node, const authority::Packet& packet) override;
  void on_taken(std::string_view what, bool log_works) override;
  void on_durable(const governance::Reply& reply, std::string_view what) override;

  // The end of a schedule, when nothing fails any more.
  void at_end(Aggregator& aggregator, const std::vector<std::unique_ptr<Node>>& nodes, Rng& rng);

 private:
  void each_change_once(const store::GovernanceRows& rows);
  void acknowledged_is_there(const store::GovernanceRows& rows);
  void finished(governance::Core& core);
  void forks_are_known(governance::Core& core, const std::vector<std::unique_ptr<Node>>& nodes);
  void any_change_is_seen(Aggregator& aggregator, Rng& rng);

  Timeline& timeline_;
  Checker& checker_;
  Heads& heads_;
  Marks& marks_;
  void read_on(const SimDisk& disk, std::uint64_t size);
  const std::vector<std::string>& lines() const { return *lines_; }

  std::shared_ptr<std::vector<std::string>> lines_ = std::make_shared<std::vector<std::string>>();   // of the log, under its newest head
  Frontier frontier_;
  std::string file_;                                                   // where the next line is
  std::size_t offset_ = 0;
  std::map<authority::Digest, std::uint64_t> acknowledged_;            // plans whose outcome was acknowledged, with the index
  std::set<authority::Digest> taken_;                                  // plans of which a vote was taken
};

}  // namespace fw::sim
