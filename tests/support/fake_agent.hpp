// An agent made of the real session and the real transport, driven step by step from a test.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "common/async/with_timeout.hpp"
#include "common/clock.hpp"
#include "protocol/session/session.hpp"
#include "protocol/transport/connection.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::test {

// Two authorities, a server's and two nodes' certificates in a folder of its own.
class TestPki {
 public:
  explicit TestPki(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    const auto validity = transport::Validity::from(SystemClock{}.wall_ns(), std::chrono::hours(1));
    ca_ = transport::make_ca("test nodes", validity).value();
    other_ca_ = transport::make_ca("others", validity).value();
    transport::CertificateRequest server;
    server.role = transport::PeerIdentity::Kind::server;
    server.name = "aggregator";
    server.server_names = {"127.0.0.1"};
    server.validity = validity;
    transport::write_pem_pair(transport::issue_certificate(ca_, server).value(), folder_ + "/server.crt", folder_ + "/server.key").value();
    transport::write_pem_pair(ca_, folder_ + "/ca.crt", folder_ + "/ca.key").value();
  }
  transport::TlsFiles server() const { return {folder_ + "/server.crt", folder_ + "/server.key", folder_ + "/ca.crt"}; }
  enum class Kind { good, other_ca, expired };
  transport::TlsFiles node(const Uuid& uid, Kind kind = Kind::good) const {
    transport::CertificateRequest request;
    request.role = transport::PeerIdentity::Kind::node;
    request.name = "node";
    request.node_uid = uid;
    const std::int64_t now_ns = SystemClock{}.wall_ns();
    request.validity = kind == Kind::expired ? transport::Validity{now_ns - 7'200 * kNsPerSecond, now_ns - 3'600 * kNsPerSecond}
                                             : transport::Validity::from(now_ns, std::chrono::hours(1));
    const std::string stem = folder_ + "/" + make_uuid_v4().str();
    transport::write_pem_pair(transport::issue_certificate(kind == Kind::other_ca ? other_ca_ : ca_, request).value(), stem + ".crt", stem + ".key").value();
    return {stem + ".crt", stem + ".key", folder_ + "/ca.crt"};
  }
  transport::TlsFiles person(const std::string& name) const {
    transport::CertificateRequest request;
    request.role = transport::PeerIdentity::Kind::person;
    request.name = name;
    request.validity = transport::Validity::from(SystemClock{}.wall_ns(), std::chrono::hours(1));
    const std::string stem = folder_ + "/person-" + name;
    transport::write_pem_pair(transport::issue_certificate(ca_, request).value(), stem + ".crt", stem + ".key").value();
    return {stem + ".crt", stem + ".key", folder_ + "/ca.crt"};
  }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  transport::PemPair ca_, other_ca_;
};

class FakeAgent {
 public:
  static constexpr std::chrono::seconds kPatience{10};

  FakeAgent(std::uint16_t port, transport::TlsFiles tls, Uuid stream, std::uint64_t acknowledged = 0) : port_(port), tls_(std::move(tls)) {
    hello_.agent_version = "test";
    hello_.node_name = "node-test";
    hello_.boot_id = Uuid{{1, 2, 3}};
    hello_.stream_id = stream;
    hello_.acknowledged_seq = acknowledged;
    hello_.cgroup_mode = "v2";
    hello_.kernel_release = "6.12";
  }

  // A client that knows no newer TLS.
  void limit_to_tls_1_2() { tls_1_2_ = true; }

  // TLS only; a server that refuses our certificate may say so only at the first read.
  Result<void> dial() {
    auto context = transport::make_agent_client_context(tls_);
    if (!context) return context.error();
    if (tls_1_2_) {
      SSL_CTX_set_min_proto_version((*context)->native_handle(), TLS1_2_VERSION);
      SSL_CTX_set_max_proto_version((*context)->native_handle(), TLS1_2_VERSION);
    }
    auto connection = run(transport::Connection::connect("127.0.0.1", port_, *context, "127.0.0.1"));
    if (!connection) return connection.error();
    connection_ = std::move(*connection);
    hello_.wall_time_ns = now().wall_ns;
    hello_.mono_ns = now().mono_ns;
    session_.emplace(hello_, now());
    return {};
  }
  Result<void> connect() {
    if (auto dialed = dial(); !dialed) return dialed;
    if (auto sent = handle(session_->start(now())); !sent) return sent;
    return until([this] { return session_->ready(); });
  }
  Result<void> send(const wire::Events& events) {
    auto out = session_->send_events(events, now());
    return out ? handle(std::move(*out)) : Result<void>(out.error());
  }
  Result<void> send(const wire::Samples& samples) {
    auto out = session_->send_samples(samples, now());
    return out ? handle(std::move(*out)) : Result<void>(out.error());
  }
  Result<void> send_raw(const wire::Bytes& bytes) { return run(connection_->write(bytes)); }
  Result<void> wait_ack(std::uint64_t seq) {
    return until([this, seq] { return session_->acknowledged_seq() >= seq; });
  }
  // How the aggregator ended it.
  Error wait_end() {
    auto ended = until([] { return false; });
    return ended ? Error() : ended.error();
  }
  session::AgentSession& session() { return *session_; }

  static wire::Events oom_frame(std::uint64_t seq, std::uint64_t cgroup_id = 100) {
    wire::Events frame;
    frame.seq = seq;
    wire::EntityEntry entity;
    entity.id = 1;
    entity.kind = wire::EntityKind::container;
    entity.cgroup_id = cgroup_id;
    entity.cgroup_path = "/shop/cart";
    entity.name = "cart";
    frame.entities.push_back(entity);
    wire::OomKill kill;
    kill.victim.pid = static_cast<std::uint32_t>(seq);
    kill.victim.comm = "worker";
    kill.constraint = wire::OomConstraint::memcg;
    kill.constraint_source = wire::FactSource::bpf;
    frame.events.push_back({.entity_id = 1, .time_ns = SystemClock{}.wall_ns(), .body = kill});
    return frame;
  }

 private:
  static session::Now now() { return {.mono_ns = SystemClock{}.mono_ns(), .wall_ns = SystemClock{}.wall_ns()}; }

  template <class T>
  T run(boost::asio::awaitable<T> op) {
    std::optional<T> result;
    boost::asio::co_spawn(io_, std::move(op), [&](const std::exception_ptr& thrown, T value) {
      if (thrown) std::rethrow_exception(thrown);
      result.emplace(std::move(value));
    });
    io_.restart();
    io_.run();
    return std::move(*result);
  }
  Result<void> handle(session::Output out) {
    if (!out.write.empty()) {
      if (auto written = run(connection_->write(out.write)); !written) return written;
    }
    if (out.close) return *out.close;
    return {};
  }
  template <class Done>
  Result<void> until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::vector<std::uint8_t> buffer(16'384);
    while (!done()) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left <= left.zero()) return Error(Errc::timeout, "test: waited in vain");
      auto got = run(with_timeout(connection_->read_some(buffer), left));
      if (!got) return Error(Errc::timeout, "test: waited in vain");
      if (!*got) return got->error();
      if (auto handled = handle(session_->on_bytes(wire::ByteView(buffer.data(), **got), now())); !handled) return handled;
    }
    return {};
  }

  boost::asio::io_context io_{1};
  std::uint16_t port_;
  transport::TlsFiles tls_;
  bool tls_1_2_ = false;
  wire::Hello hello_;
  std::unique_ptr<transport::Connection> connection_;
  std::optional<session::AgentSession> session_;
};

}  // namespace fw::test
