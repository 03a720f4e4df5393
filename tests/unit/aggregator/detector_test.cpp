#include "aggregator/incidents/detector.hpp"

#include <gtest/gtest.h>

#include "tests/unit/aggregator/support.hpp"

namespace fw::incidents {
namespace {

using namespace std::chrono_literals;
using test::exit_of;
using test::oom;
using test::signal_to;

class DetectorTest : public testing::Test {
 protected:
  template <class Body>
  std::vector<SymptomKind> feed(const fleet::EntityPtr& entity, Body body) {
    std::vector<SymptomKind> kinds;
    for (const Symptom& symptom : detector_.on_event(node_.event(entity, std::move(body)))) kinds.push_back(symptom.kind);
    return kinds;
  }

  test::ManualClock clock_;
  test::Node node_{clock_};
  fleet::EntityPtr shop_ = node_.container("/shop/cart", 100);
  Detector detector_;
  const std::vector<SymptomKind> none_;
};

using Kinds = std::vector<SymptomKind>;

TEST_F(DetectorTest, one_oom_kill_is_a_symptom) { EXPECT_EQ(feed(shop_, oom(7)), Kinds{SymptomKind::oom_kill}); }

TEST_F(DetectorTest, an_oom_of_the_node_is_marked_as_such) {
  const auto symptoms = detector_.on_event(node_.event(shop_, oom(7, wire::OomConstraint::node)));
  ASSERT_EQ(symptoms.size(), 1U);
  EXPECT_TRUE(symptoms[0].node_level);
}

TEST_F(DetectorTest, sigkill_from_outside_is_killed_and_not_oom) { EXPECT_EQ(feed(shop_, signal_to(7, SIGKILL, 999)), Kinds{SymptomKind::killed}); }

TEST_F(DetectorTest, sigkill_after_sigterm_is_a_stop) {
  feed(shop_, signal_to(7, SIGTERM, 999));
  clock_.advance(30s);
  EXPECT_EQ(feed(shop_, signal_to(7, SIGKILL, 999)), none_);
}

TEST_F(DetectorTest, sigkill_long_after_sigterm_is_killed) {
  feed(shop_, signal_to(7, SIGTERM, 999));
  clock_.advance(61s);
  EXPECT_EQ(feed(shop_, signal_to(7, SIGKILL, 999)), Kinds{SymptomKind::killed});
}

TEST_F(DetectorTest, sigkill_that_is_not_a_persons_kill_of_the_main_process_is_no_symptom) {
  EXPECT_EQ(feed(shop_, signal_to(7, SIGKILL, 100)), none_) << "sender inside";
  EXPECT_EQ(feed(shop_, signal_to(7, SIGKILL, 999, false)), none_) << "not the main process";
  EXPECT_EQ(feed(shop_, signal_to(7, SIGKILL, 999, true, true)), none_) << "sent by the kernel";
  feed(shop_, oom(8));
  EXPECT_EQ(feed(shop_, signal_to(8, SIGKILL, 999)), none_) << "the OOM killer's victim";
}

TEST_F(DetectorTest, third_abnormal_end_in_five_minutes_is_a_crash_loop) {
  EXPECT_EQ(feed(shop_, exit_of(1, 1)), none_);
  clock_.advance(100s);
  EXPECT_EQ(feed(shop_, exit_of(2, 0, SIGSEGV)), none_);
  clock_.advance(100s);
  EXPECT_EQ(feed(shop_, exit_of(3, 1)), Kinds{SymptomKind::crash_loop});
}

TEST_F(DetectorTest, slow_crashes_are_no_loop) {
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(feed(shop_, exit_of(i, 1)), none_);
    clock_.advance(151s);
  }
}

TEST_F(DetectorTest, a_container_that_is_made_again_under_the_same_pod_continues_the_loop) {
  const auto a = node_.container("/kubepods/pod1/a", 1, "pod-1"), b = node_.container("/kubepods/pod1/b", 2, "pod-1"),
             c = node_.container("/kubepods/pod1/c", 3, "pod-1");
  feed(a, exit_of(1, 1));
  feed(b, exit_of(2, 1));
  EXPECT_EQ(feed(c, exit_of(3, 1)), Kinds{SymptomKind::crash_loop});
}

TEST_F(DetectorTest, five_clean_ends_in_two_minutes_are_a_restart_loop) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(feed(shop_, exit_of(i, 0)), none_);
    clock_.advance(20s);
  }
  EXPECT_EQ(feed(shop_, exit_of(5, 0)), Kinds{SymptomKind::restart_loop});
}

TEST_F(DetectorTest, restarts_by_sigterm_are_no_loop) {
  for (std::uint32_t i = 0; i < 12; ++i) {
    feed(shop_, signal_to(i, SIGTERM, 999));
    EXPECT_EQ(feed(shop_, exit_of(i, 143)), none_);
    clock_.advance(10s);
  }
}

TEST_F(DetectorTest, ends_of_other_processes_do_not_count) {
  for (std::uint32_t i = 0; i < 50; ++i) EXPECT_EQ(feed(shop_, exit_of(i, 1, 0, false)), none_);
}

TEST(Detector, a_healthy_hour_has_no_symptom) {
  test::ManualClock clock;
  test::Node node{clock};
  Detector detector;
  const auto web = node.container("/shop/web", 1), job = node.container("/jobs/report", 2);
  // Helpers come and go every second, a job runs each two minutes, a rollout stops and starts the service each ten.
  for (std::uint32_t second = 0; second < 3'600; ++second) {
    const auto quiet = [&](const fleet::EntityPtr& entity, auto body) { ASSERT_TRUE(detector.on_event(node.event(entity, std::move(body))).empty()) << second; };
    quiet(web, exit_of(10'000 + second, second % 7 == 0 ? 1 : 0, 0, false));
    if (second % 120 == 0) quiet(job, exit_of(20'000 + second, 0));
    if (second % 600 == 0) {
      quiet(web, signal_to(30'000 + second, SIGTERM, 999));
      quiet(web, exit_of(30'000 + second, 0, SIGKILL));
    }
    clock.advance(1s);
  }
}

TEST(Detector, memory_is_bounded_by_the_number_of_lineages) {
  test::ManualClock clock;
  test::Node node{clock};
  Detector detector(Thresholds{.lineages = 100});
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    detector.on_event(node.event(node.container("/x/" + std::to_string(i), i + 1), exit_of(1, 0)));
    clock.advance(1s);
  }
  EXPECT_LE(detector.lineages(), 100U);
}

}  // namespace
}  // namespace fw::incidents
