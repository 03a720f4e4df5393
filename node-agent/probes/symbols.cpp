#include "node-agent/probes/symbols.hpp"

#include <elf.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "node-agent/kernel/text.hpp"

namespace fw::probes {
namespace {

using kernel::take_until;

std::optional<std::uint64_t> hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The T at `offset`, wherever it lies in memory; nothing beyond the end.
template <class T>
std::optional<T> at(std::string_view file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::string_view name_at(std::string_view strings, std::uint32_t offset) {
  if (offset >= strings.size()) return {};
  const auto rest = strings.substr(offset, kMaxSymbolBytes);
  return rest.substr(0, rest.find('\0'));
}

std::string_view section_bytes(std::string_view file, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_NOBITS || section.sh_offset > file.size() || section.sh_size > file.size() - section.sh_offset) return {};
  return file.substr(section.sh_offset, section.sh_size);
}

}  // namespace

std::vector<Mapping> parse_maps(std::string_view text) {
  constexpr std::size_t kMost = 4096;
  std::vector<Mapping> out;
  while (!text.empty() && out.size() < kMost) {   // "55d0-55d1 r-xp 00001000 fd:00 1234   /usr/bin/app"
    auto line = kernel::take_line(text);
    auto range = take_until(line, ' ');
    const auto rights = take_until(line, ' ');
    const auto offset = hexadecimal(take_until(line, ' '));
    take_until(line, ' ');
    take_until(line, ' ');
    const auto begin = hexadecimal(take_until(range, '-'));
    const auto end = hexadecimal(range);
    if (!begin || !end || !offset || rights.size() < 3 || rights[2] != 'x' || *begin >= *end) continue;
    out.push_back({*begin, *end, *offset, std::string(kernel::trimmed(line))});
  }
  std::sort(out.begin(), out.end(), [](const Mapping& a, const Mapping& b) { return a.begin < b.begin; });
  return out;
}

const Mapping* mapping_of(std::span<const Mapping> mappings, std::uint64_t address) {
  const auto after = std::upper_bound(mappings.begin(), mappings.end(), address, [](std::uint64_t value, const Mapping& one) { return value < one.begin; });
  if (after == mappings.begin()) return nullptr;
  const auto& found = *std::prev(after);
  return address < found.end ? &found : nullptr;
}

void SymbolTable::add(std::uint64_t address, std::uint64_t bytes, std::string_view name) {
  if (symbols_.size() >= kMaxSymbols || name.empty()) return;
  name = name.substr(0, kMaxSymbolBytes);
  symbols_.push_back({address, bytes, static_cast<std::uint32_t>(names_.size()), static_cast<std::uint32_t>(name.size())});
  names_.append(name);
}

void SymbolTable::sort() {
  std::sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
}

std::string_view SymbolTable::find(std::uint64_t address) const {
  const auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address, [](std::uint64_t value, const Symbol& one) { return value < one.address; });
  if (after == symbols_.begin()) return {};
  const auto& found = *std::prev(after);
  if (found.bytes != 0 && address - found.address >= found.bytes) return {};
  return std::string_view(names_).substr(found.name, found.name_bytes);
}

Result<SymbolTable> parse_elf_symbols(std::string_view file) {
  const auto header = at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return Error(Errc::malformed, "elf: no header");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) return Error(Errc::unsupported, "elf: not 64 bit, little-endian");
  if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_phentsize != sizeof(Elf64_Phdr)) return Error(Errc::malformed, "elf: table sizes");

  std::vector<Elf64_Phdr> segments;
  for (std::uint64_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = at<Elf64_Phdr>(file, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) break;
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) segments.push_back(*segment);
  }
  const auto place_of = [&](std::uint64_t address) -> std::optional<std::uint64_t> {
    for (const auto& segment : segments) {
      if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) return address - segment.p_vaddr + segment.p_offset;
    }
    return std::nullopt;
  };

  SymbolTable table;
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto section = at<Elf64_Shdr>(file, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) break;
    if ((section->sh_type != SHT_SYMTAB && section->sh_type != SHT_DYNSYM) || section->sh_entsize != sizeof(Elf64_Sym)) continue;
    const auto linked = at<Elf64_Shdr>(file, header->e_shoff + std::uint64_t{section->sh_link} * sizeof(Elf64_Shdr));
    if (!linked) continue;
    const auto symbols = section_bytes(file, *section);
    const auto strings = section_bytes(file, *linked);
    for (std::uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols.size() && table.size() < kMaxSymbols; offset += sizeof(Elf64_Sym)) {
      const auto symbol = at<Elf64_Sym>(symbols, offset);
      if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_value == 0) continue;
      if (const auto place = place_of(symbol->st_value)) table.add(*place, symbol->st_size, name_at(strings, symbol->st_name));
    }
  }
  table.sort();
  return table;
}

SymbolTable parse_kallsyms(std::string_view text) {
  SymbolTable table;
  while (!text.empty()) {   // "ffffffff81000000 T _stext\t[module]"
    auto line = kernel::take_line(text);
    constexpr std::size_t kType = 17;                // half of the lines are data: a look is quicker than a parse
    if (line.size() <= kType || (line[kType] != 't' && line[kType] != 'T')) continue;
    const auto address = hexadecimal(take_until(line, ' '));
    const auto type = take_until(line, ' ');
    if (!address || *address == 0 || (type != "t" && type != "T")) continue;
    table.add(*address, 0, take_until(line, '\t'));
  }
  table.sort();
  return table;
}

}  // namespace fw::probes
