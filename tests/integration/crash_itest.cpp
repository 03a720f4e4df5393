// The real program, killed in the middle of a stream: every acknowledged event is there afterwards, once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "aggregator/store/store.hpp"
#include "tests/support/aggregator_program.hpp"
#include "tests/support/fake_agent.hpp"

namespace fw {
namespace {

using test::FakeAgent;
using Program = test::AggregatorProgram;
using test::TestPki;

TEST(AggregatorCrash, kill_9_in_a_stream_loses_nothing_acknowledged_and_doubles_nothing) {
  const TestPki pki((std::filesystem::temp_directory_path() / ("fw-crash-" + std::to_string(::getpid()))).string());
  const Uuid node = make_uuid_v4(), stream = make_uuid_v4();
  constexpr int kCrashes = 5;
  constexpr std::uint64_t kFramesPerRun = 40;
  std::uint64_t acked = 0, sent = 0;
  for (int crash = 0; crash < kCrashes; ++crash) {
    Program program(pki);
    const std::uint16_t port = program.agents_port();
    ASSERT_NE(port, 0);
    FakeAgent agent(port, pki.node(node), stream, acked);
    ASSERT_TRUE(agent.connect());
    ASSERT_GE(agent.session().acknowledged_seq(), acked) << "an acknowledged event is gone";
    acked = agent.session().acknowledged_seq();
    for (std::uint64_t seq = acked + 1; seq <= acked + kFramesPerRun; ++seq) {
      ASSERT_TRUE(agent.send(FakeAgent::oom_frame(seq)));
      sent = std::max(sent, seq);
    }
    ASSERT_TRUE(agent.wait_ack(acked + 1 + static_cast<std::uint64_t>(crash) * 7));   // each time at another place
    acked = agent.session().acknowledged_seq();
    program.stop(SIGKILL);
  }
  Program program(pki);
  FakeAgent agent(program.agents_port(), pki.node(node), stream, acked);
  ASSERT_TRUE(agent.connect());
  ASSERT_GE(agent.session().acknowledged_seq(), acked);
  for (std::uint64_t seq = agent.session().acknowledged_seq() + 1; seq <= sent; ++seq) ASSERT_TRUE(agent.send(FakeAgent::oom_frame(seq)));
  ASSERT_TRUE(agent.wait_ack(sent));
  const auto began = std::chrono::steady_clock::now();
  const int status = program.stop(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));

  const auto store = store::open_store({.url = "sqlite://" + pki.folder() + "/store.db"}).value();
  std::set<std::uint64_t> found;
  const auto events = *store->events_since(0, 10'000);
  for (const auto& event : events) EXPECT_TRUE(found.insert(event.seq).second) << "twice: " << event.seq;
  EXPECT_EQ(found.size(), sent);
  const auto incidents = *store->incidents(true, 10);
  ASSERT_EQ(incidents.size(), 1U) << "one lineage, one incident, over all crashes";
  std::set<std::string> refs;
  for (const auto& row : incidents[0].events) {
    if (row.kind != "symptom") continue;
    EXPECT_TRUE(refs.insert(row.ref).second) << "a symptom counted twice";
  }
  EXPECT_EQ(refs.size(), sent);
  std::filesystem::remove_all(pki.folder());
}

}  // namespace
}  // namespace fw
