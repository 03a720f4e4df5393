// CPU time and weight, v1 and v2.
#include "node-agent/executor/actions/target.hpp"

namespace fw::executor {
namespace {

Error kubelet_owns() { return {Errc::unsupported, "the kubelet owns this cgroup; on cgroup v1 its CPU is changed through the Kubernetes API only"}; }

Result<void> write_cpu_max(const Host& host, const UniqueFd& cpu, const CpuMax& max) {
  if (host.v2()) return write_file(cpu, "cpu.max", text_of(max.quota_us) + " " + std::to_string(max.period_us));
  const auto before = cpu_max_of(host, cpu);
  if (!before) return before.error();
  // Of the two orders the one that never gives more than the larger of both values: v1 refuses a child that has more than its parent.
  const auto quota = std::pair{"cpu.cfs_quota_us", std::to_string(max.quota_us)};
  const auto period = std::pair{"cpu.cfs_period_us", std::to_string(max.period_us)};
  const bool longer = max.period_us >= before->period_us;
  const auto& first = longer ? period : quota;
  const auto& second = longer ? quota : period;
  if (auto ok = write_file(cpu, first.first, first.second); !ok) return ok;
  if (auto ok = write_file(cpu, second.first, second.second); !ok) {
    // As it was, so that the refusal has no effect.
    const auto undone = write_file(cpu, first.first, std::to_string(longer ? before->period_us : before->quota_us));
    return undone ? ok.error() : Error(Errc::io, "half done: " + ok.error().message());
  }
  return {};
}

class Cpu : public ValueTarget {
 public:
  using ValueTarget::ValueTarget;

 protected:
  Result<void> may() const override {
    if (kubelet_on_v1()) return kubelet_owns();
    const auto group = cgroup();
    if (!group) return group.error();
    if (!(*group)->cpu.valid()) return Error(Errc::unsupported, "this cgroup is not in the hierarchy of the CPU controller");
    return {};
  }
  const UniqueFd& folder() const { return (*cgroup())->cpu; }
};

class CpuMaxTarget final : public Cpu {
 public:
  using Cpu::Cpu;

 protected:
  std::string_view name() const override { return "cpu quota"; }
  std::int64_t wanted() const override { return action<authority::SetCpuMax>().quota_us; }
  Result<std::int64_t> current() const override {
    const auto max = cpu_max_of(host_, folder());
    if (!max) return max.error();
    return max->quota_us;
  }
  Result<void> save(Snapshot& snapshot) const override {
    const auto max = cpu_max_of(host_, folder());
    if (!max) return max.error();
    snapshot.set("period", max->period_us);
    return {};
  }
  Result<void> set(std::int64_t value) override { return write_cpu_max(host_, folder(), {value, action<authority::SetCpuMax>().period_us}); }
  Result<void> put_back(const Snapshot& snapshot) override {
    return write_cpu_max(host_, folder(), {*snapshot.get("value"), snapshot.get("period").value_or(100'000)});
  }
};

class CpuWeight final : public Cpu {
 public:
  using Cpu::Cpu;

 protected:
  std::string_view name() const override { return "cpu weight"; }
  std::int64_t wanted() const override { return action<authority::SetCpuWeight>().weight; }
  Result<std::int64_t> current() const override { return cpu_weight_of(host_, folder()); }
  Result<void> save(Snapshot& snapshot) const override {
    if (host_.v2()) return {};
    const auto shares = read_value(folder(), "cpu.shares");   // a weight says less than shares do
    if (!shares) return shares.error();
    snapshot.set("shares", *shares);
    return {};
  }
  Result<void> set(std::int64_t value) override {
    if (host_.v2()) return write_file(folder(), "cpu.weight", std::to_string(value));
    return write_file(folder(), "cpu.shares", std::to_string(shares_of_weight(value)));
  }
  Result<void> put_back(const Snapshot& snapshot) override {
    if (const auto shares = snapshot.get("shares"); shares && !host_.v2()) return write_file(folder(), "cpu.shares", std::to_string(*shares));
    return set(*snapshot.get("value"));
  }
};

}  // namespace

Result<CpuMax> cpu_max_of(const Host& host, const UniqueFd& cpu) {
  if (!host.v2()) {
    const auto quota = read_value(cpu, "cpu.cfs_quota_us");
    if (!quota) return quota.error();
    const auto period = read_value(cpu, "cpu.cfs_period_us");
    if (!period) return period.error();
    return CpuMax{*quota, *period};
  }
  const auto text = read_file(cpu, "cpu.max", 4096);
  if (!text) return text.error();
  return parse_cpu_max(*text);
}

Result<std::int64_t> cpu_weight_of(const Host& host, const UniqueFd& cpu) {
  if (host.v2()) return read_value(cpu, "cpu.weight");
  const auto shares = read_value(cpu, "cpu.shares");
  if (!shares) return shares.error();
  return weight_of_shares(*shares);
}

std::unique_ptr<Target> make_cpu_max(const Host& host, const authority::Plan& plan) { return std::make_unique<CpuMaxTarget>(host, plan); }
std::unique_ptr<Target> make_cpu_weight(const Host& host, const authority::Plan& plan) { return std::make_unique<CpuWeight>(host, plan); }

}  // namespace fw::executor
