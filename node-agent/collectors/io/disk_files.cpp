#include "node-agent/collectors/io/disk_files.hpp"

#include <array>
#include <optional>

#include "node-agent/kernel/text.hpp"

namespace fw::collectors {
namespace {

std::string_view take_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(' ');
  line.remove_prefix(begin == std::string_view::npos ? line.size() : begin);
  return kernel::take_until(line, ' ');
}

std::optional<DiskCounters> parse_line(std::string_view line) {
  DiskCounters disk;
  const auto major = kernel::to_number<std::uint32_t>(take_word(line)), minor = kernel::to_number<std::uint32_t>(take_word(line));
  disk.name = take_word(line);
  std::array<std::uint64_t, 10> numbers{};
  for (auto& number : numbers) {
    const auto value = kernel::to_number<std::uint64_t>(take_word(line));
    if (!value) return std::nullopt;
    number = *value;
  }
  if (!major || !minor || disk.name.empty()) return std::nullopt;
  disk.major = *major;
  disk.minor = *minor;
  disk.reads = numbers[0];
  disk.read_sectors = numbers[2];
  disk.read_ms = numbers[3];
  disk.writes = numbers[4];
  disk.written_sectors = numbers[6];
  disk.write_ms = numbers[7];
  disk.in_flight = numbers[8];
  disk.busy_ms = numbers[9];
  return disk;
}

}  // namespace

std::vector<DiskCounters> parse_diskstats(std::string_view text, std::size_t max) {
  std::vector<DiskCounters> disks;
  while (!text.empty() && disks.size() < max) {
    const auto disk = parse_line(kernel::take_line(text));
    if (disk && disk->reads + disk->writes + disk->in_flight != 0) disks.push_back(*disk);
  }
  return disks;
}

std::string block_status_text(std::uint32_t status) {
  constexpr std::array<const char*, 14> kNames{"OK", "EOPNOTSUPP", "ETIMEDOUT", "ENOSPC", "ENOLINK", "EREMOTEIO", "EBADE", "ENODATA", "EILSEQ", "ENOMEM", "EIO",
                                               "EREQUEUE", "EAGAIN", "EBUSY"};
  return status < kNames.size() ? kNames[status] : "status " + std::to_string(status);
}

}  // namespace fw::collectors
