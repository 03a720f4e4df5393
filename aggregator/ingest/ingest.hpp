// The port for agents: mTLS sessions on shards, durable acknowledgement, live windows.
//
// A connection's bytes (TLS, zstd, decoding) are worked on by the shard that took it; a node's windows live on the shard of its hash
// (docs/adr/0008). What the rest of the aggregator must know goes to the Sink.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aggregator/api/metrics.hpp"
#include "aggregator/fleet/node_event.hpp"
#include "aggregator/series/node_series.hpp"
#include "aggregator/store/store.hpp"
#include "common/bytes.hpp"
#include "common/clock.hpp"
#include "protocol/limits.hpp"
#include "protocol/transport/tls.hpp"

namespace fw::ingest {

struct Connected {
  Uuid node, session;
  wire::Hello hello;
  std::int64_t received_ns = 0;
};
struct ClockOf { std::int64_t offset_ns = 0, error_ns = 0; };

// Called on shard threads: thread-safe, never blocks. Calls about one session come in order; events only after they are durable, once.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_connected(Connected connected) = 0;
  virtual void on_disconnected(const Uuid& node, const Uuid& session) = 0;
  virtual void on_entities(const Uuid& node, std::vector<fleet::EntityPtr> known, std::vector<fleet::EntityKey> removed) = 0;
  virtual void on_events(const Uuid& node, std::vector<fleet::NodeEventPtr> events) = 0;
  virtual void on_clock(const Uuid& node, ClockOf clock) = 0;
  virtual void on_lost_samples(const Uuid& node, std::uint64_t values) = 0;
  // A packet of the node's executor (protocol/authority/packets.hpp), unread.
  virtual void on_executor(const Uuid& node, Bytes packet) { static_cast<void>(node), static_cast<void>(packet); }
  // Facts handed over and not yet taken in. Sessions stop reading while it is above Limits::sink_backlog: the agents' spools hold the rest.
  virtual std::size_t backlog() const noexcept { return 0; }
};

struct Limits {
  std::size_t sessions = fw::limits::kMaxSessionsPerAggregator;   // connections, those in their handshake included
  double events_per_second = fw::limits::kMaxEventsPerSecondPerNode;
  double events_burst = 5.0 * fw::limits::kMaxEventsPerSecondPerNode;
  std::size_t max_unsent_bytes = 1U << 20U;                       // to one peer; beyond it the peer is too slow
  std::chrono::nanoseconds handshake = fw::limits::kHandshakeTimeout;
  std::size_t sink_backlog = 100'000;
};

struct Config {
  std::string address = "0.0.0.0";
  std::uint16_t port = 0;                                         // 0: any free port
  transport::TlsFiles tls;                                        // ca: the node authority
  std::size_t shards = 1;
  Limits limits;
  std::chrono::milliseconds sample_period{10'000}, hot_period{1'000};   // told to agents in Welcome
};

// Threading: thread-safe after open(). Lifetime: store, sink, metrics and clock outlive it; the destructor stops it.
class Ingest {
 public:
  struct Deps {
    store::Store& store;
    Sink& sink;
    Metrics& metrics;
    const Clock& clock;
  };
  // Binds the port; nothing is accepted before start(). Errors: certificate files, the address.
  static Result<std::unique_ptr<Ingest>> open(Config config, Deps deps);
  ~Ingest();

  std::uint16_t port() const noexcept;
  void start();
  // Whether new agents are taken; why not ("" when they are).
  std::string not_accepting() const;
  // Says goodbye to every agent, waits for their ends (about a second at most), joins the threads. Idempotent.
  void stop();

  void focus(const Uuid& node, std::vector<std::uint64_t> cgroup_ids, std::chrono::nanoseconds duration);

  // To the node's executor, in order. A packet for a node without a session or an executor is dropped: its sender sends again.
  void send_executor(const Uuid& node, Bytes packet);

  // Asks a node. `done` runs exactly once, on the node's shard or on the calling thread: the node's answer, or Errc::gone (no session, or it
  // ended), Errc::unsupported (its agent answers none), Errc::overloaded (limits::kMaxProbesWaiting wait for it), Errc::timeout.
  using ProbeDone = std::function<void(Result<wire::ProbeResult>)>;
  void probe(const Uuid& node, wire::Probe probe, ProbeDone done);   // its id is given here

  // Windows of a node in [from, to] of the node's clock; `done` runs on the node's shard, with nothing when the node is unknown.
  using SeriesDone = std::function<void(std::vector<series::Series>)>;
  void read_series(const Uuid& node, std::vector<series::Selection> wanted, std::int64_t from_ns, std::int64_t to_ns, SeriesDone done);

  // Runs `visit` on the node's shard, for a short look at its windows: nullptr when the node is unknown. Never kept.
  using SeriesVisit = std::function<void(const series::NodeSeries*)>;
  void visit_series(const Uuid& node, SeriesVisit visit);

 private:
  struct Impl;
  explicit Ingest(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::ingest
