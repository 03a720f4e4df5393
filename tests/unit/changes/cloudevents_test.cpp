#include "aggregator/changes/cloudevents/cloudevents.hpp"

#include <gtest/gtest.h>


namespace fw::changes::cloudevents {
namespace {

constexpr auto kStructured = "application/cloudevents+json; charset=utf-8";
constexpr auto kBatch = "application/cloudevents-batch+json";
const std::string kData = R"({"object": {"name": "checkout"}, "started": "2026-11-24T02:47:03Z"})";

std::string event(const std::string& data, const std::string& type = "dev.fleetwright.change.v1", const std::string& id = "1") {
  return R"({"specversion": "1.0", "id": ")" + id + R"(", "source": "/ci", "type": ")" + type + R"(", "data": )" + data + "}";
}

Result<std::vector<Received>> structured(const std::string& body) { return parse({kStructured, {}, body}, 42); }

Change change_of(const std::string& data) {
  auto received = structured(event(data));
  if (received.has_error() || received->size() != 1) {
    ADD_FAILURE() << (received.has_error() ? received.error().message() : "not one event");
    return {};
  }
  return std::get<Change>(std::move(received->front().what));
}

std::string error_of(const Result<std::vector<Received>>& received) { return received.has_error() ? received.error().message() : ""; }
std::string data_error(const std::string& data) { return error_of(structured(event(data))); }
// kData with one more member.
std::string with(const std::string& member) { return kData.substr(0, kData.size() - 1) + ", " + member + "}"; }

TEST(CloudEvents, structured_mode_with_every_field) {
  const Change c = change_of(R"({
    "object": {"cluster": "eu", "kind": "Deployment", "namespace": "shop", "name": "checkout", "uid": "u-1", "cgroupPath": "/shop/checkout",
               "containerId": "abc", "node": "node-a"},
    "actor": "alice", "revision": "v2", "title": "checkout v2", "environment": "prod", "url": "https://ci/7", "group": "G1", "key": "deploy-7",
    "started": "2026-11-24T02:47:03.5+01:00", "finished": "2026-11-24T01:48:00Z", "outcome": "success",
    "fields": [{"path": "resources.limits.memory", "before": "256Mi", "after": "64Mi"}, {"path": "replicas", "before": 2, "after": 3},
               {"path": "canary", "before": null, "after": true}, {"path": "share", "before": 0.5, "after": 1e21}]})");
  EXPECT_EQ(c.source, "cloudevents");
  EXPECT_EQ(c.source_key, "/ci deploy-7");
  EXPECT_EQ(c.change_group, "g1");
  EXPECT_EQ(c.object.cluster, "eu");
  EXPECT_EQ(c.object.kind, "Deployment");
  EXPECT_EQ(c.object.namespace_name, "shop");
  EXPECT_EQ(c.object.name, "checkout");
  EXPECT_EQ(c.object.uid, "u-1");
  EXPECT_EQ(c.object.cgroup_path, "/shop/checkout");
  EXPECT_EQ(c.object.container_id, "abc");
  EXPECT_EQ(c.object.node, "node-a");
  EXPECT_EQ(c.actor, "alice");
  EXPECT_EQ(c.revision, "v2");
  EXPECT_EQ(c.title, "checkout v2");
  EXPECT_EQ(c.environment, "prod");
  EXPECT_EQ(c.url, "https://ci/7");
  EXPECT_EQ(c.started_ns, 1'795'484'823'500'000'000);
  EXPECT_EQ(c.finished_ns, 1'795'484'880'000'000'000);
  EXPECT_EQ(c.outcome, Outcome::success);
  EXPECT_EQ(c.received_ns, 42);
  ASSERT_EQ(c.fields.size(), 4U);
  EXPECT_EQ(c.fields[0].before, "256Mi");
  EXPECT_EQ(c.fields[0].after, "64Mi");
  EXPECT_EQ(c.fields[1].after, "3");
  EXPECT_EQ(c.fields[2].before, std::nullopt);
  EXPECT_EQ(c.fields[2].after, "true");
  EXPECT_EQ(c.fields[3].before, "0.5");
  EXPECT_EQ(c.fields[3].after, "1e+21");
}

TEST(CloudEvents, least_data) {
  const Change c = change_of(kData);
  EXPECT_EQ(c.source_key, "/ci 1");
  EXPECT_EQ(c.actor, "unknown");
  EXPECT_EQ(c.outcome, Outcome::unknown);
  EXPECT_EQ(c.change_group, "");
  EXPECT_EQ(structured(event(kData))->front().delivery_id, "/ci 1");
}

TEST(CloudEvents, a_full_sha_is_a_group_but_a_version_is_not) {
  EXPECT_EQ(change_of(with(R"("revision": "F95F852BD8FCA8FCC58A9A2D6C842781E32A215E")")).change_group, "f95f852bd8fca8fcc58a9a2d6c842781e32a215e");
  EXPECT_EQ(change_of(with(R"("revision": "v2")")).change_group, "");
}

TEST(CloudEvents, binary_mode) {
  Message message{"application/json", {{"specversion", "1.0"}, {"id", "a%20b"}, {"source", "/ci"}, {"type", std::string(kChangeType)}}, kData};
  const auto received = parse(message, 42);
  ASSERT_TRUE(received.has_value()) << received.error().message();
  EXPECT_EQ(received->front().delivery_id, "/ci a b");
  EXPECT_EQ(std::get<Change>(received->front().what).object.name, "checkout");
  message.attributes[1].second = "a%2";
  EXPECT_EQ(error_of(parse(message, 42)), "ce-id: bad percent encoding");
  message.attributes.erase(message.attributes.begin() + 1);
  EXPECT_EQ(error_of(parse(message, 42)), "ce.id: missing or empty");
  message.attributes = {{"type", "x"}};
  EXPECT_EQ(error_of(parse(message, 42)), "ce.specversion: missing or empty");
}

TEST(CloudEvents, batch_mode_is_all_or_nothing) {
  const std::string good = "[" + event(kData, "dev.fleetwright.change.v1", "1") + "," + event("{}", "other", "2") + "]";
  const auto received = parse({kBatch, {}, good}, 42);
  ASSERT_TRUE(received.has_value()) << received.error().message();
  ASSERT_EQ(received->size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Change>((*received)[0].what));
  EXPECT_TRUE(std::holds_alternative<Ignored>((*received)[1].what));
  EXPECT_TRUE(parse({kBatch, {}, "[]"}, 42)->empty());
  const std::string bad = "[" + event(kData) + "," + event(R"({"object": {"nam": "x"}})") + "]";
  EXPECT_EQ(error_of(parse({kBatch, {}, bad}, 42)),
            "[1].data.object.nam: unknown field; known are cluster, kind, namespace, name, uid, cgroupPath, containerId, node");
  EXPECT_EQ(error_of(parse({kBatch, {}, "{}"}, 42)), "body: a batch is a list");
  std::string many = "[0";
  for (std::size_t i = 0; i < kMaxBatch; ++i) many += ",0";
  EXPECT_EQ(error_of(parse({kBatch, {}, many + "]"}, 42)), "body: more than 1000 events in one batch");
}

TEST(CloudEvents, data_in_base64) {
  const auto with_base64 = [](const std::string& base64) {
    return structured(R"({"specversion": "1.0", "id": "1", "source": "/ci", "type": "dev.fleetwright.change.v1", "data_base64": ")" + base64 + "\"}");
  };
  // {"object":{"name":"checkout"},"started":"2026-11-24T02:47:03Z"}
  const auto received = with_base64("eyJvYmplY3QiOnsibmFtZSI6ImNoZWNrb3V0In0sInN0YXJ0ZWQiOiIyMDI2LTExLTI0VDAyOjQ3OjAzWiJ9");
  ASSERT_TRUE(received.has_value()) << received.error().message();
  EXPECT_EQ(std::get<Change>(received->front().what).object.name, "checkout");
  EXPECT_EQ(error_of(with_base64("e30")), "data_base64: not base64");
  EXPECT_EQ(error_of(with_base64("e30=")), "data_base64.object: needs one of name, cgroupPath and containerId");
  EXPECT_EQ(error_of(with_base64("/w==")), "data_base64: body: not valid UTF-8");
}

TEST(CloudEvents, other_types_are_ignored_after_their_attributes_were_checked) {
  const auto received = structured(event("{\"anything\": 1}", "com.example.other"));
  ASSERT_TRUE(received.has_value());
  EXPECT_TRUE(std::holds_alternative<Ignored>(received->front().what));
  EXPECT_EQ(error_of(structured(R"({"specversion": "1.0", "type": "x", "source": "y"})")), "id: missing or empty");
}

TEST(CloudEvents, attributes) {
  EXPECT_EQ(error_of(structured(R"({"specversion": "0.3", "id": "1", "source": "s", "type": "t"})")), "specversion: must be 1.0");
  EXPECT_EQ(error_of(structured(R"({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "noon"})")),
            "time: not an RFC 3339 time such as 2026-11-24T02:47:03.120Z");
  EXPECT_EQ(error_of(structured(R"({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "Bad-Name": "x"})")),
            "body: attribute names have only a-z and 0-9");
  EXPECT_EQ(error_of(structured(R"({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "ext": {}})")),
            "body: attributes are text, numbers or truth values");
  EXPECT_TRUE(structured(R"({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "traceparent": "00-1", "n": 5, "gone": null})").has_value());
  EXPECT_EQ(error_of(structured(R"({"specversion": "1.0", "id": "1", "source": "s", "type": "dev.fleetwright.change.v1", "datacontenttype": "text/xml", "data": {}})")),
            "datacontenttype: must be JSON");
}

TEST(CloudEvents, content_type_decides_the_mode) {
  EXPECT_EQ(parse({"text/plain", {}, ""}, 42).error().code, Errc::unsupported);
  EXPECT_EQ(parse({"", {}, ""}, 42).error().code, Errc::unsupported);
  EXPECT_TRUE(parse({"Application/CloudEvents+JSON", {}, event(kData)}, 42).has_value());
}

TEST(CloudEvents, errors_name_the_field) {
  EXPECT_EQ(data_error("null"), "data: missing");
  EXPECT_EQ(data_error("[]"), "data: must be an object");
  EXPECT_EQ(data_error(R"({"started": "2026-11-24T02:47:03Z"})"), "data.object: needs one of name, cgroupPath and containerId");
  EXPECT_EQ(data_error(R"({"object": {"name": "x"}})"), "data.started: missing");
  EXPECT_EQ(data_error(with(R"("finished": "2026-11-24T02:47:02Z")")), "data.finished: is before started");
  EXPECT_EQ(data_error(with(R"("outcome": "great")")), "data.outcome: must be unknown, in_progress, success, failure or cancelled");
  EXPECT_EQ(data_error(with(R"("url": "javascript:x")")), "data.url: must begin with https:// or http://");
  EXPECT_EQ(data_error(with(R"("fields": {})")), "data.fields: must be a list");
  EXPECT_EQ(data_error(with(R"("fields": [1])")), "data.fields[0]: must be an object");
  EXPECT_EQ(data_error(with(R"("fields": [{"path": "a"}, {}])")), "data.fields[1].path: missing or empty");
  EXPECT_EQ(data_error(with(R"("fields": [{"path": "a", "after": [1]}])")), "data.fields[0].after: must be text, a number, true, false or null");
  EXPECT_EQ(data_error(with(R"("fields": [{"path": "a", "old": 1}])")), "data.fields[0].old: unknown field; known are path, before, after");
  EXPECT_EQ(data_error(with("\"actor\": \"\xC0\xAF\"")), "data.actor: not valid UTF-8");
  EXPECT_EQ(data_error(with(R"("actor": "\u001b[2J")")), "data.actor: holds a control character");
  EXPECT_EQ(data_error(with("\"\xFF\": 1")), "data.?: not valid UTF-8");
  EXPECT_EQ(error_of(structured("\xFF")), "body: not valid UTF-8");
  EXPECT_EQ(error_of(structured("")).substr(0, 15), "body: not JSON ");
}

}  // namespace
}  // namespace fw::changes::cloudevents
