// log_tail and kernel_log.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <deque>

#include "node-agent/kernel/kernel_log.hpp"
#include "node-agent/kernel/text.hpp"
#include "node-agent/probes/parsers.hpp"
#include "node-agent/probes/sight.hpp"

namespace fw::probes {
namespace {

constexpr std::size_t kMaxTailBytes = 512 * 1024;   // of the file; the newest lines in it are shown
constexpr std::size_t kMaxRecords = 100'000;        // of the kernel log
constexpr std::size_t kMaxRecordBytes = 8192;       // the kernel's own limit

std::vector<std::string> entries_of(const std::string& folder) {
  std::vector<std::string> out;
  DIR* opened = ::opendir(folder.c_str());
  if (opened == nullptr) return out;
  constexpr std::size_t kMost = 10'000;
  while (const auto* entry = ::readdir(opened)) {
    if (entry->d_name[0] != '.' && out.size() < kMost) out.emplace_back(entry->d_name);
  }
  ::closedir(opened);
  return out;
}

// Where kubelet and docker keep the log of a container; "" when there is none.
std::string log_path(const Sight& sight, const Target& target) {
  const auto& prefix = sight.roots().prefix;
  if (!target.container_id.empty()) {
    const auto links = prefix + "/var/log/containers";
    for (const auto& name : entries_of(links)) {
      if (name.ends_with("-" + target.container_id + ".log")) return links + "/" + name;
    }
    const auto docker = prefix + "/var/lib/docker/containers/" + target.container_id + "/" + target.container_id + "-json.log";
    if (::access(docker.c_str(), F_OK) == 0) return docker;
  }
  if (target.pod_uid.empty() || target.container_name.empty()) return "";
  const auto pods = prefix + "/var/log/pods";
  for (const auto& pod : entries_of(pods)) {
    if (!pod.ends_with("_" + target.pod_uid)) continue;
    const auto folder = pods + "/" + pod + "/" + target.container_name;
    std::uint32_t newest = 0;
    bool found = false;
    for (const auto& file : entries_of(folder)) {   // "0.log", one per restart
      const auto number = file.ends_with(".log") ? kernel::to_number<std::uint32_t>(std::string_view(file).substr(0, file.size() - 4)) : std::nullopt;
      if (!number) continue;
      newest = std::max(newest, *number);
      found = true;
    }
    if (found) return folder + "/" + std::to_string(newest) + ".log";
  }
  return "";
}

// The file itself, below one of the folders in which runtimes keep logs: a link of a container must not lead elsewhere.
Result<UniqueFd> open_log(const Sight& sight, const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return errno_error(errno, path);
  const std::string_view real(resolved);
  const auto& prefix = sight.roots().prefix;
  if (!real.starts_with(prefix + "/var/log/pods/") && !real.starts_with(prefix + "/var/lib/docker/containers/"))
    return Error(Errc::permission, path + ": it is not in a folder of container logs");
  UniqueFd fd(::open(resolved, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Error(Errc::invalid_argument, path + ": no regular file");
  return fd;
}

}  // namespace

Result<Answer> log_tail(const Sight& sight, const Request& request) {
  const auto path = log_path(sight, request.target);
  if (path.empty()) return Error(Errc::gone, "no log of " + request.target.name + " is on this node: it is no container of kubelet or docker, or its log was removed");
  const auto fd = open_log(sight, path);
  if (!fd) return fd.error();
  const auto size = ::lseek(fd->get(), 0, SEEK_END);
  const auto from = std::max<off_t>(0, size - static_cast<off_t>(kMaxTailBytes));
  std::string text(static_cast<std::size_t>(std::max<off_t>(0, size - from)), '\0');
  const auto got = ::pread(fd->get(), text.data(), text.size(), from);
  if (got < 0) return errno_error(errno, path);
  text.resize(static_cast<std::size_t>(got));
  Answer answer;
  answer.text = last_lines(text, request.number("lines"), from == 0);
  answer.facts["file"] = path.substr(sight.roots().prefix.size());
  answer.facts["file_bytes"] = size;
  return answer;
}

Result<Answer> kernel_log(const Sight& sight, const Request& request) {
  const auto path = sight.roots().prefix + "/dev/kmsg";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, path);
  std::deque<std::string> lines;
  std::string record(kMaxRecordBytes, '\0');
  Answer answer;
  for (std::size_t i = 0; i < kMaxRecords && !sight.late(); ++i) {
    const auto got = ::read(fd.get(), record.data(), record.size());
    if (got < 0 && (errno == EINTR || errno == EPIPE)) continue;   // EPIPE: the record was overwritten meanwhile
    if (got <= 0) break;
    const auto parsed = kernel::parse_log_record(std::string_view(record).substr(0, static_cast<std::size_t>(got)));
    if (!parsed) continue;
    std::string line = "[" + std::to_string(parsed->mono_us / 1'000'000) + "." + std::to_string(1'000'000 + parsed->mono_us % 1'000'000).substr(1) + "] ";
    lines.push_back(line.append(parsed->text));
    if (lines.size() > request.number("lines")) lines.pop_front();
  }
  for (const auto& line : lines) answer.text += line + "\n";
  return answer;
}

}  // namespace fw::probes
