// Finds a container by the identity that outlives its restarts: the pod's uid and the container's name.
#include "common/units.hpp"
#include "node-agent/executor/actions/handles.hpp"
#include "node-agent/executor/actions/host.hpp"
#include "node-agent/executor/actions/texts.hpp"
#include "node-agent/kernel/cgroup_path.hpp"

namespace fw::executor {
namespace {

constexpr std::size_t kMaxPods = 4096;
constexpr int kMaxDepth = 4;      // kubepods / quality of service / pod

// The pod's folder below `path`, whose name has begun with "kubepods".
std::string find_pod(const UniqueFd& folder, const std::string& path, std::string_view pod_uid, int depth) {
  const auto identity = kernel::identify_cgroup(path);
  if (!identity.pod_uid.empty()) return identity.pod_uid == pod_uid ? path : "";
  const auto names = depth < kMaxDepth ? subfolders(folder, kMaxPods) : Error(Errc::too_large, "depth");
  if (!names) return "";
  for (const auto& name : *names) {
    if (depth == 0 && !name.starts_with("kubepods")) continue;
    const auto child = open_folder(folder, name);
    if (!child) continue;
    if (auto found = find_pod(*child, path + "/" + name, pod_uid, depth + 1); !found.empty()) return found;
  }
  return "";
}

bool runs_as(const Host& host, const UniqueFd& cgroup, std::string_view pod_uid, std::string_view container_name) {
  const auto members = members_of(cgroup, 16);
  if (!members) return false;
  for (const auto pid : members->pids) {
    const auto process = Process::open(host, pid);
    const auto mounts = process ? process->file("mountinfo", 1_MiB) : Result<std::string>(process.error());
    if (mounts && container_name_of(*mounts, pod_uid) == container_name) return true;
  }
  return false;
}

}  // namespace

Result<std::string> find_container(const Host& host, std::string_view pod_uid, std::string_view container_name) {
  const auto pod = find_pod(host.memory, "", pod_uid, 0);
  if (pod.empty()) return Error(Errc::gone, "pod " + std::string(pod_uid) + " has no cgroup here");
  const auto folder = open_folder(host.memory, pod);
  if (!folder) return folder.error();
  const auto names = subfolders(*folder, kMaxPods);
  if (!names) return names.error();
  std::string found;
  for (const auto& name : *names) {
    const auto child = open_folder(*folder, name);
    if (!child || !runs_as(host, *child, pod_uid, container_name)) continue;
    if (!found.empty()) return Error(Errc::conflict, "container " + std::string(container_name) + " runs twice in " + pod);
    found = pod + "/" + name;
  }
  if (found.empty()) return Error(Errc::gone, "container " + std::string(container_name) + " does not run in " + pod);
  return found;
}

}  // namespace fw::executor
