// What a tick carries of the dictionary: on a connection what is new to it, in a spooled block all that it refers to.
#pragma once
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "protocol/wire/messages.hpp"

namespace fw::uplink {

struct Dictionary {
  std::vector<wire::EntityEntry> entities;
  std::vector<wire::MetricEntry> metrics;
};

// Pure. A block that can be read alone: the entries of `all` that the columns use, and their parents.
wire::Samples self_contained(const wire::Samples& tick, const Dictionary& all);

// The entities that one connection has been told. One executor.
class Announced {
 public:
  bool needs_all() const noexcept { return needs_all_; }
  // A tick was not sent: what it announced is unknown to the peer.
  void missed() noexcept { needs_all_ = true; }
  // The tick as it goes to the peer. `all` is looked at when needs_all().
  wire::Samples prepare(wire::Samples tick, const Dictionary& all) const;
  void sent(const wire::Samples& tick);

 private:
  std::unordered_set<std::uint32_t> ids_;
  bool needs_all_ = true;
};

}  // namespace fw::uplink
