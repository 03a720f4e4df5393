#include "tests/unit/executor/calls.hpp"

#include <cap-ng.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <optional>
#include <utility>

namespace fw::executor::test {
namespace {

struct Armed { std::string name; Told told; int seen = 0, done = 0; };
std::optional<Armed> g_armed;
std::function<void(std::string_view, int)> g_watcher;

constexpr std::array kOfFiles{"read", "write", "open", "openat", "openat2", "fstat", "fstatat", "fdopendir", "fchown", "fchmod", "fallocate", "renameat2"};

std::optional<long> told(const char* name) {
  if (!g_armed) return std::nullopt;
  auto& armed = *g_armed;
  const bool meant = armed.name.empty() ? std::find(kOfFiles.begin(), kOfFiles.end(), std::string_view(name)) != kOfFiles.end() : armed.name == name;
  if (!meant || armed.seen++ < armed.told.skip || armed.done == armed.told.times) return std::nullopt;
  ++armed.done;
  errno = armed.told.error_number;
  return armed.told.result;
}

void seen(const char* name, int fd) {
  if (!g_watcher) return;
  const int error_number = errno;
  const auto watcher = std::exchange(g_watcher, nullptr);   // its own calls are not watched
  watcher(name, fd);
  g_watcher = watcher;
  errno = error_number;
}

}  // namespace

FailingCall::FailingCall(std::string name, Told told) { g_armed = Armed{std::move(name), told, 0, 0}; }
FailingCall::~FailingCall() { g_armed.reset(); }
bool FailingCall::happened() const { return g_armed->done != 0; }

WatchedCalls::WatchedCalls(std::function<void(std::string_view, int)> watcher) { g_watcher = std::move(watcher); }
WatchedCalls::~WatchedCalls() { g_watcher = nullptr; }

std::string in_child(const std::function<std::string()>& body) {
  int answer[2];
  if (::pipe2(answer, O_CLOEXEC) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto text = body();
    (void)!::write(answer[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(answer[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t bytes; (bytes = ::read(answer[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(bytes));
  ::close(answer[0]);
  ::waitpid(pid, nullptr, 0);
  return text;
}

// A call that is made as it is, unless it was told otherwise.
#define FW_WRAP(type, name, parameters, arguments, fd)                 \
  extern "C" type __real_##name parameters;                            \
  extern "C" type __wrap_##name parameters {                           \
    if (const auto answer = told(#name)) return (type)*answer;         \
    const auto result = __real_##name arguments;                       \
    seen(#name, fd);                                                   \
    return result;                                                     \
  }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"   // of a number to a pointer or to a number
FW_WRAP(ssize_t, read, (int fd, void* data, std::size_t bytes), (fd, data, bytes), fd)
FW_WRAP(int, fstat, (int fd, struct stat* info), (fd, info), fd)
FW_WRAP(int, fstatat, (int fd, const char* name, struct stat* info, int flags), (fd, name, info, flags), fd)
FW_WRAP(int, lstat, (const char* name, struct stat* info), (name, info), -1)
FW_WRAP(int, mkdir, (const char* name, mode_t mode), (name, mode), -1)
FW_WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
FW_WRAP(int, bind, (int fd, const sockaddr* address, socklen_t bytes), (fd, address, bytes), fd)
FW_WRAP(int, chmod, (const char* name, mode_t mode), (name, mode), -1)
FW_WRAP(int, listen, (int fd, int backlog), (fd, backlog), fd)
FW_WRAP(int, accept4, (int fd, sockaddr* address, socklen_t* bytes, int flags), (fd, address, bytes, flags), fd)
FW_WRAP(int, getsockopt, (int fd, int level, int name, void* data, socklen_t* bytes), (fd, level, name, data, bytes), fd)
FW_WRAP(int, signalfd, (int fd, const sigset_t* set, int flags), (fd, set, flags), fd)
FW_WRAP(int, sigprocmask, (int how, const sigset_t* set, sigset_t* old), (how, set, old), -1)
FW_WRAP(ssize_t, recvmsg, (int fd, msghdr* message, int flags), (fd, message, flags), fd)
FW_WRAP(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags), fd)
FW_WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), fd)
FW_WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), fd)
FW_WRAP(int, fallocate, (int fd, int mode, off_t from, off_t bytes), (fd, mode, from, bytes), fd)
FW_WRAP(uid_t, geteuid, (), (), -1)
FW_WRAP(int, capng_get_caps_process, (), (), -1)
FW_WRAP(int, capng_have_capability, (capng_type_t which, unsigned capability), (which, capability), -1)
FW_WRAP(void*, seccomp_init, (std::uint32_t action), (action), -1)
FW_WRAP(int, seccomp_attr_set, (void* context, scmp_filter_attr attribute, std::uint32_t value), (context, attribute, value), -1)
FW_WRAP(int, seccomp_syscall_resolve_name, (const char* name), (name), -1)
FW_WRAP(int, seccomp_rule_add_array, (void* context, std::uint32_t action, int number, unsigned count, const scmp_arg_cmp* arguments),
        (context, action, number, count, arguments), -1)
FW_WRAP(int, seccomp_load, (const void* context), (context), -1)
#pragma GCC diagnostic pop

extern "C" ssize_t __real_write(int, const void*, std::size_t);
extern "C" ssize_t __wrap_write(int fd, const void* data, std::size_t bytes) {
  if (const auto answer = told("write")) return *answer;
  // A control file takes each write as its whole text.
  if (g_watcher && (::fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == O_WRONLY) (void)!::ftruncate(fd, 0);
  const auto written = __real_write(fd, data, bytes);
  seen("write", fd);
  return written;
}

extern "C" DIR* __real_fdopendir(int);
extern "C" DIR* __wrap_fdopendir(int fd) { return told("fdopendir") ? nullptr : __real_fdopendir(fd); }

extern "C" int __real_ppoll(pollfd*, nfds_t, const timespec*, const sigset_t*);
extern "C" int __wrap_ppoll(pollfd* waits, nfds_t count, const timespec* time, const sigset_t* set) {
  if (const auto answer = told("ppoll")) return static_cast<int>(*answer);
  if (count == 0 && g_watcher) {
    seen("pause", -1);
    return 0;
  }
  return __real_ppoll(waits, count, time, set);
}

extern "C" int __real_open(const char*, int, ...);
extern "C" int __wrap_open(const char* name, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (const auto answer = told("open")) return static_cast<int>(*answer);
  return __real_open(name, flags, mode);
}

extern "C" int __real_openat(int, const char*, int, ...);
extern "C" int __wrap_openat(int fd, const char* name, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (const auto answer = told("openat")) return static_cast<int>(*answer);
  return __real_openat(fd, name, flags, mode);
}

extern "C" int __real_prctl(int, ...);
extern "C" int __wrap_prctl(int option, ...) {
  std::va_list more;
  va_start(more, option);
  std::array<unsigned long, 4> words{};
  for (auto& word : words) word = va_arg(more, unsigned long);
  va_end(more);
  if (const auto answer = told("prctl")) return static_cast<int>(*answer);
  return __real_prctl(option, words[0], words[1], words[2], words[3]);
}

extern "C" long __real_syscall(long, ...);
extern "C" long __wrap_syscall(long number, ...) {
  std::va_list more;
  va_start(more, number);
  std::array<long, 6> words{};
  for (auto& word : words) word = va_arg(more, long);
  va_end(more);
  const char* name = number == SYS_openat2 ? "openat2" : number == SYS_renameat2 ? "renameat2" : number == SYS_pidfd_send_signal ? "pidfd_send_signal" : "syscall";
  if (const auto answer = told(name)) return *answer;
  const long result = __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  seen(name, static_cast<int>(words[0]));
  return result;
}

}  // namespace fw::executor::test
