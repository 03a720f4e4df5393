// What the container runtime of this node knows, by the Container Runtime Interface (CRI): the only header of this folder for the rest of the
// agent. The socket equals root on the node, so whoever answers there is trusted with names, not with memory: every answer is bounded.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "node-agent/collectors/container_facts.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::cri {

struct RuntimeConfig {
  std::string socket = "auto";   // a path; "auto": the first known place that exists, looked up at each attempt
  std::string root_prefix;       // put before the known places and before log paths, for an agent whose host is mounted below a folder
};

struct RuntimeCounters {
  std::uint64_t connections_total = 0;
  std::uint64_t failures_total = 0;       // attempts that failed and connections that broke
  std::uint64_t calls_total = 0;
  std::uint64_t lists_total = 0;
  std::uint64_t events_total = 0;         // messages of the event stream
  std::uint64_t ignored_total = 0;        // containers and pods beyond the bounds, statuses that could not be read
  std::uint64_t containers = 0;           // now
  bool connected = false;
  bool streams = false;                   // GetContainerEvents is offered; false: polled
};

// Takes what is found, on the runtime's executor. Of the runtime they may call look_soon() only.
class Listener {
 public:
  virtual ~Listener() = default;
  // Of a container or a pod's sandbox; again when something of it changed.
  virtual void describe(std::string_view container_id, const collectors::ContainerFacts& facts) = 0;
  // About a container or sandbox that was described, or "": the node itself. wall_ns: when it happened, by the runtime's word; 0: now.
  // Words: docs/containers.md.
  virtual void observe(std::string_view container_id, wire::Observed what, std::int64_t wall_ns) = 0;
};

// Threading: one executor. Blocking: reads at most 16 KiB of a log file when a container failed. Lifetime: listener and clock outlive it;
// destroy it after run() has ended. Errors: none leave it; a runtime that is absent, silent or hostile ends its connection, and the next
// attempt waits up to 30 s.
class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual boost::asio::awaitable<void> run() = 0;   // connects for ever; ends when cancelled
  virtual void look_soon() = 0;                     // a container's process ended: do not wait for the next poll
  // Why nothing is known, for people; "" while connected and before the first attempt has ended.
  virtual std::string lacking() const = 0;
  virtual const RuntimeCounters& counters() const noexcept = 0;
};

// Never nullptr: built without FW_WITH_CRI it only says so.
std::unique_ptr<Runtime> make_runtime(boost::asio::any_io_executor executor, RuntimeConfig config, Listener& listener, const Clock& clock);

}  // namespace fw::cri
