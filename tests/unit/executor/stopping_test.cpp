// Ending processes, finding containers and looking around, on a machine of plain files.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/unit/executor/host_tree.hpp"

namespace fw::executor::test {
namespace {

using namespace authority;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kPodUid = "0a1b2c3d-0000-4000-8000-00000000abcd";

struct Stopping : testing::TestWithParam<Hierarchy> {
  HostTree tree{GetParam()};
  WatchedCalls watched{tree.kernel()};
  HostActuator actuator{tree.open()};
  std::string members = tree.file("memory", "cgroup.procs");

  Plan kill(std::uint32_t pid, std::uint64_t grace_ms = 0, std::uint64_t start_ticks = 100) {
    auto plan = tree.plan(KillProcess{grace_ms});
    plan.target.pid = pid;
    plan.target.start_ticks = start_ticks;
    return plan;
  }
  std::unique_ptr<OpenTarget> open(const Plan& plan) { return actuator.open(plan).value(); }
};
struct StoppingOnV1 : Stopping {};
struct StoppingOnV2 : Stopping {};
INSTANTIATE_TEST_SUITE_P(Trees, Stopping, testing::Values(Hierarchy::v1, Hierarchy::v1_without_freezer, Hierarchy::v2));
INSTANTIATE_TEST_SUITE_P(Trees, StoppingOnV1, testing::Values(Hierarchy::v1));
INSTANTIATE_TEST_SUITE_P(Trees, StoppingOnV2, testing::Values(Hierarchy::v2));

TEST_P(Stopping, only_the_process_of_the_plan_is_opened) {
  tree.process(4001, {});
  EXPECT_TRUE(actuator.open(kill(4001)));
  EXPECT_EQ(actuator.open(kill(4001, 0, 99)).error().code, Errc::gone);
  EXPECT_EQ(actuator.open(kill(4002)).error().code, Errc::gone);
  EXPECT_EQ(actuator.open(kill(1)).error().code, Errc::permission);
  EXPECT_EQ(actuator.open(kill(0)).error().code, Errc::permission);
  EXPECT_EQ(actuator.open(kill(static_cast<std::uint32_t>(::getpid()))).error().code, Errc::permission);
  for (const char state : {'Z', 'X'}) {
    tree.process(4003, {.state = state});
    EXPECT_EQ(actuator.open(kill(4003)).error().code, Errc::gone);
  }
}

TEST_P(Stopping, a_process_is_ended_through_its_handle) {
  tree.process(4001, {});
  const auto target = open(kill(4001));
  EXPECT_TRUE(target->snapshot().value().empty());
  EXPECT_FALSE(target->happened({}).value());
  EXPECT_EQ(target->read(Probe::process_alive).value(), 1);
  EXPECT_EQ(target->restore({}).error().code, Errc::unsupported);
  const FailingCall signal("pidfd_send_signal", {.result = 0, .times = 9});
  EXPECT_EQ(open(kill(4001, 5000))->apply().value(), "SIGTERM sent to app");
  tree.on_pause = [&] { tree.ends(4001); };
  EXPECT_EQ(target->apply().value(), "app was ended");
  EXPECT_TRUE(signal.happened());
  EXPECT_TRUE(target->happened({}).value());
  EXPECT_EQ(target->read(Probe::process_alive).value(), 0);
  EXPECT_EQ(target->finish().error().code, Errc::gone);
}

TEST_P(Stopping, a_process_that_does_not_end_is_waited_for_three_seconds) {
  tree.process(4001, {});
  const auto target = open(kill(4001));
  const FailingCall signal("pidfd_send_signal", {.result = 0});
  EXPECT_EQ(target->apply().value(), "app was sent SIGKILL and has not ended yet");
  EXPECT_EQ(tree.pauses, 600);
}

TEST_P(Stopping, what_it_is_now_decides_not_what_it_was) {
  tree.process(4001, {});
  const auto target = open(kill(4001));
  tree.process(4001, {.comm = "kubelet"});
  EXPECT_EQ(target->apply().error().code, Errc::permission);
  for (const std::string& elsewhere : {std::string("/shop"), std::string("/shop/checkout2"), std::string("/other")}) {
    tree.cgroup(elsewhere);
    tree.process(4001, {}, elsewhere);
    EXPECT_EQ(target->apply().error().code, Errc::gone) << elsewhere;
  }
  tree.cgroup("/shop/checkout/inner");
  tree.process(4001, {}, "/shop/checkout/inner");
  {
    const FailingCall signal("pidfd_send_signal", {.error_number = EPERM});
    EXPECT_EQ(target->apply().error().code, Errc::permission);
    EXPECT_TRUE(signal.happened());
  }
  tree.put("/proc/4001/cgroup", "");
  EXPECT_EQ(target->apply().error().code, Errc::not_found);
  tree.remove("/proc/4001/cgroup");
  EXPECT_EQ(target->apply().error().code, Errc::gone);
}

TEST_P(Stopping, only_an_orphaned_cgroup_is_emptied) {
  const auto target = open(tree.plan(KillCgroup{}));
  EXPECT_EQ(target->snapshot().error().code, Errc::conflict) << "nobody in it";
  EXPECT_EQ(target->apply().error().code, Errc::conflict);
  tree.process(4001, {.parent = 1});
  tree.process(4002, {.parent = 4001});
  tree.put(members, tree.text(members) + "4009\n");   // ended just now
  EXPECT_TRUE(target->snapshot().value().empty());
  tree.put("/proc/4009/stat", "what");
  EXPECT_TRUE(target->snapshot());
  tree.process(4003, {.parent = 777});
  EXPECT_THAT(target->snapshot().error().message(), HasSubstr("process 777 outside is the parent of app"));
  EXPECT_THAT(target->apply().error().message(), HasSubstr("it is no orphan"));
  EXPECT_EQ(target->restore({}).error().code, Errc::unsupported);
  for (const std::string unit : {"/system.slice/a.service", "/b.scope", "/c.slice"}) {
    tree.cgroup(unit);
    tree.process(5001, {}, unit);
    EXPECT_EQ(open(tree.plan(KillCgroup{}, unit))->snapshot().error().code, Errc::permission) << unit;
  }
  const auto container = "/system.slice/docker-" + std::string(64, 'a') + ".scope";   // a runtime's, not a unit
  tree.cgroup(container);
  tree.process(5002, {}, container);
  EXPECT_TRUE(open(tree.plan(KillCgroup{}, container))->snapshot());
}

TEST_P(Stopping, an_emptied_cgroup_can_be_asked_for) {
  const auto target = open(tree.plan(KillCgroup{}));
  EXPECT_TRUE(target->happened({}).value());
  tree.put(members, "0\n");
  EXPECT_FALSE(target->happened({}).value());
  tree.process(4001, {});
  EXPECT_FALSE(target->happened({}).value());
  {
    const FailingCall failing("read", {EIO});
    EXPECT_EQ(target->happened({}).error().code, Errc::io);
  }
  tree.remove(members);
  EXPECT_TRUE(target->happened({}).value()) << "the cgroup is gone, and all in it";
}

TEST_P(StoppingOnV1, each_process_is_signalled_until_nobody_is_left) {
  tree.process(4001, {});
  tree.process(4002, {.parent = 4001});
  tree.cgroup("/shop/other");
  const auto target = open(tree.plan(KillCgroup{}));
  const FailingCall signal("pidfd_send_signal", {.result = 0, .times = 1000});
  int turns = 0;
  tree.on_pause = [&] {
    ++turns;
    if (turns == 1) {
      tree.ends(4001);                                                         // its folder goes before its line does
      tree.put("/proc/4002/cgroup", "4:memory:/shop/other\n");                 // moved away: not ours
      tree.put(members, "4001\n4002\n4003\n");
      tree.put("/proc/4003/stat", "x");                                        // without a cgroup file
    }
    if (turns == 2) tree.put(members, "");
  };
  EXPECT_EQ(target->apply().value(), "processes: 2, now 0");
  EXPECT_EQ(turns, 2);
  EXPECT_EQ(tree.text(tree.file("freezer", "freezer.state")), "THAWED");
}

TEST_P(StoppingOnV1, who_cannot_be_signalled_leaves_it_open_what_happened) {
  tree.process(4001, {});
  const auto target = open(tree.plan(KillCgroup{}));
  {
    const FailingCall signal("pidfd_send_signal", {.error_number = EPERM, .times = 9});
    EXPECT_EQ(target->apply().error().code, Errc::io);
    EXPECT_EQ(tree.text(tree.file("freezer", "freezer.state")), "THAWED") << "a failure leaves nothing frozen";
  }
  const FailingCall signal("pidfd_send_signal", {.error_number = ESRCH, .times = 1000});
  tree.on_pause = [&] {
    if (tree.pauses == 3) tree.remove(members);   // the cgroup goes with its last process
  };
  EXPECT_EQ(target->apply().value(), "processes: 1, now 0, the cgroup is gone");
}

TEST_P(StoppingOnV1, who_does_not_end_is_counted) {
  tree.process(4001, {});
  const FailingCall signal("pidfd_send_signal", {.result = 0, .times = 1000});
  EXPECT_EQ(open(tree.plan(KillCgroup{}))->apply().value(), "processes: 1, now 1");
  EXPECT_EQ(tree.pauses, 600);
}

TEST_P(StoppingOnV2, the_kernel_ends_all_of_a_cgroup_at_once) {
  tree.process(4001, {});
  const auto target = open(tree.plan(KillCgroup{}));
  EXPECT_EQ(target->apply().value(), "processes: 1, now 0");
  EXPECT_EQ(tree.text(tree.file("memory", "cgroup.kill")), "1");
  EXPECT_EQ(tree.pauses, 0);
  tree.process(4001, {});
  tree.slow = true;
  EXPECT_EQ(target->apply().value(), "processes: 1, now 0");
  EXPECT_EQ(tree.pauses, 1);
  tree.process(4001, {});
  tree.on_pause = [&] { tree.remove(members); };
  EXPECT_EQ(target->apply().value(), "processes: 1, now 0, the cgroup is gone");
}

TEST_P(StoppingOnV2, who_does_not_end_is_counted_and_a_refusal_is_told) {
  tree.process(4001, {});
  const auto target = open(tree.plan(KillCgroup{}));
  {
    const FailingCall failing("write", {EPERM});
    EXPECT_EQ(target->apply().error().code, Errc::permission);
  }
  const WatchedCalls deaf([&](std::string_view call, int) { tree.pauses += call == "pause" ? 1 : 0; });
  EXPECT_EQ(target->apply().value(), "processes: 1, now 1");
  EXPECT_EQ(tree.pauses, 600);
}

// ---- containers ------------------------------------------------------------------------------------------------------

struct Containers : Stopping {
  std::string pod = "/kubepods/burstable/pod" + kPodUid;

  void container(std::uint32_t pid, const std::string& folder, const std::string& name) const {
    tree.cgroup(pod + "/" + folder);
    tree.process(pid, {}, pod + "/" + folder);
    tree.put("/proc/" + std::to_string(pid) + "/mountinfo", "9 8 8:1 /var/lib/kubelet/pods/" + kPodUid + "/containers/" + name + "/1a2b /log rw - ext4 x rw\n");
  }
  Plan plan(const std::string& name) const {
    auto out = tree.plan(Diagnose{4096}, "");
    out.target.pod_uid = kPodUid;
    out.target.container_name = name;
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Trees, Containers, testing::Values(Hierarchy::v1, Hierarchy::v2));

TEST_P(Containers, one_is_found_by_pod_and_name_after_its_restart) {
  EXPECT_EQ(actuator.open(plan("checkout")).error().code, Errc::gone) << "no pod at all";
  tree.cgroup("/kubepods/a/b/c/d");
  tree.cgroup("/kubepods/besteffort/podffffffff-0000-4000-8000-00000000abcd");
  tree.cgroup("/other/pod" + kPodUid);
  container(4001, std::string(64, 'a'), "sidecar");
  container(4002, std::string(64, 'b'), "checkout");
  tree.put(tree.file("memory", "cgroup.procs", pod + "/" + std::string(64, 'b')), "4009\n4002\n");   // the first one ended just now
  EXPECT_THAT(open(plan("checkout"))->identity(), HasSubstr(pod + "/" + std::string(64, 'b')));
  EXPECT_EQ(actuator.open(plan("other")).error().code, Errc::gone);
  auto moved = plan("checkout");
  moved.target.cgroup_path = pod + "/" + std::string(64, 'e');   // an earlier run's
  EXPECT_THAT(open(moved)->identity(), HasSubstr(pod + "/" + std::string(64, 'b')));
  moved.target.cgroup_path = pod + "/" + std::string(64, 'a');   // what has the path is taken
  EXPECT_THAT(open(moved)->identity(), HasSubstr(pod + "/" + std::string(64, 'a')));
  moved.target.cgroup_path = pod + "/" + std::string(64, 'e');
  moved.target.container_name.clear();
  EXPECT_EQ(actuator.open(moved).error().code, Errc::gone) << "pod without a name";
  moved.target.container_name = "checkout";
  moved.target.cgroup_inode = 4711;
  EXPECT_EQ(actuator.open(moved).error().code, Errc::gone) << "one incarnation is not looked for elsewhere";
  container(4003, std::string(64, 'c'), "checkout");
  EXPECT_EQ(actuator.open(plan("checkout")).error().code, Errc::conflict);
}

TEST_P(Containers, a_folder_that_cannot_be_read_is_no_container) {
  container(4002, std::string(64, 'b'), "checkout");
  tree.cgroup(pod + "/" + std::string(64, 'c'));
  tree.make_folder(tree.file("memory", "cgroup.procs", pod + "/" + std::string(64, 'c')));
  EXPECT_TRUE(actuator.open(plan("checkout")));
  for (int call = 0; call < 40; ++call) {   // whatever is not there meanwhile: the container or nothing
    const FailingCall failing("openat2", {.error_number = ENOENT, .skip = call});
    const auto found = actuator.open(plan("checkout"));
    if (found) {
      EXPECT_THAT((*found)->identity(), HasSubstr(std::string(64, 'b')));
    } else {
      EXPECT_EQ(found.error().code, Errc::gone) << call;
    }
  }
  for (int call = 0; call < 12; ++call) {
    const FailingCall failing("openat", {.error_number = EMFILE, .skip = call});
    const auto found = actuator.open(plan("checkout"));
    if (found) {
      EXPECT_THAT((*found)->identity(), HasSubstr(std::string(64, 'b')));
    }
  }
}

// ---- diagnostics -----------------------------------------------------------------------------------------------------

TEST_P(Stopping, diagnostics_are_one_bounded_line_of_what_is_there) {
  for (std::uint32_t pid = 4001; pid < 4030; ++pid) tree.process(pid, {.comm = pid == 4020 ? "big\tname" : "app", .rss_pages = pid == 4020 ? 999U : 10U});
  tree.put("/proc/4020/smaps_rollup", "Rss: 1 kB\nPss: 2 kB\n");
  tree.put(members, tree.text(members) + "4099\n");
  const auto target = open(tree.plan(Diagnose{1 << 16}));
  EXPECT_TRUE(target->snapshot().value().empty());
  EXPECT_FALSE(target->happened({}).value());
  EXPECT_EQ(target->restore({}).value(), "nothing was changed");
  auto text = target->apply().value();
  EXPECT_THAT(text, AllOf(HasSubstr("process 4020: big?name state S rss 3996 KiB"), HasSubstr("largest Pss: 2 KiB"), HasSubstr("pressure memory: some avg10=0.00, full avg10=0.00"),
                          HasSubstr("MemAvailable: 1000 KiB"), HasSubstr("load: 0.1"), Not(HasSubstr("\n"))));
  EXPECT_EQ(target->apply().value(), text) << "asked again it says the same";
  tree.remove("/proc/4020/smaps_rollup");
  EXPECT_THAT(target->apply().value(), HasSubstr("largest VmRSS: 40 KiB"));
  tree.put("/proc/4020/smaps_rollup", "");
  EXPECT_THAT(target->apply().value(), HasSubstr("largest VmRSS: 40 KiB"));
  tree.remove("/proc/4020/status");
  EXPECT_THAT(target->apply().value(), Not(HasSubstr("largest")));
  EXPECT_EQ(open(tree.plan(Diagnose{200}))->apply().value(), text.substr(0, 200));
  for (std::uint32_t pid = 4001; pid < 4030; ++pid) tree.put("/proc/" + std::to_string(pid) + "/stat", "x");
  tree.remove("/proc/meminfo");
  EXPECT_THAT(target->apply().value(), AllOf(Not(HasSubstr("process")), Not(HasSubstr("MemTotal"))));
  tree.remove(members);
  tree.remove(tree.file("memory", "memory.stat"));
  EXPECT_THAT(target->apply().value(), HasSubstr("load: 0.1"));
  tree.put("/proc/meminfo", "MemTotal: 2000 kB\n");
  EXPECT_EQ(open(tree.plan(Diagnose{1 << 16}, ""))->apply().value(), "pressure memory: some avg10=0.00, full avg10=0.00; MemTotal: 2000 KiB; load: 0.1 0.2 0.3 1/100 4242");
}

}  // namespace
}  // namespace fw::executor::test
