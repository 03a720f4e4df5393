// Which addresses sent many webhooks with a wrong signature lately.
#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

namespace fw::api {

// A leaky bucket per address, for at most kMaxPeers addresses (the one without failures for longest is forgotten first). An address over
// the limit is still served, but only small bodies: hashing must stay cheap, and a good delivery from behind the same proxy must arrive.
//
// Threading: one executor. Time is passed in.
class PeerLimiter {
 public:
  static constexpr std::size_t kMaxPeers = 1'024;
  static constexpr double kBurst = 20;               // failures
  static constexpr double kPerSecond = 0.2;          // failures that are forgiven

  void failed(const std::string& address, std::uint64_t mono_ns);
  bool over_limit(const std::string& address, std::uint64_t mono_ns) const;
  std::size_t size() const noexcept { return by_address_.size(); }

 private:
  struct Peer {
    std::string address;
    double failures = 0;
    std::uint64_t at_ns = 0;
  };
  static double failures_at(const Peer& peer, std::uint64_t mono_ns);

  std::list<Peer> peers_;                            // latest failure first
  std::unordered_map<std::string, std::list<Peer>::iterator> by_address_;
};

}  // namespace fw::api
