#include <gtest/gtest.h>

#include <optional>

#include "cri_server.hpp"
#include "node-agent/cri/grpc_session.hpp"
#include "node-agent/cri/runtimes.hpp"

namespace fw::cri {
namespace {

using std::chrono::milliseconds;
using test::GrpcReply;
using test::GrpcServer;

constexpr milliseconds kLimit{5000};

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

struct Recorder final : CallHandler {
  Result<void> on_message(ByteView message) override {
    messages.emplace_back(message.begin(), message.end());
    return accept;
  }
  void on_end(Result<void> ended) override {
    EXPECT_FALSE(result) << "ended twice";
    result = std::move(ended);
  }
  bool failed_with(Errc errc) const { return result && !*result && result->error().code == errc; }

  std::vector<std::string> messages;
  Result<void> accept;
  std::optional<Result<void>> result;
};

// Client and server, mouth to ear.
class GrpcSessionTest : public testing::Test {
 protected:
  // Until neither has anything to say. The client's end if it had one.
  Result<void> exchange(std::size_t piece = 1 << 20) {
    for (;;) {
      Bytes to_server;
      for (;;) {
        const auto frame = client.output();
        if (!frame) return frame.error();
        if (frame->empty()) break;
        to_server.insert(to_server.end(), frame->begin(), frame->end());
      }
      if (!to_server.empty()) {
        EXPECT_TRUE(server.feed(to_server));
      }
      const auto to_client = server.output();
      if (to_server.empty() && to_client.empty()) return {};
      for (std::size_t at = 0; at < to_client.size(); at += piece) {
        const auto taken = client.receive(ByteView(to_client).subspan(at, std::min(piece, to_client.size() - at)));
        if (!taken) return taken.error();
      }
    }
  }
  void call(GrpcReply reply, std::size_t piece = 1 << 20) {
    next = std::move(reply);
    ASSERT_TRUE(client.start("/runtime.v1.RuntimeService/Version", bytes_of("hello"), kLimit, recorder));
    ended = exchange(piece);
  }

  GrpcReply next;
  std::string asked_path, asked;
  GrpcServer server{[this](const std::string& path, ByteView request) {
    asked_path = path;
    asked.assign(request.begin(), request.end());
    return next;
  }};
  GrpcSession client;
  Recorder recorder;
  Result<void> ended;
};

TEST_F(GrpcSessionTest, one_call_carries_its_message_there_and_back) {
  call({.messages = {bytes_of("answer")}});
  EXPECT_TRUE(ended);
  EXPECT_EQ(asked_path, "/runtime.v1.RuntimeService/Version");
  EXPECT_EQ(asked, "hello");
  EXPECT_EQ(recorder.messages, std::vector<std::string>{"answer"});
  ASSERT_TRUE(recorder.result);
  EXPECT_TRUE(*recorder.result);
}

TEST_F(GrpcSessionTest, headers_are_those_of_grpc) {
  call({.messages = {bytes_of("answer")}});
  const auto& headers = server.headers(1);
  EXPECT_EQ(headers.at(":method"), "POST");
  EXPECT_EQ(headers.at("te"), "trailers");
  EXPECT_EQ(headers.at("content-type"), "application/grpc");
  EXPECT_EQ(headers.at("grpc-timeout"), "5000m");
}

TEST_F(GrpcSessionTest, answer_in_pieces_of_one_byte_is_the_same_answer) {
  call({.messages = {bytes_of("one"), bytes_of(""), bytes_of("three")}}, 1);
  EXPECT_EQ(recorder.messages, (std::vector<std::string>{"one", "", "three"}));
  EXPECT_TRUE(recorder.result && *recorder.result);
}

TEST_F(GrpcSessionTest, large_answer_passes_flow_control) {
  call({.messages = {Bytes(3 << 20, 'x')}});
  ASSERT_EQ(recorder.messages.size(), 1U);
  EXPECT_EQ(recorder.messages[0].size(), std::size_t{3 << 20});
  EXPECT_TRUE(recorder.result && *recorder.result);
}

TEST_F(GrpcSessionTest, statuses_are_errors_that_a_caller_can_act_on) {
  const std::pair<int, Errc> cases[] = {{12, Errc::unsupported}, {5, Errc::gone}, {4, Errc::timeout}, {7, Errc::permission}, {8, Errc::overloaded}, {2, Errc::io}};
  for (const auto& [status, errc] : cases) {
    recorder = {};
    call({.status = status, .text = "no%20such%20thing"});
    EXPECT_TRUE(recorder.failed_with(errc)) << status;
    EXPECT_NE(recorder.result->error().context.find("no such thing"), std::string::npos);
  }
}

TEST_F(GrpcSessionTest, what_is_not_grpc_is_malformed_and_ends_its_call_only) {
  GrpcReply cases[] = {
      {.messages = {bytes_of("x")}, .http_status = "503"},
      {.messages = {bytes_of("x")}, .content_type = "text/html"},
      {.raw_body = {1, 0, 0, 0, 1, 'x'}},      // compressed
      {.raw_body = {0, 0, 0, 0, 9, 'x'}},      // ends inside a message
      {.raw_body = {0, 0}},
  };
  for (auto& reply : cases) {
    recorder = {};
    call(reply);
    EXPECT_TRUE(ended);
    EXPECT_TRUE(recorder.failed_with(Errc::malformed));
    EXPECT_TRUE(recorder.messages.empty());
  }
  recorder = {};
  call({.messages = {bytes_of("still there")}});
  EXPECT_TRUE(recorder.result && *recorder.result);
}

TEST_F(GrpcSessionTest, announced_message_beyond_the_bound_is_refused_before_it_is_stored) {
  call({.open = true, .raw_body = {0, 0x7f, 0xff, 0xff, 0xff, 'x'}});
  EXPECT_TRUE(recorder.failed_with(Errc::too_large));
  EXPECT_EQ(server.cancelled, 1);
}

TEST_F(GrpcSessionTest, message_that_its_handler_refuses_cancels_the_call) {
  recorder.accept = Error(Errc::malformed, "not for me");
  call({.messages = {bytes_of("a"), bytes_of("b")}, .open = true});
  EXPECT_TRUE(recorder.failed_with(Errc::malformed));
  EXPECT_EQ(recorder.messages.size(), 1U);
  EXPECT_EQ(server.cancelled, 1);
}

TEST_F(GrpcSessionTest, stream_gives_messages_as_they_come) {
  call({.messages = {bytes_of("first")}, .open = true});
  EXPECT_EQ(recorder.messages.size(), 1U);
  EXPECT_FALSE(recorder.result);
  server.push(bytes_of("second"));
  EXPECT_TRUE(exchange());
  EXPECT_EQ(recorder.messages.size(), 2U);
  server.finish(0);
  EXPECT_TRUE(exchange());
  EXPECT_TRUE(recorder.result && *recorder.result);
}

TEST_F(GrpcSessionTest, cancelled_call_is_never_heard_of_again) {
  next = {.messages = {bytes_of("first")}, .open = true};
  const auto id = client.start("/x", {}, milliseconds{0}, recorder);
  ASSERT_TRUE(id);
  EXPECT_TRUE(exchange());
  EXPECT_FALSE(server.headers(1).contains("grpc-timeout"));
  client.cancel(*id);
  client.cancel(*id);
  server.push(bytes_of("second"));
  EXPECT_TRUE(exchange());
  EXPECT_EQ(recorder.messages.size(), 1U);
  EXPECT_FALSE(recorder.result);
  EXPECT_EQ(server.cancelled, 1);
}

TEST_F(GrpcSessionTest, reset_stream_ends_its_call) {
  call({.messages = {bytes_of("first")}, .open = true});
  nghttp2_submit_rst_stream(server.session, NGHTTP2_FLAG_NONE, 1, NGHTTP2_INTERNAL_ERROR);
  EXPECT_TRUE(exchange());
  EXPECT_TRUE(recorder.failed_with(Errc::io));
}

TEST_F(GrpcSessionTest, no_more_calls_than_the_bound) {
  next = {.silent = true};
  Recorder recorders[kMaxCalls + 1];
  for (std::size_t i = 0; i < kMaxCalls; ++i) ASSERT_TRUE(client.start("/x", {}, kLimit, recorders[i]));
  const auto refused = client.start("/x", {}, kLimit, recorders[kMaxCalls]);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::overloaded);
}

TEST_F(GrpcSessionTest, calls_end_when_the_server_says_goodbye) {
  call({.messages = {bytes_of("first")}, .open = true});
  nghttp2_session_terminate_session(server.session, NGHTTP2_NO_ERROR);
  (void)exchange();
  Recorder late;
  const auto started = client.start("/x", {}, kLimit, late);
  (void)exchange();
  EXPECT_TRUE(!started || late.failed_with(Errc::gone));
}

TEST(GrpcSessionAlone, bytes_that_are_not_http2_end_every_call) {
  GrpcSession client;
  Recorder recorder;
  ASSERT_TRUE(client.start("/x", {}, kLimit, recorder));
  while (true) {
    const auto frame = client.output();
    ASSERT_TRUE(frame);
    if (frame->empty()) break;
  }
  const std::string page = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
  auto ended = client.receive(ByteView(reinterpret_cast<const std::uint8_t*>(page.data()), page.size()));
  for (int turn = 0; ended && turn < 10; ++turn) {
    const auto frame = client.output();
    if (!frame) ended = frame.error();
  }
  EXPECT_FALSE(ended);
  ASSERT_TRUE(recorder.result);
  EXPECT_FALSE(*recorder.result);
}

TEST(GrpcText, percent_escapes_are_decoded_and_the_rest_stays) {
  EXPECT_EQ(percent_decoded("a%20b%C3%BC%zz%2"), "a b\xc3\xbc%zz%2");
  EXPECT_EQ(percent_decoded("%41"), "A");
}

TEST(GrpcText, status_without_a_number_is_malformed) {
  for (const auto* const bad : {"", "x", "1x", "-1"}) {
    const auto result = result_of_status(bad, "");
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, Errc::malformed);
  }
}

TEST(Runtimes, events_are_read_only_where_nobody_else_loses_them) {
  EXPECT_FALSE(gives_events_to_everybody("containerd", "1.6.20~ds1"));
  EXPECT_FALSE(gives_events_to_everybody("containerd", "v1.7.24"));
  EXPECT_TRUE(gives_events_to_everybody("containerd", "v2.0.0"));
  EXPECT_TRUE(gives_events_to_everybody("containerd", "2.1.9~ds1"));
  EXPECT_FALSE(gives_events_to_everybody("cri-o", "1.26.1"));
  EXPECT_TRUE(gives_events_to_everybody("cri-o", "1.30.0"));
  EXPECT_FALSE(gives_events_to_everybody("docker", "27.0"));
  EXPECT_FALSE(gives_events_to_everybody("containerd", "devel"));
  EXPECT_FALSE(gives_events_to_everybody("containerd", "2"));
}

}  // namespace
}  // namespace fw::cri
