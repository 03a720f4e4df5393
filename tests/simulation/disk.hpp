// A folder in memory: what was written, and what a power cut would leave of it. Operations fail or end the process by chance.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/disk/disk.hpp"
#include "tests/simulation/faults.hpp"

namespace fw::sim {

// Thrown out of an operation: the process is gone. Where: "node.sync", "audit.append", ...
struct Crash { std::string where; };

// What a dead process leaves: everything that it wrote (the machine lives), or what a power cut leaves.
enum class Death : std::uint8_t { process, power };

class SimDisk final : public Disk {
 public:
  // owner: the first part of crash point names.
  SimDisk(std::string owner, Faults* faults, Rng rng) : owner_(std::move(owner)), faults_(faults), rng_(rng) {}

  // The disk after the owner's death. Unsynced bytes and names are lost in part or whole after a power cut.
  void after(Death death);
  // What a power cut at this moment would leave at worst; such a disk has no faults of its own.
  SimDisk worst_case() const;
  void wipe();
  // Another folder's content, as a copy of a machine's image would give.
  void restore_from(const SimDisk& other) { live_ = other.copy(other.live_), durable_ = live_; }

  void full(bool yes) { full_ = yes; }        // ENOSPC until it is not
  void broken(bool yes) { broken_ = yes; }    // EIO until it is not
  bool usable() const { return !full_ && !broken_; }
  void lose_synced(bool yes) { lose_synced_ = yes; }   // a planted bug: a power cut takes some of what was synced
  void ignore_sync(bool yes) { ignore_sync_ = yes; }   // a planted bug: sync says yes and does nothing
  std::uint64_t operations() const { return operations_; }
  std::vector<std::string> names() const;
  const Bytes* peek(const std::string& name) const;   // past the faults

  Result<std::vector<FileInfo>> list() override;
  Result<Bytes> read(std::string_view name) override;
  Result<void> append(std::string_view name, ByteView bytes) override;
  Result<void> sync(std::string_view name) override;
  Result<void> sync_folder() override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> unlink(std::string_view name) override;

 private:
  struct File {
    Bytes data;
    std::size_t synced_bytes = 0;
    bool sync_failed = false;   // the kernel may have dropped what it could not write
  };
  using Files = std::map<std::string, std::shared_ptr<File>, std::less<>>;

  static Files copy(const Files& files);
  std::optional<Error> trouble(std::string_view operation, bool writes);

  std::string owner_;
  Faults* faults_;
  Rng rng_;
  Files live_, durable_;   // durable_: the names that survive a power cut; files are shared between both
  bool full_ = false, broken_ = false, ignore_sync_ = false, lose_synced_ = false;
  std::uint64_t operations_ = 0;
};

}  // namespace fw::sim
