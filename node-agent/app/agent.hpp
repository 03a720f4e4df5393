// The running agent: sensors on one side, uplink on the other, one thread between them.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "node-agent/app/once.hpp"
#include "node-agent/collectors/node_sensors.hpp"
#include "node-agent/cri/runtime.hpp"
#include "node-agent/probes/prober.hpp"
#include "node-agent/uplink/uplink.hpp"

namespace fw::agent {

struct AgentDeps {
  collectors::NodeSensors& sensors;
  uplink::Spool& spool;
  const Clock& clock;
  probes::Helper probe_helper = {};       // without a socket: this node answers no probes
};

// Threading: one executor. Lifetime: the deps outlive it; destroy it after run() has ended.
class Agent final : private uplink::Node, private cri::Listener {
 public:
  // runtime: nullopt when nobody is to be asked.
  Agent(boost::asio::io_context& io, AgentDeps deps, uplink::UplinkConfig uplink, std::optional<cri::RuntimeConfig> runtime, NodeIdentity identity,
        std::vector<std::string> lacking);
  ~Agent() override;

  // Until SIGTERM or SIGINT; the value is the signal. Ends within kStopLimit + 1 s whatever the aggregator does.
  boost::asio::awaitable<Result<int>> run();

  static constexpr std::chrono::seconds kStopLimit{2};   // for what can still be acknowledged

 private:
  boost::asio::awaitable<Result<void>> sample_loop();
  boost::asio::awaitable<Result<void>> watch(int fd);
  boost::asio::awaitable<Result<void>> signal_loop();
  boost::asio::awaitable<Result<void>> report_loop();
  boost::asio::awaitable<Result<void>> runtime_loop();
  boost::asio::awaitable<Result<void>> probe_loop();
  bool drain();               // true: more is waiting
  void tick();
  void report();

  wire::Hello hello() const override;
  std::vector<wire::EntityEntry> entities() const override { return sensors_.entities(); }
  std::vector<wire::MetricEntry> metrics() const override { return sensors_.metrics(); }
  void on_welcome(const wire::Welcome& welcome) override;
  void on_focus(const wire::Focus& focus) override;
  void on_probe(const wire::Probe& probe) override;
  void describe(std::string_view container_id, const collectors::ContainerFacts& facts) override { sensors_.describe(container_id, facts); }
  void observe(std::string_view container_id, wire::Observed what, std::int64_t wall_ns) override;

  struct Timers;
  boost::asio::io_context& io_;
  collectors::NodeSensors& sensors_;
  uplink::Spool& spool_;
  const Clock& clock_;
  NodeIdentity identity_;
  std::vector<std::string> lacking_;
  uplink::Uplink uplink_;
  std::unique_ptr<cri::Runtime> runtime_;   // nullptr: not asked
  std::optional<probes::Prober> prober_;
  std::unique_ptr<Timers> timers_;
  std::uint64_t reported_trouble_ = 0;
  std::uint64_t settled_connections_ = 0;   // of UplinkCounters::connections_total
  int signal_ = 0;
};

}  // namespace fw::agent
