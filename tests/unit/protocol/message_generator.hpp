// Random valid messages from a fixed seed, for property tests.
#pragma once
#include <random>

#include "protocol/wire/messages.hpp"

namespace fw::test {

using Random = std::mt19937_64;

// One of each alternative of wire::Message by index; samples are self-contained.
wire::Message random_message(Random& random, std::size_t alternative);

// A node whose entities and values change from tick to tick; its ticks are valid on one connection.
class SampleWorld {
 public:
  explicit SampleWorld(std::uint64_t seed) : random_(seed) {}
  wire::Samples next_tick();

 private:
  Random random_;
  std::uint64_t tick_ = 0;
  std::uint32_t next_entity_ = 1;
  std::vector<std::uint32_t> entities_;
  bool announced_metrics_ = false;
};

}  // namespace fw::test
