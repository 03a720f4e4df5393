// Files below kept folders: nothing here follows a link or leaves its folder, whatever a workload does to the file system.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace fw::executor {

inline constexpr std::size_t kMaxTextFileBytes = 64 * 1024;

// One path has one spelling: not empty, no "", "." or ".." component, no NUL; a leading "/" is allowed. Pure.
bool is_clean_path(std::string_view path) noexcept;

// `path` below `root` with openat2: beneath, no symbolic links, no magic links. Errc::gone when it is not there, Errc::permission when it
// leads through a link or out of the root, Errc::invalid_argument when it is not clean.
Result<UniqueFd> open_beneath(const UniqueFd& root, std::string_view path, int flags);
Result<UniqueFd> open_folder(const UniqueFd& root, std::string_view path);   // O_PATH | O_DIRECTORY

// A folder that the configuration names; links on the way are the administrator's. Errc::gone and so on.
Result<UniqueFd> open_root(const std::string& path);

// The whole file, as the kernel makes it; what is beyond max_bytes is cut off.
Result<std::string> read_file(const UniqueFd& folder, std::string_view name, std::size_t max_bytes = kMaxTextFileBytes);
// One write(2) of all of `text` to a file that is there. Errc::gone, Errc::permission, Errc::conflict (busy), Errc::invalid_argument (the
// kernel refuses the value), Errc::io.
Result<void> write_file(const UniqueFd& folder, std::string_view name, std::string_view text);

bool has_file(const UniqueFd& folder, std::string_view name);
Result<std::uint64_t> inode_of(const UniqueFd& file);
Result<std::vector<std::string>> subfolders(const UniqueFd& folder, std::size_t max);

// Waits without a file: for things that the kernel finishes soon.
void pause_ms(int ms);

}  // namespace fw::executor
