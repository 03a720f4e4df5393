// What the network collector says of real connections, against the sockets' own errors and the kernel's other counters.
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "node-agent/kernel/bpf_sensors.hpp"
#include "tests/kernel/network_sandbox.hpp"
#include "tests/kernel/wait.hpp"

namespace fw::test {
namespace {

const std::string kFailed = "connect_failed";

std::string peer(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

tcp_info info_of(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size);
  return info;
}

UniqueFd connected(std::uint16_t port) {
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return UniqueFd{};
  return socket;
}

void write_file(const std::string& path, const std::string& text) { std::ofstream{path} << text; }

std::int64_t snmp(const std::string& protocol, const std::string& name) { return protocol_counter("/proc/self/net/snmp", protocol, name); }

using NetworkTruthTest = NetworkTest;

TEST_F(NetworkTruthTest, every_program_works_on_this_kernel) {
  const auto opened = kernel::open_bpf({});
  std::size_t found = 0;
  for (const auto& probe : opened.probes) {
    for (const char* const purpose : {"connects", "retransmits", "resets", "dns"}) {
      if (probe.name != purpose) continue;
      ++found;
      EXPECT_TRUE(probe.active) << probe.name << ": " << probe.reason;
    }
  }
  EXPECT_EQ(found, 4U);
}

TEST_F(NetworkTruthTest, a_refused_connect_names_its_peer) {
  const UniqueFd closed{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};   // bound, so that nobody else listens there
  const auto address = loopback(0);
  ::bind(closed.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const auto port = port_of(closed.get());
  const Cgroup group{layout_, "refused"};
  Worker worker{group, [&] {
    std::int64_t refused = 0;
    for (int i = 0; i < 7; ++i) refused += connect_error(loopback(port)) == ECONNREFUSED;
    return refused;
  }};
  open_watcher();
  ASSERT_EQ(worker.run(), 7);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, peer(port), "ECONNREFUSED") == 7; }));
  EXPECT_EQ(value(group, "network_connects_failed_total"), 7);
  EXPECT_EQ(value(group, "network_connects_total"), 0);
  EXPECT_EQ(value(group, "network_resets_received_total"), 7);
  EXPECT_EQ(node_value("netns_resets_sent_total"), snmp("Tcp", "OutRsts"));
  EXPECT_GE(snmp("Tcp", "OutRsts"), 7);
  tick();
  tick();
  EXPECT_EQ(told(group, kFailed, peer(port), "ECONNREFUSED"), 7U) << "told twice";
}

TEST_F(NetworkTruthTest, a_refused_connect_over_ipv6_names_its_peer) {
  const UniqueFd closed{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  if (::bind(closed.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) GTEST_SKIP() << "no IPv6 here";
  address.sin6_port = htons(port_of(closed.get()));
  const Cgroup group{layout_, "refused6"};
  Worker worker{group, [&] {
    const UniqueFd socket{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  }};
  open_watcher();
  ASSERT_EQ(worker.run(), ECONNREFUSED);
  EXPECT_TRUE(tick_until([&] {
    return told(group, kFailed, "[::1]:" + std::to_string(ntohs(address.sin6_port)), "ECONNREFUSED") == 1;
  }));
}

TEST_F(NetworkTruthTest, a_port_scan_does_not_hide_what_others_miss) {
  const Cgroup scanner{layout_, "scanner"}, quiet{layout_, "quiet"};
  Worker scan{scanner, [&] {
    std::int64_t failed = 0;
    for (std::uint16_t port = 1; port <= 6000; ++port) failed += connect_error(loopback(port)) != 0;
    return failed;
  }};
  Worker one{quiet, [&] { return connect_error(loopback(9)); }};
  open_watcher();
  EXPECT_EQ(scan.run(), 6000);
  EXPECT_EQ(one.run(), ECONNREFUSED);
  EXPECT_TRUE(tick_until([&] { return told(quiet, kFailed, peer(9), "ECONNREFUSED") == 1; }));
  EXPECT_EQ(value(scanner, "network_connects_failed_total"), 6000);
  EXPECT_GT(told(scanner, kFailed, "", "ECONNREFUSED"), 5000U);
  std::uint64_t all = 0;
  for (const auto& observed : watcher_->all<wire::Observed>(scanner.path())) all += observed.count;
  EXPECT_EQ(all, 6000U);
}

TEST_F(NetworkTruthTest, a_silent_peer_is_a_timeout) {
  const auto silent = tcp_listener(8);
  drop_all_input(silent.get());
  const auto port = port_of(silent.get());
  const Cgroup group{layout_, "silent"};
  Worker worker{group, [&] { return connect_error(loopback(port), 1); }};
  open_watcher();
  worker.begin();
  EXPECT_TRUE(tick_until([&] { return value(group, "network_syn_retransmits_total") > 0; })) << "seen before it has failed";
  ASSERT_EQ(worker.finish(), ETIMEDOUT);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, peer(port), "ETIMEDOUT") == 1; }));
  EXPECT_EQ(value(group, "network_syn_retransmits_total"), snmp("Tcp", "RetransSegs"));
  EXPECT_EQ(value(group, "network_retransmits_total"), snmp("Tcp", "RetransSegs"));
}

TEST_F(NetworkTruthTest, a_program_that_gives_up_first_is_told) {
  const auto silent = tcp_listener(8);
  drop_all_input(silent.get());
  const auto port = port_of(silent.get());
  const Cgroup group{layout_, "impatient"};
  Worker worker{group, [&] {
    for (int i = 0; i < 3; ++i) {
      const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
      const auto address = loopback(port);
      (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }
    return 0;
  }};
  open_watcher();
  worker.run();
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, peer(port), "GAVE_UP") == 3; }));
}

TEST_F(NetworkTruthTest, want_of_a_local_port_is_named) {
  write_file("/proc/sys/net/ipv4/ip_local_port_range", "20000 20003\n");
  const auto listener = tcp_listener(64);
  const auto port = port_of(listener.get());
  const Cgroup group{layout_, "ports"};
  Worker worker{group, [&] {
    static std::vector<UniqueFd> kept;
    std::int64_t failed = 0;
    for (int i = 0; i < 10; ++i) {
      kept.push_back(connected(port));
      failed += !kept.back().valid() && errno == EADDRNOTAVAIL;
    }
    return failed;
  }};
  open_watcher();
  const auto failed = worker.run();
  ASSERT_GE(failed, 6);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, peer(port), "EADDRNOTAVAIL") == static_cast<std::uint64_t>(failed); }));
  EXPECT_EQ(node_value("node_ephemeral_ports"), 4);
}

TEST_F(NetworkTruthTest, a_connect_without_a_route_is_counted) {
  const Cgroup group{layout_, "no-route"};
  Worker worker{group, [&] {
    auto far = loopback(80);
    far.sin_addr.s_addr = htonl(0xcb007101);   // 203.0.113.1
    std::int64_t failed = 0;
    for (int i = 0; i < 5; ++i) failed += connect_error(far) == ENETUNREACH;
    return failed;
  }};
  open_watcher();
  tick();
  EXPECT_EQ(node_value("netns_no_route_total"), 0);
  ASSERT_EQ(worker.run(), 5);
  EXPECT_TRUE(tick_until([&] { return node_value("netns_no_route_total") == 5; }));
}

TEST_F(NetworkTruthTest, an_unknown_neighbour_is_no_route_to_host) {
  if (std::system("ip link add fw-a type veth peer name fw-b && ip addr add 198.18.0.1/24 dev fw-a && ip link set fw-a up && ip link set fw-b up") != 0) {
    GTEST_SKIP() << "no veth here";
  }
  write_file("/proc/sys/net/ipv4/neigh/fw-a/retrans_time_ms", "10\n");
  const Cgroup group{layout_, "neighbour"};
  Worker worker{group, [&] {
    auto peer = loopback(80);
    peer.sin_addr.s_addr = htonl(0xc6120063);   // 198.18.0.99
    return connect_error(peer);
  }};
  open_watcher();
  ASSERT_EQ(worker.run(), EHOSTUNREACH);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, "198.18.0.99:80", "EHOSTUNREACH") == 1; }));
}

TEST_F(NetworkTruthTest, connects_are_counted_and_timed) {
  const auto listener = tcp_listener(64);
  const auto port = port_of(listener.get());
  const Cgroup group{layout_, "connects"};
  Worker fast{group, [&] {
    std::int64_t established = 0;
    for (int i = 0; i < 5; ++i) established += connect_error(loopback(port)) == 0;
    return established;
  }};
  Worker slow{group, [&] { return connect_error(loopback(port)); }};
  open_watcher();
  ASSERT_EQ(fast.run(), 5);
  EXPECT_TRUE(tick_until([&] { return value(group, "network_connects_total") == 5; }));
  const auto quick_us = value(group, "network_connect_us");
  EXPECT_GT(quick_us, 0);
  EXPECT_EQ(value(group, "network_connect_us_le_262144"), 5);
  drop_all_input(listener.get());   // the first SYN is lost, its repetition one second later is not
  const auto begin = std::chrono::steady_clock::now();
  slow.begin();
  ASSERT_TRUE(tick_until([&] { return value(group, "network_syn_retransmits_total") > 0 || std::chrono::steady_clock::now() - begin > std::chrono::milliseconds{500}; }));
  take_input_again(listener.get());
  ASSERT_EQ(slow.finish(), 0);
  const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(tick_until([&] { return value(group, "network_connects_total") == 6; }));
  EXPECT_EQ(value(group, "network_connect_us_le_262144"), 5);
  EXPECT_EQ(value(group, "network_connect_us_le_67108864"), 6);
  EXPECT_GE(value(group, "network_connect_us") - quick_us, 900'000);
  EXPECT_LE(value(group, "network_connect_us") - quick_us, took_us);
}

TEST_F(NetworkTruthTest, accepts_belong_to_the_listener) {
  const Cgroup servers{layout_, "server"}, clients{layout_, "client"};
  int ports[2];
  ASSERT_EQ(::pipe2(ports, O_CLOEXEC), 0);
  Worker server{servers, [&] {
    const auto listener = tcp_listener(64);
    const auto port = port_of(listener.get());
    (void)!::write(ports[1], &port, sizeof(port));
    std::int64_t accepted = 0;
    for (; accepted < 9; ++accepted) ::close(::accept(listener.get(), nullptr, nullptr));
    return accepted;
  }};
  Worker client{clients, [&] {
    std::uint16_t port = 0;
    (void)!::read(ports[0], &port, sizeof(port));
    std::int64_t established = 0;
    for (int i = 0; i < 9; ++i) established += connect_error(loopback(port)) == 0;
    return established;
  }};
  open_watcher();
  server.begin();
  ASSERT_EQ(client.run(), 9);
  ASSERT_EQ(server.finish(), 9);
  EXPECT_TRUE(tick_until([&] { return value(servers, "network_accepts_total") == 9; }));
  EXPECT_EQ(value(clients, "network_connects_total"), 9);
  EXPECT_EQ(value(clients, "network_accepts_total"), 0);
  EXPECT_EQ(value(servers, "network_connects_total"), 0);
}

TEST_F(NetworkTruthTest, retransmits_equal_the_kernels_own_count) {
  const auto listener = tcp_listener(8);
  const Cgroup group{layout_, "retransmits"};
  int accepted[2];
  ASSERT_EQ(::pipe2(accepted, O_CLOEXEC), 0);
  Worker client{group, [&] {
    const auto socket = connected(port_of(listener.get()));
    char byte;
    (void)!::read(accepted[0], &byte, 1);
    (void)!::write(socket.get(), "x", 1);
    (void)!::read(socket.get(), &byte, 1);   // the answer, once the byte has arrived
    return std::int64_t{info_of(socket.get()).tcpi_total_retrans};
  }};
  open_watcher();
  client.begin();
  const UniqueFd server{::accept(listener.get(), nullptr, nullptr)};
  drop_all_input(server.get());
  (void)!::write(accepted[1], "x", 1);
  EXPECT_TRUE(tick_until([&] { return value(group, "network_retransmits_total") >= 2; }));
  take_input_again(server.get());
  char byte;
  ASSERT_EQ(::read(server.get(), &byte, 1), 1);
  (void)!::write(server.get(), "y", 1);
  const auto total = client.finish();
  ASSERT_GE(total, 2);
  tick();
  EXPECT_EQ(value(group, "network_retransmits_total"), total);
  EXPECT_EQ(value(group, "network_syn_retransmits_total"), 0);
  EXPECT_EQ(node_value("netns_retransmits_total"), total);
  EXPECT_EQ(snmp("Tcp", "RetransSegs"), total);
}

TEST_F(NetworkTruthTest, resets_have_a_sender_and_a_receiver) {
  const Cgroup servers{layout_, "resetting"}, clients{layout_, "reset"};
  int ports[2];
  ASSERT_EQ(::pipe2(ports, O_CLOEXEC), 0);
  Worker server{servers, [&] {
    const auto listener = tcp_listener(64);
    const auto port = port_of(listener.get());
    (void)!::write(ports[1], &port, sizeof(port));
    for (int i = 0; i < 4; ++i) {
      const UniqueFd socket{::accept(listener.get(), nullptr, nullptr)};
      char byte;
      (void)!::read(socket.get(), &byte, 1);   // its connect has returned
      const linger at_once{1, 0};
      ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    return 0;
  }};
  Worker client{clients, [&] {
    std::uint16_t port = 0;
    (void)!::read(ports[0], &port, sizeof(port));
    std::int64_t resets = 0;
    for (int i = 0; i < 4; ++i) {
      const auto socket = connected(port);
      char byte = 'x';
      (void)!::write(socket.get(), &byte, 1);
      resets += ::read(socket.get(), &byte, 1) < 0 && errno == ECONNRESET;
    }
    return resets;
  }};
  open_watcher();
  server.begin();
  ASSERT_EQ(client.run(), 4);
  EXPECT_TRUE(tick_until([&] { return value(clients, "network_resets_received_total") == 4; }));
  EXPECT_EQ(value(servers, "network_resets_sent_total"), 4);
  EXPECT_EQ(value(clients, "network_resets_sent_total"), 0);
  EXPECT_EQ(value(servers, "network_resets_received_total"), 0);
}

TEST_F(NetworkTruthTest, a_full_listen_queue_is_told_for_its_container) {
  const Cgroup group{layout_, "overflow"};
  Worker worker{group, [&]() -> std::int64_t {
    if (::unshare(CLONE_NEWNET) != 0 || !loopback_up()) return -1;
    const auto listener = tcp_listener(1);
    std::vector<UniqueFd> clients;
    const auto address = loopback(port_of(listener.get()));
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(clients.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }
    return protocol_counter("/proc/self/net/netstat", "TcpExt", "ListenOverflows");
  }};
  ASSERT_GE(worker.run(), 5);
  const auto folder = "/proc/" + std::to_string(worker.pid()) + "/net/";
  open_new_watcher();   // which reads the namespaces of containers at its first tick, later once in 10 s
  tick();
  EXPECT_EQ(value(group, "netns_listen_overflows_total"), protocol_counter(folder + "netstat", "TcpExt", "ListenOverflows"));
  EXPECT_EQ(value(group, "netns_listen_drops_total"), protocol_counter(folder + "netstat", "TcpExt", "ListenDrops"));
  EXPECT_GE(value(group, "netns_listen_overflows_total"), 5);
  EXPECT_EQ(node_value("netns_listen_overflows_total"), 0) << "it is not the node's";
}

TEST_F(NetworkTruthTest, counters_of_the_namespace_equal_those_of_the_sockets) {
  const auto listener = tcp_listener(8);
  open_watcher();
  tick();
  ASSERT_EQ(node_value("netns_segments_sent_total"), 0);
  const auto client = connected(port_of(listener.get()));
  const UniqueFd server{::accept(listener.get(), nullptr, nullptr)};
  for (int i = 0; i < 20; ++i) {
    char byte = 'x';
    (void)!::write(client.get(), &byte, 1);
    (void)!::read(server.get(), &byte, 1);
    (void)!::write(server.get(), &byte, 1);
    (void)!::read(client.get(), &byte, 1);
  }
  tick();
  const std::int64_t sent = info_of(client.get()).tcpi_segs_out + info_of(server.get()).tcpi_segs_out;
  // The listener's answer to the first packet is no socket's yet.
  EXPECT_NEAR(static_cast<double>(node_value("netns_segments_sent_total")), static_cast<double>(sent), 2);
  EXPECT_GE(sent, 40);
}

TEST_F(NetworkTruthTest, sockets_are_counted) {
  open_watcher();
  tick();
  const auto used = node_value("node_sockets_used"), tcp = node_value("netns_tcp_sockets");
  std::vector<UniqueFd> listeners;
  for (int i = 0; i < 7; ++i) listeners.push_back(tcp_listener(8));
  tick();
  EXPECT_EQ(node_value("node_sockets_used"), used + 7);
  EXPECT_EQ(node_value("netns_tcp_sockets"), tcp + 7);
  for (int i = 0; i < 3; ++i) {
    auto client = connected(port_of(listeners[0].get()));
    const UniqueFd server{::accept(listeners[0].get(), nullptr, nullptr)};
    client = UniqueFd{};   // who closes first waits
    char byte;
    EXPECT_EQ(::read(server.get(), &byte, 1), 0);
  }
  EXPECT_TRUE(tick_until([&] { return node_value("netns_tcp_time_wait") == 3; }));
}

TEST_F(NetworkTruthTest, a_full_udp_buffer_is_counted) {
  const UniqueFd receiver{::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int small = 1;
  ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  auto address = loopback(0);
  ::bind(receiver.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  address = loopback(port_of(receiver.get()));
  open_watcher();
  std::int64_t received = 0;
  for (int i = 0; i < 300; ++i) {
    const UniqueFd sender{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 1);
  }
  char byte;
  while (::recv(receiver.get(), &byte, 1, 0) == 1) ++received;
  ASSERT_LT(received, 300);
  EXPECT_TRUE(tick_until([&] { return node_value("netns_udp_receive_overflows_total") == 300 - received; }));
}

// An Ethernet frame of a protocol that nobody takes.
void send_frame(const std::string& interface, std::size_t bytes) {
  const UniqueFd socket{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  std::vector<unsigned char> frame(bytes);
  std::memset(frame.data(), 0xff, 6);
  frame[12] = 0x99;
  frame[13] = 0x99;
  (void)::sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
}

TEST_F(NetworkTruthTest, interfaces_count_bytes_and_drops) {
  write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1\n");   // no packets but ours
  if (std::system("ip link add fw-a type veth peer name fw-b && ip link set fw-a up && ip link set fw-b up") != 0) GTEST_SKIP() << "no veth here";
  open_watcher();
  tick();
  EXPECT_EQ(interface_value("fw-b", "interface_received_bytes"), 0);
  for (int i = 0; i < 6; ++i) send_frame("fw-a", 100);
  EXPECT_TRUE(tick_until([&] { return interface_value("fw-b", "interface_received_drops_total") == 6; }));
  EXPECT_EQ(interface_value("fw-a", "interface_sent_bytes"), 600);
  EXPECT_EQ(interface_value("fw-b", "interface_received_bytes"), 600);
  ASSERT_EQ(std::system("ip link del fw-a"), 0);
  tick();
  for (const auto& entity : watcher_->sensors().entities()) EXPECT_NE(entity.name, "fw-a") << "it is gone";
}

TEST_F(NetworkTruthTest, interfaces_count_drops_of_what_they_send) {
  write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1\n");
  if (std::system("ip link add fw-x type vxlan id 7 dstport 4789 && ip link set fw-x up") != 0) GTEST_SKIP() << "no vxlan here";
  open_watcher();
  for (int i = 0; i < 4; ++i) send_frame("fw-x", 100);   // it knows nobody to send to
  EXPECT_TRUE(tick_until([&] { return interface_value("fw-x", "interface_sent_drops_total") == 4; }));
}

TEST_F(NetworkTruthTest, interfaces_count_errors) {
  write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1\n");
  if (std::system("ip link add fw-x type vxlan id 7 remote 203.0.113.1 dstport 4789 && ip link set fw-x up") != 0) GTEST_SKIP() << "no vxlan here";
  open_watcher();
  for (int i = 0; i < 3; ++i) send_frame("fw-x", 100);   // there is no route to the other end
  EXPECT_TRUE(tick_until([&] { return interface_value("fw-x", "interface_sent_errors_total") == 3; }));

  // A packet that says "congestion" outside around one that knows no congestion marks must be dropped (RFC 6040).
  std::array<unsigned char, 8 + 14 + 20> packet{0x08, 0, 0, 0, 0, 0, 7, 0};
  std::memset(packet.data() + 8, 0xff, 6);
  packet[8 + 6] = 2;
  packet[8 + 12] = 0x08;
  packet[8 + 14] = 0x45;
  packet[8 + 14 + 3] = 20;
  packet[8 + 14 + 8] = 64;
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const int congestion = 3;
  ::setsockopt(socket.get(), IPPROTO_IP, IP_TOS, &congestion, sizeof(congestion));
  const auto to = loopback(4789);
  for (int i = 0; i < 2; ++i) (void)::sendto(socket.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  EXPECT_TRUE(tick_until([&] { return interface_value("fw-x", "interface_received_errors_total") == 2; }));
}

// Puts an entry into the connection tracking of the namespace. The result is an errno.
int track_connection(std::uint16_t port) {
  struct {
    nlmsghdr header{};
    nfgenmsg family{};
    std::array<unsigned char, 256> attributes{};
  } message;
  std::size_t at = 0;
  auto& bytes = message.attributes;
  const auto begin = [&](std::uint16_t type) {
    const auto start = at;
    std::memcpy(&bytes[at + 2], &type, 2);
    at += 4;
    return start;
  };
  const auto end = [&](std::size_t start) {
    const auto size = static_cast<std::uint16_t>(at - start);
    std::memcpy(&bytes[start], &size, 2);
    at = (at + 3) / 4 * 4;
  };
  const auto put = [&](std::uint16_t type, const auto& value) {
    const auto start = begin(type);
    std::memcpy(&bytes[at], &value, sizeof(value));
    at += sizeof(value);
    end(start);
  };
  const auto put_tuple = [&](std::uint16_t type, std::uint32_t source, std::uint32_t target, std::uint16_t from, std::uint16_t to) {
    const auto tuple = begin(type | NLA_F_NESTED), ip = begin(CTA_TUPLE_IP | NLA_F_NESTED);
    put(CTA_IP_V4_SRC, htonl(source));
    put(CTA_IP_V4_DST, htonl(target));
    end(ip);
    const auto protocol = begin(CTA_TUPLE_PROTO | NLA_F_NESTED);
    put(CTA_PROTO_NUM, std::uint8_t{IPPROTO_UDP});
    put(CTA_PROTO_SRC_PORT, htons(from));
    put(CTA_PROTO_DST_PORT, htons(to));
    end(protocol);
    end(tuple);
  };
  put_tuple(CTA_TUPLE_ORIG, 0x0a000001, 0x0a000002, port, 53);
  put_tuple(CTA_TUPLE_REPLY, 0x0a000002, 0x0a000001, 53, port);
  put(CTA_TIMEOUT, htonl(60));
  message.family.nfgen_family = AF_INET;
  message.header.nlmsg_len = static_cast<std::uint32_t>(offsetof(decltype(message), attributes) + at);
  message.header.nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  const UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)};
  if (!socket.valid()) return errno;
  if (::send(socket.get(), &message, message.header.nlmsg_len, 0) < 0) return errno;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> rest;
  } answer;
  return ::recv(socket.get(), &answer, sizeof(answer), 0) < 0 ? errno : -answer.error.error;
}

TEST_F(NetworkTruthTest, conntrack_entries_are_counted) {
  if (const int error = track_connection(1000); error != 0) GTEST_SKIP() << "no ctnetlink here: " << std::strerror(error);
  open_watcher();
  EXPECT_TRUE(tick_until([&] { return node_value("node_conntrack_entries") == 1; }));
  for (std::uint16_t port = 1001; port < 1007; ++port) ASSERT_EQ(track_connection(port), 0);
  EXPECT_TRUE(tick_until([&] { return node_value("node_conntrack_entries") == 7; }));
}

// A column of net/stat/nf_conntrack, all CPUs; by its place.
std::int64_t conntrack_column(int column) {
  std::ifstream file{"/proc/self/net/stat/nf_conntrack"};
  std::string line, word;
  std::int64_t sum = 0;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words{line};
    for (int i = 0; i <= column; ++i) words >> word;
    sum += std::stoll(word, nullptr, 16);
  }
  return sum;
}

TEST_F(NetworkTruthTest, a_full_conntrack_table_is_counted) {
  if (std::getenv("FW_CONNTRACK_IS_MINE") == nullptr) GTEST_SKIP() << "nf_conntrack_max belongs to the whole machine: runs in a virtual one";
  namespace_.reset();
  write_file("/proc/sys/net/netfilter/nf_conntrack_max", "40\n");
  open_new_watcher();
  tick();
  const auto dropped_before = node_value("node_conntrack_drops_total");
  std::int64_t refused = 0;
  const auto to = loopback(9);
  for (int i = 0; i < 400; ++i) {
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    refused += ::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) < 0 && errno == EPERM;
  }
  tick();
  EXPECT_GT(refused, 0);
  EXPECT_EQ(node_value("node_conntrack_drops_total") - dropped_before, refused);
  EXPECT_EQ(node_value("node_conntrack_max"), 40);
  EXPECT_GE(node_value("node_conntrack_entries"), 38);
  EXPECT_GT(node_value("node_conntrack_early_drops_total"), 0);
  EXPECT_EQ(node_value("node_conntrack_early_drops_total"), conntrack_column(11));
}

}  // namespace
}  // namespace fw::test
