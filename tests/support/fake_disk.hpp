// A disk in memory that crashes or fails at a numbered operation, and forgets what was not made durable.
#pragma once
#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/disk/disk.hpp"

namespace fw::test {

// What a crash leaves of data that was not synced.
enum class AfterCrash { keep, drop_unsynced, torn };
enum class DiskFault { none, crash, eio, enospc, short_write };

class FakeDisk final : public Disk {
 public:
  struct Crash {};   // thrown out of the operation: the process is gone

  // The operation with this number (the first is 1) fails so; every one after it works.
  void fail_at(std::uint64_t operation, DiskFault fault) {
    fault_at_ = operation;
    fault_ = fault;
  }
  void capacity_bytes(std::optional<std::uint64_t> bytes) { capacity_bytes_ = bytes; }
  std::uint64_t operations() const { return operations_; }
  std::uint64_t most_bytes() const { return most_bytes_; }
  std::uint64_t total_bytes() const {
    std::uint64_t total = 0;
    for (const auto& [name, file] : live_) total += file->data.size();
    return total;
  }
  Bytes* content(const std::string& name) { return live_.contains(name) ? &live_[name]->data : nullptr; }

  // What a power loss would leave at this moment, as a disk of its own.
  FakeDisk durable_copy() const {
    FakeDisk copy;
    for (const auto& [name, file] : durable_) {
      const auto synced = std::min(file->synced_bytes, file->data.size());
      auto& kept = copy.live_[name] = std::make_shared<File>();
      kept->data.assign(file->data.begin(), file->data.begin() + static_cast<std::ptrdiff_t>(synced));
      kept->synced_bytes = synced;
    }
    copy.durable_ = copy.live_;
    return copy;
  }
  // The machine comes back.
  void restart(AfterCrash mode) {
    if (mode == AfterCrash::drop_unsynced) live_ = durable_;
    for (auto& [name, file] : live_) {
      auto& data = file->data;
      const auto unsynced = data.size() - std::min(file->synced_bytes, data.size());
      if (mode == AfterCrash::drop_unsynced) data.resize(data.size() - unsynced);
      if (mode == AfterCrash::torn) data.resize(data.size() - (unsynced + 1) / 2);
      file->synced_bytes = data.size();
    }
    durable_ = live_;
    fault_at_ = 0;
  }

  Result<std::vector<FileInfo>> list() override {
    if (const auto fault = next(); fault != DiskFault::none) return error(fault);
    std::vector<FileInfo> files;
    for (const auto& [name, file] : live_) files.push_back({name, file->data.size()});
    return files;
  }
  Result<Bytes> read(std::string_view name) override {
    if (const auto fault = next(); fault != DiskFault::none) return error(fault);
    const auto it = live_.find(std::string(name));
    if (it == live_.end()) return errno_error(ENOENT, name);
    return it->second->data;
  }
  Result<void> append(std::string_view name, ByteView bytes) override {
    const auto fault = next(DiskFault::short_write);
    if (fault == DiskFault::eio || fault == DiskFault::enospc) return error(fault);
    auto& file = live_[std::string(name)];
    if (!file) file = std::make_shared<File>();
    auto part = bytes;
    bool full = false;
    if (fault != DiskFault::none) part = bytes.first(bytes.size() / 2);
    if (capacity_bytes_ && total_bytes() + part.size() > *capacity_bytes_) {
      part = part.first(static_cast<std::size_t>(*capacity_bytes_ - std::min(*capacity_bytes_, total_bytes())));
      full = true;
    }
    file->data.insert(file->data.end(), part.begin(), part.end());
    most_bytes_ = std::max(most_bytes_, total_bytes());
    if (fault == DiskFault::crash) throw Crash{};
    if (fault != DiskFault::none || full) return errno_error(ENOSPC, name);
    return {};
  }
  Result<void> sync(std::string_view name) override {
    if (const auto fault = next(); fault != DiskFault::none) return error(fault);
    const auto it = live_.find(std::string(name));
    if (it == live_.end()) return errno_error(ENOENT, name);
    it->second->synced_bytes = it->second->data.size();
    return {};
  }
  Result<void> sync_folder() override {
    if (const auto fault = next(); fault != DiskFault::none) return error(fault);
    durable_ = live_;
    return {};
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    if (const auto fault = next(); fault != DiskFault::none) return error(fault);
    const auto it = live_.find(std::string(from));
    if (it == live_.end()) return errno_error(ENOENT, from);
    live_[std::string(to)] = it->second;
    live_.erase(it);
    return {};
  }
  Result<void> unlink(std::string_view name) override {
    if (const auto fault = next(); fault != DiskFault::none) return error(fault);
    if (live_.erase(std::string(name)) == 0) return errno_error(ENOENT, name);
    return {};
  }

 private:
  struct File {
    Bytes data;
    std::size_t synced_bytes = 0;
  };

  // What happens to the operation that begins now. A crash happens before its effect, except inside an append.
  DiskFault next(DiskFault kept = DiskFault::none) {
    if (++operations_ != fault_at_) return DiskFault::none;
    if (fault_ == DiskFault::crash && kept == DiskFault::none) throw Crash{};
    return fault_;
  }
  static Error error(DiskFault fault) { return errno_error(fault == DiskFault::eio ? EIO : ENOSPC, "injected"); }

  std::map<std::string, std::shared_ptr<File>> live_;
  std::map<std::string, std::shared_ptr<File>> durable_;   // the names that survive a power loss
  std::uint64_t operations_ = 0;
  std::uint64_t most_bytes_ = 0;
  std::uint64_t fault_at_ = 0;
  DiskFault fault_ = DiskFault::none;
  std::optional<std::uint64_t> capacity_bytes_;
};

}  // namespace fw::test
