// Files of tests/golden/authority. FW_REGENERATE_GOLDEN=1 writes them anew; a released file is never changed, a new one is added.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/bytes.hpp"

namespace fw::authority {

inline std::string read_golden(const std::string& name) {
  std::ifstream file(std::filesystem::path(FW_SOURCE_DIR) / "tests/golden/authority" / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void compare_golden(const std::string& name, const std::string& now) {
  if (std::getenv("FW_REGENERATE_GOLDEN") != nullptr) {
    const auto path = std::filesystem::path(FW_SOURCE_DIR) / "tests/golden/authority" / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << now;
  }
  EXPECT_TRUE(read_golden(name) == now) << name << " is not what this version writes";
}

inline std::string as_text(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
inline ByteView as_bytes(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

}  // namespace fw::authority
