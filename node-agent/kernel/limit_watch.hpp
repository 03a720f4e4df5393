// Tells at once when somebody writes a control file: a lowered limit is known before the OOM kill that it causes.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace fw::kernel {

// inotify on files, each with a number of the caller. Without it changes are seen at the next reading.
// Threading: one thread. Never blocks.
class LimitWatch {
 public:
  static Result<LimitWatch> open();

  Result<void> add(const std::string& file, std::uint32_t owner);   // Errc::gone, Errc::io (no watches left)
  void remove(std::uint32_t owner);
  // Owners whose files were written since the last call, each once. all is true when the kernel's queue overflowed.
  struct Written { std::vector<std::uint32_t> owners; bool all = false; };
  Written drain();

  int fd() const noexcept { return fd_.get(); }

 private:
  explicit LimitWatch(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::unordered_map<int, std::uint32_t> owner_of_;   // watch descriptor -> owner
};

}  // namespace fw::kernel
