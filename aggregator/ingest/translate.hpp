// From the wire's dictionary ids to the fleet's keys. Pure. The node is the one of the certificate, whatever a message says.
#pragma once
#include <span>
#include <unordered_map>
#include <vector>

#include "aggregator/fleet/node_event.hpp"
#include "aggregator/store/store.hpp"

namespace fw::ingest {

struct Origin {
  Uuid node, boot, stream;
  std::int64_t clock_offset_ns = 0, clock_error_ns = 0;
};

// Dictionary of one connection's samples: ids to what they mean.
class Dictionary {
 public:
  // New or changed entities, parents before use.
  std::vector<fleet::EntityPtr> add(const Origin& origin, std::span<const wire::EntityEntry> entries);
  std::vector<fleet::EntityKey> remove(const Origin& origin, std::span<const std::uint32_t> ids);
  fleet::EntityPtr find(std::uint32_t id) const;

 private:
  std::unordered_map<std::uint32_t, fleet::EntityPtr> entities_;
};

// The events of one self-contained frame. An event of an entity that the frame does not describe is the node's own.
std::vector<fleet::NodeEventPtr> translate(const Origin& origin, const wire::Events& frame, std::int64_t received_ns);
store::Frame to_frame(std::uint64_t seq, std::span<const fleet::NodeEventPtr> events);
Result<fleet::NodeEventPtr> from_stored(const store::StoredEvent& stored);

}  // namespace fw::ingest
