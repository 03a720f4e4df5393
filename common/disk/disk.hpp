// One folder of small files, for spool, journal and audit log. The real one is below; tests inject one that crashes and fails by number.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace fw {

struct FileInfo {
  std::string name;
  std::uint64_t size_bytes = 0;
};

// Names are single path components. Threading: one executor. Blocking: yes, disk. Errors: Errc::gone (no such file), Errc::permission,
// Errc::io. What is durable: the content of a file after sync() returned without an error, its name after sync_folder() did.
class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<std::vector<FileInfo>> list() = 0;
  virtual Result<Bytes> read(std::string_view name) = 0;
  // At the end of the file, which is made when it is not there. After an error any part of the bytes may be in the file.
  virtual Result<void> append(std::string_view name, ByteView bytes) = 0;
  virtual Result<void> sync(std::string_view name) = 0;
  virtual Result<void> sync_folder() = 0;
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;   // replaces `to`
  virtual Result<void> unlink(std::string_view name) = 0;
};

// Owns the folder's descriptor and a lock on it, and keeps the file appended to last open.
class RealDisk final : public Disk {
 public:
  // Makes the folder (mode 0700) when only its last component is missing. Errc::conflict when another process holds it.
  static Result<std::unique_ptr<RealDisk>> open(const std::string& folder);

  Result<std::vector<FileInfo>> list() override;
  Result<Bytes> read(std::string_view name) override;
  Result<void> append(std::string_view name, ByteView bytes) override;
  Result<void> sync(std::string_view name) override;
  Result<void> sync_folder() override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> unlink(std::string_view name) override;

 private:
  explicit RealDisk(UniqueFd folder) : folder_(std::move(folder)) {}
  UniqueFd folder_;
  std::string open_name_;
  UniqueFd open_file_;      // open_name_, for appending
};

// A folder that cannot be opened: every operation fails with the reason, so the spool works in memory and says why.
class NoDisk final : public Disk {
 public:
  explicit NoDisk(Error reason) : reason_(std::move(reason)) {}
  Result<std::vector<FileInfo>> list() override { return reason_; }
  Result<Bytes> read(std::string_view) override { return reason_; }
  Result<void> append(std::string_view, ByteView) override { return reason_; }
  Result<void> sync(std::string_view) override { return reason_; }
  Result<void> sync_folder() override { return reason_; }
  Result<void> rename(std::string_view, std::string_view) override { return reason_; }
  Result<void> unlink(std::string_view) override { return reason_; }

 private:
  Error reason_;
};

}  // namespace fw
