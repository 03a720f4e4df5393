// /proc/diskstats and the names of failures of block requests. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fw::collectors {

// Counters since boot (or since the device came); times in ms as the kernel has them.
struct DiskCounters {
  std::uint32_t major = 0, minor = 0;
  std::string_view name;         // of the text
  std::uint64_t reads = 0, read_sectors = 0, read_ms = 0;       // a sector has 512 bytes here, whatever the device's have
  std::uint64_t writes = 0, written_sectors = 0, write_ms = 0;
  std::uint64_t in_flight = 0, busy_ms = 0;
};

// At most max lines, devices that never did anything left out. Lines of another form mean nothing.
std::vector<DiskCounters> parse_diskstats(std::string_view text, std::size_t max);

// errno's name for a blk_status_t: "EIO"; "status N" for those whose number differs between kernels.
std::string block_status_text(std::uint32_t status);

}  // namespace fw::collectors
