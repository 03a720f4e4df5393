// PEM files: written whole or not at all, keys for their owner only (pki.hpp).
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "common/id.hpp"
#include "common/unique_fd.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::transport {
namespace {

constexpr std::size_t kMaxPemBytes = 64 * 1024;

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "write " + path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> replace_file(const std::string& path, const std::string& text, mode_t mode) {
  std::array<std::uint8_t, 8> random{};
  fill_random(random);
  const std::string beside = path + "." + to_hex(random) + ".tmp";
  UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return errno_error(errno, "create " + beside);
  Result<void> done = write_all(file.get(), text, beside);
  if (done && ::fchmod(file.get(), mode) != 0) done = errno_error(errno, "chmod " + beside);
  if (done && ::fsync(file.get()) != 0) done = errno_error(errno, "sync " + beside);
  if (done && ::rename(beside.c_str(), path.c_str()) != 0) done = errno_error(errno, "rename to " + path);
  if (!done) {
    ::unlink(beside.c_str());
    return done;
  }
  const UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) return errno_error(errno, "sync " + folder_of(path));
  return {};
}

Result<std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno_error(errno, "open " + path);
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t n = ::read(file.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "read " + path);
    if (n == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > kMaxPemBytes) return Error(Errc::too_large, path + ": more than 64 KiB");
  }
}

}  // namespace

Result<void> write_pem_pair(const PemPair& pair, const std::string& certificate_path, const std::string& key_path) {
  if (auto ok = replace_file(key_path, pair.key, 0600); !ok) return ok;
  return replace_file(certificate_path, pair.certificate, 0644);
}

Result<PemPair> read_pem_pair(const std::string& certificate_path, const std::string& key_path) {
  auto certificate = read_file(certificate_path);
  if (!certificate) return certificate.error();
  auto key = read_file(key_path);
  if (!key) return key.error();
  return PemPair{std::move(*certificate), std::move(*key)};
}

Result<CertificateInfo> certificate_info_of_file(const std::string& path) {
  auto pem = read_file(path);
  if (!pem) return pem.error();
  auto info = certificate_info(*pem);
  if (!info) return with_context(info.error(), path);
  return info;
}

}  // namespace fw::transport
