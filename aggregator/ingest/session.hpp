// One agent's connection on its shard: drives the protocol's session, makes events durable, acknowledges. Inside aggregator/ingest only.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>

#include "aggregator/ingest/shard.hpp"
#include "aggregator/ingest/translate.hpp"
#include "protocol/session/session.hpp"
#include "protocol/transport/connection.hpp"

namespace fw::ingest {

// Threading: its shard. Lifetime: shared by its task and those who want to end it.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Context& context, boost::asio::any_io_executor executor);

  // From accept to the end of the connection. Cancellation works during the handshake only; afterwards end() does it.
  boost::asio::awaitable<Result<void>> run(boost::asio::ip::tcp::socket socket);
  void end(std::string reason);                 // says goodbye when it can
  void focus(std::vector<std::uint64_t> cgroup_ids, std::chrono::nanoseconds duration);
  void send_executor(Bytes packet);
  void probe(wire::Probe probe, Ingest::ProbeDone done);
  bool in_handshake() const noexcept { return !connection_; }
  const Uuid& id() const noexcept { return id_; }

 private:
  session::Now now() const { return {.mono_ns = context_.deps.clock.mono_ns(), .wall_ns = context_.deps.clock.wall_ns()}; }
  boost::asio::awaitable<Result<void>> read_loop();
  boost::asio::awaitable<Result<void>> write_loop();
  boost::asio::awaitable<Result<void>> timer_loop();
  boost::asio::awaitable<Result<void>> commit_loop();

  boost::asio::awaitable<void> receive(wire::Hello hello);
  boost::asio::awaitable<void> receive(wire::Events events);
  void receive(wire::Samples samples);
  boost::asio::awaitable<bool> commit(std::vector<store::Frame> frames, std::vector<std::vector<fleet::NodeEventPtr>> events);
  void emit(session::Output out);
  void emit(Result<session::Output> out);
  void fail(Error error);
  void tell_clock();
  void report_end() const;

  void answer_probe(std::uint64_t id, Result<wire::ProbeResult> result);

  struct WaitingProbe {
    Ingest::ProbeDone done;
    std::unique_ptr<boost::asio::steady_timer> timer;
  };
  struct Pending { std::uint64_t seq = 0; std::vector<fleet::NodeEventPtr> events; };

  Context& context_;
  boost::asio::any_io_executor executor_;
  const Uuid id_;
  session::Now started_;
  session::AggregatorSession session_;
  std::unique_ptr<transport::Connection> connection_;
  std::shared_ptr<TokenBucket> bucket_;
  Origin origin_;
  bool established_ = false;
  Dictionary dictionary_;
  wire::Bytes outgoing_;
  std::deque<Pending> pending_;
  boost::asio::steady_timer wake_writer_, wake_committer_, wake_timer_;
  std::map<std::uint64_t, WaitingProbe> probes_;
  std::uint64_t next_probe_ = 1;
  std::optional<Error> end_;
};

}  // namespace fw::ingest
