// Which of a mount table's filesystems are worth a look, and which must not be touched because a look may hang.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fw::collectors {

inline constexpr std::size_t kMaxFilesystems = 64;

struct Mount {
  std::uint64_t device = 0;      // of the whole filesystem, as makedev() makes it
  std::string point;             // where it is best seen: the mount of its root if there is one, the shortest path of several
  std::string type;
  bool read_only = false;        // the filesystem itself; a read-only mount of a writable one is not
};

// /proc/PID/mountinfo: filesystems on local disks, then tmpfs but those of secrets, then an overlay on "/"; one Mount per filesystem, at
// most kMaxFilesystems. Left out are those of a server or of user space (nfs, fuse, ...) and all that is mounted below one, or hidden
// by a later mount on the same point. Lines of another form mean nothing. Pure.
std::vector<Mount> local_filesystems(std::string_view mountinfo);

}  // namespace fw::collectors
