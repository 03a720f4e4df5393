#include "node-agent/cri/grpc_session.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace fw::cri {

namespace {

constexpr std::size_t kPrefixBytes = 5;              // of a gRPC message: one byte of flags, four of length
constexpr std::size_t kMaxStatusTextBytes = 512;     // of a grpc-message
constexpr std::int32_t kStreamWindowBytes = 256 << 10;
constexpr std::int32_t kConnectionWindowBytes = 1 << 20;

std::string_view view(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The library copies names and values: NGHTTP2_NV_FLAG_NONE.
nghttp2_nv header(std::string_view name, std::string_view value) {
  auto* const n = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  auto* const v = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  return {n, v, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

Error library_error(std::int64_t code, Errc errc) { return {errc, std::string("http2: ") + nghttp2_strerror(static_cast<int>(code))}; }

}  // namespace

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

std::string grpc_timeout(std::chrono::milliseconds limit) {
  // At most 8 digits by the gRPC specification.
  return std::to_string(std::clamp<std::int64_t>(limit.count(), 1, 99'999'999)) + "m";
}

Result<void> result_of_status(std::string_view status, std::string_view message) {
  int number = -1;
  const auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), number);
  if (error != std::errc{} || end != status.data() + status.size() || number < 0) return Error(Errc::malformed, "grpc: no status in the answer");
  if (number == 0) return {};
  Errc errc = Errc::io;
  switch (number) {
    case 4: errc = Errc::timeout; break;        // DEADLINE_EXCEEDED
    case 5: errc = Errc::gone; break;           // NOT_FOUND
    case 7:                                     // PERMISSION_DENIED
    case 16: errc = Errc::permission; break;    // UNAUTHENTICATED
    case 8: errc = Errc::overloaded; break;     // RESOURCE_EXHAUSTED
    case 12: errc = Errc::unsupported; break;   // UNIMPLEMENTED
    default: break;
  }
  return Error(errc, "grpc status " + std::to_string(number) + ": " + percent_decoded(message.substr(0, kMaxStatusTextBytes)));
}

// ---- one call ------------------------------------------------------------------------------------------------------

struct GrpcSession::Call {
  CallHandler* handler;
  Bytes request;                 // with its prefix
  std::size_t sent = 0;
  bool http_ok = false;          // ":status" 200
  bool is_grpc = false;          // content-type
  std::string status, message;   // grpc-status, grpc-message
  Bytes partial;                 // prefix and body of a message that is not complete

  // Takes bytes of the response's body; every complete message goes to the handler.
  Result<void> take(ByteView data) {
    if (!http_ok || !is_grpc) return Error(Errc::malformed, "grpc: the answer is not gRPC");
    while (!data.empty()) {
      const auto wanted = partial.size() < kPrefixBytes ? kPrefixBytes : kPrefixBytes + body_bytes();
      const auto taken = std::min(wanted - partial.size(), data.size());
      partial.insert(partial.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(taken));
      data = data.subspan(taken);
      if (partial.size() < kPrefixBytes) break;
      if (partial[0] != 0) return Error(Errc::malformed, "grpc: a compressed message, which was not asked for");
      if (body_bytes() > kMaxMessageBytes) return Error(Errc::too_large, "grpc: a message of " + std::to_string(body_bytes()) + " bytes");
      if (partial.size() < kPrefixBytes + body_bytes()) continue;
      const auto accepted = handler->on_message(ByteView(partial).subspan(kPrefixBytes));
      if (!accepted) return accepted.error();
      partial.clear();
      if (partial.capacity() > (64U << 10U)) partial.shrink_to_fit();   // lists are rare and large
    }
    return {};
  }

  Result<void> ended() const {
    if (!http_ok) return Error(Errc::malformed, "grpc: the answer is not HTTP 200");
    if (!partial.empty()) return Error(Errc::malformed, "grpc: the answer ends inside a message");
    return result_of_status(status, message);
  }

 private:
  std::size_t body_bytes() const {
    return std::size_t{partial[1]} << 24U | std::size_t{partial[2]} << 16U | std::size_t{partial[3]} << 8U | std::size_t{partial[4]};
  }
};

// ---- what libnghttp2 calls -----------------------------------------------------------------------------------------

struct GrpcSession::Callbacks {
  static GrpcSession& self(void* user) { return *static_cast<GrpcSession*>(user); }
  static Call* find(void* user, std::int32_t id) {
    const auto found = self(user).calls_.find(id);
    return found == self(user).calls_.end() ? nullptr : found->second.get();
  }

  static ssize_t read_request(nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size, std::uint32_t* flags,
                              nghttp2_data_source*, void* user) {
    auto* const call = find(user, id);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const auto bytes = std::min(size, call->request.size() - call->sent);
    std::copy_n(call->request.begin() + static_cast<std::ptrdiff_t>(call->sent), bytes, out);
    call->sent += bytes;
    if (call->sent == call->request.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(bytes);
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t, void* user) {
    auto* const call = find(user, frame->hd.stream_id);
    if (call == nullptr) return 0;
    const auto key = view(name, name_size);
    const auto text = view(value, value_size);
    if (key == ":status") call->http_ok = text == "200";
    if (key == "content-type") call->is_grpc = text.starts_with("application/grpc");
    if (key == "grpc-status") call->status = text.substr(0, 8);
    if (key == "grpc-message") call->message = text.substr(0, kMaxStatusTextBytes);
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* user) {
    auto* const call = find(user, id);
    if (call == nullptr) return 0;
    auto taken = call->take({data, size});
    if (!taken) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
      self(user).end(id, taken.error());
    }
    return 0;
  }

  // After a GOAWAY the library does not send what was started, and says so only here.
  static int on_not_sent(nghttp2_session*, const nghttp2_frame* frame, int code, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) self(user).end(frame->hd.stream_id, library_error(code, Errc::gone));
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    const auto* const call = find(user, id);
    if (call == nullptr) return 0;
    Result<void> ended = call->ended();
    // A stream that was reset before its trailers has no status of its own.
    if (code != NGHTTP2_NO_ERROR && call->status.empty()) ended = Error(Errc::io, std::string("http2: stream reset: ") + nghttp2_http2_strerror(code));
    self(user).end(id, std::move(ended));
    return 0;
  }
};

// ---- the session ---------------------------------------------------------------------------------------------------

GrpcSession::GrpcSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  FW_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0, "out of memory");
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, Callbacks::on_not_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  FW_ASSERT(nghttp2_session_client_new(&session_, callbacks, this) == 0, "out of memory");
  nghttp2_session_callbacks_del(callbacks);
  constexpr std::array<nghttp2_settings_entry, 2> settings{{{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes}}};
  FW_ASSERT(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0, "out of memory");
  FW_ASSERT(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes) == 0, "out of memory");
}

GrpcSession::~GrpcSession() {
  calls_.clear();   // deleting the session closes its streams, which has nobody to tell any more
  nghttp2_session_del(session_);
}

Result<std::int32_t> GrpcSession::start(std::string_view method, ByteView request, std::chrono::milliseconds limit, CallHandler& handler) {
  if (calls_.size() >= kMaxCalls) return Error(Errc::overloaded, "grpc: too many calls at one time");
  auto call = std::make_unique<Call>();
  call->handler = &handler;
  const auto size = static_cast<std::uint32_t>(request.size());
  call->request = {0, static_cast<std::uint8_t>(size >> 24U), static_cast<std::uint8_t>(size >> 16U), static_cast<std::uint8_t>(size >> 8U),
                   static_cast<std::uint8_t>(size)};
  call->request.insert(call->request.end(), request.begin(), request.end());

  const auto timeout = grpc_timeout(limit);
  std::array<nghttp2_nv, 8> headers{header(":method", "POST"), header(":scheme", "http"), header(":path", method), header(":authority", "localhost"),
                                    header("content-type", "application/grpc"), header("te", "trailers"), header("user-agent", "fleetwright-agent"),
                                    header("grpc-timeout", timeout)};
  const auto count = limit.count() == 0 ? headers.size() - 1 : headers.size();
  nghttp2_data_provider body{};
  body.read_callback = Callbacks::read_request;
  const auto id = nghttp2_submit_request(session_, nullptr, headers.data(), count, &body, nullptr);
  if (id < 0) return library_error(id, Errc::gone);
  calls_.emplace(id, std::move(call));
  return id;
}

void GrpcSession::cancel(std::int32_t call) {
  if (calls_.erase(call) != 0) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call, NGHTTP2_CANCEL);
}

Result<void> GrpcSession::receive(ByteView bytes) {
  const auto taken = nghttp2_session_mem_recv(session_, bytes.data(), bytes.size());
  if (taken < 0) return broken(library_error(taken, Errc::malformed));
  if (nghttp2_session_want_read(session_) == 0) return broken(Error(Errc::gone, "http2: the connection has ended"));
  return {};
}

Result<ByteView> GrpcSession::output() {
  const std::uint8_t* data = nullptr;
  const auto size = nghttp2_session_mem_send(session_, &data);
  if (size < 0) return broken(library_error(size, Errc::malformed));
  // Nothing more in either direction: the library found a breach of the protocol, and has said so to the server.
  if (size == 0 && nghttp2_session_want_read(session_) == 0) return broken(Error(Errc::malformed, "http2: the runtime broke the protocol"));
  return ByteView(data, static_cast<std::size_t>(size));
}

void GrpcSession::end(std::int32_t id, Result<void> ended) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const auto call = std::move(found->second);
  calls_.erase(found);
  call->handler->on_end(std::move(ended));
}

Error GrpcSession::broken(Error error) {
  const auto calls = std::exchange(calls_, {});
  for (const auto& [id, call] : calls) call->handler->on_end(error);
  return error;
}

}  // namespace fw::cri
