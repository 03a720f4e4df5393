// The client's side of gRPC on one HTTP/2 connection, without I/O: bytes go in, bytes come out. Inside node-agent/cri and its tests only.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/bytes.hpp"
#include "common/result.hpp"

struct nghttp2_session;

namespace fw::cri {

inline constexpr std::size_t kMaxMessageBytes = 8 << 20;   // a list of the largest node (5,000 containers) has about 6 MiB
inline constexpr std::size_t kMaxCalls = 8;                // open at one time

// Takes what one call answers. It must not start or cancel calls from inside these functions.
class CallHandler {
 public:
  virtual ~CallHandler() = default;
  virtual Result<void> on_message(ByteView message) = 0;   // at most kMaxMessageBytes; an error cancels the call and is its end
  // Once, last; the handler is not used after it. Errc::unsupported: UNIMPLEMENTED; gone: NOT_FOUND; timeout: DEADLINE_EXCEEDED;
  // permission, overloaded: so named; malformed, too_large: not gRPC, or beyond a bound; io: every other status, with the runtime's words.
  virtual void on_end(Result<void> ended) = 0;
};

// Pure: "%C3%BC" -> "ü" of a grpc-message; what is not an escape stays.
std::string percent_decoded(std::string_view text);
// Pure: the grpc-timeout of a duration, "10000m".
std::string grpc_timeout(std::chrono::milliseconds limit);
// Pure: the result of a grpc-status ("0" is success) with its message.
Result<void> result_of_status(std::string_view status, std::string_view message);

// Bounds: kMaxCalls, kMaxMessageBytes per message, libnghttp2's own for headers (64 KiB a block) and for answers that control frames provoke
// (1,000 waiting). Threading: one thread. Lifetime: handlers outlive their calls.
class GrpcSession {
 public:
  GrpcSession();
  ~GrpcSession();
  GrpcSession(const GrpcSession&) = delete;
  GrpcSession& operator=(const GrpcSession&) = delete;

  // The id of the new call. limit: told to the server as grpc-timeout; zero: none. Errc::overloaded: kMaxCalls are open; gone: the server takes
  // no more calls on this connection.
  Result<std::int32_t> start(std::string_view method, ByteView request, std::chrono::milliseconds limit, CallHandler& handler);
  void cancel(std::int32_t call);   // its handler is not called any more; nothing when it has ended

  // Bytes of the server. An error is the connection's end: every call has ended with it.
  Result<void> receive(ByteView bytes);
  // What is to be written now; valid until the next call of any member. Empty: nothing.
  Result<ByteView> output();

 private:
  struct Call;
  struct Callbacks;
  void end(std::int32_t id, Result<void> ended);
  Error broken(Error error);   // ends every call with it

  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::unique_ptr<Call>> calls_;
};

}  // namespace fw::cri
