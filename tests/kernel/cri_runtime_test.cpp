// What the agent tells of real containers: a real containerd with real sandboxes, this test in the kubelet's place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <utility>

#include "common/async/task_group.hpp"
#include "cri_containerd.hpp"
#include "node-agent/collectors/node_sensors.hpp"
#include "node-agent/cri/link.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"

namespace fw::test {
namespace {

using collectors::NodeSensors;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

// The link and the sensors, joined as the agent joins them.
class CriRuntimeTest : public testing::Test, public cri::Listener {
 protected:
  static void SetUpTestSuite() {
    why_not() = why_no_containerd();
    if (!why_not().empty()) return;
    containerd() = std::make_unique<Containerd>();
    containerd()->start();
  }
  static void TearDownTestSuite() { containerd().reset(); }
  static std::unique_ptr<Containerd>& containerd() {
    static std::unique_ptr<Containerd> instance;
    return instance;
  }
  static std::string& why_not() {
    static std::string reason;
    return reason;
  }

  void SetUp() override {
    if (!why_not().empty()) GTEST_SKIP() << why_not();
    collectors::SensorsConfig config;
    config.node_name = "node-a";
    config.sample_period = config.hot_period = milliseconds{200};
    auto opened = NodeSensors::open(config, clock_);
    if (!opened) GTEST_SKIP() << opened.error().message();
    sensors_ = std::move(*opened);
    sensors_->tick();
    const cri::LinkTimes times{.poll_period = milliseconds{200}, .period_with_events = milliseconds{400}, .least_pause = milliseconds{20},
                               .backoff = {milliseconds{10}, milliseconds{100}, milliseconds{60'000}}};
    link_.emplace(io_.get_executor(), cri::RuntimeConfig{.socket = containerd()->socket(), .root_prefix = ""}, *this, clock_, times);
    tasks_.emplace(io_.get_executor());
    tasks_->spawn("link", run_link(*link_));
    EXPECT_TRUE(turn_until([&] { return link_->counters().lists_total > 0; }));
  }
  void TearDown() override {
    if (!tasks_) return;
    tasks_->cancel_all();
    EXPECT_TRUE(turn_until([&] { return tasks_->size() == 0; }));
  }

  void describe(std::string_view id, const collectors::ContainerFacts& facts) override { sensors_->describe(id, facts); }
  void observe(std::string_view id, wire::Observed what, std::int64_t wall_ns) override { sensors_->observe(id, std::move(what), wall_ns); }
  static boost::asio::awaitable<Result<void>> run_link(cri::Link& link) {
    co_await link.run();
    co_return Result<void>();
  }

  // Lets the agent's side run until it is so, at most 30 s.
  bool turn_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io_.run_one_for(milliseconds{20});
      if (sensors_->next_tick_mono_ns() <= clock_.mono_ns()) sensors_->tick();
      for (auto batch = sensors_->drain(1000); !batch.events.empty(); batch = sensors_->drain(1000)) {
        for (auto& event : batch.events) {
          auto* const observed = std::get_if<wire::Observed>(&event.body);
          if (observed == nullptr) continue;
          const auto entity = std::find_if(batch.entities.begin(), batch.entities.end(), [&](const auto& entry) { return entry.id == event.entity_id; });
          heard_.push_back({entity == batch.entities.end() ? wire::EntityEntry{} : *entity, std::move(*observed), event.time_ns});
        }
      }
    }
    return true;
  }
  struct Heard {
    wire::EntityEntry entity;
    wire::Observed what;
    std::int64_t time_ns = 0;
  };
  std::size_t count(std::string_view what, std::string_view object) const {
    return static_cast<std::size_t>(std::count_if(heard_.begin(), heard_.end(), [&](const Heard& heard) { return heard.what.what == what && heard.what.object == object; }));
  }
  const Heard& find(std::string_view what, std::string_view object) const {
    static const Heard none{};
    const auto found = std::find_if(heard_.begin(), heard_.end(), [&](const Heard& heard) { return heard.what.what == what && heard.what.object == object; });
    return found == heard_.end() ? none : *found;
  }
  std::optional<wire::EntityEntry> entity(const std::string& container_id) const {
    for (auto& entry : sensors_->entities()) {
      if (entry.container_id == container_id) return entry;
    }
    return std::nullopt;
  }

  SystemClock clock_;
  boost::asio::io_context io_{1};
  std::unique_ptr<NodeSensors> sensors_;
  std::optional<cri::Link> link_;
  std::optional<TaskGroup> tasks_;
  std::vector<Heard> heard_;
};

TEST_F(CriRuntimeTest, running_container_gets_its_names_and_its_pod_too) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("names");
  const auto sandbox = runtime.run_sandbox(pod);
  const auto id = runtime.create(sandbox, pod, "app", 0, {"pause"});
  runtime.start_container(id);
  ASSERT_TRUE(turn_until([&] { return entity(id) && entity(id)->container_name == "app"; }));
  const auto entry = *entity(id);
  EXPECT_EQ(entry.kind, wire::EntityKind::container);
  EXPECT_EQ(entry.pod_name, "names");
  EXPECT_EQ(entry.pod_namespace, "shop");
  EXPECT_EQ(entry.image, kWorkImage);
  EXPECT_EQ(entry.pod_uid, pod.metadata().uid());
  const auto entities = sensors_->entities();
  const auto above = std::find_if(entities.begin(), entities.end(), [&](const auto& other) { return other.id == entry.parent_id; });
  ASSERT_NE(above, entities.end());
  EXPECT_EQ(above->kind, wire::EntityKind::pod);
  EXPECT_EQ(above->pod_name, "names");
  ASSERT_TRUE(entity(sandbox));
  EXPECT_EQ(entity(sandbox)->pod_name, "names");
  EXPECT_EQ(entity(sandbox)->container_name, "");
}

TEST_F(CriRuntimeTest, container_that_is_oom_killed_says_so_with_its_last_words) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("hungry");
  const auto sandbox = runtime.run_sandbox(pod);
  const auto id = runtime.create(sandbox, pod, "eater", 0, {"hog", "200"}, 32 << 20);
  const auto before_ns = clock_.wall_ns();
  runtime.start_container(id);
  ASSERT_TRUE(turn_until([&] { return count("container_exited", "eater") == 1; }));
  const auto& heard = find("container_exited", "eater");
  EXPECT_EQ(heard.what.reason, "OOMKilled");
  EXPECT_EQ(heard.what.after, "137");
  EXPECT_EQ(heard.what.text, "taking 200 MiB");
  EXPECT_GT(heard.time_ns, before_ns);
  EXPECT_LE(heard.time_ns, clock_.wall_ns());
}

TEST_F(CriRuntimeTest, crash_loop_is_every_exit_and_every_restart) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("looping");
  const auto sandbox = runtime.run_sandbox(pod);
  std::string last;
  for (std::uint32_t attempt = 0; attempt < 3; ++attempt) {
    const auto id = runtime.create(sandbox, pod, "crasher", attempt, {"crash", "3"});
    runtime.start_container(id);
    ASSERT_TRUE(turn_until([&] { return count("container_exited", "crasher") == attempt + 1; }));
    if (!last.empty()) runtime.remove_container(last);   // the kubelet keeps one
    last = id;
  }
  EXPECT_TRUE(turn_until([&] { return count("container_restarted", "crasher") == 2; }));
  const auto& exit = find("container_exited", "crasher");
  EXPECT_EQ(exit.what.reason, "Error");
  EXPECT_EQ(exit.what.after, "3");
  EXPECT_THAT(exit.what.text, HasSubstr("no route to the database"));
  EXPECT_THAT(exit.what.text, Not(HasSubstr("hunter2secret9")));
  const auto& restart = find("container_restarted", "crasher");
  EXPECT_EQ(restart.what.before, "0");
  EXPECT_EQ(restart.what.after, "1");
  EXPECT_EQ(restart.what.reason, "Error");
  EXPECT_EQ(restart.what.count, 1U);
}

TEST_F(CriRuntimeTest, image_that_cannot_be_pulled_leaves_a_pod_without_a_container) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("pulling");
  const auto sandbox = runtime.run_sandbox(pod);
  const auto containers = link_->counters().containers;
  EXPECT_FALSE(runtime.pull("127.0.0.1:1/none:1"));
  const auto lists = link_->counters().lists_total;
  ASSERT_TRUE(turn_until([&] { return link_->counters().lists_total >= lists + 2; }));
  EXPECT_EQ(link_->counters().containers, containers);
  for (const auto& heard : heard_) EXPECT_NE(heard.entity.pod_name, "pulling") << heard.what.what;
}

TEST_F(CriRuntimeTest, container_that_is_stopped_and_removed_ends_in_success_and_is_forgotten) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("stopping");
  const auto sandbox = runtime.run_sandbox(pod);
  const auto id = runtime.create(sandbox, pod, "polite", 0, {"pause"});
  runtime.start_container(id);
  const auto before = link_->counters().containers;
  ASSERT_TRUE(turn_until([&] { return link_->counters().containers == before + 1; }));
  runtime.stop_container(id);
  ASSERT_TRUE(turn_until([&] { return count("container_exited", "polite") == 1; }));
  EXPECT_EQ(find("container_exited", "polite").what.reason, "Completed");
  EXPECT_EQ(find("container_exited", "polite").what.text, "");
  runtime.remove_container(id);
  ASSERT_TRUE(turn_until([&] { return link_->counters().containers == before; }));
  runtime.stop_sandbox(sandbox);
  const auto lists = link_->counters().lists_total;
  ASSERT_TRUE(turn_until([&] { return link_->counters().lists_total >= lists + 2; }));
  EXPECT_EQ(count("pod_sandbox_not_ready", "stopping"), 0U);
}

TEST_F(CriRuntimeTest, sandbox_that_dies_below_its_container_is_told) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("bottomless");
  const auto sandbox = runtime.run_sandbox(pod);
  const auto id = runtime.create(sandbox, pod, "app", 0, {"pause"});
  runtime.start_container(id);
  const auto lists = link_->counters().lists_total;
  ASSERT_TRUE(turn_until([&] { return link_->counters().lists_total >= lists + 2; }));
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string text((std::istreambuf_iterator<char>(mounts)), {});
  const auto layout = kernel::parse_cgroup_mounts(text);
  ASSERT_TRUE(layout);
  std::ifstream processes(layout->memory + pod.linux().cgroup_parent() + "/" + sandbox + "/cgroup.procs");
  pid_t pause = 0;
  ASSERT_TRUE(processes >> pause);
  ASSERT_EQ(::kill(pause, SIGKILL), 0);
  EXPECT_TRUE(turn_until([&] { return count("pod_sandbox_not_ready", "bottomless") == 1; }));
  EXPECT_EQ(count("container_exited", "app"), 0U);
}

TEST_F(CriRuntimeTest, restart_of_the_runtime_loses_no_exit) {
  auto& runtime = *containerd();
  const auto pod = runtime.pod("surviving");
  const auto sandbox = runtime.run_sandbox(pod);
  const auto id = runtime.create(sandbox, pod, "survivor", 0, {"pause"});
  runtime.start_container(id);
  const auto lists = link_->counters().lists_total;
  ASSERT_TRUE(turn_until([&] { return link_->counters().lists_total >= lists + 2; }));
  runtime.stop();
  ASSERT_TRUE(turn_until([&] { return !link_->counters().connected && count("container_runtime_unreachable", runtime.socket()) == 1; }));
  runtime.start();
  ASSERT_TRUE(turn_until([&] { return link_->counters().connected; }));
  runtime.stop_container(id);
  EXPECT_TRUE(turn_until([&] { return count("container_exited", "survivor") == 1; }));
}

}  // namespace
}  // namespace fw::test
