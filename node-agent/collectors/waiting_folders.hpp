// Cgroup folders that hold nothing yet: looked at as soon as somebody writes into them, and in turn.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "node-agent/kernel/cgroup_layout.hpp"
#include "node-agent/kernel/limit_watch.hpp"

namespace fw::collectors {

// A folder that was made long before its first process or limit is not told by any event of the kernel's. inotify tells most
// writers at once (one descriptor for all folders); looking at some of them on each tick finds the rest.
//
// Threading: one thread. Limits: max_folders, refused ones are counted; a scan finds those.
class WaitingFolders {
 public:
  WaitingFolders(const kernel::CgroupLayout& layout, std::size_t max_folders);

  void add(std::uint64_t cgroup_id, const std::string& path);
  void remove(std::uint64_t cgroup_id);
  template <class Condition>
  void remove_if(Condition condition);

  std::vector<std::uint64_t> take_written();          // since the last call
  std::vector<std::uint64_t> take_turn();             // the next few of the round

  int fd() const noexcept { return watch_ ? watch_->fd() : -1; }   // readable when take_written() has some; -1: none
  std::uint64_t refused_total() const noexcept { return refused_total_; }

 private:
  const kernel::CgroupLayout& layout_;
  std::size_t max_folders_;
  std::optional<kernel::LimitWatch> watch_;
  std::map<std::uint64_t, std::uint32_t> folders_;               // cgroup id -> owner of its watches
  std::unordered_map<std::uint32_t, std::uint64_t> by_owner_;
  std::uint32_t next_owner_ = 1;
  std::uint64_t turn_ = 0;                                       // cgroup id that was looked at last
  std::uint64_t refused_total_ = 0;
};

template <class Condition>
void WaitingFolders::remove_if(Condition condition) {
  std::vector<std::uint64_t> gone;
  for (const auto& [cgroup_id, owner] : folders_) {
    if (condition(cgroup_id)) gone.push_back(cgroup_id);
  }
  for (const auto cgroup_id : gone) remove(cgroup_id);
}

}  // namespace fw::collectors
