// Memory that is really there: mapped, touched page by page, given back on destruction.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "net.hpp"

namespace fw::workload {

// Wall time of the last page touch, in a file that outlives the process: an OOM kill of this process is never earlier.
// That makes it a truth about the kill which needs neither the kernel log nor the programs under test.
class TouchClock {
 public:
  TouchClock() = default;
  explicit TouchClock(const std::string& path) {
    const UniqueFd fd{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    check(fd.get(), path.c_str());
    check(ftruncate(fd.get(), sizeof(std::int64_t)), path.c_str());
    void* page = mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (page == MAP_FAILED) check(-1, path.c_str());
    last_ns_ = static_cast<std::atomic<std::int64_t>*>(page);
  }
  void stamp() const noexcept {
    if (last_ns_ != nullptr) last_ns_->store(realtime_ns(), std::memory_order_relaxed);
  }
  std::int64_t last_ns() const noexcept { return last_ns_ == nullptr ? 0 : last_ns_->load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t>* last_ns_ = nullptr;   // mapped for the life of the process
};

class Block {
 public:
  Block(std::size_t size_bytes, const TouchClock& clock) : size_bytes_(size_bytes) {
    if (size_bytes == 0) return;
    void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) check(-1, "mmap");
    data_ = static_cast<volatile char*>(memory);
    madvise(memory, size_bytes, MADV_NOHUGEPAGE);   // a page is a page, so that sizes come out as asked
    for (std::size_t at = 0; at < size_bytes; at += 4096) {
      clock.stamp();
      data_[at] = 1;
    }
  }
  Block(Block&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_bytes_(other.size_bytes_) {}
  Block& operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), size_bytes_);
  }
  void leak() noexcept { data_ = nullptr; }

 private:
  volatile char* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

}  // namespace fw::workload
