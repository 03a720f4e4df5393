#include "node-agent/kernel/bpf_map.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fw::kernel {
namespace {

constexpr std::size_t kBatch = 256;

std::size_t stride_of(std::size_t value_bytes, std::size_t cpus) { return cpus == 1 ? value_bytes : (value_bytes + 7) / 8 * 8; }

}  // namespace

bool BpfMap::read(const void* key, std::size_t bytes, void* value) const {
  if (cpus_ == 1) return bpf_map_lookup_elem(fd_, key, value) == 0;
  std::vector<std::byte> all(stride_of(value_bytes_, cpus_) * cpus_);
  if (bpf_map_lookup_elem(fd_, key, all.data()) != 0) return false;
  std::memcpy(value, all.data(), bytes);
  return true;
}

void BpfMap::each_raw(const std::function<void(const void*, const std::byte*, std::size_t)>& use) const {
  const auto stride = stride_of(value_bytes_, cpus_);
  std::vector<std::byte> keys(kBatch * key_bytes_), values(kBatch * stride * cpus_);
  std::vector<std::byte> cursor(std::max<std::size_t>(key_bytes_, 8)), next(cursor.size());
  bool begun = false;
  for (;;) {
    std::uint32_t count = kBatch;
    const int result = bpf_map_lookup_batch(fd_, begun ? cursor.data() : nullptr, next.data(), keys.data(), values.data(), &count, nullptr);
    const int error = result == 0 ? 0 : errno;
    if (error != 0 && error != ENOENT) {
      if (begun) return;   // ENOSPC: a bucket longer than a batch; the next tick sees what is missing now
      break;
    }
    for (std::uint32_t i = 0; i < count; ++i) use(keys.data() + i * key_bytes_, values.data() + i * stride * cpus_, stride);
    if (error == ENOENT) return;
    begun = true;
    cursor.swap(next);
  }
  // A kernel or a kind of map without batches: one by one. A key that a program removes meanwhile would start the walk anew, so it is bounded.
  std::vector<std::byte> all_keys;
  const void* at = nullptr;
  std::vector<std::byte> key(key_bytes_);
  for (std::size_t i = 0; i < 100'000 && bpf_map_get_next_key(fd_, at, next.data()) == 0; ++i) {
    std::memcpy(key.data(), next.data(), key_bytes_);
    at = key.data();
    all_keys.insert(all_keys.end(), key.begin(), key.end());
  }
  for (std::size_t i = 0; i < all_keys.size(); i += key_bytes_) {
    if (bpf_map_lookup_elem(fd_, all_keys.data() + i, values.data()) == 0) use(all_keys.data() + i, values.data(), stride);
  }
}

void BpfMap::erase_raw(const void* key) const { bpf_map_delete_elem(fd_, key); }
bool BpfMap::update_raw(const void* key, const void* value) const { return bpf_map_update_elem(fd_, key, value, BPF_ANY) == 0; }

}  // namespace fw::kernel
