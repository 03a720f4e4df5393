#include <gtest/gtest.h>

#include <map>

#include "node-agent/cri/picture.hpp"

namespace fw::cri {
namespace {

struct Heard final : Listener {
  struct Word {
    std::string id;
    wire::Observed what;
    std::int64_t wall_ns;
  };
  void describe(std::string_view id, const collectors::ContainerFacts& facts) override {
    described[std::string(id)] = facts;
    ++descriptions;
  }
  void observe(std::string_view id, wire::Observed what, std::int64_t wall_ns) override {
    EXPECT_TRUE(id.empty() || described.contains(std::string(id))) << "a word about what was not described";
    words.push_back({std::string(id), std::move(what), wall_ns});
  }
  std::string text() const {
    std::string out;
    for (const auto& word : words) {
      out += word.id + " " + word.what.what + " " + word.what.object + " " + word.what.reason + " " + word.what.before + ">" + word.what.after + " x" +
             std::to_string(word.what.count) + "\n";
    }
    return out;
  }

  std::map<std::string, collectors::ContainerFacts> described;
  int descriptions = 0;
  std::vector<Word> words;
};

Sandbox pod(bool ready = true) { return {.id = "s1", .name = "web-1", .uid = "u1", .pod_namespace = "shop", .ready = ready}; }
Container container(std::string id, State state, std::uint32_t attempt = 0) {
  return {.id = std::move(id), .sandbox_id = "s1", .name = "app", .image = "sha256:1", .attempt = attempt, .state = state};
}
Status running(std::string id, std::uint32_t attempt = 0) {
  return {.id = std::move(id), .name = "app", .image = "shop/app:1", .attempt = attempt, .state = State::running, .exit_code = 0, .finished_ns = 0, .reason = "", .log_path = ""};
}
Status exited(std::string id, std::int32_t code, std::string reason, std::uint32_t attempt = 0) {
  return {.id = std::move(id), .name = "app", .image = "shop/app:1", .attempt = attempt, .state = State::exited, .exit_code = code, .finished_ns = 77,
          .reason = std::move(reason), .log_path = "/var/log/pods/x/0.log"};
}
using Ids = std::vector<std::string>;

class PictureTest : public testing::Test {
 protected:
  Ids list(std::vector<Container> containers, std::vector<Sandbox> sandboxes = {pod()}) { return picture.on_list(sandboxes, containers); }
  Heard heard;
  Picture picture{heard, [](const std::string& path) { return "tail of " + path; }};
};

TEST_F(PictureTest, container_is_described_from_the_list_and_better_from_its_status) {
  EXPECT_EQ(list({container("c1", State::running)}), Ids{"c1"});
  EXPECT_EQ(heard.described["c1"], (collectors::ContainerFacts{"app", "web-1", "shop", "u1", "sha256:1"}));
  EXPECT_EQ(heard.described["s1"], (collectors::ContainerFacts{"", "web-1", "shop", "u1", ""}));
  picture.on_status(running("c1"));
  EXPECT_EQ(heard.described["c1"].image, "shop/app:1");
  EXPECT_TRUE(heard.words.empty());
}

TEST_F(PictureTest, settled_container_is_neither_asked_for_nor_described_again) {
  list({container("c1", State::running)});
  picture.on_status(running("c1"));
  const auto before = heard.descriptions;
  EXPECT_EQ(list({container("c1", State::running)}), Ids{});
  EXPECT_EQ(heard.descriptions, before);
}

TEST_F(PictureTest, status_that_was_not_answered_is_wanted_again) {
  EXPECT_EQ(list({container("c1", State::running)}), Ids{"c1"});
  EXPECT_EQ(list({container("c1", State::running)}), Ids{"c1"});
}

TEST_F(PictureTest, exits_before_the_first_list_are_history) {
  EXPECT_EQ(list({container("c0", State::exited, 3)}), Ids{});
  picture.on_status(exited("c0", 1, "Error", 3));
  EXPECT_EQ(heard.text(), "");
  EXPECT_EQ(heard.described["c0"].container_name, "app");
}

TEST_F(PictureTest, exit_is_told_once_with_reason_code_time_and_log) {
  list({container("c1", State::running)});
  picture.on_status(running("c1"));
  EXPECT_EQ(list({container("c1", State::exited)}), Ids{"c1"});
  picture.on_status(exited("c1", 137, "OOMKilled"));
  picture.on_status(exited("c1", 137, "OOMKilled"));
  EXPECT_EQ(list({container("c1", State::exited)}), Ids{});
  EXPECT_EQ(heard.text(), "c1 container_exited app OOMKilled >137 x1\n");
  EXPECT_EQ(heard.words[0].wall_ns, 77);
  EXPECT_EQ(heard.words[0].what.text, "tail of /var/log/pods/x/0.log");
}

TEST_F(PictureTest, success_tells_no_log) {
  list({container("c1", State::running)});
  list({container("c1", State::exited)});
  picture.on_status(exited("c1", 0, ""));
  EXPECT_EQ(heard.text(), "c1 container_exited app Completed >0 x1\n");
  EXPECT_EQ(heard.words[0].what.text, "");
}

TEST_F(PictureTest, failure_without_a_reason_is_an_error) {
  list({container("c1", State::running)});
  list({container("c1", State::exited)});
  picture.on_status(exited("c1", 3, ""));
  EXPECT_EQ(heard.words[0].what.reason, "Error");
}

TEST_F(PictureTest, container_that_came_and_went_between_two_lists_is_told) {
  list({});
  EXPECT_EQ(list({container("c1", State::exited)}), Ids{"c1"});
  picture.on_status(exited("c1", 1, "Error"));
  EXPECT_EQ(heard.text(), "c1 container_exited app Error >1 x1\n");
}

TEST_F(PictureTest, restart_comes_after_the_exit_that_it_follows) {
  list({container("c1", State::running)});
  picture.on_status(running("c1"));
  const auto wanted = list({container("c2", State::running, 1), container("c1", State::exited)});
  ASSERT_EQ(wanted, (Ids{"c1", "c2"}));
  picture.on_status(exited("c1", 1, "Error"));
  picture.on_status(running("c2", 1));
  EXPECT_EQ(heard.text(), "c1 container_exited app Error >1 x1\nc2 container_restarted app Error 0>1 x1\n");
}

TEST_F(PictureTest, missed_restarts_are_counted_by_the_attempt) {
  list({container("c1", State::running, 2)});
  list({container("c9", State::running, 7)});
  picture.on_status(running("c9", 7));
  picture.on_status(running("c9", 7));
  EXPECT_EQ(heard.text(), "c9 container_restarted app  2>7 x5\n");
}

TEST_F(PictureTest, first_sight_of_an_old_container_is_no_restart) {
  list({});
  list({container("c9", State::running, 7)});
  picture.on_status(running("c9", 7));
  EXPECT_EQ(heard.text(), "");
}

TEST_F(PictureTest, pod_that_is_made_again_starts_from_nothing) {
  list({container("c1", State::running, 4)});
  list({}, {});
  list({container("c2", State::running, 5)});
  picture.on_status(running("c2", 5));
  EXPECT_EQ(heard.text(), "");
}

TEST_F(PictureTest, late_word_that_an_exited_container_runs_is_ignored) {
  list({container("c1", State::running)});
  picture.on_event({pod(), {exited("c1", 1, "Error")}});
  picture.on_event({pod(), {running("c1")}});
  EXPECT_EQ(list({container("c1", State::exited)}), Ids{});
  EXPECT_EQ(heard.text(), "c1 container_exited app Error >1 x1\n");
}

TEST_F(PictureTest, events_alone_tell_a_whole_crash_loop) {
  list({container("c1", State::running)});
  picture.on_event({pod(), {running("c2", 1), exited("c1", 1, "Error")}});
  picture.on_event({pod(), {exited("c2", 2, "Error", 1), exited("c1", 1, "Error")}});
  EXPECT_EQ(heard.text(), "c1 container_exited app Error >1 x1\nc2 container_restarted app Error 0>1 x1\nc2 container_exited app Error >2 x1\n");
  EXPECT_EQ(heard.described["c2"].pod_name, "web-1");
}

TEST_F(PictureTest, event_of_a_pod_that_nobody_knows_introduces_it) {
  list({}, {});
  picture.on_event({pod(), {running("c1")}});
  EXPECT_EQ(heard.described["c1"].pod_name, "web-1");
  EXPECT_EQ(picture.containers(), 1U);
}

TEST_F(PictureTest, event_without_a_pod_waits_for_the_list) {
  list({});
  picture.on_event({{}, {running("c1")}});
  EXPECT_EQ(picture.containers(), 0U);
}

TEST_F(PictureTest, sandbox_that_ends_below_a_running_container_is_told_once) {
  list({container("c1", State::running)});
  list({container("c1", State::running)}, {pod(false)});
  list({container("c1", State::running)}, {pod(false)});
  EXPECT_EQ(heard.text(), "s1 pod_sandbox_not_ready web-1  > x1\n");
}

TEST_F(PictureTest, pod_that_is_stopped_in_order_is_no_news) {
  list({container("c1", State::running)});
  list({container("c1", State::exited)}, {pod(false)});
  picture.on_status(exited("c1", 0, "Completed"));
  EXPECT_EQ(heard.text(), "c1 container_exited app Completed >0 x1\n");
}

TEST_F(PictureTest, sandbox_that_was_down_from_the_start_is_history) {
  list({container("c1", State::running)}, {pod(false)});
  list({container("c1", State::running)}, {pod(false)});
  EXPECT_EQ(heard.text(), "");
}

TEST_F(PictureTest, removed_container_is_forgotten_without_a_word) {
  list({container("c1", State::running)});
  list({});
  EXPECT_EQ(picture.containers(), 0U);
  EXPECT_EQ(heard.text(), "");
}

TEST_F(PictureTest, more_containers_than_the_bound_are_ignored_and_counted) {
  std::vector<Container> many;
  for (std::size_t i = 0; i < kMaxContainers + 7; ++i) many.push_back(container("c" + std::to_string(i), State::exited));
  list(many);
  EXPECT_EQ(picture.containers(), kMaxContainers);
  EXPECT_EQ(picture.ignored_total(), 7U);
}

}  // namespace
}  // namespace fw::cri
