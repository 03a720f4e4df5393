// One event of a node with all that the aggregator knows of it: whose it is, when it came, how far the node's clock is off.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/fleet/entity.hpp"
#include "common/result.hpp"

namespace fw::fleet {

// Identity of an event: its place in its node's stream. Text form "stream/seq/index".
struct EventRef {
  Uuid stream;
  std::uint64_t seq = 0;
  std::uint32_t index = 0;

  friend auto operator<=>(const EventRef&, const EventRef&) = default;
  std::string str() const;
};

struct NodeEvent {
  EventRef ref;
  EntityPtr entity;                    // never null
  std::int64_t time_ns = 0;            // the node's clock
  std::int64_t received_ns = 0;        // ours
  std::int64_t clock_offset_ns = 0;    // node minus ours; time_ns - clock_offset_ns is in our time, give or take clock_error_ns
  std::int64_t clock_error_ns = 0;
  decltype(wire::Event::body) body;

  std::int64_t our_time_ns() const noexcept { return time_ns - clock_offset_ns; }
};
using NodeEventPtr = std::shared_ptr<const NodeEvent>;

// "oom_kill", "process_exit", "process_signal", "limit_changed", "lost", "unknown", or Observed::what: the words of the case file.
std::string_view kind_of(const NodeEvent& event);

// JSON for the store, and back. Errc::malformed for what body_json / entity_json did not write.
std::string entity_json(const Entity& entity);
std::string body_json(const NodeEvent& event);
Result<Entity> parse_entity(std::string_view text);
Result<decltype(wire::Event::body)> parse_body(std::string_view kind, std::string_view text);

}  // namespace fw::fleet
