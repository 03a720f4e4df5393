#include "tests/simulation/disk.hpp"

#include <algorithm>
#include <cerrno>

namespace fw::sim {

std::optional<Error> SimDisk::trouble(std::string_view operation, bool writes) {
  ++operations_;
  if (broken_) return errno_error(EIO, "simulated");
  if (full_ && writes) return errno_error(ENOSPC, "simulated");
  if (faults_ == nullptr) return std::nullopt;
  if (faults_->strikes(Fault::disk_crash)) throw Crash{owner_ + "." + std::string(operation)};
  if (faults_->strikes(Fault::disk_eio)) return errno_error(EIO, "simulated");
  if (writes && faults_->strikes(Fault::disk_enospc)) return errno_error(ENOSPC, "simulated");
  return std::nullopt;
}

SimDisk::Files SimDisk::copy(const Files& files) {
  Files out;
  for (const auto& [name, file] : files) out[name] = std::make_shared<File>(*file);
  return out;
}

void SimDisk::after(Death death) {
  if (death == Death::process) {   // the page cache lives on, except where writing it failed
    for (auto& [name, file] : live_) {
      if (file->sync_failed && rng_.chance(0.5)) file->data.resize(std::min(file->data.size(), file->synced_bytes));
      file->sync_failed = false;
    }
    return;
  }
  const bool lose = faults_ == nullptr || faults_->strikes(Fault::disk_lost_write, 0.7);
  if (lose && (faults_ == nullptr || rng_.chance(0.5))) live_ = durable_;   // names that were not synced
  for (auto& [name, file] : live_) {
    const auto unsynced = file->data.size() - std::min(file->synced_bytes, file->data.size());
    if (lose && unsynced > 0) {
      const auto kept = rng_.chance(0.5) ? 0 : rng_.below(unsynced + 1);
      file->data.resize(file->data.size() - unsynced + kept);
      // A torn write: the last page holds something else.
      if (kept > 0 && rng_.chance(0.5)) file->data[file->data.size() - 1 - rng_.below(kept)] ^= 0x5a;
    }
    if (lose_synced_) file->data.resize(file->data.size() - rng_.below(file->data.size() / 2 + 1));
    file->synced_bytes = file->data.size();
    file->sync_failed = false;
  }
  durable_ = live_;
}

SimDisk SimDisk::worst_case() const {
  SimDisk out("copy", nullptr, Rng(1));
  out.durable_ = copy(durable_);
  for (auto& [name, file] : out.durable_) file->data.resize(std::min(file->synced_bytes, file->data.size()));
  out.live_ = out.durable_;
  return out;
}

void SimDisk::wipe() {
  live_.clear();
  durable_.clear();
}

std::vector<std::string> SimDisk::names() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : live_) out.push_back(name);
  return out;
}

const Bytes* SimDisk::peek(const std::string& name) const {
  const auto it = live_.find(name);
  return it == live_.end() ? nullptr : &it->second->data;
}

Result<std::vector<FileInfo>> SimDisk::list() {
  if (auto error = trouble("list", false)) return *error;
  std::vector<FileInfo> files;
  for (const auto& [name, file] : live_) files.push_back({name, file->data.size()});
  return files;
}

Result<Bytes> SimDisk::read(std::string_view name) {
  if (auto error = trouble("read", false)) return *error;
  const auto it = live_.find(name);
  if (it == live_.end()) return errno_error(ENOENT, name);
  return it->second->data;
}

Result<void> SimDisk::append(std::string_view name, ByteView bytes) {
  if (auto error = trouble("append", true)) return *error;
  auto& file = live_[std::string(name)];
  if (!file) file = std::make_shared<File>();
  auto part = bytes;
  const bool torn = faults_ != nullptr && faults_->strikes(Fault::disk_crash);
  const bool is_short = !torn && faults_ != nullptr && faults_->strikes(Fault::disk_short);
  if (torn || is_short) part = bytes.first(rng_.below(bytes.size() + 1));
  file->data.insert(file->data.end(), part.begin(), part.end());
  if (torn) throw Crash{owner_ + ".append_torn"};
  if (is_short) return errno_error(ENOSPC, "simulated, after a part");
  return {};
}

Result<void> SimDisk::sync(std::string_view name) {
  const auto it = live_.find(name);
  if (auto error = trouble("sync", true)) {
    if (it != live_.end()) it->second->sync_failed = true;
    return *error;
  }
  if (it == live_.end()) return errno_error(ENOENT, name);
  if (!ignore_sync_) it->second->synced_bytes = it->second->data.size();
  if (faults_ != nullptr && faults_->strikes(Fault::disk_crash)) throw Crash{owner_ + ".after_sync"};
  return {};
}

Result<void> SimDisk::sync_folder() {
  if (auto error = trouble("sync_folder", true)) return *error;
  if (!ignore_sync_) durable_ = live_;
  return {};
}

Result<void> SimDisk::rename(std::string_view from, std::string_view to) {
  if (auto error = trouble("rename", true)) return *error;
  const auto it = live_.find(from);
  if (it == live_.end()) return errno_error(ENOENT, from);
  live_[std::string(to)] = it->second;
  live_.erase(live_.find(from));
  return {};
}

Result<void> SimDisk::unlink(std::string_view name) {
  if (auto error = trouble("unlink", true)) return *error;
  const auto it = live_.find(name);
  if (it == live_.end()) return errno_error(ENOENT, name);
  live_.erase(it);
  return {};
}

}  // namespace fw::sim
