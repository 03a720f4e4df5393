// What may be asked, of whom; hostile arguments.
#include <gtest/gtest.h>

#include "node-agent/probes/request.hpp"

namespace fw::probes {
namespace {

wire::Probe probe(std::string kind, std::string target = "", std::vector<wire::ProbeArgument> arguments = {}) {
  return {.id = 7, .kind = std::move(kind), .target = std::move(target), .arguments = std::move(arguments), .deadline_ms = 5'000};
}

wire::EntityEntry container(std::uint64_t cgroup_id, std::string id, std::string pod, std::string name) {
  wire::EntityEntry entity;
  entity.id = static_cast<std::uint32_t>(cgroup_id);
  entity.kind = wire::EntityKind::container;
  entity.cgroup_id = cgroup_id;
  entity.cgroup_path = "/kubepods/pod1/" + id;
  entity.container_id = std::move(id);
  entity.name = entity.container_id.substr(0, 12);
  entity.pod_name = std::move(pod);
  entity.container_name = std::move(name);
  entity.pod_namespace = "shop";
  return entity;
}

TEST(ProbeRequest, fills_in_what_was_not_given) {
  const auto request = parse_request(probe("log_tail", "4711"));
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->number("lines"), 100U);
  EXPECT_EQ(parse_request(probe("log_tail", "4711", {{"lines", "5"}}))->number("lines"), 5U);
  EXPECT_EQ(parse_request(probe("directory_sizes", "", {{"path", "/var"}}))->text("path"), "/var");
}

TEST(ProbeRequest, refuses_what_no_probe_takes_and_says_why) {
  struct Case {
    wire::Probe probe;
    const char* why;
  };
  const std::string nul("/a\0b", 4);
  const Case cases[] = {
      {probe("shell"), "no probe of this name"},
      {probe("process_table"), "needs a container"},
      {probe("kernel_log", "4711"), "about the node"},
      {probe("log_tail", "4711", {{"lines", "0"}}), "1 to 1000"},
      {probe("log_tail", "4711", {{"lines", "-1"}}), "1 to 1000"},
      {probe("log_tail", "4711", {{"lines", "99999999999999999999"}}), "1 to 1000"},
      {probe("log_tail", "4711", {{"lines", "5"}, {"lines", "6"}}), "given twice"},
      {probe("log_tail", "4711", {{"file", "/etc/shadow"}}), "no argument of this name"},
      {probe("directory_sizes"), "needs path"},
      {probe("directory_sizes", "", {{"path", "var"}}), "absolute path"},
      {probe("directory_sizes", "", {{"path", "/var/../etc"}}), "absolute path"},
      {probe("directory_sizes", "", {{"path", nul}}), "absolute path"},
      {probe("dns_lookup", "", {{"name", "a b"}}), "host name"},
      {probe("dns_lookup", "", {{"name", "-x"}}), "host name"},
      {probe("dns_lookup", "", {{"name", std::string(254, 'a')}}), "host name"},
      {probe("tcp_connect", "", {{"to", "example.com:80"}}), "IP address"},
      {probe("tcp_connect", "", {{"to", "10.0.0.1:0"}}), "IP address"},
      {probe("tcp_connect", "", {{"to", "10.0.0.1:65536"}}), "IP address"},
      {probe("tcp_connect", "", {{"to", ":80"}}), "IP address"},
      {probe("cpu_profile", "", {{"seconds", "21"}}), "1 to 20"},
  };
  for (const auto& one : cases) {
    const auto refused = parse_request(one.probe);
    ASSERT_FALSE(refused) << one.why;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument) << one.why;
    EXPECT_NE(refused.error().context.find(one.why), std::string::npos) << refused.error().context;
  }
}

TEST(ProbeTarget, is_a_cgroup_id_a_path_a_container_id_or_a_pod) {
  const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  const std::vector<wire::EntityEntry> entities{container(11, id, "checkout-7d9f", "app"), container(12, "f" + id.substr(1), "cart-1", "app")};
  for (const std::string target : {"11", "/kubepods/pod1/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "0123456789ab", "checkout-7d9f/app",
                                   "shop/checkout-7d9f/app"}) {
    const auto resolved = resolve_target(target, entities);
    ASSERT_TRUE(resolved) << target;
    EXPECT_EQ(resolved->container_id, id) << target;
    EXPECT_EQ(resolved->name, "checkout-7d9f/app");
  }
  EXPECT_EQ(resolve_target("", entities)->cgroup_path, "");
  EXPECT_EQ(resolve_target("0123456", entities).error().code, Errc::not_found);   // too short to be a container id
  EXPECT_EQ(resolve_target("checkout", entities).error().code, Errc::not_found);
  EXPECT_EQ(resolve_target("../../etc", entities).error().code, Errc::not_found);
}

TEST(ProbeTarget, of_two_meanings_is_refused) {
  const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  const std::vector<wire::EntityEntry> entities{container(11, id, "checkout", "app"), container(12, id.substr(0, 20) + "x", "cart", "app")};
  EXPECT_EQ(resolve_target("0123456789ab", entities).error().code, Errc::conflict);
}

TEST(ProbePacket, comes_back_as_it_went_and_is_checked_again) {
  auto request = parse_request(probe("directory_sizes", "4711", {{"path", "/var/lib"}})).value();
  request.target = {.cgroup_path = "/kubepods/x", .container_id = "0123", .container_name = "app", .pod_uid = "u-1", .name = "pod/app"};
  const auto back = from_packet(to_packet(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->kind->name, "directory_sizes");
  EXPECT_EQ(back->text("path"), "/var/lib");
  EXPECT_EQ(back->target.cgroup_path, "/kubepods/x");
  EXPECT_EQ(back->target.pod_uid, "u-1");
  EXPECT_EQ(back->limit, std::chrono::milliseconds(5'000));

  request.target.cgroup_path = "/a/../../etc";
  EXPECT_FALSE(from_packet(to_packet(request)));
  request.target.cgroup_path = "/a";
  request.target.container_id = "../../etc/shadow";
  EXPECT_FALSE(from_packet(to_packet(request)));
  for (const char* bad : {"", "{}", "[]", "{\"id\":1}", "null", "\xff"}) EXPECT_FALSE(from_packet(bad)) << bad;
}

}  // namespace
}  // namespace fw::probes
