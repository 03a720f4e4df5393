// How often may be asked, and until when an answer is waited for: the helper's end of the socket is played here.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "node-agent/probes/prober.hpp"
#include "tests/support/manual_clock.hpp"

namespace fw::probes {
namespace {

class ProberTest : public testing::Test {
 protected:
  ProberTest() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) throw std::runtime_error("socketpair");
    helper_end = UniqueFd(ends[1]);
    Helper helper;
    helper.socket = UniqueFd(ends[0]);
    prober.emplace(io.get_executor(), std::move(helper), clock);
    boost::asio::co_spawn(io, prober->run(), [this](std::exception_ptr, Result<void> result) { ended = result; });
    io.poll();
  }

  void ask(std::uint64_t id, std::string kind = "kernel_log") {
    prober->ask({.id = id, .kind = std::move(kind), .target = "", .arguments = {}, .deadline_ms = 5'000}, {}, [this](wire::ProbeResult result) { results.push_back(std::move(result)); });
    io.poll();
  }

  std::optional<Request> received() const {
    std::string packet(kMaxRequestPacketBytes, '\0');
    const auto size = ::recv(helper_end.get(), packet.data(), packet.size(), 0);
    if (size <= 0) return std::nullopt;
    return from_packet(std::string_view(packet).substr(0, static_cast<std::size_t>(size))).value();
  }

  void reply(std::uint64_t id, std::string text) {
    const auto packet = result_packet({.id = id, .status = wire::ProbeStatus::done, .text = std::move(text)});
    ASSERT_EQ(::send(helper_end.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
    io.poll();
  }

  boost::asio::io_context io;
  test::ManualClock clock;
  UniqueFd helper_end;
  std::optional<Prober> prober;
  std::optional<Result<void>> ended;
  std::vector<wire::ProbeResult> results;
};

TEST_F(ProberTest, an_answer_goes_to_who_asked) {
  ask(77);
  const auto request = received();
  ASSERT_TRUE(request);
  reply(request->id, "{\"a\":1}");
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0], (wire::ProbeResult{77, wire::ProbeStatus::done, "{\"a\":1}"}));
  reply(request->id, "{}");   // twice: nobody waits for it
  EXPECT_EQ(results.size(), 1U);
}

TEST_F(ProberTest, a_third_at_once_and_an_eleventh_in_a_minute_are_told_busy) {
  ask(1), ask(2), ask(3);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].id, 3U);
  EXPECT_EQ(results[0].status, wire::ProbeStatus::busy);
  for (int i = 0; i < 2; ++i) reply(received()->id, "{}");
  for (std::uint64_t id = 4; id < 12; ++id) {
    ask(id);
    reply(received()->id, "{}");
  }
  results.clear();
  ask(50);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].status, wire::ProbeStatus::busy);
  EXPECT_EQ(prober->counters().busy_total, 2U);
  clock.advance(std::chrono::seconds(61));
  ask(51);
  EXPECT_TRUE(received());
}

TEST_F(ProberTest, what_is_asked_wrongly_costs_nothing) {
  for (std::uint64_t id = 1; id < 30; ++id) ask(id, "shell");
  ASSERT_EQ(results.size(), 29U);
  EXPECT_EQ(results[0].status, wire::ProbeStatus::invalid);
  EXPECT_FALSE(received());
  ask(31);
  EXPECT_TRUE(received());
}

TEST_F(ProberTest, a_helper_that_says_nothing_is_a_timeout_and_makes_room) {
  ask(1), ask(2);
  clock.advance(std::chrono::seconds(8));
  ask(3);   // busy; but it wakes the look at the clock
  results.clear();
  io.restart();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (results.size() < 2 && std::chrono::steady_clock::now() < until) io.run_one_for(std::chrono::milliseconds(100));   // one turn of its timer
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].status, wire::ProbeStatus::timeout);
  EXPECT_EQ(prober->counters().timeout_total, 2U);
}

TEST_F(ProberTest, without_its_helper_each_question_is_answered_so) {
  ask(1);
  helper_end.reset();
  io.poll();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].status, wire::ProbeStatus::failed);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error().code, Errc::gone);
  ask(2);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[1].status, wire::ProbeStatus::failed);
}

TEST(ProbeResultPacket, is_refused_when_it_is_none) {
  EXPECT_EQ(result_of_packet(result_packet({7, wire::ProbeStatus::busy, "a b"})).value(), (wire::ProbeResult{7, wire::ProbeStatus::busy, "a b"}));
  for (const char* bad : {"", "7", "7 x y", "-1 0 x", "7 9 x", "99999999999999999999 1 x"}) EXPECT_FALSE(result_of_packet(bad)) << bad;
}

}  // namespace
}  // namespace fw::probes
