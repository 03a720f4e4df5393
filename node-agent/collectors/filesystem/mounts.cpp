#include "node-agent/collectors/filesystem/mounts.hpp"

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "node-agent/kernel/text.hpp"

namespace fw::collectors {
namespace {

constexpr std::array<std::string_view, 14> kOnDisk{"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "exfat", "ntfs3", "reiserfs", "jfs",
                                                   "bcachefs", "nilfs2"};
constexpr std::array<std::string_view, 14> kOfAServer{"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "lustre", "glusterfs", "gfs2", "ocfs2", "virtiofs",
                                                      "beegfs", "autofs"};

enum class Rank : std::uint8_t { disk, memory, overlay_root, remote, other };

struct Line {
  Mount mount;
  Rank rank = Rank::other;
  bool whole = false;            // its root is mounted, not a folder of it
};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The kernel writes space, tab, newline and backslash as \ and three octal digits.
std::string unescaped(std::string_view text) {
  std::string plain;
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) && octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

Rank rank_of(const Mount& mount) {
  if (holds(kOfAServer, mount.type) || mount.type.starts_with("fuse")) return Rank::remote;
  if (holds(kOnDisk, mount.type)) return Rank::disk;
  // A pod's secrets are small tmpfs each, as many as pods.
  const bool secret = mount.point.find("/kubernetes.io~secret/") != std::string::npos || mount.point.find("/kubernetes.io~projected/") != std::string::npos;
  if (mount.type == "tmpfs") return secret ? Rank::other : Rank::memory;
  return mount.type == "overlay" && mount.point == "/" ? Rank::overlay_root : Rank::other;
}

// "36 35 98:0 /root /point options tags... - type source super_options"
std::optional<Line> parse_line(std::string_view text) {
  Line line;
  kernel::take_until(text, ' ');
  kernel::take_until(text, ' ');
  auto device = kernel::take_until(text, ' ');
  const auto major = kernel::to_number<std::uint32_t>(kernel::take_until(device, ':'));
  const auto minor = kernel::to_number<std::uint32_t>(device);
  line.whole = kernel::take_until(text, ' ') == "/";
  line.mount.point = unescaped(kernel::take_until(text, ' '));
  const auto dash = text.find(" - ");
  if (!major || !minor || !line.mount.point.starts_with('/') || dash == std::string_view::npos) return std::nullopt;
  text.remove_prefix(dash + 3);
  line.mount.device = makedev(*major, *minor);
  line.mount.type = kernel::take_until(text, ' ');
  kernel::take_until(text, ' ');
  while (!text.empty()) {
    const auto option = kernel::take_until(text, ',');
    // ext4 since 6.14 stays "rw" after an error that ended all writing.
    if (option == "ro" || option == "emergency_ro" || option == "shutdown") line.mount.read_only = true;
  }
  line.rank = rank_of(line.mount);
  return line;
}

bool below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::vector<Mount> local_filesystems(std::string_view mountinfo) {
  std::map<std::string, Line, std::less<>> on_top;   // by mount point; the last one is the one that is seen
  while (!mountinfo.empty()) {
    if (auto line = parse_line(kernel::take_line(mountinfo))) {
      auto point = line->mount.point;
      on_top.insert_or_assign(std::move(point), std::move(*line));
    }
  }
  std::vector<std::string_view> remote;
  for (const auto& [point, line] : on_top) {
    if (line.rank == Rank::remote) remote.push_back(point);
  }
  std::map<std::uint64_t, const Line*> best;
  const auto worse = [](const Line& a, const Line& b) {
    if (a.whole != b.whole) return b.whole;
    return std::pair{a.mount.point.size(), std::string_view{a.mount.point}} > std::pair{b.mount.point.size(), std::string_view{b.mount.point}};
  };
  for (const auto& [point, line] : on_top) {
    if (line.rank >= Rank::remote) continue;
    const std::string_view path{point};
    if (std::any_of(remote.begin(), remote.end(), [&](std::string_view folder) { return below(path, folder); })) continue;
    auto& known = best[line.mount.device];
    if (known == nullptr || worse(*known, line)) known = &line;
  }
  std::vector<const Line*> lines;
  for (const auto& [device, line] : best) lines.push_back(line);
  std::stable_sort(lines.begin(), lines.end(), [](const Line* a, const Line* b) {
    return a->rank != b->rank ? a->rank < b->rank : a->mount.point.size() < b->mount.point.size();
  });
  if (lines.size() > kMaxFilesystems) lines.resize(kMaxFilesystems);
  std::vector<Mount> mounts;
  for (const auto* line : lines) mounts.push_back(line->mount);
  return mounts;
}

}  // namespace fw::collectors
