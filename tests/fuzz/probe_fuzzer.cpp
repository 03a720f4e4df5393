// Any bytes as a request to the helper, as a result of it, and as what probes read of a node.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "node-agent/probes/helper.hpp"
#include "node-agent/probes/parsers.hpp"
#include "node-agent/probes/symbols.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::probes;
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 8) {
    case 0:
      if (const auto request = from_packet(text)) {
        const auto& path = request->text("path");
        if (path.find("/../") != std::string::npos || path.find('\0') != std::string::npos) std::abort();
        if (!from_packet(to_packet(*request))) std::abort();
      }
      break;
    case 1: (void)result_of_packet(text); break;
    case 2:
      if (const auto table = parse_elf_symbols(text)) (void)table->find(text.size());
      break;
    case 3: {
      const auto maps = parse_maps(text);
      (void)mapping_of(maps, 4096);
      break;
    }
    case 4: (void)parse_kallsyms(text); break;
    case 5:
      if (parse_sockets(text, 10).size() > 10) std::abort();
      (void)parse_task_times(text);
      (void)socket_inode(text);
      break;
    case 6:
      for (const auto& name : environment_names_of(text)) {
        if (name.find('=') != std::string::npos) std::abort();
      }
      (void)parse_nameservers(text);
      break;
    default:
      if (last_lines(text, 3, false).size() > text.size()) std::abort();
      (void)join_argv(text);
      (void)join_stack(text);
  }
  return 0;
}
