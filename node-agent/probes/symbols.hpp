// From addresses to names: mappings of a process, symbol tables of ELF files, kallsyms. Pure; any bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::probes {

inline constexpr std::size_t kMaxSymbols = 400'000;      // of one file
inline constexpr std::size_t kMaxSymbolBytes = 200;      // of a name

struct Mapping {
  std::uint64_t begin = 0, end = 0, offset = 0;
  std::string path;                  // "/usr/lib/libc.so.6", "[vdso]", "" of anonymous memory
};
// Executable mappings of /proc/PID/maps, ascending; at most 4096.
std::vector<Mapping> parse_maps(std::string_view text);
const Mapping* mapping_of(std::span<const Mapping> mappings, std::uint64_t address);

// Sorted by address; names live in one string.
class SymbolTable {
 public:
  void add(std::uint64_t address, std::uint64_t bytes, std::string_view name);   // bytes 0: up to the next one
  void sort();
  std::string_view find(std::uint64_t address) const;    // "" when no symbol holds it
  std::size_t size() const noexcept { return symbols_.size(); }

 private:
  struct Symbol {
    std::uint64_t address = 0, bytes = 0;
    std::uint32_t name = 0, name_bytes = 0;
  };
  std::vector<Symbol> symbols_;
  std::string names_;
};

// A 64-bit little-endian ELF file: functions by their place in the file (what mappings give), whatever addresses it was linked for.
// Errc::malformed; Errc::unsupported for other ELF files.
Result<SymbolTable> parse_elf_symbols(std::string_view file);

// /proc/kallsyms: text symbols. Empty when the kernel hides addresses.
SymbolTable parse_kallsyms(std::string_view text);

}  // namespace fw::probes
