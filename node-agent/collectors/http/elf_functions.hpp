// Where functions of a shared library begin in its file, from its dynamic symbol table. The file belongs to a container: nothing in it
// is trusted.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::collectors {

// Fills out with the file's bytes from offset on; false: it has not so many.
using ReadAt = std::function<bool(std::uint64_t offset, std::span<std::byte> out)>;

// Offsets in the file of those of names that it defines, ascending. ELF of 64 bits, little endian.
// Errc::malformed: not such a file; Errc::too_large: tables beyond 4 MiB or more than 4,096 headers.
Result<std::vector<std::uint64_t>> find_functions(const ReadAt& read_at, std::span<const std::string_view> names);

// Paths of the OpenSSL libraries (libssl*.so*) that a process executes code of, from /proc/PID/maps; those that were deleted are left
// out. Ascending, each once, at most 8.
std::vector<std::string_view> tls_libraries(std::string_view maps);

}  // namespace fw::collectors
