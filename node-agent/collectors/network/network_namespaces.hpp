// Counters of the network namespaces of containers, read through one process of each.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "node-agent/collectors/collector.hpp"
#include "node-agent/collectors/network/network_files.hpp"

namespace fw::collectors {

// /proc/PID/net/{netstat,snmp,sockstat}; nullopt when the process is gone. The three files cost 50 to 150 us, more with many CPUs.
std::optional<NamespaceCounters> read_namespace(const std::string& process_folder);

// A namespace is known by the inode of its net/netstat, which unlike ns/net may be seen without the right to trace. All containers
// of a pod have the same; one that has the node's own is left out.
//
// Bounded: at most kMaxLooks cgroups are looked up and kMaxReads namespaces read per call; the rest has its turn in later calls.
// Threading: one thread. Blocking: reads /proc (10 us per look, see read_namespace). Opens nothing for longer: an open file keeps
// a namespace alive.
class NetworkNamespaces {
 public:
  static constexpr std::size_t kMaxLooks = 64, kMaxReads = 64;

  explicit NetworkNamespaces(std::string proc_root) : proc_root_(std::move(proc_root)) {}

  // use(entity id, counters) for each due entity whose namespace was read.
  template <class Use>
  void read(const SampleContext& context, Use use) {
    look_up(context);
    read_some();
    for (const auto& entity : context.due) {
      const auto member = members_.find(entity.id);
      if (entity.gone || member == members_.end()) continue;
      const auto found = namespaces_.find(member->second);
      if (found != namespaces_.end() && found->second.counters) use(entity.id, *found->second.counters);
    }
  }
  void forget(std::uint32_t entity_id) { members_.erase(entity_id); }

 private:
  using Inode = std::pair<dev_t, ino_t>;
  struct Namespace {
    std::uint32_t pid = 0;               // one that was in it
    std::uint64_t seen_at_round = 0;     // named by a member
    std::optional<NamespaceCounters> counters;   // read in this round
  };

  std::string folder_of(std::uint32_t pid) const { return proc_root_ + "/" + std::to_string(pid); }
  void look_up(const SampleContext& context);
  void read_some();

  std::string proc_root_;
  std::uint64_t round_ = 0;
  std::map<std::uint32_t, Inode> members_;    // by entity id; not those in the node's own namespace
  std::map<Inode, Namespace> namespaces_;
  std::uint32_t next_entity_ = 0;             // where looking goes on
  Inode next_namespace_{};                    // where reading goes on
};

}  // namespace fw::collectors
