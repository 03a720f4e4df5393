// connections and listening_ports: the socket tables of network namespaces, joined with who holds the sockets.
#include <dirent.h>

#include <array>
#include <set>
#include <unordered_map>

#include "node-agent/kernel/text.hpp"
#include "node-agent/probes/parsers.hpp"
#include "node-agent/probes/sight.hpp"

namespace fw::probes {
namespace {

constexpr std::size_t kMaxTableBytes = 4 * 1024 * 1024;
constexpr std::size_t kMaxSocketsRead = 20'000;
constexpr std::size_t kMaxDescriptors = 50'000;   // looked at, of all processes
constexpr std::uint8_t kListen = 10;
constexpr std::array<const char*, 4> kTables{"tcp", "tcp6", "udp", "udp6"};

struct Owner {
  std::uint32_t pid = 0;
  std::string comm;
};
using Owners = std::unordered_map<std::uint64_t, Owner>;

Owners owners_of(const Sight& sight, const std::vector<std::uint32_t>& pids, Answer& answer) {
  Owners owners;
  std::size_t seen = 0, closed = 0;
  for (const auto pid : pids) {
    DIR* folder = ::opendir(sight.proc(pid, "fd").c_str());
    if (folder == nullptr) {
      ++closed;
      continue;
    }
    const auto comm = sight.read(sight.proc(pid, "comm"), 64);
    while (const auto* entry = ::readdir(folder)) {
      if (++seen > kMaxDescriptors || sight.late()) {
        answer.truncated = true;
        break;
      }
      if (const auto inode = socket_inode(sight.link(sight.proc(pid, "fd/") + entry->d_name)))
        owners.try_emplace(*inode, Owner{pid, comm ? std::string(kernel::trimmed(*comm)) : ""});
    }
    ::closedir(folder);
  }
  if (closed != 0) answer.facts["processes_not_seen"] = closed;
  return owners;
}

bool wanted(const char* table, const Socket& socket, bool listening) {
  const bool tcp = table[0] == 't';
  if (tcp) return listening == (socket.state == kListen);
  return listening == (socket.remote.ends_with(":0"));   // an unconnected UDP socket takes from anybody
}

// Sockets of one process' network; `all`: also those that nobody of `owners` holds.
void add_sockets(const Sight& sight, const std::string& net, const Owners& owners, bool listening, bool all, Answer& answer) {
  for (const char* table : kTables) {
    const auto text = sight.read(net + "/" + table, kMaxTableBytes);
    if (!text) continue;
    if (text->size() == kMaxTableBytes) answer.truncated = true;
    for (const auto& socket : parse_sockets(*text, kMaxSocketsRead)) {
      if (!wanted(table, socket, listening)) continue;
      const auto owner = owners.find(socket.inode);
      if (owner == owners.end() && !all) continue;
      if (answer.rows.size() == kMaxRows) {
        answer.truncated = true;
        return;
      }
      boost::json::object row{{"protocol", table}, {"local", socket.local}};
      if (!listening) row["remote"] = socket.remote;
      if (!listening && table[0] == 't') row["state"] = state_name(socket.state);
      row["receive_queue"] = socket.receive_queue_bytes;
      row["send_queue"] = socket.send_queue_bytes;   // of a TCP socket that listens: the queue's limit
      if (owner != owners.end()) {
        row["pid"] = owner->second.pid;
        row["comm"] = owner->second.comm;
      }
      answer.rows.push_back(std::move(row));
    }
  }
}

Result<Answer> sockets(const Sight& sight, const Request& request, bool listening) {
  const auto pids = sight.pids(request.target.cgroup_path);
  if (!pids) return pids.error();
  Answer answer;
  const auto owners = owners_of(sight, *pids, answer);
  if (request.target.cgroup_path.empty()) {
    add_sockets(sight, sight.roots().proc + "/self/net", owners, listening, true, answer);
    return answer;
  }
  std::set<std::string> networks;   // processes of one cgroup nearly always share one
  for (const auto pid : *pids) {
    if (sight.late() || networks.size() > 16) break;
    const auto network = sight.link(sight.proc(pid, "ns/net"));
    if (networks.insert(network).second) add_sockets(sight, sight.proc(pid, "net"), owners, listening, false, answer);
  }
  return answer;
}

}  // namespace

Result<Answer> connections(const Sight& sight, const Request& request) { return sockets(sight, request, false); }
Result<Answer> listening_ports(const Sight& sight, const Request& request) { return sockets(sight, request, true); }

}  // namespace fw::probes
