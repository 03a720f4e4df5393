// The program as one visible list of parts, and the order in which they stop.
#pragma once
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>

#include "aggregator/api/server.hpp"
#include "aggregator/app/backend.hpp"
#include "aggregator/app/config.hpp"
#include "aggregator/app/coordinator.hpp"
#include "aggregator/app/governance_backend.hpp"
#include "aggregator/app/live_backend.hpp"
#include "aggregator/ingest/ingest.hpp"
#include "common/async/task_group.hpp"

namespace fw::app {

struct Ports { std::uint16_t agents = 0, people = 0, plain = 0; };

// Lifetime: open, start, stop. The destructor stops.
class Aggregator {
 public:
  // Opens the store, restores, binds the ports. Nothing is served before start().
  static Result<std::unique_ptr<Aggregator>> open(const AggregatorConfig& config, const Clock& clock);
  ~Aggregator();

  Ports ports() const;
  void start();
  void stop();     // webhooks and people first, then agents, then the store; less than 5 s

  Metrics& metrics() noexcept { return metrics_; }

 private:
  Aggregator() = default;

  // The order of construction; stop() takes them down in its own order, because completions of the store refer to the others.
  Metrics metrics_;
  boost::asio::io_context api_io_{1};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<ingest::Ingest> ingest_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<LiveBackend> live_;
  std::unique_ptr<GovernanceBackend> governance_;
  std::unique_ptr<api::Server> server_;
  std::optional<TaskGroup> api_tasks_;
  std::thread api_thread_;
};

// The command line of fleetwright-aggregator; returns the exit code.
int run_program(int argc, char** argv);

}  // namespace fw::app
