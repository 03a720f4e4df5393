// What files of /proc and of dpkg say, and how two lists of settings differ. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fw::collectors {

struct MemoryInfo {
  std::optional<std::uint64_t> total_bytes, available_bytes, swap_total_bytes, swap_free_bytes;
};
MemoryInfo parse_meminfo(std::string_view text);

struct LoadInfo {
  std::uint64_t load_1m_percent = 0;   // 100: one thread wants to run on average
  std::uint64_t threads = 0;
};
std::optional<LoadInfo> parse_loadavg(std::string_view text);   // "0.52 0.58 0.59 3/602 12345"

struct FileNumbers {
  std::uint64_t open = 0, max = 0;
};
std::optional<FileNumbers> parse_file_nr(std::string_view text);   // "9344 0 9223372036854775807"

// By name: versions of packages, values of flags, of sysctls.
using Settings = std::map<std::string, std::string, std::less<>>;

// Takes the lines of /var/lib/dpkg/status one by one, for the file has megabytes.
class PackageList {
 public:
  static constexpr std::size_t kMaxPackages = 20'000, kMaxFieldBytes = 256;
  void take_line(std::string_view line);
  Settings finish();             // the installed ones; this is empty then

 private:
  void end_of_package();
  std::string name_, version_, architecture_;
  bool installed_ = false;
  Settings packages_;
};

// Arguments as /proc/PID/cmdline has them, each ended by a zero byte: "--flag=value", "--flag value" and "--flag" (whose value is "").
// At most 256 flags; the last one of a name counts.
Settings parse_flags(std::string_view cmdline);

struct Difference {
  std::string name, before, after;   // "" where there was or is none
  friend bool operator==(const Difference&, const Difference&) = default;
};
std::vector<Difference> differences(const Settings& before, const Settings& after);   // by name

// The sysctls whose changes are told, as "vm/swappiness".
std::span<const std::string_view> watched_sysctls() noexcept;
std::string sysctl_name(std::string_view path);   // "vm.swappiness"

}  // namespace fw::collectors
