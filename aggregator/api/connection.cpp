#include "aggregator/api/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/write.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <sstream>

#include "common/async/with_timeout.hpp"

namespace fw::api {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kChunkBytes = 16_KiB;
constexpr std::size_t kSuspectBodyBytes = 1_MiB;          // for an address with many wrong signatures
constexpr std::size_t kLingerBytes = 1_MiB;               // read and dropped after an early answer, so that the peer sees it
constexpr std::chrono::seconds kCloseTimeout{1};

using Parser = http::request_parser<http::buffer_body>;
using PlainStream = beast::tcp_stream;
using TlsStream = asio::ssl::stream<beast::tcp_stream>;

// Bytes in and out, with or without TLS. Virtual so that the conversation is compiled once: with Beast's composed operations on both stream
// types this file took minutes.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual asio::awaitable<std::tuple<beast::error_code, std::size_t>> read_some(asio::mutable_buffer into) = 0;
  virtual asio::awaitable<std::tuple<beast::error_code, std::size_t>> write(std::string_view bytes) = 0;
  virtual asio::awaitable<void> say_goodbye() = 0;   // the TLS close
  virtual beast::tcp_stream& lowest() = 0;           // its deadline holds for all of the above
  virtual bool secure() const = 0;
};

template <class Layers>
class StreamOf final : public Stream {
 public:
  explicit StreamOf(Layers& layers) : layers_(layers) {}
  asio::awaitable<std::tuple<beast::error_code, std::size_t>> read_some(asio::mutable_buffer into) override {
    co_return co_await layers_.async_read_some(into, kAwait);
  }
  asio::awaitable<std::tuple<beast::error_code, std::size_t>> write(std::string_view bytes) override {
    co_return co_await asio::async_write(layers_, asio::buffer(bytes.data(), bytes.size()), kAwait);
  }
  asio::awaitable<void> say_goodbye() override {
    if constexpr (std::is_same_v<Layers, TlsStream>) co_await layers_.async_shutdown(kAwait);
    co_return;
  }
  beast::tcp_stream& lowest() override { return beast::get_lowest_layer(layers_); }
  bool secure() const override { return std::is_same_v<Layers, TlsStream>; }

 private:
  Layers& layers_;
};

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get: return Method::get;
    case http::verb::head: return Method::head;
    case http::verb::post: return Method::post;
    default: return Method::other;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Bytes of bodies in memory, given back at the end of the request.
class BodyBudget {
 public:
  BodyBudget(std::size_t& used, std::size_t limit) : used_(used), limit_(limit) {}
  ~BodyBudget() { used_ -= mine_; }
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  bool take(std::size_t bytes) {
    if (used_ + bytes > limit_) return false;
    used_ += bytes;
    mine_ += bytes;
    return true;
  }

 private:
  std::size_t& used_;
  const std::size_t limit_;
  std::size_t mine_ = 0;
};

// g++ 12 miscompiles some expressions in coroutines: co_await in the condition of an empty loop, and "?:" whose sides make temporaries
// that own memory. Coroutines of this folder avoid both; plain functions make such values.
class Conversation {
 public:
  Conversation(Stream& stream, std::string address, Result<transport::PeerIdentity> peer, const Router& router, Shared& shared)
      : stream_(stream), address_(std::move(address)), peer_(std::move(peer)), router_(router), shared_(shared) {}

  asio::awaitable<void> run() {
    const bool person = peer_.has_value() && peer_->kind == transport::PeerIdentity::Kind::person;
    if (person) record("session.opened", "", "");
    bool more = true;
    while (more) more = co_await exchange();
  }

 private:
  beast::tcp_stream& lowest() { return stream_.lowest(); }
  // For the audit log: who came, and who was turned away.
  void record(std::string_view verb, std::string_view object, std::string_view code) {
    if (shared_.governance == nullptr) return;
    const bool person = peer_.has_value() && peer_->kind == transport::PeerIdentity::Kind::person;
    shared_.governance->record(verb, {.person = person ? peer_->name : "", .address = address_}, object, code);
  }
  void count_error(std::string_view reason) { shared_.metrics.add(Metric::http_connection_errors, 1, {reason}); }

  // One request and its answer; false when the connection is to end.
  asio::awaitable<bool> exchange() {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(shared_.limits.max_header_bytes));
    parser.body_limit(boost::none);   // checked below: which limit holds follows from the path
    lowest().expires_after(shared_.limits.idle_timeout);
    const auto error = co_await read_header(parser);
    if (error) co_return co_await header_failed(error);

    const std::uint64_t began_ns = shared_.clock.mono_ns();
    Request request = take_request(parser);
    const Match match = router_.match(request.method, request.path);
    BodyBudget budget(shared_.bodies_bytes, shared_.limits.max_bodies_bytes);
    std::optional<Response> response = refuse(request, match, parser);
    if (response && (response->status == 401 || response->status == 403)) record("call.refused", request.path, response->status == 401 ? "unauthorized" : "forbidden");
    if (!response) response = co_await read_body(request, *match.route, parser, budget);
    if (!response) response = co_await handle(request, match);

    const std::string_view route = match.route == nullptr ? "other" : match.route->pattern;
    shared_.metrics.add(Metric::http_requests, 1, {std::to_string(response->status), route});
    shared_.metrics.observe(Metric::http_request_duration, static_cast<double>(shared_.clock.mono_ns() - began_ns) / 1e9, {route});
    const bool complete = parser.is_done();
    const bool keep = complete && parser.get().keep_alive();
    // Beast closes the socket of a peer that was too slow: nothing can be said to it any more, but it is counted like the others.
    const bool sent = lowest().socket().is_open() && co_await write(*response, request.method == Method::head, parser.get().version(), keep);
    ++served_;
    if (sent && !keep) co_await close(complete);
    co_return sent && keep;
  }

  // More bytes into buffer_. The end of the stream is an error of HTTP: an orderly one only between two requests.
  asio::awaitable<beast::error_code> read_more(const Parser& parser) {
    auto [error, bytes] = co_await stream_.read_some(buffer_.prepare(kChunkBytes));
    buffer_.commit(bytes);
    if (error == asio::error::eof) error = parser.got_some() ? http::error::partial_message : http::error::end_of_stream;
    co_return error;
  }

  asio::awaitable<beast::error_code> read_header(Parser& parser) {
    beast::error_code error;
    while (!parser.is_header_done()) {
      if (buffer_.size() > 0) {
        buffer_.consume(parser.put(buffer_.data(), error));
        if (parser.is_header_done()) break;
      }
      if (error && error != http::error::need_more) co_return error;
      error = co_await read_more(parser);
      if (error) co_return error;
    }
    co_return beast::error_code();
  }

  Request take_request(const Parser& parser) {
    const auto& message = parser.get();
    Request request;
    request.method = method_of(message.method());
    const std::string_view target(message.target().data(), message.target().size());
    const auto question = target.find('?');
    request.path = std::string(target.substr(0, question));
    if (question != std::string_view::npos) request.query = std::string(target.substr(question + 1));
    for (const auto& field : message) {
      request.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}),
                                   std::string(field.value().data(), field.value().size()));
    }
    request.peer_address = address_;
    request.peer = peer_;
    return request;
  }

  // Everything that can be said before the body is read.
  std::optional<Response> refuse(const Request& request, const Match& match, const Parser& parser) {
    if (!request.path.starts_with('/')) return problem(400, "the request target must be a path");
    const bool people = match.route == nullptr ? request.path.starts_with("/api/") : match.route->access == Access::person;
    if (people) {
      if (auto refused = refuse_person()) return refused;
    }
    if (match.route == nullptr && match.allow.empty()) return problem(404, "there is nothing at this path", "docs/api.md lists the paths.");
    if (match.route == nullptr) {
      auto response = problem(405, "this path does not have this method", "It has " + match.allow + ".");
      response.headers.emplace_back("Allow", match.allow);
      return response;
    }
    const auto length = parser.content_length();
    if (length && *length > limit_of(*match.route)) return too_large(*match.route);
    return std::nullopt;
  }

  std::optional<Response> refuse_person() const {
    if (peer_.has_error()) return problem(403, peer_.error().message(), "Use the certificate of a person, made by the people authority.");
    switch (peer_->kind) {
      case transport::PeerIdentity::Kind::person: break;
      case transport::PeerIdentity::Kind::none:
        return problem(401, "a client certificate of a person is needed", "The CLI takes it from its context; with curl, give --cert and --key.");
      default: return problem(403, "this client certificate is not one of a person", "Use the certificate of a person, made by the people authority.");
    }
    if (peer_->not_after_ns <= shared_.clock.wall_ns()) return problem(401, "the client certificate has expired", "Ask for a new one.");
    return std::nullopt;
  }

  bool suspect(const Route& route) const {
    return route.access == Access::signature && shared_.limiter.over_limit(address_, shared_.clock.mono_ns());
  }
  std::size_t limit_of(const Route& route) const {
    return suspect(route) ? std::min(route.max_body_bytes, kSuspectBodyBytes) : route.max_body_bytes;
  }
  Response too_large(const Route& route) const {
    if (limit_of(route) < route.max_body_bytes) {
      return problem(429, "too many wrong signatures from this address: large bodies are refused for a while", "Mend the secret, then try again.");
    }
    return problem(413, "the body is larger than " + std::to_string(route.max_body_bytes) + " bytes");
  }

  // Into request.body, piece by piece. A Response when that is refused.
  asio::awaitable<std::optional<Response>> read_body(Request& request, const Route& route, Parser& parser, BodyBudget& budget) {
    if (parser.is_done()) co_return std::nullopt;
    lowest().expires_after(shared_.limits.body_timeout);   // for the whole body, however it trickles
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      const auto [error, bytes] = co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n");
      static_cast<void>(bytes);
      if (error) co_return failed_body(error);
    }
    const std::size_t limit = limit_of(route);
    std::string chunk(kChunkBytes, '\0');
    while (!parser.is_done()) {
      parser.get().body().data = chunk.data();
      parser.get().body().size = chunk.size();
      beast::error_code error;
      const std::size_t consumed = parser.put(buffer_.data(), error);
      buffer_.consume(consumed);
      const std::size_t got = chunk.size() - parser.get().body().size;
      if (request.body.size() + got > limit) co_return too_large(route);
      if (!budget.take(got)) co_return problem(503, "too many large requests at the same time");
      request.body.append(chunk, 0, got);
      if (error && error != http::error::need_buffer && error != http::error::need_more) co_return failed_body(error);
      if (consumed > 0 || parser.is_done()) continue;
      error = co_await read_more(parser);
      if (error) co_return failed_body(error);
    }
    co_return std::nullopt;
  }

  Response failed_body(const beast::error_code& error) {
    if (error == beast::error::timeout) {
      count_error("timeout");
      return problem(408, "the body did not arrive in time");
    }
    count_error(is_malformed(error) ? "malformed" : "reset");
    return problem(400, "the body could not be read: " + error.message());
  }

  asio::awaitable<Response> handle(const Request& request, const Match& match) {
    lowest().expires_never();
    std::string failure;
    try {
      auto response = co_await with_timeout(match.route->handler(request, match.id), shared_.limits.backend_timeout);
      if (response) co_return std::move(*response);
      co_return problem(503, "no answer from the store in time");
    } catch (const std::exception& error) {
      failure = error.what();
    }
    log::write(shared_.handler_failures, log::Level::error, "a request failed", {{"path", request.path}, {"error", failure}});
    co_return problem(500, "this request failed inside the aggregator", "Its log says why.");
  }

  static bool is_malformed(const beast::error_code& error) {
    return error.category() == beast::error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
           error != http::error::partial_message;
  }

  Response malformed_answer(const beast::error_code& error) const {
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return problem(431, "the headers are larger than " + std::to_string(shared_.limits.max_header_bytes) + " bytes");
    }
    return problem(400, "not an HTTP request: " + error.message());
  }

  // No request: an orderly end, or one of the ways to misuse a connection.
  asio::awaitable<bool> header_failed(beast::error_code error) {
    if (is_malformed(error)) {
      count_error("malformed");
      Response response = malformed_answer(error);
      const bool sent = co_await write(response, false, 11, false);
      if (sent) co_await close(false);
      co_return false;
    }
    if (error == http::error::end_of_stream) co_await close(true);
    const bool broken = error == http::error::partial_message || error == asio::error::connection_reset;
    if (broken) count_error("reset");
    if (error == beast::error::timeout && (served_ == 0 || buffer_.size() > 0)) count_error("timeout");
    co_return false;
  }

  std::string serialize(const Response& response, bool head, unsigned version, bool keep) const {
    http::response<http::empty_body> out{static_cast<http::status>(response.status), version};
    out.set(http::field::content_type, response.content_type);
    out.set("X-Content-Type-Options", "nosniff");
    out.set(http::field::cache_control, "no-store");
    out.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    out.set("Referrer-Policy", "no-referrer");
    if (stream_.secure()) out.set("Strict-Transport-Security", "max-age=31536000");
    for (const auto& [name, value] : response.headers) out.set(name, value);
    out.keep_alive(keep);
    out.content_length(response.body.size());
    std::ostringstream text;
    text << out.base();
    return head ? text.str() : text.str() + response.body;
  }

  asio::awaitable<bool> write(const Response& response, bool head, unsigned version, bool keep) {
    const std::string bytes = serialize(response, head, version, keep);
    lowest().expires_after(shared_.limits.write_timeout);
    const auto [error, written] = co_await stream_.write(bytes);
    static_cast<void>(written);
    if (error) count_error(error == beast::error::timeout ? "timeout" : "reset");
    co_return !error;
  }

  // `complete`: the peer has nothing more to send. Otherwise it may still be sending a body; closing at once would make its system
  // throw our answer away, so a bounded rest is read and dropped first.
  asio::awaitable<void> close(bool complete) {
    lowest().expires_after(kCloseTimeout);
    co_await stream_.say_goodbye();
    beast::error_code ignored;
    lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    std::array<char, kChunkBytes> dropped{};
    for (std::size_t total = 0; !complete && total < kLingerBytes;) {
      const auto [error, bytes] = co_await lowest().async_read_some(asio::buffer(dropped), kAwait);
      if (error) break;
      total += bytes;
    }
  }

  Stream& stream_;
  const std::string address_;
  const Result<transport::PeerIdentity> peer_;
  const Router& router_;
  Shared& shared_;
  beast::flat_buffer buffer_{64_KiB};
  std::size_t served_ = 0;
};

// Keeps the way to close one connection in the shared list while it lives.
class OpenConnection {
 public:
  OpenConnection(Shared& shared, beast::tcp_stream& stream, std::string_view listener)
      : shared_(shared), listener_(listener), entry_(shared.close_all.insert(shared.close_all.end(), [&stream] { stream.close(); })) {
    shared_.metrics.change(Metric::http_connections, 1, {listener_});
  }
  ~OpenConnection() {
    shared_.close_all.erase(entry_);
    shared_.metrics.change(Metric::http_connections, -1, {listener_});
  }
  OpenConnection(const OpenConnection&) = delete;
  OpenConnection& operator=(const OpenConnection&) = delete;

 private:
  Shared& shared_;
  const std::string_view listener_;
  std::list<std::function<void()>>::iterator entry_;
};

}  // namespace

asio::awaitable<void> serve_tls(asio::ip::tcp::socket socket, std::string address, transport::TlsContext context, const Router& router,
                                Shared& shared) {
  try {
    TlsStream stream(beast::tcp_stream(std::move(socket)), *context);
    const OpenConnection open(shared, beast::get_lowest_layer(stream), "https");
    beast::get_lowest_layer(stream).expires_after(shared.limits.handshake_timeout);
    const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, kAwait);
    if (error) {
      const bool timeout = error == beast::error::timeout;
      shared.metrics.add(Metric::http_connection_errors, 1, {timeout ? "timeout" : "tls"});
      const std::string why = timeout ? "no handshake in time" : transport::tls_error(stream.native_handle(), static_cast<unsigned long>(error.value())).message();
      log::write(shared.tls_failures, log::Level::info, "an HTTPS connection failed", {{"peer", address}, {"error", why}});
      co_return;
    }
    StreamOf<TlsStream> bytes(stream);
    Conversation conversation(bytes, std::move(address), transport::peer_identity(stream.native_handle()), router, shared);
    co_await conversation.run();
  } catch (const std::exception& error) {
    log::write(shared.handler_failures, log::Level::error, "an HTTPS connection ended by an exception", {{"error", error.what()}});
  }
}

asio::awaitable<void> serve_plain(asio::ip::tcp::socket socket, std::string address, const Router& router, Shared& shared) {
  try {
    PlainStream stream(std::move(socket));
    const OpenConnection open(shared, stream, "plain");
    StreamOf<PlainStream> bytes(stream);
    Conversation conversation(bytes, std::move(address), transport::PeerIdentity{}, router, shared);
    co_await conversation.run();
  } catch (const std::exception& error) {
    log::write(shared.handler_failures, log::Level::error, "a plain connection ended by an exception", {{"error", error.what()}});
  }
}

}  // namespace fw::api
