#include "node-agent/executor/app/confine.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

namespace fw::executor {
namespace {

// Whatever their arguments. The kernel's list of the running architecture knows all of them.
constexpr std::array kAllowed{
    // files below kept folders
    "read", "readv", "pread64", "write", "writev", "pwrite64", "close", "fstat", "newfstatat", "statx", "lseek", "getdents64", "openat", "openat2",
    "fsync", "fdatasync", "ftruncate", "fallocate", "renameat", "renameat2", "unlinkat", "fchmod", "fchown", "flock",
    // the one peer
    "accept4", "recvmsg", "sendmsg",
    // processes
    "pidfd_send_signal", "getpid", "gettid", "geteuid", "getegid", "getuid", "getgid",
    // time and waiting
    "ppoll", "clock_gettime", "clock_nanosleep", "gettimeofday", "restart_syscall",
    // memory and the end
    "brk", "munmap", "mremap", "madvise", "futex", "getrandom", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "exit", "exit_group",
    "rseq"};

struct Deleter {
  void operator()(void* context) const noexcept { ::seccomp_release(context); }
};

Error refused(const char* what, int code) { return errno_error(-code, what); }

}  // namespace

std::vector<unsigned> capabilities_for(Rights rights) {
  if (rights == Rights::act) return {CAP_KILL};
  return {};
}

Result<void> drop_capabilities(Rights rights) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "no_new_privs");
  if (::capng_get_caps_process() != 0) return Error(Errc::permission, "the capabilities of this process cannot be read");
  const auto table = capabilities_for(rights);
  for (const auto capability : table) {
    if (::capng_have_capability(CAPNG_EFFECTIVE, capability) == 0)
      return Error(Errc::permission, std::string("the right ") + ::capng_capability_to_name(capability) + " is missing: actions.observe_only is false");
  }
  // Without CAP_SETPCAP the bounding set stays; nothing can be taken from it, because there is neither execve nor a new privilege.
  const bool may_bound = ::capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  const auto sets = may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
  ::capng_clear(sets);
  for (const auto capability : table) ::capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  (void)::capng_apply(sets);   // what counts is what is held afterwards

  if (::capng_get_caps_process() != 0) return Error(Errc::permission, "the capabilities of this process cannot be read");
  for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    const bool wanted = std::find(table.begin(), table.end(), capability) != table.end();
    const bool effective = ::capng_have_capability(CAPNG_EFFECTIVE, capability) != 0;
    const bool permitted = ::capng_have_capability(CAPNG_PERMITTED, capability) != 0;
    const bool inheritable = ::capng_have_capability(CAPNG_INHERITABLE, capability) != 0;
    if (effective != wanted || permitted != wanted || inheritable)
      return Error(Errc::permission, std::string("the right ") + ::capng_capability_to_name(capability) + (wanted ? " is missing" : " could not be given up"));
  }
  return {};
}

Result<void> forbid_system_calls() {
  const std::unique_ptr<void, Deleter> filter(::seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return Error(Errc::unsupported, "seccomp: no filter");
  if (const int code = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS); code != 0) return refused("seccomp", code);
  const auto allow = [&](const char* name, std::initializer_list<scmp_arg_cmp> arguments) -> Result<void> {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return Error(Errc::unsupported, std::string("seccomp: ") + name + " is not known");
    const int code = ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, number, static_cast<unsigned>(arguments.size()), arguments.begin());
    if (code != 0 && code != -EEXIST) return refused(name, code);
    return {};
  };
  for (const auto* name : kAllowed) {
    if (auto ok = allow(name, {}); !ok) return ok;
  }
  struct Narrow { const char* name; scmp_arg_cmp argument; };
  const std::array kNarrow{
      Narrow{"mmap", SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
      Narrow{"mprotect", SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
      Narrow{"getsockopt", SCMP_CMP64(2, SCMP_CMP_EQ, SO_PEERCRED)},
      Narrow{"fcntl", SCMP_CMP64(1, SCMP_CMP_EQ, F_GETFL)},
      Narrow{"fcntl", SCMP_CMP64(1, SCMP_CMP_EQ, F_SETFD)},
  };
  for (const auto& [name, argument] : kNarrow) {
    if (auto ok = allow(name, {argument}); !ok) return ok;
  }
  if (const int code = ::seccomp_load(filter.get()); code != 0) return refused("seccomp", code);
  return {};
}

std::vector<std::string_view> allowed_system_calls() {
  std::vector<std::string_view> names(kAllowed.begin(), kAllowed.end());
  for (const auto* name : {"mmap", "mprotect", "getsockopt", "fcntl"}) names.emplace_back(name);
  return names;
}

}  // namespace fw::executor
