// From addresses to names.
#include <gtest/gtest.h>
#include <link.h>

#include <fstream>
#include <sstream>

#include "node-agent/probes/symbols.hpp"

extern "C" __attribute__((noinline)) int fw_probe_of_symbols(int x) { return x + 1; }

namespace fw::probes {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return std::move(out).str();
}

TEST(Symbols, of_this_program_are_found_by_its_own_mappings) {
  const auto maps = parse_maps(read_file("/proc/self/maps"));
  const auto address = reinterpret_cast<std::uint64_t>(&fw_probe_of_symbols);
  const auto* mapping = mapping_of(maps, address);
  ASSERT_NE(mapping, nullptr);
  const auto table = parse_elf_symbols(read_file("/proc/self/exe"));
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->find(address - mapping->begin + mapping->offset), "fw_probe_of_symbols");
  EXPECT_EQ(mapping_of(maps, 1), nullptr);
}

TEST(Symbols, hold_only_their_own_bytes) {
  SymbolTable table;
  table.add(100, 10, "a");
  table.add(200, 0, "open_end");
  table.sort();
  EXPECT_EQ(table.find(99), "");
  EXPECT_EQ(table.find(109), "a");
  EXPECT_EQ(table.find(110), "");
  EXPECT_EQ(table.find(5'000), "open_end");
}

TEST(Symbols, of_the_kernel_are_text_with_an_address) {
  const auto table = parse_kallsyms("ffffffff81000000 T _stext\nffffffff81000100 t inner\t[module]\nffffffff82000000 D data\n");
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.find(0xffffffff81000180), "inner");
  EXPECT_EQ(parse_kallsyms("0000000000000000 T hidden\n").size(), 0U);
}

TEST(Symbols, survive_a_file_cut_or_changed_anywhere) {
  const auto whole = read_file("/proc/self/exe");
  for (std::size_t cut = 0; cut < 200; ++cut) (void)parse_elf_symbols(std::string_view(whole).substr(0, cut));
  auto broken = whole.substr(0, 4096);
  for (std::size_t at = 16; at < 64; ++at) {
    const char kept = broken[at];
    broken[at] = '\xff';
    (void)parse_elf_symbols(broken);
    broken[at] = kept;
  }
  EXPECT_EQ(parse_elf_symbols("#!/bin/sh").error().code, Errc::malformed);
}

}  // namespace
}  // namespace fw::probes
