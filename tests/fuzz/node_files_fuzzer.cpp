// The first byte says which file of the node the rest is: mount table, disk counters, /proc files, dpkg's database, a command line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node-agent/collectors/filesystem/mounts.hpp"
#include "node-agent/collectors/host/host_files.hpp"
#include "node-agent/collectors/io/disk_files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::collectors;
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 5) {
    case 0:
      if (local_filesystems(text).size() > kMaxFilesystems) std::abort();
      break;
    case 1:
      if (parse_diskstats(text, 16).size() > 16) std::abort();
      break;
    case 2:
      (void)parse_meminfo(text);
      (void)parse_loadavg(text);
      if (const auto files = parse_file_nr(text); files && files->max > INT64_MAX) std::abort();
      break;
    case 3: {
      PackageList list;
      for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        list.take_line(text.substr(at, end - at));
        at = end + 1;
      }
      const auto packages = list.finish();
      if (packages.size() > PackageList::kMaxPackages || !differences(packages, packages).empty()) std::abort();
      break;
    }
    default:
      if (const auto flags = parse_flags(text); flags.size() > 256 || differences({}, flags).size() != flags.size()) std::abort();
  }
  return 0;
}
