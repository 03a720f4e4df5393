// Puts our program on SSL_write of the OpenSSL libraries that TLS servers use, and takes it off again.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "node-agent/collectors/collector.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::collectors {

// Which cgroups serve TLS the kernel tells (http.bpf.c sees the handshake); only their processes are looked at: at once when a cgroup
// is new, then once a minute. A file is probed once, whoever runs it; when two rounds have not found it in use it is let go.
//
// Threading: one thread. Blocking: reads /proc/PID/maps (0.1 ms each, at most 32 a tick). Limits: kMaxFiles, further ones are counted.
// Lifetime: must end before the BpfSensors.
class TlsProbes {
 public:
  static constexpr std::size_t kMaxFiles = 64;

  explicit TlsProbes(std::string proc_root) : proc_root_(std::move(proc_root)) {}

  // serving: due entities whose cgroup serves TLS. regular: serving holds all of them.
  void update(kernel::BpfSensors& bpf, const std::vector<SampledEntity*>& serving, bool regular, std::uint64_t mono_ns);

  std::size_t files() const noexcept { return files_.size(); }
  std::uint64_t refused_total() const noexcept { return refused_total_; }   // libraries that could not be probed

 private:
  // Containers of one image see one file through different mounts: there the device tells nothing, number, size and time do.
  struct FileKey {
    std::uint64_t device = 0, number = 0, size_bytes = 0, changed_ns = 0;
    auto operator<=>(const FileKey&) const = default;
  };
  struct File {
    std::uint64_t cookie = 0;
    std::uint64_t round = 0;   // that found it in use last
    std::vector<std::unique_ptr<kernel::UserProbe>> probes;
  };

  void look_at(kernel::BpfSensors& bpf, const SampledEntity& entity);
  void use_library(kernel::BpfSensors& bpf, std::uint32_t pid, const std::string& path);
  void let_go(kernel::BpfSensors& bpf);

  std::string proc_root_;
  std::map<FileKey, File> files_;
  std::unordered_set<std::uint32_t> looked_at_;   // entities of this round
  std::uint64_t round_ = 1, round_began_ns_ = 0, next_cookie_ = 1;
  std::size_t budget_ = 0;                        // processes to look at in this tick
  std::uint64_t refused_total_ = 0;
};

}  // namespace fw::collectors
