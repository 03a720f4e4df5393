#include "node-agent/collectors/http/elf_functions.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>

#include "common/units.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::collectors {
namespace {

constexpr std::uint64_t kMaxTableBytes = 4_MiB;
constexpr std::size_t kMaxHeaders = 4'096;
constexpr std::size_t kMaxLibraries = 8;

Error malformed(const char* what) { return Error{Errc::malformed, std::string{"shared library: "} + what}; }

template <class Entry>
Result<std::vector<Entry>> read_table(const ReadAt& read_at, std::uint64_t offset, std::uint64_t count) {
  static_assert(std::is_trivially_copyable_v<Entry>);
  if (count > kMaxTableBytes / sizeof(Entry)) return Error{Errc::too_large, "shared library: a table beyond 4 MiB"};
  std::vector<Entry> entries(count);
  if (!read_at(offset, std::as_writable_bytes(std::span{entries}))) return malformed("cut off");
  return entries;
}

// Code that is loaded at this address is at this offset of the file.
std::optional<std::uint64_t> offset_of(std::uint64_t address, const std::vector<Elf64_Phdr>& segments) {
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
    return address - segment.p_vaddr + segment.p_offset;
  }
  return std::nullopt;
}

std::string_view name_at(const std::vector<char>& strings, std::uint32_t at) {
  if (at >= strings.size()) return {};
  const auto* const end = static_cast<const char*>(std::memchr(strings.data() + at, '\0', strings.size() - at));
  return end == nullptr ? std::string_view{} : std::string_view{strings.data() + at, static_cast<std::size_t>(end - strings.data()) - at};
}

}  // namespace

Result<std::vector<std::uint64_t>> find_functions(const ReadAt& read_at, std::span<const std::string_view> names) {
  Elf64_Ehdr header{};
  if (!read_at(0, std::as_writable_bytes(std::span{&header, 1}))) return malformed("cut off");
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_shentsize != sizeof(Elf64_Shdr)) {
    return malformed("not ELF of 64 bits");
  }
  if (header.e_phnum > kMaxHeaders || header.e_shnum > kMaxHeaders) return Error{Errc::too_large, "shared library: too many headers"};
  const auto segments = read_table<Elf64_Phdr>(read_at, header.e_phoff, header.e_phnum);
  if (!segments) return segments.error();
  const auto sections = read_table<Elf64_Shdr>(read_at, header.e_shoff, header.e_shnum);
  if (!sections) return sections.error();
  const auto table = std::find_if(sections->begin(), sections->end(), [](const auto& section) { return section.sh_type == SHT_DYNSYM; });
  if (table == sections->end() || table->sh_link >= sections->size()) return malformed("no dynamic symbols");
  const auto symbols = read_table<Elf64_Sym>(read_at, table->sh_offset, table->sh_size / sizeof(Elf64_Sym));
  if (!symbols) return symbols.error();
  const auto& text = (*sections)[table->sh_link];
  const auto strings = read_table<char>(read_at, text.sh_offset, text.sh_size);
  if (!strings) return strings.error();

  std::vector<std::uint64_t> offsets;
  for (const auto& symbol : *symbols) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    if (std::find(names.begin(), names.end(), name_at(*strings, symbol.st_name)) == names.end()) continue;
    if (const auto offset = offset_of(symbol.st_value, *segments)) offsets.push_back(*offset);
  }
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());   // versions of one symbol
  if (offsets.size() > names.size()) return malformed("a function at several places");
  return offsets;
}

std::vector<std::string_view> tls_libraries(std::string_view maps) {
  std::vector<std::string_view> paths;
  while (!maps.empty()) {
    // 7f1c-7f1d r-xp 00022000 fd:01 1234                       /usr/lib/x86_64-linux-gnu/libssl.so.3
    auto line = kernel::take_line(maps);
    kernel::take_until(line, ' ');
    if (kernel::take_until(line, ' ').find('x') == std::string_view::npos) continue;
    const auto slash = line.find('/');
    if (slash == std::string_view::npos) continue;
    const auto path = line.substr(slash);
    const auto file = path.substr(path.rfind('/') + 1);
    if (!file.starts_with("libssl") || file.find(".so") == std::string_view::npos || file.ends_with(" (deleted)")) continue;
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
    if (paths.size() == kMaxLibraries) break;
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace fw::collectors
