// Secrets of every shape, made from a seed, in the texts in which they are found on nodes.
#pragma once
#include <random>
#include <string>
#include <vector>

namespace fw::testing {

struct Planted {
  std::string shape;     // "jwt in an argv"
  std::string text;      // one or more lines
  std::string secret;    // no part of it may survive
};

// Deterministic: the same seed, the same secrets. Round-robin over shapes, then carriers.
class Planter {
 public:
  explicit Planter(std::uint32_t seed) : random_(seed) {}
  Planted next();

 private:
  std::string chars(const char* alphabet, std::size_t count);
  std::string keyed(const std::string& secret, std::string* where);

  std::mt19937 random_;
  std::size_t turn_ = 0;
};

}  // namespace fw::testing
