#include "node-agent/kernel/limit_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fw::kernel {

Result<LimitWatch> LimitWatch::open() {
  UniqueFd fd{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  if (!fd.valid()) return errno_error(errno, "inotify");
  return LimitWatch{std::move(fd)};
}

Result<void> LimitWatch::add(const std::string& file, std::uint32_t owner) {
  const int watch = ::inotify_add_watch(fd_.get(), file.c_str(), IN_MODIFY);
  if (watch < 0) return errno_error(errno, file);
  owner_of_[watch] = owner;
  return {};
}

void LimitWatch::remove(std::uint32_t owner) {
  std::erase_if(owner_of_, [&](const auto& entry) {
    if (entry.second != owner) return false;
    ::inotify_rm_watch(fd_.get(), entry.first);   // fails when the file is gone: the kernel has removed it then
    return true;
  });
}

LimitWatch::Written LimitWatch::drain() {
  Written written;
  alignas(inotify_event) char buffer[4096];
  for (;;) {
    const auto got = ::read(fd_.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof(event));
      at += sizeof(event) + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) written.all = true;
      const auto owner = owner_of_.find(event.wd);
      if (owner == owner_of_.end()) continue;
      if ((event.mask & IN_IGNORED) != 0) {
        owner_of_.erase(owner);
      } else if ((event.mask & IN_MODIFY) != 0) {
        written.owners.push_back(owner->second);
      }
    }
  }
  std::sort(written.owners.begin(), written.owners.end());
  written.owners.erase(std::unique(written.owners.begin(), written.owners.end()), written.owners.end());
  return written;
}

}  // namespace fw::kernel
