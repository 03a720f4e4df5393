// Shared libraries of containers and maps files of their processes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "node-agent/collectors/http/elf_functions.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace std::string_view_literals;
  constexpr std::array names{"SSL_write"sv, "SSL_write_ex"sv};
  const auto read_at = [&](std::uint64_t offset, std::span<std::byte> out) {
    if (offset > size || out.size() > size - offset) return false;
    std::copy_n(reinterpret_cast<const std::byte*>(data) + offset, out.size(), out.begin());
    return true;
  };
  if (const auto offsets = fw::collectors::find_functions(read_at, names)) {
    if (offsets->size() > names.size() || !std::is_sorted(offsets->begin(), offsets->end())) std::abort();
  }
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  for (const auto path : fw::collectors::tls_libraries(text)) {
    if (!path.starts_with('/') || path.find('\n') != std::string_view::npos) std::abort();
  }
  return 0;
}
