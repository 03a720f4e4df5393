#include "node-agent/collectors/http/elf_functions.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

namespace fw::test {
namespace {

using collectors::find_functions;
using collectors::tls_libraries;

constexpr std::array<std::string_view, 2> kNames{"SSL_write", "SSL_write_ex"};

std::string small_library() {
  std::ifstream file{FW_SOURCE_DIR "/tests/fuzz/corpus/elf_functions_fuzzer/small_library", std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

Result<std::vector<std::uint64_t>> find(const std::string& bytes, std::span<const std::string_view> names = kNames) {
  return find_functions([&](std::uint64_t offset, std::span<std::byte> out) {
    if (offset > bytes.size() || out.size() > bytes.size() - offset) return false;
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    return true;
  }, names);
}

TEST(ElfFunctions, finds_the_functions_that_a_library_defines) {
  const auto offsets = find(small_library());
  ASSERT_TRUE(offsets);
  ASSERT_EQ(offsets->size(), 2U);
  EXPECT_LT((*offsets)[0], (*offsets)[1]);
  // Both begin with `push %rbp; mov %rsp,%rbp` in this file.
  for (const auto offset : *offsets) EXPECT_EQ(small_library().substr(offset, 4), "\x55\x48\x89\xe5");
}

TEST(ElfFunctions, finds_nothing_where_there_is_none) {
  constexpr std::array<std::string_view, 1> kOther{"SSL_read"};
  const auto offsets = find(small_library(), kOther);
  ASSERT_TRUE(offsets);
  EXPECT_TRUE(offsets->empty());
}

TEST(ElfFunctions, refuses_every_shorter_file) {
  const auto whole = small_library();
  for (std::size_t size = 0; size < whole.size(); size += 7) EXPECT_FALSE(find(whole.substr(0, size))) << size;
}

TEST(ElfFunctions, refuses_tables_beyond_its_limit) {
  auto bytes = small_library();
  std::uint16_t headers = 5000;
  std::memcpy(bytes.data() + 60, &headers, sizeof(headers));   // e_shnum
  const auto offsets = find(bytes);
  ASSERT_FALSE(offsets);
  EXPECT_EQ(offsets.error().code, Errc::too_large);
}

TEST(TlsLibraries, are_executable_mappings_of_openssl_by_name) {
  const auto paths = tls_libraries(
      "7f10-7f11 r--p 00000000 fd:01 12 /usr/lib/libssl.so.3\n"
      "7f11-7f12 r-xp 00001000 fd:01 12 /usr/lib/libssl.so.3\n"
      "7f12-7f13 r-xp 00001000 fd:01 13 /usr/lib/libcrypto.so.3\n"
      "7f13-7f14 r-xp 00001000 fd:01 14 /app/venv/psycopg.libs/libssl-3e69114b.so.1.1\n"
      "7f14-7f15 r-xp 00001000 fd:01 15 /old/libssl.so.1.1 (deleted)\n"
      "7f15-7f16 r-xp 00000000 00:00 0 [vdso]\n"
      "7f16-7f17 r-xp 00000000 00:00 0\n"
      "7f17-7f18 r-xp 00001000 fd:01 12 /usr/lib/libssl.so.3");
  EXPECT_EQ(paths, (std::vector<std::string_view>{"/app/venv/psycopg.libs/libssl-3e69114b.so.1.1", "/usr/lib/libssl.so.3"}));
}

TEST(TlsLibraries, of_one_process_are_at_most_eight) {
  std::string maps;
  for (char c = 'a'; c < 'z'; ++c) maps += std::string("7f10-7f11 r-xp 0 fd:01 12 /") + c + "/libssl.so.3\n";
  EXPECT_EQ(tls_libraries(maps).size(), 8U);
}

}  // namespace
}  // namespace fw::test
