// What the dns collector says of real queries, against what a server of ours counted and the clients saw.
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/kernel/network_sandbox.hpp"

namespace fw::test {
namespace {

using std::chrono::milliseconds;
const std::string kFailed = "dns_failed";

std::vector<unsigned char> question(const std::string& name, std::uint16_t id) {
  std::vector<unsigned char> bytes{static_cast<unsigned char>(id >> 8), static_cast<unsigned char>(id), 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (std::size_t at = 0; at < name.size();) {
    const auto end = std::min(name.find('.', at), name.size());
    bytes.push_back(static_cast<unsigned char>(end - at));
    bytes.insert(bytes.end(), name.begin() + static_cast<std::ptrdiff_t>(at), name.begin() + static_cast<std::ptrdiff_t>(end));
    at = end + 1;
  }
  bytes.insert(bytes.end(), {0, 0, 1, 0, 1});
  return bytes;
}

// Answers on port 53 of the namespace's loopback as the first label says.
class Server {
 public:
  explicit Server(int family = AF_INET) {
    socket_ = UniqueFd{::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (family == AF_INET) {
      const auto address = loopback(53);
      ready_ = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    } else {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = in6addr_loopback;
      address.sin6_port = htons(53);
      ready_ = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    }
    thread_ = std::thread{[this] { serve(); }};
  }
  ~Server() {
    stop_ = true;
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  bool ready() const { return ready_; }
  std::atomic<int> queries{0}, answers{0};
  static constexpr milliseconds kSlow{120};

 private:
  void serve() {
    while (!stop_) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 10) != 1) continue;
      std::array<unsigned char, 512> bytes{};
      sockaddr_storage from{};
      socklen_t from_size = sizeof(from);
      const auto size = ::recvfrom(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
      if (size < 13) continue;
      ++queries;
      const std::string label{reinterpret_cast<const char*>(bytes.data()) + 13, bytes[12]};
      if (label == "silent") continue;
      if (label == "slow") ::poll(nullptr, 0, static_cast<int>(kSlow.count()));
      bytes[2] |= 0x80;
      bytes[3] = label == "nxdomain" ? 3 : label == "servfail" ? 2 : label == "refused" ? 5 : label == "notimp" ? 4 : 0;
      const auto length = static_cast<std::size_t>(size);
      if (label == "pages") {   // the second piece of a corked packet is put into a page
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&from), from_size);
        ::send(socket_.get(), bytes.data(), 4, MSG_MORE);
        ::send(socket_.get(), bytes.data() + 4, length - 4, 0);
        const sockaddr nobody{AF_UNSPEC, {}};
        ::connect(socket_.get(), &nobody, sizeof(nobody));
      } else {
        ::sendto(socket_.get(), bytes.data(), length, 0, reinterpret_cast<const sockaddr*>(&from), from_size);
      }
      ++answers;
    }
  }

  UniqueFd socket_;
  bool ready_ = false;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// How a program may send: the collector must not depend on it.
enum class By { sendto, connected_write, sendmmsg };

// The rcode; -1 without an answer in wait.
int ask(const std::string& name, By by = By::sendto, int wait_ms = 2'000, std::uint16_t id = 0x1234) {
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto server = loopback(53);
  auto bytes = question(name, id);
  if (by == By::sendto) {
    ::sendto(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&server), sizeof(server));
  } else {
    ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server), sizeof(server));
  }
  if (by == By::connected_write) (void)!::write(socket.get(), bytes.data(), bytes.size());
  if (by == By::sendmmsg) {
    iovec piece{bytes.data(), bytes.size()};
    mmsghdr message{};
    message.msg_hdr.msg_iov = &piece;
    message.msg_hdr.msg_iovlen = 1;
    ::sendmmsg(socket.get(), &message, 1, 0);
  }
  pollfd waiting{socket.get(), POLLIN, 0};
  if (::poll(&waiting, 1, wait_ms) != 1) return -1;
  std::array<unsigned char, 512> answer{};
  return ::recv(socket.get(), answer.data(), answer.size(), 0) < 12 ? -1 : answer[3] & 0xf;
}

using DnsTruthTest = NetworkTest;

TEST_F(DnsTruthTest, queries_and_answers_equal_the_servers_count) {
  const Cgroup one{layout_, "dns-one"}, other{layout_, "dns-other"};
  Worker first{one, [] {
    std::int64_t answered = 0;
    for (int i = 0; i < 30; ++i) answered += ask("good.example", static_cast<By>(i % 3)) == 0;
    return answered;
  }};
  Worker second{other, [] { return ask("good.example"); }};
  const Server server;
  ASSERT_TRUE(server.ready());
  open_watcher();
  ASSERT_EQ(first.run(), 30);
  ASSERT_EQ(second.run(), 0);
  EXPECT_TRUE(tick_until([&] { return value(one, "dns_queries_total") == 30 && value(other, "dns_queries_total") == 1; }));
  EXPECT_EQ(value(one, "dns_answers_total"), 30);
  EXPECT_EQ(value(other, "dns_answers_total"), 1);
  EXPECT_EQ(server.queries, 31);
  EXPECT_EQ(server.answers, 31);
  EXPECT_TRUE(watcher_->all<wire::Observed>(one.path()).empty()) << "a name that did not fail has left the kernel";
}

TEST_F(DnsTruthTest, each_rcode_is_told_with_its_name) {
  const Cgroup group{layout_, "dns-rcodes"};
  Worker worker{group, [] {
    std::int64_t right = 0;
    for (int i = 0; i < 4; ++i) right += ask("NxDomain.Example") == 0;   // our server knows its labels in lower case only
    for (int i = 0; i < 3; ++i) right += ask("nxdomain.example") == 3;
    for (int i = 0; i < 2; ++i) right += ask("servfail.example") == 2;
    right += ask("refused.example") == 5;
    right += ask("notimp.ex\x01mple") == 4;
    return right;
  }};
  const Server server;
  ASSERT_TRUE(server.ready());
  open_watcher();
  ASSERT_EQ(worker.run(), 11);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, "nxdomain.example", "NXDOMAIN") == 3; }));
  EXPECT_EQ(told(group, kFailed, "servfail.example", "SERVFAIL"), 2U);
  EXPECT_EQ(told(group, kFailed, "refused.example", "REFUSED"), 1U);
  EXPECT_EQ(told(group, kFailed, "notimp.ex?mple", "NOTIMP"), 1U);
  EXPECT_EQ(value(group, "dns_nxdomain_total"), 3);
  EXPECT_EQ(value(group, "dns_servfail_total"), 2);
  EXPECT_EQ(value(group, "dns_refused_total"), 1);
  EXPECT_EQ(value(group, "dns_other_errors_total"), 1);
  EXPECT_EQ(value(group, "dns_answers_total"), 11);
}

TEST_F(DnsTruthTest, a_long_name_is_told_whole) {
  std::string name = "servfail";
  while (name.size() + 62 < 250) name += "." + std::string(61, 'a');
  const Cgroup group{layout_, "dns-long"};
  Worker worker{group, [&] { return ask(name); }};
  const Server server;
  open_watcher();
  ASSERT_EQ(worker.run(), 2);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, name, "SERVFAIL") == 1; }));
}

TEST_F(DnsTruthTest, many_failing_names_of_one_do_not_hide_those_of_another) {
  const Cgroup noisy{layout_, "dns-noisy"}, quiet{layout_, "dns-quiet"};
  Worker many{noisy, [] {
    std::int64_t failed = 0;
    for (int i = 0; i < 3000; ++i) failed += ask("nxdomain.n" + std::to_string(i)) == 3;
    return failed;
  }};
  Worker one{quiet, [] { return ask("servfail.example"); }};
  const Server server;
  open_watcher();
  EXPECT_EQ(many.run(), 3000);
  EXPECT_EQ(one.run(), 2);
  EXPECT_TRUE(tick_until([&] { return told(quiet, kFailed, "servfail.example", "SERVFAIL") == 1; }));
  EXPECT_EQ(value(noisy, "dns_nxdomain_total"), 3000);
  EXPECT_GT(told(noisy, kFailed, "", "NXDOMAIN"), 2000U);
}

TEST_F(DnsTruthTest, latency_is_the_servers_delay) {
  const Cgroup group{layout_, "dns-slow"};
  Worker worker{group, [] { return ask("good.example") + ask("slow.example"); }};
  const Server server;
  open_watcher();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(worker.run(), 0);
  const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(tick_until([&] { return value(group, "dns_answers_total") == 2; }));
  EXPECT_GE(value(group, "dns_latency_us"), 120'000);
  EXPECT_LE(value(group, "dns_latency_us"), took_us);
  EXPECT_EQ(value(group, "dns_latency_us_le_65536"), 1);
  EXPECT_EQ(value(group, "dns_latency_us_le_67108864"), 2);
}

TEST_F(DnsTruthTest, a_silent_server_is_a_timeout) {
  const Cgroup group{layout_, "dns-silent"};
  Worker worker{group, [] { return ask("silent.example", By::sendto, 1) + ask("silent.example", By::sendto, 1); }};
  const Server server;
  open_watcher();
  ASSERT_EQ(worker.run(), -2);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, "silent.example", "TIMEOUT") == 2; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds{4});
  EXPECT_EQ(value(group, "dns_timeouts_total"), 2);
  EXPECT_EQ(value(group, "dns_queries_total"), 2);
  EXPECT_EQ(value(group, "dns_answers_total"), 0);
}

TEST_F(DnsTruthTest, a_query_that_is_repeated_is_one_wait) {
  const Cgroup group{layout_, "dns-repeat"};
  Worker worker{group, [] {
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto server = loopback(53);
    const auto bytes = question("slow.example", 7);
    for (int i = 0; i < 3; ++i) {
      ::sendto(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&server), sizeof(server));
      ::poll(nullptr, 0, 5);
    }
    std::array<unsigned char, 512> answer{};
    return ::recv(socket.get(), answer.data(), answer.size(), 0) >= 12 ? 0 : 1;
  }};
  const Server server;
  open_watcher();
  ASSERT_EQ(worker.run(), 0);
  EXPECT_TRUE(tick_until([&] { return value(group, "dns_queries_total") == 3; }));
  EXPECT_EQ(value(group, "dns_answers_total"), 1);
  EXPECT_GE(value(group, "dns_latency_us"), 110'000);
}

TEST_F(DnsTruthTest, queries_over_ipv6_are_seen) {
  const Cgroup group{layout_, "dns-six"};
  Worker worker{group, [] {
    const UniqueFd socket{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in6 server{};
    server.sin6_family = AF_INET6;
    server.sin6_addr = in6addr_loopback;
    server.sin6_port = htons(53);
    const auto bytes = question("servfail.six", 9);
    ::sendto(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&server), sizeof(server));
    std::array<unsigned char, 512> answer{};
    return ::recv(socket.get(), answer.data(), answer.size(), 0) >= 12 ? answer[3] & 0xf : -1;
  }};
  const Server server{AF_INET6};
  if (!server.ready()) GTEST_SKIP() << "no IPv6 here";
  open_watcher();
  ASSERT_EQ(worker.run(), 2);
  EXPECT_TRUE(tick_until([&] { return told(group, kFailed, "servfail.six", "SERVFAIL") == 1; }));
}

TEST_F(DnsTruthTest, an_answer_in_pages_is_no_timeout) {
  const Cgroup group{layout_, "dns-pages"};
  Worker worker{group, [] { return ask("pages.example"); }};
  const Server server;
  open_new_watcher();
  tick();
  const auto before = node_value("node_dns_unreadable_total");
  ASSERT_EQ(worker.run(), 0);
  tick();
  if (node_value("node_dns_unreadable_total") == before) GTEST_SKIP() << "this kernel put the answer together";
  EXPECT_EQ(node_value("node_dns_unreadable_total"), before + 1);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(tick_until([&] { return std::chrono::steady_clock::now() - begin > std::chrono::seconds{6}; }));
  EXPECT_EQ(value(group, "dns_timeouts_total"), 0);
  EXPECT_EQ(told(group, kFailed, "pages.example", "TIMEOUT"), 0U);
  watcher_.reset();   // it believes in no timeout for a while
}

}  // namespace
}  // namespace fw::test
