// The loop over a real socket, with an executor that only listens; and the door itself when system calls fail.
#include "node-agent/executor/app/serve.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "node-agent/executor/app/log.hpp"
#include "tests/unit/executor/calls.hpp"

namespace fw::executor::test {
namespace {

using testing::HasSubstr;

// Each turn of the loop is one step of the test.
class Scripted final : public authority::Executor {
 public:
  std::vector<std::function<void()>> steps;
  std::vector<std::string> heard;
  std::vector<Bytes> greeting{Bytes{1}}, answers{Bytes{2}}, from_timer;
  std::optional<Error> packet_error;
  std::optional<std::uint64_t> deadline_ns = 0;
  bool broken_ = false;
  int connected = 0;

  Result<std::vector<Bytes>> on_packet(ByteView packet) override {
    heard.emplace_back(packet.begin(), packet.end());
    if (packet_error) return *packet_error;
    return answers;
  }
  bool broken() const override { return broken_; }
  std::vector<Bytes> on_connected() override {
    ++connected;
    return greeting;
  }
  std::vector<Bytes> on_timer() override {
    if (step_ < steps.size()) steps[step_++]();
    return from_timer;
  }
  std::optional<std::uint64_t> next_deadline_mono_ns() const override { return deadline_ns; }
  authority::ExecutorStatus status() const override {
    authority::ExecutorStatus status;
    status.journal_problem = "no disk";
    return status;
  }
  std::vector<authority::Outcome> outcomes() const override { return {}; }

 private:
  std::size_t step_ = 0;
};

class Serving : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-serve-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    path_ = top_ + "/run/executor.sock";
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    signals_ = UniqueFd(ends[0]);
    signaller_ = UniqueFd(ends[1]);
    configure_log(log::Level::error, log::Format::text);
  }
  void TearDown() override {
    configure_log(log::Level::info, log::Format::text);
    std::filesystem::remove_all(top_);
  }
  void signal(int number) const {
    signalfd_siginfo info{};
    info.ssi_signo = static_cast<std::uint32_t>(number);
    ASSERT_EQ(::write(signaller_.get(), &info, sizeof info), static_cast<ssize_t>(sizeof info));
  }
  void knock() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    client_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  void say_to_it(std::string_view text) const { ASSERT_EQ(::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size())); }
  std::string hear() const {
    char text[100];
    const auto bytes = ::recv(client_.get(), text, sizeof text, 0);
    return bytes < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(bytes));
  }
  Result<int> run() {
    executor_.steps.push_back([this] { signal(SIGTERM); });
    return serve(executor_, listener_.value(), signals_, SystemClock());
  }

  std::string top_, path_;
  UniqueFd signals_, signaller_, client_;
  Scripted executor_;
  Result<PacketListener> listener_ = Error(Errc::gone, "not yet");
  void listen() { listener_ = PacketListener::bind(path_, ::geteuid()); }
};

TEST_F(Serving, ends_with_the_signal_that_came) {
  listen();
  EXPECT_EQ(run().value(), SIGTERM);
  executor_.steps = {[this] { signal(SIGINT); }};
  executor_.deadline_ns.reset();
  signal(SIGINT);
  EXPECT_EQ(run().value(), SIGINT);
}

TEST_F(Serving, half_a_signal_is_none) {
  listen();
  executor_.steps.push_back([this] { ASSERT_EQ(::write(signaller_.get(), "x", 1), 1); });
  executor_.steps.push_back([] {});
  EXPECT_EQ(run().value(), SIGTERM);
}

TEST_F(Serving, a_peer_is_greeted_answered_and_forgotten) {
  listen();
  executor_.steps = {[&] { knock(); }, [&] { EXPECT_EQ(hear(), "\1"); say_to_it("one"); }, [&] { EXPECT_EQ(hear(), "\2"); say_to_it("two"); },
                     [&] { client_.reset(); executor_.deadline_ns = SystemClock().mono_ns() + 3'600'000'000'000; knock(); }, [] {},
                     [&] { executor_.from_timer = {Bytes{3}}; }, [] {}};
  executor_.steps[5] = [&] { EXPECT_EQ(hear(), "\1"); executor_.deadline_ns = 0; executor_.from_timer = {Bytes{3}}; };
  EXPECT_EQ(run().value(), SIGTERM);
  EXPECT_EQ(executor_.connected, 2);
  EXPECT_THAT(executor_.heard, testing::ElementsAre("one", "two"));
  EXPECT_EQ(hear(), "\3");
}

TEST_F(Serving, a_peer_that_breaks_the_protocol_ends_it) {
  listen();
  executor_.packet_error = Error(Errc::malformed, "no packet");
  executor_.steps = {[&] { knock(); }, [&] { say_to_it("bad"); }, [] {}};
  EXPECT_EQ(run().error().code, Errc::malformed);
  // A packet that is longer than any.
  executor_.steps.clear();
  client_.reset();
  const Bytes huge(authority::kMaxPacketBytes + 1);
  Scripted again;
  again.deadline_ns = 0;
  again.steps = {[&] { knock(); }, [&] { ASSERT_GT(::send(client_.get(), huge.data(), huge.size(), MSG_NOSIGNAL), 0); }, [] {}};
  EXPECT_EQ(serve(again, listener_.value(), signals_, SystemClock()).error().code, Errc::too_large);
}

TEST_F(Serving, a_broken_journal_ends_it_without_a_packet) {
  listen();
  executor_.steps = {[&] { executor_.broken_ = true; }};
  const auto ended = serve(executor_, listener_.value(), signals_, SystemClock());
  EXPECT_EQ(ended.error().code, Errc::io);
  EXPECT_THAT(ended.error().message(), HasSubstr("no disk"));
}

TEST_F(Serving, waiting_may_be_interrupted_but_not_fail) {
  listen();
  {
    const FailingCall interrupted("ppoll", {EINTR});
    EXPECT_EQ(run().value(), SIGTERM);
    EXPECT_TRUE(interrupted.happened());
  }
  const FailingCall failing("ppoll", {EINVAL});
  EXPECT_EQ(serve(executor_, listener_.value(), signals_, SystemClock()).error().code, make_error_code(Errc::io));
}

TEST_F(Serving, a_peer_that_cannot_be_taken_is_left_out) {
  listen();
  for (const int error_number : {EMFILE, ECONNABORTED}) {
    const FailingCall failing("accept4", {.error_number = error_number, .times = 9});
    Scripted again;
    again.steps = {[&] { knock(); }, [&] { signal(SIGTERM); }};
    EXPECT_EQ(serve(again, listener_.value(), signals_, SystemClock()).value(), SIGTERM);
    EXPECT_EQ(again.connected, 0);
  }
}

TEST_F(Serving, what_a_slow_peer_does_not_take_follows_later) {
  listen();
  executor_.greeting.assign(50, Bytes(60'000));
  executor_.steps = {[&] { knock(); }, [&] { EXPECT_NE(hear(), "nothing"); }};
  int taken = 1;
  for (int turn = 0; turn < 60; ++turn) {
    executor_.steps.push_back([&] {
      while (hear() != "nothing") ++taken;
    });
  }
  EXPECT_EQ(run().value(), SIGTERM);
  EXPECT_EQ(taken, 50);
}

TEST_F(Serving, a_peer_that_hangs_up_while_it_is_told_something_is_gone) {
  listen();
  executor_.steps = {[&] { knock(); }, [&] {
                       client_.reset();
                       executor_.from_timer = {Bytes{3}};
                     },
                     [&] { knock(); }};
  executor_.steps.push_back([] {});
  EXPECT_EQ(run().value(), SIGTERM);
  EXPECT_EQ(executor_.connected, 2);
}

TEST_F(Serving, signals_become_a_descriptor) {
  EXPECT_EQ(in_child([] {
              const auto signals = open_signals();
              ::raise(SIGTERM);
              signalfd_siginfo info{};
              return signals && ::read(signals->get(), &info, sizeof info) > 0 ? std::to_string(info.ssi_signo) : std::string("none");
            }),
            std::to_string(SIGTERM));
  {
    const FailingCall failing("sigprocmask", {EINVAL});
    EXPECT_FALSE(open_signals());
  }
  EXPECT_EQ(in_child([] {
              const FailingCall failing("signalfd", {EMFILE});
              return std::string(open_signals() ? "open" : "refused");
            }),
            "refused");
}

// ---- the door --------------------------------------------------------------------------------------------------------

TEST_F(Serving, the_door_is_bound_or_says_why_not) {
  for (const auto* call : {"mkdir", "lstat", "socket", "bind", "chmod", "listen"}) {
    {
      const FailingCall failing(call, {EACCES});
      EXPECT_EQ(PacketListener::bind(path_, ::geteuid()).error().code, Errc::permission) << call;
    }
    std::filesystem::remove_all(top_ + "/run");
  }
  EXPECT_EQ(PacketListener::bind("", ::geteuid()).error().code, Errc::invalid_argument);
  EXPECT_EQ(PacketListener::bind("/executor.sock", ::geteuid()).error().code, Errc::invalid_argument) << "a folder of its own";
  EXPECT_EQ(PacketListener::bind(top_ + "/no/such/x.sock", ::geteuid()).error().code, Errc::gone);
  std::ofstream(top_ + "/file") << "x";
  EXPECT_EQ(PacketListener::bind(top_ + "/file/x.sock", ::geteuid()).error().code, Errc::permission);
  ASSERT_EQ(::mkdir((top_ + "/run").c_str(), 0700), 0);
  const FailingCall another_user("geteuid", {.result = 4711, .times = 9});
  EXPECT_EQ(PacketListener::bind(path_, 4711).error().code, Errc::permission);
}

TEST_F(Serving, another_users_agent_reaches_the_socket_and_nothing_else) {
  ASSERT_TRUE(PacketListener::bind(path_, ::geteuid() + 1));
  struct stat info{};
  ASSERT_EQ(::stat((top_ + "/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0711U);
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666U);
  ::chmod((top_ + "/run").c_str(), 0755);
  EXPECT_EQ(PacketListener::bind(path_, ::geteuid() + 1).error().code, Errc::permission);
}

TEST_F(Serving, who_knocks_must_be_known) {
  listen();
  knock();
  for (const int error_number : {EAGAIN, EINTR, ECONNABORTED}) {
    const FailingCall failing("accept4", {error_number});
    EXPECT_FALSE(listener_->accept().value());
  }
  {
    const FailingCall failing("accept4", {ENFILE});
    EXPECT_FALSE(listener_->accept());
  }
  const FailingCall failing("getsockopt", {ENOTCONN});
  EXPECT_FALSE(listener_->accept());
}

TEST_F(Serving, an_interrupted_packet_is_read_and_sent_again) {
  listen();
  knock();
  PacketPeer peer(std::move(listener_->accept().value().value()));
  Bytes buffer(100);
  say_to_it("hello");
  {
    const FailingCall interrupted("recvmsg", {EINTR});
    EXPECT_FALSE(peer.receive(buffer).value());
  }
  EXPECT_EQ(peer.receive(buffer).value()->size(), 5U);
  {
    const FailingCall reset("recvmsg", {ECONNRESET});
    EXPECT_EQ(peer.receive(buffer).error().code, Errc::gone);
  }
  peer.send({1});
  {
    const FailingCall interrupted("sendmsg", {EINTR});
    EXPECT_TRUE(peer.flush());
  }
  EXPECT_EQ(hear(), "\1");
  peer.send({2});
  const FailingCall reset("sendmsg", {EPIPE});
  EXPECT_EQ(peer.flush().error().code, Errc::gone);
}

TEST(ExecutorLog, says_what_is_important_enough) {
  const auto said = [](log::Level least) {
    testing::internal::CaptureStderr();
    configure_log(least, log::Format::json);
    say(log::Level::info, "executor started", {{"restores", 2}});
    configure_log(log::Level::info, log::Format::text);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(said(log::Level::info), HasSubstr("\"executor started\""));
  EXPECT_EQ(said(log::Level::warn), "");
}

}  // namespace
}  // namespace fw::executor::test
