#include "agents/orchestrator/by_hand.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "agents/orchestrator/template.hpp"

namespace fw::agents {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::optional<std::string> kubernetes_workload(const Candidate& change) {
  std::string kind = change.object_kind;
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static constexpr std::array kWorkloads{"deployment", "statefulset", "daemonset"};
  if (std::find(kWorkloads.begin(), kWorkloads.end(), kind) == kWorkloads.end() || change.object_name.empty()) return std::nullopt;
  return kind + "/" + change.object_name;
}

}  // namespace

std::vector<std::string> set_memory_limit(const LimitTarget& target, std::int64_t bytes, const Candidate* suspect) {
  const std::string value = std::to_string(bytes);
  if (suspect != nullptr && !target.pod_uid.empty())
    if (const auto workload = kubernetes_workload(*suspect)) {
      const auto object = shell_word(*workload);
      const auto space = shell_word(suspect->object_namespace.empty() ? "default" : suspect->object_namespace);
      const std::int64_t mib = (bytes + (1 << 20) - 1) >> 20;
      if (object && space) return {"kubectl -n " + *space + " set resources " + *object + " --limits=memory=" + std::to_string(mib) + "Mi"};
    }
  if (target.cgroup_path.empty() || target.cgroup_path.front() != '/') return {};
  const std::string last = target.cgroup_path.substr(target.cgroup_path.rfind('/') + 1);
  if (target.pod_uid.empty() && (ends_with(last, ".service") || ends_with(last, ".scope") || ends_with(last, ".slice")))
    if (const auto unit = shell_word(last)) return {"systemctl set-property " + *unit + " MemoryMax=" + value};
  const bool v2 = target.cgroup_version.value_or(2) == 2;
  const auto file = shell_word(v2 ? "/sys/fs/cgroup" + target.cgroup_path + "/memory.max"
                                  : "/sys/fs/cgroup/memory" + target.cgroup_path + "/memory.limit_in_bytes");
  if (!file) return {};
  return {"echo " + value + " > " + *file};
}

}  // namespace fw::agents
