#include "tests/simulation/plans.hpp"

namespace fw::sim {

using namespace authority;

std::string_view to_string(PlanFlaw flaw) {
  static constexpr std::string_view kNames[] = {"none",  "other_node",  "old_incarnation", "other_boot",    "other_cluster",      "early", "late",
                                                "long_window", "out_of_bounds", "breaks_a_rule", "false_precondition", "gone_target", "effect_never_comes"};
  return kNames[static_cast<std::size_t>(flaw)];
}

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

std::uint64_t some_ttl_ms(Rng& rng) { return static_cast<std::uint64_t>(rng.between(1, 14)) * kMinuteMs; }

void bind_process(Plan& plan, Node& node, const Cgroup& cgroup) {
  plan.target.boot = node.machine().boot();
  plan.target.cgroup_inode = cgroup.inode;
}

// The action, what must be so before it, what will be so after it.
void write_action(Rng& rng, Plan& plan, Node& node, const Cgroup& cgroup) {
  const auto ttl = rng.chance(0.5) ? some_ttl_ms(rng) : 0;
  const auto expect = [&](Probe probe, std::int64_t before, std::int64_t after) {
    plan.preconditions.push_back({probe, Comparison::equal, before});
    plan.effect = Check{probe, Comparison::equal, after};
    plan.effect_within_ms = static_cast<std::uint64_t>(rng.between(1, 60)) * 1000;
  };
  switch (rng.below(13)) {
    case 0: plan.action = Diagnose{65536}; break;
    case 1: {
      const auto high = cgroup.limit / 2;
      plan.action = SetMemoryHigh{high, some_ttl_ms(rng)};
      bind_process(plan, node, cgroup);
      expect(Probe::memory_high_bytes, cgroup.high, high);
      break;
    }
    case 2: plan.action = SetCpuMax{50'000, 100'000, ttl}; expect(Probe::cpu_quota_us, cgroup.quota, 50'000); break;
    case 3: {
      const auto weight = rng.between(2, 900);
      plan.action = SetCpuWeight{weight, ttl};
      expect(Probe::cpu_weight, cgroup.weight, weight);
      break;
    }
    case 4: plan.action = SetPidsMax{8192, ttl}; expect(Probe::pids_max, cgroup.pids_max, 8192); break;
    case 5:
      plan.action = Freeze{some_ttl_ms(rng)};
      bind_process(plan, node, cgroup);
      expect(Probe::frozen, cgroup.frozen ? 1 : 0, 1);
      break;
    case 6: plan.action = Thaw{}; expect(Probe::frozen, cgroup.frozen ? 1 : 0, 0); break;
    case 7:
      plan.action = KillProcess{rng.chance(0.3) ? 5000U : 0U};
      bind_process(plan, node, cgroup);
      plan.target.pid = cgroup.pid;
      plan.target.start_ticks = cgroup.start_ticks;
      expect(Probe::process_alive, 1, 0);
      break;
    case 8:
    case 12: {
      if (rng.chance(0.7)) {
        plan.action = RotateLog{"/var/log/pods/shop/checkout.log", 1 << 20};
        expect(Probe::file_bytes, node.machine().state().files.begin()->second, 1 << 20);
      } else {
        plan.action = KillCgroup{};
        bind_process(plan, node, cgroup);
        expect(Probe::populated, 1, 0);
      }
      break;
    }
    case 9:
      plan.action = SetSysctl{"net.core.somaxconn", 8192, ttl};
      expect(Probe::sysctl_value, node.machine().state().sysctls.begin()->second, 8192);
      break;
    default: {
      const auto limit = rng.between(65, 250) << 20;
      plan.action = SetMemoryLimit{limit, ttl};
      expect(Probe::memory_limit_bytes, cgroup.limit, limit);
      break;
    }
  }
}

}  // namespace

Plan write_plan(Rng& rng, Node& node, const Nonce& incarnation, const Nonce& nonce, std::int64_t now_ms, PlanFlaw flaw) {
  auto& cgroups = node.machine().state().cgroups;
  auto it = cgroups.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(rng.below(cgroups.size())));

  Plan plan;
  plan.nonce = nonce;
  plan.incident = "INC-" + std::to_string(rng.between(1, 9));
  plan.target.node = node.config().node;
  plan.target.cluster = node.config().cluster;
  plan.target.incarnation = incarnation;
  plan.target.cgroup_path = it->first;
  plan.target.name_space = it->first.starts_with("/shop") ? "shop" : "batch";
  plan.target.workload = it->first.substr(it->first.rfind('/') + 1);
  plan.target.display_name = plan.target.workload;
  plan.not_before_ms = now_ms - kMinuteMs;
  plan.not_after_ms = now_ms + rng.between(5, 120) * kMinuteMs;
  rng.fill(plan.evidence);
  write_action(rng, plan, node, it->second);
  if (rng.chance(0.3)) {
    plan.proposer = Proposer::person;
    plan.person = Keys::get().humans[rng.below(5)].person;
  }

  switch (flaw) {
    case PlanFlaw::other_node: rng.fill(plan.target.node.bytes); break;
    case PlanFlaw::old_incarnation: rng.fill(plan.target.incarnation); break;
    case PlanFlaw::other_boot:
      plan.action = Freeze{some_ttl_ms(rng)};
      bind_process(plan, node, it->second);
      rng.fill(plan.target.boot->bytes);
      plan.preconditions = {{Probe::frozen, Comparison::equal, it->second.frozen ? 1 : 0}};
      plan.effect = Check{Probe::frozen, Comparison::equal, 1};
      break;
    case PlanFlaw::other_cluster: plan.target.cluster = "elsewhere"; break;
    case PlanFlaw::early: plan.not_before_ms = now_ms + 30 * kMinuteMs; plan.not_after_ms = now_ms + 60 * kMinuteMs; break;
    case PlanFlaw::late: plan.not_before_ms = now_ms - 60 * kMinuteMs; plan.not_after_ms = now_ms - 10 * kMinuteMs; break;
    case PlanFlaw::long_window: plan.not_after_ms = plan.not_before_ms + 20 * 60 * kMinuteMs; break;
    case PlanFlaw::out_of_bounds: plan.action = SetMemoryLimit{std::int64_t{4} << 30, 600'000}; plan.effect.reset(); plan.preconditions.clear(); break;
    case PlanFlaw::breaks_a_rule: plan.action = SetMemoryHigh{1 << 20, 0}; break;
    case PlanFlaw::false_precondition: plan.preconditions.push_back({Probe::memory_limit_bytes, Comparison::less, 5}); break;
    case PlanFlaw::gone_target: plan.target.cgroup_path = "/shop/nothing"; break;
    case PlanFlaw::effect_never_comes:
      plan.effect = Check{Probe::memory_current_bytes, Comparison::equal, 1};
      plan.effect_within_ms = 120'000;   // and nothing else can be done meanwhile
      break;
    default: break;
  }
  return plan;
}

}  // namespace fw::sim
