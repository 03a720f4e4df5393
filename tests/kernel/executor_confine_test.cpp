// What the program can no longer do after its start: each attempt ends it.
#include <cap-ng.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "node-agent/executor/app/confine.hpp"
#include "tests/kernel/executor_sandbox.hpp"

namespace fw::executor::test {
namespace {

// The wait status of a child that did `body` after losing its rights.
int status_of(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!drop_capabilities(Rights::act) || !forbid_system_calls()) ::_exit(90);
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

struct Attempt {
  const char* name;
  std::function<void()> body;
};

class Forbidden : public testing::TestWithParam<Attempt> {
  void SetUp() override {
    if (!kFilterUsable) GTEST_SKIP() << "sanitizers make system calls of their own";
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: the program is root";
  }
};

TEST_P(Forbidden, ends_the_process) {
  const int status = status_of(GetParam().body);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it lived, with exit code " << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

const std::vector<Attempt>& attempts() {
  static const std::vector<Attempt> all{
      {"socket", [] { ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"unix_socket", [] { ::socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"connect", [] { ::syscall(SYS_connect, 0, nullptr, 0); }},
      {"bind", [] { ::syscall(SYS_bind, 0, nullptr, 0); }},
      {"sendto", [] { ::syscall(SYS_sendto, 0, nullptr, 0, 0, nullptr, 0); }},
      {"execve", [] { ::syscall(SYS_execve, "/bin/true", nullptr, nullptr); }},
      {"execveat", [] { ::syscall(SYS_execveat, 0, "", nullptr, nullptr, 0); }},
      {"fork", [] { ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"clone3", [] { ::syscall(SYS_clone3, nullptr, 0); }},
      {"ptrace", [] { ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }},
      {"process_vm_writev", [] { ::syscall(SYS_process_vm_writev, 1, nullptr, 0, nullptr, 0, 0); }},
      {"mount", [] { ::syscall(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr); }},
      {"umount", [] { ::syscall(SYS_umount2, "/nowhere", 0); }},
      {"open_tree", [] { ::syscall(428, -1, "", 0); }},
      {"pivot_root", [] { ::syscall(SYS_pivot_root, "", ""); }},
      {"chroot", [] { ::syscall(SYS_chroot, "/"); }},
      {"unshare", [] { ::syscall(SYS_unshare, CLONE_NEWNS); }},
      {"setns", [] { ::syscall(SYS_setns, 0, 0); }},
      {"bpf", [] { ::syscall(SYS_bpf, BPF_MAP_CREATE, nullptr, 0); }},
      {"perf_event_open", [] { ::syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0); }},
      {"io_uring", [] { ::syscall(425, 1, nullptr); }},
      {"kill", [] { ::syscall(SYS_kill, 0, 0); }},
      {"tgkill", [] { ::syscall(SYS_tgkill, 1, 1, 0); }},
      {"pidfd_getfd", [] { ::syscall(438, 0, 0, 0); }},
      {"init_module", [] { ::syscall(SYS_init_module, nullptr, 0, ""); }},
      {"kexec_load", [] { ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }},
      {"reboot", [] { ::syscall(SYS_reboot, 0, 0, 0, nullptr); }},
      {"setuid", [] { ::syscall(SYS_setuid, 0); }},
      {"capset", [] { ::syscall(SYS_capset, nullptr, nullptr); }},
      {"prctl", [] { ::syscall(SYS_prctl, PR_SET_NAME, "x", 0, 0, 0); }},
      {"seccomp", [] { ::syscall(SYS_seccomp, 0, 0, nullptr); }},
      {"settimeofday", [] { ::syscall(SYS_settimeofday, nullptr, nullptr); }},
      {"ioctl", [] { ::syscall(SYS_ioctl, 0, 0, 0); }},
      {"memfd_create", [] { ::syscall(SYS_memfd_create, "x", 0); }},
      {"symlinkat", [] { ::syscall(SYS_symlinkat, "a", -1, "b"); }},
      {"linkat", [] { ::syscall(SYS_linkat, -1, "a", -1, "b", 0); }},
      {"executable_memory", [] { ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
      {"memory_made_executable", [] {
         auto* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
       }},
      {"setsockopt", [] { ::syscall(SYS_setsockopt, 0, 0, 0, nullptr, 0); }},
#if defined(__x86_64__)
      {"fork_as_such", [] { ::syscall(SYS_fork); }},
      {"foreign_architecture", [] { __asm__ volatile("int $0x80" : : "a"(20) : "memory"); }},
#endif
  };
  return all;
}

INSTANTIATE_TEST_SUITE_P(Executor, Forbidden, testing::ValuesIn(attempts()), [](const auto& one) { return std::string(one.param.name); });

TEST(ExecutorConfine, what_it_needs_still_works) {
  if (!kFilterUsable || ::geteuid() != 0) GTEST_SKIP() << "needs root and no sanitizer";
  const int status = status_of([] {
    std::string text(1'000'000, 'x');                     // memory from the kernel
    if (::getpid() <= 0 || text.size() != 1'000'000) ::_exit(1);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// The line of /proc/self/status in a child that kept `rights`, after losing `before` by itself.
std::string capabilities_of(Rights rights, bool without_kill) {
  int answer[2];
  if (::pipe(answer) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::string text;
    if (without_kill) {
      ::capng_get_caps_process();
      ::capng_update(CAPNG_DROP, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_KILL);
      ::capng_apply(CAPNG_SELECT_CAPS);
    }
    if (auto ok = drop_capabilities(rights); !ok) {
      text = ok.error().message();
    } else {
      const auto status = kernel::read_small_file("/proc/self/status", 8192);
      for (const auto* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:"}) {
        const auto at = status->find(set);
        text += status->substr(at, status->find('\n', at) - at) + "\n";
      }
    }
    (void)!::write(answer[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(answer[1]);
  char buffer[1024];
  const auto bytes = ::read(answer[0], buffer, sizeof buffer);
  ::close(answer[0]);
  ::waitpid(pid, nullptr, 0);
  return bytes > 0 ? std::string(buffer, static_cast<std::size_t>(bytes)) : "";
}

TEST(ExecutorConfine, holds_exactly_its_capabilities) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string none = "0000000000000000";
  const std::string kill = "0000000000000020";   // CAP_KILL is number 5
  const auto expected = [&](const std::string& held) {
    return "CapInh:\t" + none + "\nCapPrm:\t" + held + "\nCapEff:\t" + held + "\nCapBnd:\t" + none + "\nCapAmb:\t" + none + "\nNoNewPrivs:\t1\n";
  };
  EXPECT_EQ(capabilities_of(Rights::observe, false), expected(none));
  EXPECT_EQ(capabilities_of(Rights::act, false), expected(kill));
}

TEST(ExecutorConfine, does_not_start_without_what_it_needs_to_act) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(capabilities_of(Rights::act, true).find("the right kill is missing"), 0U) << capabilities_of(Rights::act, true);
  EXPECT_EQ(capabilities_of(Rights::observe, true).find("CapInh"), 0U);
}

}  // namespace
}  // namespace fw::executor::test
