// A BPF map that programs fill and a collector reads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace fw::kernel {

// Threading: one thread. Lifetime: the descriptor belongs to BpfSensors, which must outlive it. Every call is one or a few bpf(2).
class BpfMap {
 public:
  BpfMap(int fd, std::size_t key_bytes, std::size_t value_bytes, std::size_t cpus)
      : fd_(fd), key_bytes_(key_bytes), value_bytes_(value_bytes), cpus_(cpus) {}

  // One value; of a per-CPU map the first CPU's, see each_cpu(). false: no such key.
  template <class Key, class Value>
  bool lookup(const Key& key, Value& value) const {
    return fits(sizeof(Key), sizeof(Value)) && read(&key, sizeof(Value), &value);
  }

  // use(key, values): every entry as it was at some moment of the call; values has one per possible CPU of a per-CPU map, else one.
  // Entries that programs add meanwhile may be missed, none is given twice. Reads many at once where the kernel can (5.6).
  template <class Key, class Value, class Use>
  void each(Use use) const {
    if (!fits(sizeof(Key), sizeof(Value))) return;
    each_raw([&](const void* key, const std::byte* values, std::size_t stride) {
      std::vector<Value>& copies = scratch<Value>();
      copies.resize(cpus_);
      for (std::size_t cpu = 0; cpu < cpus_; ++cpu) __builtin_memcpy(&copies[cpu], values + cpu * stride, sizeof(Value));
      Key copy;
      __builtin_memcpy(&copy, key, sizeof(Key));
      use(copy, std::span<const Value>(copies));
    });
  }

  template <class Key>
  void erase(const Key& key) const {
    if (sizeof(Key) == key_bytes_) erase_raw(&key);
  }
  template <class Key, class Value>
  bool update(const Key& key, const Value& value) const {   // not of per-CPU maps
    return fits(sizeof(Key), sizeof(Value)) && cpus_ == 1 && update_raw(&key, &value);
  }

  int fd() const noexcept { return fd_; }

 private:
  template <class Value>
  static std::vector<Value>& scratch() {
    static thread_local std::vector<Value> values;
    return values;
  }
  bool fits(std::size_t key_bytes, std::size_t value_bytes) const noexcept { return key_bytes == key_bytes_ && value_bytes == value_bytes_; }
  bool read(const void* key, std::size_t bytes, void* value) const;
  void each_raw(const std::function<void(const void* key, const std::byte* values, std::size_t stride)>& use) const;
  void erase_raw(const void* key) const;
  bool update_raw(const void* key, const void* value) const;

  int fd_;
  std::size_t key_bytes_, value_bytes_, cpus_;   // cpus: values per key
};

}  // namespace fw::kernel
