#include "node-agent/executor/actions/texts.hpp"

#include <gtest/gtest.h>

#include "node-agent/executor/actions/handles.hpp"
#include "node-agent/executor/actions/host.hpp"

namespace fw::executor {
namespace {

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

TEST(ExecutorTexts, keyed_numbers_of_every_form) {
  EXPECT_EQ(parse_keyed("populated 1\nfrozen 0\n", "frozen"), 0);
  EXPECT_EQ(parse_keyed("MemTotal:       24 kB\nMemAvailable:   42 kB\n", "MemAvailable"), 42);
  EXPECT_EQ(parse_keyed("VmRSS:\t    5852 kB\n", "VmRSS"), 5852);
  EXPECT_EQ(parse_keyed("Pss_Anon: 7 kB\nPss: 9 kB\n", "Pss"), 9);
  EXPECT_EQ(parse_keyed("frozen\n", "frozen"), std::nullopt);
  EXPECT_EQ(parse_keyed("frozen x\n", "frozen"), std::nullopt);
  EXPECT_EQ(parse_keyed("", "frozen"), std::nullopt);
}

TEST(ExecutorTexts, values_and_no_limit_of_both_hierarchies) {
  EXPECT_EQ(parse_value("67108864\n").value(), 67'108'864);
  EXPECT_EQ(parse_value("max\n").value(), -1);
  EXPECT_EQ(parse_value("9223372036854771712\n").value(), -1);
  EXPECT_EQ(parse_value("-1\n").value(), -1);
  EXPECT_EQ(parse_value("0").value(), 0);
  for (const auto* bad : {"", "x", "-2", "1 2", "99999999999999999999", "0x10"}) EXPECT_FALSE(parse_value(bad)) << bad;
}

TEST(ExecutorTexts, cpu_max) {
  EXPECT_EQ(parse_cpu_max("max 100000\n").value(), (CpuMax{-1, 100'000}));
  EXPECT_EQ(parse_cpu_max("50000 200000\n").value(), (CpuMax{50'000, 200'000}));
  for (const auto* bad : {"", "max", "50000", "50000 0", "50000 -1", "50000 100000 x"}) EXPECT_FALSE(parse_cpu_max(bad)) << bad;
}

TEST(ExecutorTexts, weights_and_shares_are_exact_there_and_back) {
  EXPECT_EQ(shares_of_weight(100), 1024);
  EXPECT_EQ(weight_of_shares(1024), 100);
  for (std::int64_t weight = 1; weight <= 10'000; ++weight) ASSERT_EQ(weight_of_shares(shares_of_weight(weight)), weight);
}

TEST(ExecutorTexts, a_snapshot_comes_back_and_nothing_else_is_one) {
  Snapshot snapshot;
  snapshot.set("value", 67'108'864);
  snapshot.set("swap", -1);
  EXPECT_EQ(Snapshot::parse(snapshot.bytes()).value(), snapshot);
  EXPECT_EQ(Snapshot::parse({}).value(), Snapshot());
  EXPECT_EQ(snapshot.need("pod").error().code, Errc::malformed);
  for (const auto* bad : {"value", "value x\n", "Value 1\n", " 1\n", "value 1\nvalue 2\n", "value 1 2\n", "value 99999999999999999999\n"})
    EXPECT_FALSE(Snapshot::parse(bytes_of(bad))) << bad;
  std::string many;
  for (char c = 'a'; c <= 'z'; ++c) many += std::string(1, c) + " 1\n";
  EXPECT_FALSE(Snapshot::parse(bytes_of(many)));
}

TEST(ExecutorTexts, a_path_has_one_spelling) {
  for (const auto* good : {"/shop/checkout", "shop", "a/..b", "a/b..", "/a.b/c-d"}) EXPECT_TRUE(is_clean_path(good)) << good;
  for (const auto* bad : {"", "/", "//a", "a//b", "a/", "..", "/../a", "a/../b", ".", "a/./b"}) EXPECT_FALSE(is_clean_path(bad)) << bad;
  EXPECT_FALSE(is_clean_path(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_clean_path(std::string(5000, 'a')));
}

TEST(ExecutorTexts, a_containers_name_from_what_the_kubelet_mounted) {
  const std::string uid = "0a1b2c3d-0000-4000-8000-00000000abcd";
  const std::string mounts = "36 35 98:0 / / rw - overlay overlay rw\n"
                             "40 36 98:0 /var/lib/kubelet/pods/" + uid + "/containers/checkout/1a2b /dev/termination-log rw - ext4 /dev/sda rw\n";
  EXPECT_EQ(container_name_of(mounts, uid), "checkout");
  EXPECT_EQ(container_name_of(mounts, "another"), "");
  EXPECT_EQ(container_name_of("", uid), "");
  EXPECT_EQ(container_name_of("1 2 3", uid), "");
}

TEST(ExecutorTexts, programs_of_the_node_are_known_by_name) {
  for (const auto* name : {"systemd", "systemd-journal", "init", "kubelet", "kube-proxy", "containerd", "containerd-shim", "crio", "conmon", "dockerd",
                           "runc", "etcd", "fleetwright-age", "fleetwright-exe"})
    EXPECT_TRUE(is_protected_program(name)) << name;
  for (const auto* name : {"checkout", "nginx", "initdb", "sh", ""}) EXPECT_FALSE(is_protected_program(name)) << name;
}

}  // namespace
}  // namespace fw::executor
