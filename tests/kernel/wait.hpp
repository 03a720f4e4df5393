// For what the kernel tells nobody: it is asked again until it is so, at most 10 s.
#pragma once
#include <poll.h>

#include <chrono>
#include <functional>

namespace fw::test {

inline bool wait_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace fw::test
