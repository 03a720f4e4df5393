// Parsers and texts of the network and dns collectors, and what is told of failures. The BPF side: tests/kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "node-agent/collectors/dns/dns_collector.hpp"
#include "node-agent/collectors/failures.hpp"
#include "node-agent/collectors/histogram.hpp"
#include "node-agent/collectors/network/network_collector.hpp"
#include "node-agent/collectors/network/network_files.hpp"

namespace fw::collectors {
namespace {

TEST(NetworkFiles, counters_are_found_by_protocol_and_name) {
  NamespaceCounters counters;
  add_protocol_counters(
      "Ip: Forwarding OutNoRoutes InReceives\nIp: 1 4 900\n"
      "Tcp: RtoAlgorithm MaxConn OutSegs RetransSegs OutRsts\nTcp: 1 -1 700 8 3\n"
      "Udp: InDatagrams RcvbufErrors\nUdp: 5 6\nUdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 99\n", counters);
  add_protocol_counters("TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 11 12\nIpExt: InNoRoutes\nIpExt: 0\n", counters);
  EXPECT_EQ(counters.no_route, 4U);
  EXPECT_EQ(counters.segments_sent, 700U);
  EXPECT_EQ(counters.retransmits, 8U);
  EXPECT_EQ(counters.resets_sent, 3U);
  EXPECT_EQ(counters.udp_receive_overflows, 6U);
  EXPECT_EQ(counters.listen_overflows, 11U);
  EXPECT_EQ(counters.listen_drops, 12U);
}

TEST(NetworkFiles, what_is_missing_or_no_number_is_absent) {
  NamespaceCounters counters;
  add_protocol_counters("Tcp: OutSegs RetransSegs\nTcp: x\nUdp: RcvbufErrors\nIp: 1\n", counters);
  EXPECT_FALSE(counters.segments_sent);
  EXPECT_FALSE(counters.retransmits);
  EXPECT_FALSE(counters.udp_receive_overflows);
  add_protocol_counters("", counters);
  add_protocol_counters("Tcp:", counters);
  EXPECT_FALSE(counters.no_route);
}

TEST(NetworkFiles, sockets_of_the_namespace) {
  NamespaceCounters counters;
  add_socket_counts("sockets: used 294\nTCP: inuse 31 orphan 2 tw 17 alloc 40 mem 9\nUDP: inuse 6 mem 1\nFRAG: inuse 0 memory 0\n", counters);
  EXPECT_EQ(counters.sockets_used, 294U);
  EXPECT_EQ(counters.tcp_sockets, 31U);
  EXPECT_EQ(counters.tcp_time_wait, 17U);
}

const std::string kHeadings = "Inter-|   Receive  |  Transmit\n face |bytes    packets errs drop\n";

TEST(NetworkFiles, interfaces_with_and_without_space_after_the_colon) {
  const auto read = parse_interfaces(kHeadings + "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  eth0:100 0 1 2 0 0 0 0 200 0 3 4 0 0 0 0\n", 10);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].name, "lo");
  EXPECT_EQ((*read)[1].name, "eth0");
  EXPECT_EQ((*read)[1].received_bytes, 100U);
  EXPECT_EQ((*read)[1].received_errors, 1U);
  EXPECT_EQ((*read)[1].received_drops, 2U);
  EXPECT_EQ((*read)[1].sent_bytes, 200U);
  EXPECT_EQ((*read)[1].sent_errors, 3U);
  EXPECT_EQ((*read)[1].sent_drops, 4U);
}

TEST(NetworkFiles, interfaces_are_bounded_and_broken_lines_refused) {
  const std::string line = " e: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  EXPECT_EQ(parse_interfaces(kHeadings + line + line + line, 2)->size(), 2U);
  EXPECT_FALSE(parse_interfaces(kHeadings + " e: 1 2 3\n", 2));
  EXPECT_FALSE(parse_interfaces(kHeadings + " : 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", 2));
  EXPECT_FALSE(parse_interfaces(kHeadings + "nothing\n", 2));
  EXPECT_TRUE(parse_interfaces(kHeadings, 2)->empty());
}

TEST(NetworkFiles, conntrack_counters_are_hexadecimal_and_summed_over_cpus) {
  const auto counters = parse_conntrack_counters("entries  clashres found drop early_drop\n00000003  0 0 0000000a 1\n00000003  0 0 00000010 0\n");
  EXPECT_EQ(counters.drops, 26U);
  EXPECT_EQ(counters.early_drops, 1U);
  EXPECT_FALSE(parse_conntrack_counters("entries\n1\n").drops);
  EXPECT_FALSE(parse_conntrack_counters("").drops);
}

TEST(NetworkFiles, port_range) {
  EXPECT_EQ(*parse_port_range("32768\t60999\n"), 28232U);
  EXPECT_EQ(*parse_port_range("9 9"), 1U);
  for (const char* bad : {"", "5", "9 5", "1 70000", "a b", "-1 5"}) EXPECT_FALSE(parse_port_range(bad)) << bad;
}

fw_connect_failure failure(std::uint32_t family, const std::vector<unsigned char>& address, std::uint16_t port) {
  fw_connect_failure result{};
  result.family = family;
  result.port = port;
  std::memcpy(result.address, address.data(), address.size());
  return result;
}

TEST(NetworkTexts, peers) {
  EXPECT_EQ(peer_text(failure(AF_INET, {10, 0, 0, 7}, 5432)), "10.0.0.7:5432");
  EXPECT_EQ(peer_text(failure(AF_INET6, {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 80)), "[fd00::7]:80");
  EXPECT_EQ(peer_text(failure(AF_INET6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 7}, 80)), "10.0.0.7:80") << "one peer, one name";
  EXPECT_EQ(peer_text(failure(0, {}, 0)), "");
}

TEST(NetworkTexts, errors) {
  EXPECT_EQ(connect_error_text(ECONNREFUSED), "ECONNREFUSED");
  EXPECT_EQ(connect_error_text(EADDRNOTAVAIL), "EADDRNOTAVAIL");
  EXPECT_EQ(connect_error_text(0), "GAVE_UP");
  EXPECT_EQ(connect_error_text(60'000), "error 60000");
}

fw_dns_name wire_name(std::string_view bytes) {
  fw_dns_name name{};
  std::memcpy(name.wire, bytes.data(), bytes.size());
  return name;
}

TEST(DnsTexts, names) {
  using namespace std::string_view_literals;
  EXPECT_EQ(dns_name_text(wire_name("\x03www\x07" "ExAmple\x03org"sv)), "www.example.org");
  EXPECT_EQ(dns_name_text(wire_name("\x05_http\x04_tcp"sv)), "_http._tcp");
  EXPECT_EQ(dns_name_text(wire_name("\x04\x00\n.\xff\x01x"sv)), "????.x") << "a dot or a newline inside a label is no dot or newline of ours";
  EXPECT_EQ(dns_name_text(wire_name("")), "");
}

TEST(DnsTexts, a_name_of_any_bytes_stays_inside) {
  fw_dns_name name{};
  std::memset(name.wire, 0x3f, sizeof(name.wire));
  EXPECT_LE(dns_name_text(name).size(), 255U);
  std::memset(name.wire, 0xff, sizeof(name.wire));
  EXPECT_EQ(dns_name_text(name), "");
  std::memset(name.wire, 1, sizeof(name.wire));
  EXPECT_LE(dns_name_text(name).size(), 255U);
}

TEST(DnsTexts, reasons) {
  EXPECT_EQ(dns_reason_text(2), "SERVFAIL");
  EXPECT_EQ(dns_reason_text(3), "NXDOMAIN");
  EXPECT_EQ(dns_reason_text(5), "REFUSED");
  EXPECT_EQ(dns_reason_text(9), "rcode 9");
  EXPECT_EQ(dns_reason_text(FW_DNS_RCODE_TIMEOUT), "TIMEOUT");
}

TEST(Histogram, counters_are_cumulative_powers_of_four) {
  std::array<unsigned long long, FW_LOG2_BUCKETS> buckets{};
  buckets[0] = 1;    // below 2 us
  buckets[3] = 1;    // 8..15 us
  buckets[4] = 1;    // 16..31 us
  buckets[10] = 1;   // 1024..2047 us
  buckets[31] = 1;   // beyond all bounds
  EXPECT_THAT(cumulative(buckets), testing::ElementsAre(2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4));
}

class Sink final : public SampleSink {
 public:
  void put(std::size_t, std::uint32_t, std::int64_t) override {}
  void limit(std::uint32_t, std::string_view, std::int64_t) override {}
  void oom_kills(std::uint32_t, std::uint64_t, std::optional<std::uint64_t>) override {}
  void observe(std::uint32_t entity_id, wire::Observed what) override { told.emplace_back(entity_id, std::move(what)); }
  std::uint32_t part(wire::EntityKind, std::uint64_t, std::string_view) override { return 0; }
  void part_gone(std::uint32_t) override {}
  std::optional<std::uint32_t> entity_of(std::uint64_t) const override { return std::nullopt; }

  std::vector<std::pair<std::uint32_t, wire::Observed>> told;
};

TEST(Tally, one_event_per_entity_object_and_reason) {
  Sink sink;
  Tally tally;
  tally.add(1, "a", "X", 2);
  tally.add(1, "a", "X", 3);
  tally.add(1, "a", "Y", 1);
  tally.add(2, "a", "X", 1);
  tally.tell(sink, "failed");
  ASSERT_EQ(sink.told.size(), 3U);
  EXPECT_EQ(sink.told[0].second, (wire::Observed{.what = "failed", .object = "a", .reason = "X", .count = 5}));
  tally.tell(sink, "failed");
  EXPECT_EQ(sink.told.size(), 3U) << "told twice";
}

TEST(Tally, where_it_is_cut_every_entity_has_told_its_most_frequent) {
  Sink sink;
  Tally tally;
  for (int i = 0; i < 300; ++i) tally.add(1, "peer" + std::to_string(i), "X", static_cast<std::uint64_t>(1 + i));
  for (std::uint32_t entity = 2; entity < 50; ++entity) tally.add(entity, "other", "Y", 1);
  tally.tell(sink, "failed");
  std::set<std::uint32_t> first;
  for (std::size_t i = 0; i < 49; ++i) first.insert(sink.told[i].first);
  EXPECT_EQ(first.size(), 49U);
  EXPECT_EQ(sink.told[0].second.object, "peer299");
}

TEST(MetricTables, every_row_has_a_name_of_its_own_and_a_proof) {
  std::set<std::string_view> names;
  for (const auto& info : {network_collector_info(), dns_collector_info()}) {
    for (const auto& metric : info.metrics) {
      EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
      EXPECT_FALSE(metric.proof.empty()) << metric.name;
      EXPECT_FALSE(metric.help.empty()) << metric.name;
    }
  }
}

}  // namespace
}  // namespace fw::collectors
