// The system calls of this test program. The linker leads the product's own calls through here (--wrap), so that one of them can fail as a
// healthy machine never lets it, and a folder of plain files can answer like a kernel.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace fw::executor::test {

// While it lives: calls of this name ("" = any that works on files), after the first `skip`, do nothing and say this.
// One thread. One at a time.
struct Told { int error_number = 0; long result = -1; int skip = 0; int times = 1; };
class FailingCall {
 public:
  FailingCall(std::string name, Told told);
  ~FailingCall();
  FailingCall(const FailingCall&) = delete;
  FailingCall& operator=(const FailingCall&) = delete;
  bool happened() const;          // at least once
};

// Called after each wrapped call that was let through, with the file descriptor it worked on (-1: none); "pause" stands for a wait without
// files, which then takes no time.
class WatchedCalls {
 public:
  explicit WatchedCalls(std::function<void(std::string_view call, int fd)> watcher);
  ~WatchedCalls();
  WatchedCalls(const WatchedCalls&) = delete;
  WatchedCalls& operator=(const WatchedCalls&) = delete;
};

// What body says in a child of this process: for what cannot be undone.
std::string in_child(const std::function<std::string()>& body);

}  // namespace fw::executor::test
