#include "node-agent/collectors/waiting_folders.hpp"

#include <algorithm>
#include <utility>

namespace fw::collectors {
namespace {

constexpr std::size_t kPerTurn = 64;   // about 20 us each

}  // namespace

WaitingFolders::WaitingFolders(const kernel::CgroupLayout& layout, std::size_t max_folders) : layout_(layout), max_folders_(max_folders) {
  if (auto watch = kernel::LimitWatch::open()) watch_.emplace(std::move(*watch));
}

void WaitingFolders::add(std::uint64_t cgroup_id, const std::string& path) {
  if (folders_.contains(cgroup_id)) return;
  if (folders_.size() >= max_folders_) {
    ++refused_total_;
    return;
  }
  const auto owner = next_owner_++;
  folders_.emplace(cgroup_id, owner);
  by_owner_.emplace(owner, cgroup_id);
  if (!watch_) return;
  const auto folder = layout_.memory + path;
  (void)watch_->add(folder + "/cgroup.procs", owner);
  (void)watch_->add(folder + (layout_.memory_v2() ? "/memory.max" : "/memory.limit_in_bytes"), owner);
  if (layout_.memory_v2()) (void)watch_->add(folder + "/cgroup.events", owner);   // also a process that was born there
}

void WaitingFolders::remove(std::uint64_t cgroup_id) {
  const auto found = folders_.find(cgroup_id);
  if (found == folders_.end()) return;
  if (watch_) watch_->remove(found->second);
  by_owner_.erase(found->second);
  folders_.erase(found);
}

std::vector<std::uint64_t> WaitingFolders::take_written() {
  std::vector<std::uint64_t> ids;
  if (!watch_) return ids;
  const auto written = watch_->drain();
  if (written.all) {
    for (const auto& [cgroup_id, owner] : folders_) ids.push_back(cgroup_id);
    return ids;
  }
  for (const auto owner : written.owners) {
    if (const auto found = by_owner_.find(owner); found != by_owner_.end()) ids.push_back(found->second);
  }
  return ids;
}

std::vector<std::uint64_t> WaitingFolders::take_turn() {
  std::vector<std::uint64_t> ids;
  const auto count = std::min(kPerTurn, folders_.size());
  for (auto at = folders_.upper_bound(turn_); ids.size() < count; ++at) {
    if (at == folders_.end()) at = folders_.begin();
    ids.push_back(at->first);
  }
  if (!ids.empty()) turn_ = ids.back();
  return ids;
}

}  // namespace fw::collectors
