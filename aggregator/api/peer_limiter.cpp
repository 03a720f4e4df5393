#include "aggregator/api/peer_limiter.hpp"

#include <algorithm>

namespace fw::api {

double PeerLimiter::failures_at(const Peer& peer, std::uint64_t mono_ns) {
  const double seconds = mono_ns > peer.at_ns ? static_cast<double>(mono_ns - peer.at_ns) / 1e9 : 0;
  return std::max(0.0, peer.failures - seconds * kPerSecond);
}

void PeerLimiter::failed(const std::string& address, std::uint64_t mono_ns) {
  const auto known = by_address_.find(address);
  if (known == by_address_.end()) {
    if (peers_.size() >= kMaxPeers) {
      by_address_.erase(peers_.back().address);
      peers_.pop_back();
    }
    peers_.push_front({address, 0, mono_ns});
    by_address_[address] = peers_.begin();
  } else {
    peers_.splice(peers_.begin(), peers_, known->second);
  }
  Peer& peer = peers_.front();
  peer.failures = std::min(failures_at(peer, mono_ns) + 1, 2 * kBurst);
  peer.at_ns = mono_ns;
}

bool PeerLimiter::over_limit(const std::string& address, std::uint64_t mono_ns) const {
  const auto known = by_address_.find(address);
  return known != by_address_.end() && failures_at(*known->second, mono_ns) > kBurst;
}

}  // namespace fw::api
