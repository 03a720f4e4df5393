// Small file operations that leave either the old or the new file, with the mode that was meant.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "common/units.hpp"

namespace fw::cli {

inline constexpr std::size_t kMaxConfigBytes = 1_MiB;
inline constexpr std::size_t kMaxCaseBytes = 256_MiB;

enum class FileMode { secret = 0600, plain = 0644 };

// Errc::gone when there is none, Errc::too_large over the limit.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

// Writes a new file beside `path`, syncs and renames it.
Result<void> replace_file(const std::string& path, std::string_view bytes, FileMode mode);

// As replace_file, but Errc::conflict when `path` exists.
Result<void> create_file(const std::string& path, std::string_view bytes, FileMode mode);

}  // namespace fw::cli
