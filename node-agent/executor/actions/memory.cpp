// Memory limit (v1 and v2) and memory.high (v2).
#include <algorithm>

#include "node-agent/executor/actions/target.hpp"
#include "node-agent/kernel/cgroup_path.hpp"

namespace fw::executor {
namespace {

constexpr std::int64_t kUnlimited = authority::kUnlimited;

// The kernel rounds limits down to a page.
std::int64_t whole_pages(std::int64_t bytes) { return bytes < 0 ? bytes : bytes & ~std::int64_t{4095}; }
bool above(std::int64_t a, std::int64_t b) { return a == kUnlimited ? b != kUnlimited : b != kUnlimited && a > b; }
std::string_view limit_file(const Host& host) { return host.v2() ? "memory.max" : "memory.limit_in_bytes"; }
std::string number_for(const Host& host, std::int64_t value) { return host.v2() ? text_of(value) : std::to_string(value); }

constexpr std::string_view kSwapLimit = "memory.memsw.limit_in_bytes";   // v1, with swap accounting: never below the limit

Error usage_above(std::int64_t usage, std::int64_t limit) {
  return {Errc::conflict, "its usage of " + std::to_string(usage) + " bytes is above " + std::to_string(limit) + ": a limit below the usage would kill"};
}

class MemoryTarget : public ValueTarget {
 public:
  using ValueTarget::ValueTarget;

 protected:
  Result<void> may() const override {
    if (kubelet_on_v1()) return Error(Errc::unsupported, "the kubelet owns this cgroup; on cgroup v1 its memory is changed through the Kubernetes API only");
    return {};
  }
  bool same(std::int64_t a, std::int64_t b) const override { return whole_pages(a) == whole_pages(b); }
};

class MemoryLimit final : public MemoryTarget {
 public:
  using MemoryTarget::MemoryTarget;

 protected:
  std::string_view name() const override { return "memory limit"; }
  std::int64_t wanted() const override { return action<authority::SetMemoryLimit>().limit_bytes; }
  Result<std::int64_t> current() const override {
    const auto group = cgroup();
    if (!group) return group.error();
    return memory_limit_of(host_, (*group)->memory);
  }

  Result<void> save(Snapshot& snapshot) const override {
    const auto& folders = **cgroup();
    if (!host_.v2() && has_file(folders.memory, kSwapLimit)) {
      const auto swap = read_value(folders.memory, kSwapLimit);
      if (!swap) return swap.error();
      snapshot.set("swap", *swap);
    }
    const auto pod = pod_folder();
    if (!pod) return pod.error();
    if (!pod->valid()) return {};
    const auto before = memory_limit_of(host_, *pod);
    const auto after = pod_limit(*pod);
    if (!before || !after) return before ? after.error() : before.error();
    snapshot.set("pod", *before);
    snapshot.set("pod_set", *after);
    return {};
  }

  Result<void> set(std::int64_t value) override {
    const auto& folders = **cgroup();
    const auto before = current();
    if (!before) return before.error();
    if (above(*before, value)) {
      const auto usage = memory_usage_of(host_, folders.memory);
      if (!usage) return usage.error();
      if (*usage > value) return usage_above(*usage, value);
      return write_file(folders.memory, limit_file(host_), number_for(host_, value));
    }
    bool changed = false;
    const auto raise = [&](const UniqueFd& folder, std::string_view file, std::int64_t from, std::int64_t to) -> Result<void> {
      if (!above(to, from)) return {};
      auto ok = write_file(folder, file, number_for(host_, to));
      if (!ok && changed) return Error(Errc::io, "half done: " + ok.error().message());
      changed = true;
      return ok;
    };
    const auto pod = pod_folder();
    if (!pod) return pod.error();
    if (pod->valid()) {
      const auto from = memory_limit_of(host_, *pod);
      const auto to = pod_limit(*pod);
      if (!from || !to) return from ? to.error() : from.error();
      if (auto ok = raise(*pod, limit_file(host_), *from, *to); !ok) return ok;
    }
    if (!host_.v2() && has_file(folders.memory, kSwapLimit)) {
      const auto swap = read_value(folders.memory, kSwapLimit);
      if (!swap) return swap.error();
      if (auto ok = raise(folders.memory, kSwapLimit, *swap, value); !ok) return ok;
    }
    return raise(folders.memory, limit_file(host_), *before, value);
  }

  // The pod first: while the container still has the plan's value, a crash in between does all of it again.
  Result<void> put_back(const Snapshot& snapshot) override {
    const auto& folders = **cgroup();
    const auto before = snapshot.need("value");
    if (!before) return before.error();
    if (above(wanted(), *before)) {
      if (auto ok = make_room(folders.memory, *before); !ok) return ok;
    }
    if (auto ok = put_back_pod(snapshot); !ok) return ok;
    const auto swap = host_.v2() ? std::nullopt : snapshot.get("swap");
    const bool swap_first = swap && above(*before, wanted());
    const auto put_swap = [&, is_kept = swap.has_value(), value = swap.value_or(0)]() -> Result<void> {
      if (!is_kept) return {};
      return write_file(folders.memory, kSwapLimit, std::to_string(value));
    };
    if (swap_first) {
      if (auto ok = put_swap(); !ok) return ok;
    }
    if (auto ok = write_file(folders.memory, limit_file(host_), number_for(host_, *before)); !ok) return ok;
    if (!swap_first) {
      if (auto ok = put_swap(); !ok) return Error(Errc::io, ok.error().message());
    }
    return {};
  }

  Result<void> put_back_rest(const Snapshot& snapshot) override {
    if (auto ok = put_back_pod(snapshot); !ok) return ok;
    const auto swap = host_.v2() ? std::nullopt : snapshot.get("swap");
    if (!swap) return {};
    const auto& folder = (*cgroup())->memory;
    const auto now = read_value(folder, kSwapLimit);
    if (!now) return now.error();
    if (same(*now, *swap) || !same(*now, wanted())) return {};   // as it was, or another hand's
    return write_file(folder, kSwapLimit, std::to_string(*swap));
  }

 private:
  Result<void> put_back_pod(const Snapshot& snapshot) const {
    const auto pod = pod_folder();
    if (!pod) return pod.error();
    const auto before = snapshot.get("pod");
    if (!pod->valid() || !before) return {};
    const auto now = memory_limit_of(host_, *pod);
    if (!now || !same(*now, snapshot.get("pod_set").value_or(*before)) || !above(*now, *before)) return {};
    if (auto ok = make_room(*pod, *before); !ok) return ok;
    return write_file(*pod, limit_file(host_), number_for(host_, *before));
  }

  // The kernel kills what does not fit below a new v2 limit, so what can be reclaimed is reclaimed first. v1 does so by itself and refuses.
  Result<void> make_room(const UniqueFd& folder, std::int64_t limit) const {
    if (!host_.v2() || limit == kUnlimited) return {};
    auto usage = memory_usage_of(host_, folder);
    if (usage && *usage > limit && has_file(folder, "memory.reclaim")) {
      (void)write_file(folder, "memory.reclaim", std::to_string(*usage - limit));   // EAGAIN: less than that; the usage tells
      usage = memory_usage_of(host_, folder);
    }
    if (!usage) return usage.error();
    if (*usage > limit) return usage_above(*usage, limit);
    return {};
  }

  // The folder of the pod that holds this container; not valid when there is none.
  Result<UniqueFd> pod_folder() const {
    const auto group = cgroup();
    if (!group) return group.error();
    const auto& path = (*group)->path;
    const auto pod = kernel::identify_cgroup(path).pod_path;
    if (pod.empty() || pod.size() >= path.size()) return UniqueFd();
    return open_folder(host_.memory, pod);
  }

  // What the pod needs: its containers' limits together, with the plan's; never less than it has.
  Result<std::int64_t> pod_limit(const UniqueFd& pod) const {
    const auto before = memory_limit_of(host_, pod);
    if (!before || *before == kUnlimited) return before;
    if (wanted() == kUnlimited) return kUnlimited;
    const auto children = subfolders(pod, 256);
    if (!children) return children.error();
    std::int64_t sum = wanted();
    for (const auto& name : *children) {
      const auto child = open_folder(pod, name);
      if (!child) continue;
      if (const auto inode = inode_of(*child); !inode || *inode == (*cgroup())->inode) continue;
      const auto limit = memory_limit_of(host_, *child);
      if (limit && *limit != kUnlimited) sum += *limit;
    }
    return std::max(*before, sum);
  }
};

class MemoryHigh final : public MemoryTarget {
 public:
  using MemoryTarget::MemoryTarget;

 protected:
  std::string_view name() const override { return "memory high"; }
  std::int64_t wanted() const override { return action<authority::SetMemoryHigh>().high_bytes; }
  Result<void> may() const override {
    if (!host_.v2()) return Error(Errc::unsupported, "memory.high needs cgroup v2");
    return {};
  }
  Result<std::int64_t> current() const override {
    const auto group = cgroup();
    if (!group) return group.error();
    return read_value((*group)->memory, "memory.high");
  }
  Result<void> set(std::int64_t value) override { return write_file((*cgroup())->memory, "memory.high", text_of(value)); }
  Result<void> put_back(const Snapshot& snapshot) override { return set(*snapshot.get("value")); }
};

}  // namespace

Result<std::int64_t> memory_limit_of(const Host& host, const UniqueFd& memory) { return read_value(memory, limit_file(host)); }
Result<std::int64_t> memory_usage_of(const Host& host, const UniqueFd& memory) {
  return read_value(memory, host.v2() ? "memory.current" : "memory.usage_in_bytes");
}

std::unique_ptr<Target> make_memory_limit(const Host& host, const authority::Plan& plan) { return std::make_unique<MemoryLimit>(host, plan); }
std::unique_ptr<Target> make_memory_high(const Host& host, const authority::Plan& plan) { return std::make_unique<MemoryHigh>(host, plan); }

}  // namespace fw::executor
