#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kTtlMs = 600'000;

TEST(Catalogue, has_a_row_for_every_action_at_its_index) {
  const auto actions = test::every_action();
  ASSERT_EQ(actions.size(), catalogue().size());
  ASSERT_EQ(actions.size() + 1, std::variant_size_v<Action>);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    EXPECT_EQ(actions[i].index(), i + 1);
    EXPECT_EQ(catalogue()[i].index, i + 1);
    EXPECT_EQ(&info_of(actions[i]), &catalogue()[i]);
    EXPECT_EQ(find_action(catalogue()[i].name), &catalogue()[i]);
    EXPECT_LE(catalogue()[i].min_value, catalogue()[i].max_value);
  }
  EXPECT_EQ(find_action("drop_caches"), nullptr);
  EXPECT_EQ(find_action(""), nullptr);
}

TEST(Catalogue, says_what_a_crash_means) {
  for (const auto& info : catalogue()) {
    const auto expected = info.name == "kill_process" || info.name == "kill_cgroup" ? Recovery::checkable
                          : info.name == "rotate_log"                              ? Recovery::at_most_once
                                                                                   : Recovery::idempotent;
    EXPECT_EQ(info.recovery, expected) << info.name;
  }
}

// The class is the law: a change here is a change of what people have to sign.
TEST(ClassOf, is_as_the_table_of_actions_says) {
  const std::vector<std::pair<Action, int>> rows = {
      {Diagnose{1}, 0},
      {SetMemoryLimit{1, kTtlMs}, 1}, {SetMemoryLimit{1, 0}, 2},
      {SetMemoryHigh{1, kTtlMs}, 1},
      {SetCpuMax{1, 1, kTtlMs}, 1},   {SetCpuMax{1, 1, 0}, 2},
      {SetCpuWeight{1, kTtlMs}, 1},   {SetCpuWeight{1, 0}, 2},
      {SetPidsMax{1, kTtlMs}, 1},     {SetPidsMax{1, 0}, 2},
      {Freeze{kTtlMs}, 1},            {Thaw{}, 1},
      {KillProcess{}, 2},             {KillCgroup{}, 2},
      {SetSysctl{"", 1, kTtlMs}, 1},  {SetSysctl{"", 1, 0}, 2},
      {RotateLog{}, 1},               {Undo{}, 1},
      {Extend{}, 1},                  {std::monostate{}, 3},
  };
  for (const auto& [action, expected] : rows) {
    Plan plan;
    plan.action = action;
    EXPECT_EQ(class_of(plan), expected) << describe(action);
  }
}

TEST(OwnerOf, follows_from_the_path_and_the_pod) {
  const auto owner = [](const std::string& path, const std::string& pod = "") {
    Target target;
    target.cgroup_path = path;
    target.pod_uid = pod;
    return owner_of(target);
  };
  EXPECT_EQ(owner("/shop/checkout"), Owner::none);
  EXPECT_EQ(owner("/docker/4711"), Owner::none);
  EXPECT_EQ(owner("/shop/.service"), Owner::none);
  EXPECT_EQ(owner(""), Owner::none);
  EXPECT_EQ(owner("/system.slice/shop.service"), Owner::systemd);
  EXPECT_EQ(owner("/system.slice/docker-4711.scope/worker"), Owner::systemd);
  EXPECT_EQ(owner("/user.slice"), Owner::systemd);
  EXPECT_EQ(owner("/kubepods/burstable/pod1/c"), Owner::kubelet);
  EXPECT_EQ(owner("/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope"), Owner::kubelet);
  EXPECT_EQ(owner("/kubelet.slice/kubelet-kubepods.slice/x"), Owner::kubelet);
  EXPECT_EQ(owner("/any", "pod-uid"), Owner::kubelet);
}

TEST(ProtectedCgroups, are_those_of_the_node_itself) {
  for (const std::string_view path : {"/", "/init.scope", "/system.slice/kubelet.service", "/system.slice/containerd.service", "/runtime.slice/crio.service",
                                      "/system.slice/docker.service/x", "/system.slice/systemd-journald.service", "/system.slice/dbus.service",
                                      "/system.slice/sshd.service", "/fleetwright", "/system.slice/fleetwright-agent.service", "/system.slice/etcd.service",
                                      "/system.slice", "/kubepods", "/kubepods/burstable", "/kubepods/besteffort", "/kubepods.slice/kubepods-besteffort.slice", "/kubelet.slice"})
    EXPECT_TRUE(is_protected_cgroup(path)) << path;
  for (const std::string_view path : {"", "/shop", "/system.slice/shop.service", "/system.slice/my-kubelet.service", "/system.slice/systemd-shop.scope", "/kubepods/burstable/pod1", "/shop/burstable",
                                      "/kubepods.slice/kubepods-pod1.slice", "/shop.slice"})
    EXPECT_FALSE(is_protected_cgroup(path)) << path;
}

TEST(MainValue, is_the_number_that_bounds_are_about) {
  EXPECT_EQ(main_value(Diagnose{7}), 7);
  EXPECT_EQ(main_value(SetMemoryLimit{8, 1}), 8);
  EXPECT_EQ(main_value(SetMemoryHigh{9, 1}), 9);
  EXPECT_EQ(main_value(SetCpuWeight{10, 1}), 10);
  EXPECT_EQ(main_value(SetPidsMax{11, 1}), 11);
  EXPECT_EQ(main_value(KillProcess{12}), 12);
  EXPECT_EQ(main_value(SetSysctl{"k", 13, 1}), 13);
  EXPECT_EQ(main_value(RotateLog{"p", 14}), 14);
  EXPECT_EQ(main_value(Extend{{}, 15}), 15);
  for (const auto& action : {Action(Freeze{1}), Action(Thaw{}), Action(KillCgroup{}), Action(Undo{}), Action()}) EXPECT_EQ(main_value(action), std::nullopt);
  EXPECT_EQ(main_value(KillProcess{UINT64_MAX}), INT64_MAX);
}

// A bound on the quota must not be passed by a short period.
TEST(MainValue, of_a_cpu_quota_is_per_100_ms) {
  EXPECT_EQ(main_value(SetCpuMax{200'000, 100'000, 1}), 200'000);
  EXPECT_EQ(main_value(SetCpuMax{200'000, 10'000, 1}), 2'000'000);
  EXPECT_EQ(main_value(SetCpuMax{50'000, 1'000'000, 1}), 5'000);
  EXPECT_EQ(main_value(SetCpuMax{kUnlimited, 100'000, 1}), INT64_MAX);
  EXPECT_EQ(main_value(SetCpuMax{1, 0, 1}), INT64_MAX);
  EXPECT_EQ(main_value(SetCpuMax{INT64_MAX, 1, 1}), INT64_MAX);
}

TEST(Ttl, is_that_of_the_action) {
  EXPECT_EQ(ttl_ms(SetMemoryLimit{1, 5}), 5U);
  EXPECT_EQ(ttl_ms(Freeze{6}), 6U);
  EXPECT_EQ(ttl_ms(Thaw{}), 0U);
  EXPECT_EQ(ttl_ms(Extend{{}, 7}), 0U);   // it moves another plan's end and has none itself
  EXPECT_EQ(ttl_ms(Action()), 0U);
}

TEST(Describe, is_what_people_read) {
  EXPECT_EQ(describe(SetMemoryLimit{256LL << 20, 0}), "set memory limit to 256 MiB, kept");
  EXPECT_EQ(describe(SetMemoryLimit{3LL << 30, 900'000}), "set memory limit to 3 GiB for 15 min");
  EXPECT_EQ(describe(SetMemoryHigh{1025, 1500}), "brake memory growth at 1025 bytes for 1500 ms");
  EXPECT_EQ(describe(SetCpuMax{200'000, 100'000, 30'000}), "set CPU quota to 200000 us per 100000 us for 30 s");
  EXPECT_EQ(describe(SetCpuMax{kUnlimited, 100'000, 0}), "set CPU quota to unlimited per 100000 us, kept");
  EXPECT_EQ(describe(SetCpuWeight{50, 7'200'000}), "set CPU weight to 50 for 2 h");
  EXPECT_EQ(describe(SetPidsMax{64, 0}), "set limit of processes to 64, kept");
  EXPECT_EQ(describe(Freeze{60'000}), "freeze for 1 min");
  EXPECT_EQ(describe(Thaw{}), "thaw");
  EXPECT_EQ(describe(KillProcess{0}), "kill one process, at once");
  EXPECT_EQ(describe(KillProcess{5'000}), "kill one process, SIGKILL 5 s after SIGTERM");
  EXPECT_EQ(describe(KillCgroup{}), "kill every process of the orphaned cgroup");
  EXPECT_EQ(describe(SetSysctl{"vm.max_map_count", 262'144, 0}), "set vm.max_map_count to 262144, kept");
  EXPECT_EQ(describe(RotateLog{"/var/log/pods/a", 64 << 10}), "rotate /var/log/pods/a, keep the last 64 KiB");
  EXPECT_EQ(describe(Diagnose{512}), "collect diagnostics, at most 512 bytes");
  EXPECT_EQ(describe(Undo{}), "undo plan 000000000000");
  EXPECT_EQ(describe(Extend{{}, 60'000}), "extend plan 000000000000 by 1 min");
  EXPECT_EQ(describe(Action()), "do nothing");
}

// ---- the rules of a plan

TEST(CheckPlan, has_nothing_to_say_about_a_good_plan_of_every_action) {
  for (const auto& action : test::every_action()) EXPECT_THAT(check_plan(test::plan(action)), IsEmpty()) << describe(action);
}

TEST(Describe, says_sizes_in_the_largest_whole_unit) {
  const auto size = [](std::int64_t bytes) { return describe(SetMemoryLimit{bytes, 0}); };
  EXPECT_THAT(size(3LL << 30), ::testing::HasSubstr("3 GiB"));
  EXPECT_THAT(size(3LL << 20), ::testing::HasSubstr("3 MiB"));
  EXPECT_THAT(size(3LL << 10), ::testing::HasSubstr("3 KiB"));
  EXPECT_THAT(size(3), ::testing::HasSubstr("3 bytes"));
  EXPECT_THAT(size(0), ::testing::HasSubstr("0 bytes"));
  EXPECT_THAT(size(-7), ::testing::HasSubstr("-7 bytes"));
  EXPECT_THAT(size(kUnlimited), ::testing::HasSubstr("unlimited"));
}

TEST(CheckPlan, of_no_action_says_so) { EXPECT_THAT(check_plan(Plan{}), ElementsAre("The plan has no action.")); }

struct Row {
  const char* sentence;
  Action action;
  std::function<void(Plan&)> change;
};

TEST(CheckPlan, says_each_broken_rule_and_only_that) {
  const Action memory = SetMemoryLimit{256LL << 20, kTtlMs};
  const Action brake = SetMemoryHigh{192LL << 20, kTtlMs};
  const Action kill = KillProcess{5'000};
  const Action sysctl = SetSysctl{"net.core.somaxconn", 4'096, kTtlMs};
  const Action log = RotateLog{"/var/log/pods/a/0.log", 100};
  const auto nothing = [](Plan&) {};
  const char* const kNeverValid = "The plan is never valid.";
  const char* const kOnlyLogs = "Only logs below /var/log/pods and /var/log/containers can be rotated.";
  const char* const kPath = "The cgroup path is not a plain absolute path.";
  const char* const kMachinery = "This cgroup belongs to the node's own machinery.";
  const std::vector<Row> rows = {
      {"The plan has no nonce.", memory, [](Plan& p) { p.nonce = {}; }},
      {"The person who proposed it is not named.", memory, [](Plan& p) { p.proposer = Proposer::person; }},
      {"The person who proposed it is not named.", memory, [](Plan& p) { p.proposer = Proposer::person; p.person.issuer = "local"; }},
      {"The engine proposed it, and a person is named.", memory, [](Plan& p) { p.person.subject = "alice"; }},
      {kNeverValid, memory, [](Plan& p) { p.not_after_ms = p.not_before_ms; }},
      {kNeverValid, memory, [](Plan& p) { p.not_before_ms = -1; }},
      {"The plan is valid for more than 24 h.", memory, [](Plan& p) { p.not_after_ms = p.not_before_ms + kMaxValidityMs + 1; }},
      // values
      {"The value 4194303 is not between 4194304 and 17592186044416 bytes.", SetMemoryLimit{(4 << 20) - 1, kTtlMs}, nothing},
      {"The value -1 is not between 4194304 and 17592186044416 bytes.", SetMemoryLimit{kUnlimited, kTtlMs}, nothing},
      {"The value 10001 is not between 1 and 10000.", SetCpuWeight{10'001, kTtlMs}, nothing},
      {"The value 15 is not between 16 and 4194304 processes.", SetPidsMax{15, kTtlMs}, nothing},
      {"The value 300001 is not between 0 and 300000 ms.", KillProcess{300'001}, nothing},
      {"The value 1048577 is not between 256 and 1048576 bytes.", Diagnose{(1 << 20) + 1}, nothing},
      {"The CPU period is not between 1 ms and 1 s.", SetCpuMax{100'000, 1'000'001, kTtlMs}, nothing},
      {"The CPU period is not between 1 ms and 1 s.", SetCpuMax{1'000, 999, kTtlMs}, nothing},
      {"The CPU quota is below 1 ms.", SetCpuMax{999, 1'000, kTtlMs}, nothing},
      {"The setting kernel.core_pattern is not in the list of docs/actions.md.", SetSysctl{"kernel.core_pattern", 1, kTtlMs}, nothing},
      {"net.core.somaxconn must be between 128 and 65535.", SetSysctl{"net.core.somaxconn", 127, kTtlMs}, nothing},
      {"net.core.somaxconn must be between 128 and 65535.", SetSysctl{"net.core.somaxconn", 65'536, kTtlMs}, nothing},
      {kOnlyLogs, RotateLog{"/var/log/syslog", 1}, nothing},
      {kOnlyLogs, RotateLog{"/var/log/pods/../syslog", 1}, nothing},
      {kOnlyLogs, RotateLog{"/var/log/pods/", 1}, nothing},
      {kOnlyLogs, RotateLog{"var/log/pods/a", 1}, nothing},
      {"The value 1073741825 is not between 0 and 1073741824 bytes.", RotateLog{"/var/log/containers/a", (1ULL << 30) + 1}, nothing},
      {"The plan that it is about is not named.", Undo{}, nothing},
      {"The plan that it is about is not named.", Extend{{}, kTtlMs}, nothing},
      // TTL
      {"set_memory_high cannot be kept: it needs a TTL.", SetMemoryHigh{192LL << 20, 0}, nothing},
      {"freeze cannot be kept: it needs a TTL.", Freeze{0}, nothing},
      {"The TTL is not between 1 s and 15 min.", SetMemoryHigh{192LL << 20, 900'001}, nothing},
      {"The TTL is not between 1 s and 15 min.", Freeze{999}, nothing},
      {"The TTL is not between 1 s and 1440 min.", SetMemoryLimit{256LL << 20, 86'400'001}, nothing},
      {"The value cannot be kept: the kubelet looks after this cgroup.", SetMemoryLimit{256LL << 20, 0}, [](Plan& p) { p.target.pod_uid = "pod"; }},
      {"The value cannot be kept: systemd looks after this cgroup.", SetCpuWeight{50, 0}, [](Plan& p) { p.target.cgroup_path = "/shop.slice/a"; }},
      // target
      {"No node is named.", memory, [](Plan& p) { p.target.node = {}; }},
      {"No executor incarnation is named.", memory, [](Plan& p) { p.target.incarnation = {}; }},
      {"The boot is named by nothing.", memory, [](Plan& p) { p.target.boot = Uuid{}; }},
      {kPath, memory, [](Plan& p) { p.target.cgroup_path = "shop"; }},
      {kPath, memory, [](Plan& p) { p.target.cgroup_path = "/shop/"; }},
      {kPath, memory, [](Plan& p) { p.target.cgroup_path = "/shop//a"; }},
      {kPath, memory, [](Plan& p) { p.target.cgroup_path = "/shop/../a"; }},
      {kPath, memory, [](Plan& p) { p.target.cgroup_path = "/shop/."; }},
      {"No cgroup and no container is named.", memory, [](Plan& p) { p.target.cgroup_path.clear(); p.target.pod_uid = "pod"; }},
      {"No cgroup and no container is named.", memory, [](Plan& p) { p.target.cgroup_path.clear(); }},
      {kMachinery, memory, [](Plan& p) { p.target.cgroup_path = "/"; }},
      {kMachinery, kill, [](Plan& p) { p.target.cgroup_path = "/system.slice/kubelet.service"; }},
      {"set_memory_high must name the boot.", brake, [](Plan& p) { p.target.boot.reset(); }},
      {"set_memory_high must name path and inode of the cgroup.", brake, [](Plan& p) { p.target.cgroup_inode = 0; }},
      {"set_memory_high must name path and inode of the cgroup.", brake,
       [](Plan& p) { p.target.cgroup_path.clear(); p.target.pod_uid = "pod"; p.target.container_name = "app"; }},
      {"kill_process must name the boot.", kill, [](Plan& p) { p.target.boot.reset(); }},
      {"No process that may be killed is named.", kill, [](Plan& p) { p.target.pid = 1; }},
      {"The start time of the process is not named.", kill, [](Plan& p) { p.target.start_ticks = 0; }},
      // checks
      {"There are more than 16 preconditions.", memory, [](Plan& p) { p.preconditions.resize(17, p.preconditions[0]); }},
      {"The precondition process_alive = 1 cannot be asked of this target.", memory,
       [](Plan& p) { p.preconditions.push_back({Probe::process_alive, Comparison::equal, 1}); }},
      {"The precondition unknown = 1 cannot be asked of this target.", memory,
       [](Plan& p) { p.preconditions.push_back({Probe::unknown, Comparison::equal, 1}); }},
      {"The precondition sysctl_value = 1 cannot be asked of this target.", kill,
       [](Plan& p) { p.preconditions.push_back({Probe::sysctl_value, Comparison::equal, 1}); }},
      {"The precondition file_bytes = 1 cannot be asked of this target.", sysctl,
       [](Plan& p) { p.preconditions.push_back({Probe::file_bytes, Comparison::equal, 1}); }},
      {"The precondition frozen = 1 cannot be asked of this target.", log,
       [](Plan& p) { p.preconditions.push_back({Probe::frozen, Comparison::equal, 1}); }},
      {"The value to be replaced is not named: a precondition on memory_limit_bytes is missing.", memory, [](Plan& p) { p.preconditions.clear(); }},
      {"The value to be replaced is not named: a precondition on memory_limit_bytes is missing.", memory,
       [](Plan& p) { p.preconditions[0].comparison = Comparison::greater; }},
      {"The value to be replaced is not named: a precondition on memory_limit_bytes is missing.", memory,
       [](Plan& p) { p.preconditions[0].probe = Probe::frozen; }},
      {"The value to be replaced is not named: a precondition on sysctl_value is missing.", sysctl, [](Plan& p) { p.preconditions.clear(); }},
      {"No expected effect is named.", memory, [](Plan& p) { p.effect.reset(); p.effect_within_ms = 0; }},
      {"No expected effect is named.", log, [](Plan& p) { p.effect.reset(); p.effect_within_ms = 0; }},
      {"The effect file_bytes = 1 cannot be asked of this target.", memory, [](Plan& p) { p.effect = Check{Probe::file_bytes, Comparison::equal, 1}; }},
      {"The time for the effect is not between 1 ms and 15 min.", memory, [](Plan& p) { p.effect_within_ms = 0; }},
      {"The time for the effect is not between 1 ms and 15 min.", memory, [](Plan& p) { p.effect_within_ms = 900'001; }},
      {"There is a time for an effect, and no effect.", Diagnose{512}, [](Plan& p) { p.effect_within_ms = 1; }},
  };
  for (const auto& row : rows) {
    auto plan = test::plan(row.action);
    row.change(plan);
    EXPECT_THAT(check_plan(plan), ElementsAre(row.sentence)) << describe(row.action);
  }
}

TEST(CheckPlan, takes_the_edges_of_its_rules) {
  const auto good = [](const Action& action, const std::function<void(Plan&)>& change = [](Plan&) {}) {
    auto plan = test::plan(action);
    change(plan);
    EXPECT_THAT(check_plan(plan), IsEmpty()) << describe(action);
  };
  const Action memory = SetMemoryLimit{256LL << 20, kTtlMs};
  good(memory, [](Plan& p) { p.not_after_ms = p.not_before_ms + kMaxValidityMs; });
  good(memory, [](Plan& p) { p.proposer = Proposer::person; p.person = test::person("alice"); });
  good(memory, [](Plan& p) { p.preconditions.resize(16, p.preconditions[0]); });
  good(memory, [](Plan& p) { p.preconditions.push_back({Probe::node_available_bytes, Comparison::greater, 1}); });
  good(memory, [](Plan& p) { p.target.cgroup_path.clear(); p.target.pod_uid = "pod"; p.target.container_name = "app"; });
  good(memory, [](Plan& p) { p.effect_within_ms = 900'000; });
  good(KillProcess{0}, [](Plan& p) { p.target.cgroup_path.clear(); });
  good(KillProcess{0}, [](Plan& p) { p.target.pid = 2; });
  good(SetMemoryLimit{4 << 20, 1'000});
  good(SetMemoryLimit{1LL << 44, 86'400'000});
  good(SetMemoryHigh{4 << 20, 900'000});
  good(SetSysctl{"net.core.somaxconn", 65'535, 0});   // a kept one: neither kubelet nor systemd writes it again
  good(Undo{sha256({})});
}

TEST(Settings, are_the_actions_that_replace_a_value) {
  for (const auto& action : test::every_action()) {
    EXPECT_EQ(is_setting(action), info_of(action).name.starts_with("set_")) << describe(action);
    EXPECT_EQ(changed_probe(action) != Probe::unknown, is_setting(action));
  }
}

TEST(Sysctls, have_bounds_and_sane_names) {
  for (const auto& row : sysctls()) {
    EXPECT_LT(row.min_value, row.max_value) << row.key;
    EXPECT_EQ(row.key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-"), std::string_view::npos);
    EXPECT_LE(row.max_value, find_action("set_sysctl")->max_value) << row.key;
  }
}

// FW_REGENERATE_GOLDEN=1 writes the page anew.
TEST(ActionsPage, is_the_one_in_docs) {
  const std::string path = std::string(FW_SOURCE_DIR) + "/docs/actions.md";
  if (std::getenv("FW_REGENERATE_GOLDEN") != nullptr) std::ofstream(path) << actions_page();
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), actions_page());
}

}  // namespace
}  // namespace fw::authority
