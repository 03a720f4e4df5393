#include "aggregator/cli/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "common/unique_fd.hpp"

namespace fw::cli {
namespace {

// The new content under a temporary name in the same folder; removed again unless it is moved into place.
class NewFile {
 public:
  static Result<NewFile> write(const std::string& path, std::string_view bytes, FileMode mode) {
    std::string name = path + ".XXXXXX";
    const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd.valid()) return errno_error(errno, path);
    NewFile file(std::move(name));
    if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) return errno_error(errno, path);
    while (!bytes.empty()) {
      const auto written = ::write(fd.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno_error(errno, path);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(fd.get()) != 0) return errno_error(errno, path);
    return file;
  }

  explicit NewFile(std::string name) : name_(std::move(name)) {}
  NewFile(NewFile&& other) noexcept : name_(std::exchange(other.name_, {})) {}
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  Result<void> replace(const std::string& path) {
    if (::rename(name_.c_str(), path.c_str()) != 0) return errno_error(errno, path);
    name_.clear();
    return {};
  }

  Result<void> create(const std::string& path) {
    if (::link(name_.c_str(), path.c_str()) == 0) return {};
    if (errno == EEXIST) return Error(Errc::conflict, path + " exists already");
    return errno_error(errno, path);
  }

 private:
  std::string name_;
};

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, path);
  std::string out;
  std::array<char, 64 * 1024> chunk{};
  for (;;) {
    const auto got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, path);
    if (got == 0) return out;
    out.append(chunk.data(), static_cast<std::size_t>(got));
    if (out.size() > max_bytes)
      return Error(Errc::too_large, path + " is larger than " + std::to_string(max_bytes) + " bytes");
  }
}

Result<void> replace_file(const std::string& path, std::string_view bytes, FileMode mode) {
  auto file = NewFile::write(path, bytes, mode);
  if (!file) return file.error();
  return file->replace(path);
}

Result<void> create_file(const std::string& path, std::string_view bytes, FileMode mode) {
  auto file = NewFile::write(path, bytes, mode);
  if (!file) return file.error();
  return file->create(path);
}

}  // namespace fw::cli
