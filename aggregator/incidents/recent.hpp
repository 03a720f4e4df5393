// The recent past that cases are made of: events per node and changes, bounded in time and number.
#pragma once
#include <chrono>
#include <deque>
#include <unordered_map>
#include <vector>

#include "aggregator/changes/change.hpp"
#include "aggregator/fleet/fleet.hpp"
#include "aggregator/fleet/node_event.hpp"

namespace fw::incidents {

// Threading: one executor.
class EventHistory {
 public:
  static constexpr std::chrono::nanoseconds kHorizon = std::chrono::minutes(60);
  static constexpr std::size_t kMaxPerNode = 4'096;

  void add(fleet::NodeEventPtr event);
  void expire(std::int64_t now_ns);
  const std::deque<fleet::NodeEventPtr>& of(const Uuid& node) const;   // in the order they came
  std::uint64_t dropped_total() const noexcept { return dropped_total_; }

 private:
  std::unordered_map<Uuid, std::deque<fleet::NodeEventPtr>> events_;
  std::uint64_t dropped_total_ = 0;
};

// A change whose group was found out later: the deploy and the control file that it moved are one change.
struct GroupUpdate { Uuid change_id; std::string group; };

// Threading: one executor.
class ChangeLog {
 public:
  static constexpr std::chrono::nanoseconds kHorizon = std::chrono::hours(24);
  static constexpr std::size_t kMax = 5'000;

  explicit ChangeLog(std::size_t most = kMax) : most_(most) {}

  // Adds or replaces (by id) and links it with its counterparts: what an agent observed with what a source posted. The updates hold
  // for the log already and are for the store.
  std::vector<GroupUpdate> add(changes::Change change, const fleet::Fleet& fleet);
  void expire(std::int64_t now_ns);
  const std::deque<changes::Change>& all() const noexcept { return changes_; }
  const changes::Change* find(const Uuid& id) const;

 private:
  std::size_t most_;
  std::deque<changes::Change> changes_;
};

// What the kernel shows of a change whose author nobody told: source "node", actor unknown. `entity` is the event's.
changes::Change observed_change(const fleet::NodeEvent& event, const wire::LimitChanged& limit);

// "resources.limits.memory 256Mi -> 64Mi", else title, else revision.
std::string summary_of(const changes::Change& change);

}  // namespace fw::incidents
