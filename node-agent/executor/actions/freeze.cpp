// Freeze and thaw: v2 cgroup.freeze, v1 freezer.state.
#include "node-agent/executor/actions/target.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::executor {
namespace {

constexpr int kSettleMs = 2000;    // tasks in the kernel freeze when they come out
constexpr int kStepMs = 5;

class Freezer final : public ValueTarget {
 public:
  using ValueTarget::ValueTarget;

 protected:
  std::string_view name() const override { return "frozen"; }
  std::int64_t wanted() const override { return freezes() ? 1 : 0; }
  Result<void> may() const override {
    const auto group = cgroup();
    if (!group) return group.error();
    return freezes() ? may_stop(host_, **group) : Result<void>();
  }
  // What was asked of the kernel, which a restore takes back also while the tasks are still on their way.
  Result<std::int64_t> current() const override {
    const auto group = cgroup();
    if (!group) return group.error();
    if (!host_.v2() && (*group)->freezer.valid()) return read_value((*group)->freezer, "freezer.self_freezing");
    return read_value(host_.v2() ? (*group)->memory : (*group)->unified, "cgroup.freeze");
  }
  Result<void> set(std::int64_t value) override { return set_frozen(host_, **cgroup(), value != 0); }
  Result<void> put_back(const Snapshot& snapshot) override { return set(*snapshot.get("value")); }

 private:
  bool freezes() const { return std::holds_alternative<authority::Freeze>(plan_.action); }
};

}  // namespace

Result<bool> is_frozen(const Host& host, const CgroupFolders& cgroup) {
  if (!host.v2() && cgroup.freezer.valid()) {
    const auto state = read_file(cgroup.freezer, "freezer.state", 64);
    if (!state) return state.error();
    return kernel::trimmed(*state) == "FROZEN";
  }
  const auto& folder = host.v2() ? cgroup.memory : cgroup.unified;
  if (!folder.valid()) return Error(Errc::unsupported, "this cgroup is in no hierarchy that can freeze it");
  const auto events = read_file(folder, "cgroup.events", 4096);
  if (!events) return events.error();
  if (const auto frozen = parse_keyed(*events, "frozen")) return *frozen != 0;
  return Error(Errc::unsupported, "cgroup.events: no frozen");
}

Result<void> set_frozen(const Host& host, const CgroupFolders& cgroup, bool frozen) {
  const bool v1 = !host.v2() && cgroup.freezer.valid();
  const auto& folder = v1 ? cgroup.freezer : host.v2() ? cgroup.memory : cgroup.unified;
  if (!folder.valid()) return Error(Errc::unsupported, "this cgroup is in no hierarchy that can freeze it");
  const auto ok = v1 ? write_file(folder, "freezer.state", frozen ? "FROZEN" : "THAWED") : write_file(folder, "cgroup.freeze", frozen ? "1" : "0");
  if (!ok) return ok;
  for (int waited = 0; waited < kSettleMs; waited += kStepMs) {
    const auto now = is_frozen(host, cgroup);
    if (!now || *now == frozen) break;
    pause_ms(kStepMs);
  }
  return {};
}

std::unique_ptr<Target> make_freeze(const Host& host, const authority::Plan& plan) { return std::make_unique<Freezer>(host, plan); }

}  // namespace fw::executor
