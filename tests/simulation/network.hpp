// Packets between the aggregator (0) and the nodes (1..n): lost, doubled, late, out of order, cut off in one direction or both.
#pragma once
#include <functional>
#include <map>
#include <utility>

#include "common/bytes.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/timeline.hpp"

namespace fw::sim {

class Network {
 public:
  using Handler = std::function<void(int from, const Bytes& packet)>;
  // What an attacker on the wire makes of a packet; an empty answer swallows it.
  using Tamper = std::function<Bytes(int from, int to, Bytes packet)>;

  Network(Timeline& timeline, Faults& faults, Rng rng) : timeline_(timeline), faults_(faults), rng_(rng) {}

  void listen(int endpoint, Handler handler) { handlers_[endpoint] = std::move(handler); }
  void tamper(Tamper tamper) { tamper_ = std::move(tamper); }
  void trace(std::function<void(int from, int to, const Bytes& packet)> trace) { trace_ = std::move(trace); }
  void send(int from, int to, Bytes packet);
  std::uint64_t deliveries() const { return deliveries_; }

 private:
  void arrive(int from, int to, Bytes packet, std::int64_t after_ns);

  Timeline& timeline_;
  Faults& faults_;
  Rng rng_;
  std::map<int, Handler> handlers_;
  Tamper tamper_;
  std::function<void(int, int, const Bytes&)> trace_;
  std::map<std::pair<int, int>, std::int64_t> cut_until_ns_;
  std::uint64_t deliveries_ = 0;
};

}  // namespace fw::sim
