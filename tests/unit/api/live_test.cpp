#include <gtest/gtest.h>

#include "aggregator/api/live_api.hpp"

namespace fw::api {
namespace {

TEST(SeriesQuestion, takes_names_lengths_and_quantiles) {
  const auto question = series_question("node=node-a&entity=%2Fshop%2Fcheckout&metric=http_latency&since=1h&step=30s&quantile=0.99");
  ASSERT_TRUE(question);
  EXPECT_EQ(question->node, "node-a");
  EXPECT_EQ(question->entity, "/shop/checkout");
  EXPECT_EQ(question->metric, "http_latency");
  EXPECT_EQ(question->since, std::chrono::hours(1));
  EXPECT_EQ(question->step, std::chrono::seconds(30));
  EXPECT_EQ(question->quantile, 0.99);
  EXPECT_FALSE(question->raw);
}

TEST(SeriesQuestion, what_is_wrong_is_named) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"metric=m", "node"},          {"node=n", "metric"},           {"node=n&metric=m&since=2h", "since"},       {"node=n&metric=m&since=0s", "since"},
      {"node=n&metric=m&step=-1s", "step"}, {"node=n&metric=m&step=s", "step"}, {"node=n&metric=m&quantile=1.5", "quantile"}, {"node=n&metric=m&quantile=nan", "quantile"},
      {"node=n&metric=m&raw=yes", "raw"},   {"node=n&metric=m&raw=true&quantile=0.5", "raw"}, {"node=n&metric=m&more=1", "unknown parameter"},
      {"node=n&metric=m&since=9223372036854775807h", "since"}, {"node=n&node=m&metric=m", "twice"}};
  for (const auto& [query, word] : wrong) {
    const auto question = series_question(query);
    ASSERT_FALSE(question) << query;
    EXPECT_EQ(question.error().code, Errc::invalid_argument) << query;
    EXPECT_NE(question.error().context.find(word), std::string::npos) << query << ": " << question.error().context;
  }
}

TEST(TopQuestion, has_useful_defaults) {
  const auto question = top_question("");
  ASSERT_TRUE(question);
  EXPECT_EQ(question->of, TopOf::containers);
  EXPECT_EQ(question->sort, TopSort::cpu);
  EXPECT_EQ(question->limit, 100U);
  const auto other = top_question("of=nodes&sort=5xx&node=node-a&limit=3");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->of, TopOf::nodes);
  EXPECT_EQ(other->sort, TopSort::errors);
  EXPECT_EQ(other->node, "node-a");
  EXPECT_EQ(other->limit, 3U);
  for (const auto* query : {"of=pods", "sort=name", "limit=0", "limit=1001", "x=1"}) EXPECT_FALSE(top_question(query)) << query;
}

TEST(RenderSeries, leaves_out_what_is_absent) {
  SeriesView view{.node = "node-a", .entity = "web", .entity_kind = "container", .cgroup_path = "/shop/web", .metric = "cpu_usage_us", .unit = "us",
                  .counter = true, .per_second = true, .quantile = {}, .from_ns = 1, .to_ns = 9, .unknown_before_ns = {}, .points = {{2, 1.5, {}, {}}, {3, 4, {}, {}}}};
  EXPECT_EQ(render_series(view),
            "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"Series\",\"node\":\"node-a\",\"entity\":{\"name\":\"web\",\"kind\":\"container\",\"cgroupPath\":\"/shop/web\"},"
            "\"metric\":\"cpu_usage_us\",\"unit\":\"us\",\"counter\":true,\"perSecond\":true,\"fromNs\":1,\"toNs\":9,"
            "\"points\":[{\"tNs\":2,\"value\":1.5E0},{\"tNs\":3,\"value\":4}]}\n");
  view.unknown_before_ns = 2;
  view.quantile = 0.5;
  view.points = {{2, 20, 16, std::nullopt}};
  const auto text = render_series(view);
  EXPECT_NE(text.find("\"unknownBeforeNs\":2"), std::string::npos);
  EXPECT_NE(text.find("{\"tNs\":2,\"value\":20,\"low\":16}"), std::string::npos) << text;
}

TEST(RenderTop, an_unmeasured_value_is_absent_and_not_zero) {
  TopRow row;
  row.node = "node-a";
  row.name = "web";
  row.kind = "container";
  row.cpu_cores = 0;
  EXPECT_EQ(render_top({.taken_ns = 5, .of = 7, .rows = {row}}),
            "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"Top\",\"takenNs\":5,\"of\":7,"
            "\"items\":[{\"node\":\"node-a\",\"name\":\"web\",\"kind\":\"container\",\"cpuCores\":0,\"connected\":false}]}\n");
}

}  // namespace
}  // namespace fw::api
