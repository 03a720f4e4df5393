#include "tests/simulation/network.hpp"

namespace fw::sim {

void Network::send(int from, int to, Bytes packet) {
  if (tamper_) packet = tamper_(from, to, std::move(packet));
  if (packet.empty()) return;
  if (faults_.strikes(Fault::partition)) {
    const auto until = timeline_.now_ns() + rng_.between(kSecond, 20 * kMinute);
    cut_until_ns_[{from, to}] = until;
    if (rng_.chance(0.5)) cut_until_ns_[{to, from}] = until;   // else in one direction only
  }
  if (!faults_.stopped()) {
    if (const auto cut = cut_until_ns_.find({from, to}); cut != cut_until_ns_.end() && cut->second > timeline_.now_ns()) return;
  }
  if (faults_.strikes(Fault::drop)) return;
  const auto usual = rng_.between(kNsPerMs, 20 * kNsPerMs);
  if (faults_.strikes(Fault::duplicate)) arrive(from, to, packet, rng_.between(kNsPerMs, rng_.chance(0.2) ? 2 * kHour : 10 * kSecond));
  arrive(from, to, std::move(packet), faults_.strikes(Fault::delay) ? rng_.between(usual, rng_.chance(0.2) ? kHour : kMinute) : usual);
}

void Network::arrive(int from, int to, Bytes packet, std::int64_t after_ns) {
  timeline_.in(after_ns, [this, from, to, packet = std::move(packet)] {
    ++deliveries_;
    if (trace_) trace_(from, to, packet);
    if (const auto handler = handlers_.find(to); handler != handlers_.end()) handler->second(from, packet);
  });
}

}  // namespace fw::sim
