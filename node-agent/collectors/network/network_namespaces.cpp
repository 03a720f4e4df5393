#include "node-agent/collectors/network/network_namespaces.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "common/units.hpp"
#include "node-agent/kernel/cgroup_reader.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

std::optional<std::pair<dev_t, ino_t>> namespace_of(const std::string& process_folder) {
  struct stat status {};
  if (::stat((process_folder + "/net/netstat").c_str(), &status) != 0) return std::nullopt;
  return std::pair{status.st_dev, status.st_ino};
}

}  // namespace

std::optional<NamespaceCounters> read_namespace(const std::string& process_folder) {
  NamespaceCounters counters;
  const auto netstat = kernel::read_small_file(process_folder + "/net/netstat", 64_KiB);
  if (!netstat) return std::nullopt;
  add_protocol_counters(*netstat, counters);
  if (const auto snmp = kernel::read_small_file(process_folder + "/net/snmp", 64_KiB)) add_protocol_counters(*snmp, counters);
  if (const auto sockets = kernel::read_small_file(process_folder + "/net/sockstat", 4_KiB)) add_socket_counts(*sockets, counters);
  return counters;
}

void NetworkNamespaces::look_up(const SampleContext& context) {
  ++round_;
  const auto own = namespace_of(proc_root_ + "/self");
  const auto& due = context.due;
  auto at = std::lower_bound(due.begin(), due.end(), next_entity_, [](const auto& entity, std::uint32_t id) { return entity.id < id; });
  for (std::size_t looked = 0; looked < std::min(kMaxLooks, due.size()); ++looked, ++at) {
    if (at == due.end()) at = due.begin();
    if (at->gone || at->reader == nullptr) continue;
    members_.erase(at->id);
    const auto text = at->reader->processes(64);   // the first will do
    const auto pids = text ? kernel::parse_pids(*text, 1) : std::vector<std::uint32_t>{};
    if (pids.empty()) continue;
    const auto found = namespace_of(folder_of(pids.front()));
    if (!found || found == own) continue;
    members_[at->id] = *found;
    auto& space = namespaces_[*found];
    space.pid = pids.front();
    space.seen_at_round = round_;
  }
  next_entity_ = at == due.end() ? 0 : at->id;
  // All members have been looked at again after so many rounds; a namespace that none named since then is gone.
  const auto rounds = due.size() / kMaxLooks + 2;
  std::erase_if(namespaces_, [&](const auto& entry) { return entry.second.seen_at_round + rounds < round_; });
}

void NetworkNamespaces::read_some() {
  for (auto& [inode, space] : namespaces_) space.counters.reset();
  auto at = namespaces_.lower_bound(next_namespace_);
  for (std::size_t done = 0; done < std::min(kMaxReads, namespaces_.size()); ++done, ++at) {
    if (at == namespaces_.end()) at = namespaces_.begin();
    const auto folder = folder_of(at->second.pid);
    // The process may have ended and its number be another's.
    if (namespace_of(folder) == at->first) at->second.counters = read_namespace(folder);
  }
  next_namespace_ = at == namespaces_.end() ? Inode{} : at->first;
}

}  // namespace fw::collectors
