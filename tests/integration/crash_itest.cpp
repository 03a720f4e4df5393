// The real program, killed in the middle of a stream: every acknowledged event is there afterwards, once.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "aggregator/store/store.hpp"
#include "tests/support/fake_agent.hpp"

namespace fw {
namespace {

using test::FakeAgent;
using test::TestPki;

class Program {
 public:
  explicit Program(const TestPki& pki) : ports_file_(pki.folder() + "/ports.json") {
    std::filesystem::remove(ports_file_);
    const auto tls = pki.server();
    std::vector<std::string> words{std::string(FW_BINARY_DIR) + "/bin/fleetwright-aggregator", "--ports-file", ports_file_};
    for (const char* set : {"listen.agents=127.0.0.1:0", "listen.people=127.0.0.1:0", "listen.plain=127.0.0.1:0"}) words.insert(words.end(), {"--set", set});
    for (const std::string& set : {"tls.certificate=" + tls.certificate, "tls.key=" + tls.key, "tls.node_ca=" + tls.ca, "tls.people_ca=" + tls.ca,
                                   "store.url=sqlite://" + pki.folder() + "/store.db"}) {
      words.insert(words.end(), {"--set", set});
    }
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = pki.folder() + "/log";
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      ::dup2(out, 2);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~Program() { stop(SIGKILL); }

  std::uint16_t agents_port() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!std::filesystem::exists(ports_file_)) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_ || std::chrono::steady_clock::now() > deadline) return 0;
      std::this_thread::yield();
    }
    std::ifstream file(ports_file_);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return static_cast<std::uint16_t>(std::stoul(text.substr(text.find(':') + 1)));
  }
  int stop(int signal) {
    if (pid_ <= 0) return 0;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  std::string ports_file_;
  pid_t pid_ = -1;
};

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
