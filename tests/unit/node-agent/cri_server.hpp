// The server's side of gRPC for tests: libnghttp2 as a server, scripted by a function.
#pragma once
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/bytes.hpp"
#include "common/result.hpp"

namespace fw::test {

struct GrpcReply {
  std::vector<Bytes> messages{};
  int status = 0;
  std::string text{};                        // grpc-message, as it is sent
  std::string http_status = "200";
  std::string content_type = "application/grpc";
  bool open = false;                         // no end: more messages come by GrpcServer::push()
  bool silent = false;                       // no answer at all
  Bytes raw_body{};                          // instead of messages
};

// Sans I/O. The request's path and message go to `answer`.
class GrpcServer {
 public:
  using Answer = std::function<GrpcReply(const std::string& path, ByteView request)>;

  explicit GrpcServer(Answer answer) : answer_(std::move(answer)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                                                                   const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
      auto& self = *static_cast<GrpcServer*>(user);
      self.headers_[frame->hd.stream_id][std::string(name, name + name_size)] = std::string(value, value + value_size);
      return 0;
    });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                                                                            void* user) {
      auto& body = static_cast<GrpcServer*>(user)->bodies_[id];
      body.insert(body.end(), data, data + size);
      return 0;
    });
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
      if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
      if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) static_cast<GrpcServer*>(user)->on_request(frame->hd.stream_id);
      return 0;
    });
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
      auto& self = *static_cast<GrpcServer*>(user);
      self.streams_.erase(id);
      if (code == NGHTTP2_CANCEL) self.cancelled += 1;
      return 0;
    });
    nghttp2_session_server_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~GrpcServer() { nghttp2_session_del(session); }
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  bool feed(ByteView bytes) { return nghttp2_session_mem_recv(session, bytes.data(), bytes.size()) >= 0; }
  Bytes output() {
    Bytes out;
    for (;;) {
      const std::uint8_t* data = nullptr;
      const auto size = nghttp2_session_mem_send(session, &data);
      if (size <= 0) return out;
      out.insert(out.end(), data, data + size);
    }
  }
  // To every stream that is open.
  void push(const Bytes& message) {
    for (auto& [id, stream] : streams_) {
      if (!stream.open) continue;
      append(stream.body, message);
      nghttp2_session_resume_data(session, id);
    }
  }
  // Ends every open stream with that status.
  void finish(int status) {
    for (auto& [id, stream] : streams_) {
      if (!stream.open) continue;
      stream.open = false;
      stream.reply.status = status;
      nghttp2_session_resume_data(session, id);
    }
  }
  const std::map<std::string, std::string>& headers(std::int32_t id) { return headers_[id]; }

  nghttp2_session* session = nullptr;   // for frames that no server should send
  int cancelled = 0;

 private:
  struct Stream {
    GrpcReply reply;
    Bytes body;
    std::size_t sent = 0;
    bool open = false;
  };

  static void append(Bytes& body, const Bytes& message) {
    const auto size = static_cast<std::uint32_t>(message.size());
    for (const unsigned shift : {32U, 24U, 16U, 8U, 0U}) body.push_back(shift == 32U ? 0 : static_cast<std::uint8_t>(size >> shift));
    body.insert(body.end(), message.begin(), message.end());
  }

  static nghttp2_nv header(const char* name, const std::string& value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)), reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), std::strlen(name),
            value.size(), NGHTTP2_NV_FLAG_NONE};
  }

  void on_request(std::int32_t id) {
    const auto& body = bodies_[id];
    auto reply = answer_(headers_[id][":path"], ByteView(body).subspan(std::min<std::size_t>(5, body.size())));
    if (reply.silent) return;
    auto& stream = streams_[id];
    stream.open = reply.open;
    stream.body = reply.raw_body;
    for (const auto& message : reply.messages) append(stream.body, message);
    stream.reply = std::move(reply);
    const nghttp2_nv headers[] = {header(":status", stream.reply.http_status), header("content-type", stream.reply.content_type)};
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session* session_of_stream, std::int32_t stream_id, std::uint8_t* out, std::size_t size, std::uint32_t* flags,
                                nghttp2_data_source*, void* user) -> ssize_t {
      auto& self = static_cast<GrpcServer*>(user)->streams_.at(stream_id);
      const auto bytes = std::min(size, self.body.size() - self.sent);
      std::copy_n(self.body.begin() + static_cast<std::ptrdiff_t>(self.sent), bytes, out);
      self.sent += bytes;
      if (self.sent < self.body.size()) return static_cast<ssize_t>(bytes);
      if (self.open) return bytes == 0 ? static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED) : static_cast<ssize_t>(bytes);
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto status = std::to_string(self.reply.status);
      const nghttp2_nv trailers[] = {header("grpc-status", status), header("grpc-message", self.reply.text)};
      nghttp2_submit_trailer(session_of_stream, stream_id, trailers, 2);
      return static_cast<ssize_t>(bytes);
    };
    nghttp2_submit_response(session, id, headers, 2, &provider);
  }

  Answer answer_;
  std::map<std::int32_t, std::map<std::string, std::string>> headers_;
  std::map<std::int32_t, Bytes> bodies_;
  std::map<std::int32_t, Stream> streams_;
};

}  // namespace fw::test
