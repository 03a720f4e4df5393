// Random bytes and signatures of a schedule (determinism.cpp says how).
#pragma once
#include <cstdint>

#include "tests/simulation/rng.hpp"

namespace fw::sim {

Rng* random_from(Rng* rng);   // nullptr: the kernel again. Answers whom it was from
void forget_signatures();     // so that memory stays small; changes nothing but speed

// Random bytes from somewhere else for a while.
class RandomScope {
 public:
  explicit RandomScope(Rng& rng) : before_(random_from(&rng)) {}
  ~RandomScope() { random_from(before_); }
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

 private:
  Rng* before_;
};

struct SignatureCount { std::uint64_t made = 0, checked = 0; };
const SignatureCount& signature_count();

}  // namespace fw::sim
