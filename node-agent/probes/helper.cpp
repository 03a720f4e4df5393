#include "node-agent/probes/helper.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "node-agent/kernel/text.hpp"
#include "node-agent/probes/run.hpp"
#include "protocol/limits.hpp"

namespace fw::probes {
namespace {

using Clock = std::chrono::steady_clock;

constexpr rlim_t kMaxMoreMemoryBytes = 384UL * 1024 * 1024;   // than the agent had when it forked
constexpr std::size_t kMaxChildren = 4;             // the agent allows fewer
constexpr int kPollMs = 100;                        // while a probe runs
constexpr int kExitAnswered = 0;

struct RightName {
  Right right;
  unsigned capability;
  const char* name;
};
constexpr std::array<RightName, 5> kRights{{{kReadAll, CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}, {kTrace, CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
                                            {kAdmin, CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {kPerf, CAP_PERFMON, "CAP_PERFMON"}, {kSyslog, CAP_SYSLOG, "CAP_SYSLOG"}}};

// Keeps of this process' rights those of `rights`, for ever.
bool keep_only(unsigned rights) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || capng_get_caps_process() != 0) return false;
  std::vector<unsigned> kept;
  for (const auto& one : kRights) {
    if ((rights & one.right) != 0 && capng_have_capability(CAPNG_PERMITTED, one.capability) != 0) kept.push_back(one.capability);
  }
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
  for (const auto capability : kept) capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
  return capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) == 0;
}

rlim_t address_space_bytes() {
  std::array<char, 128> text{};
  const UniqueFd fd(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  const auto size = fd.valid() ? ::read(fd.get(), text.data(), text.size()) : 0;
  std::string_view rest(text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  const auto pages = kernel::to_number<rlim_t>(kernel::take_until(rest, ' '));
  return pages.value_or(0) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

void limit_itself(std::chrono::milliseconds limit) {
  const auto set = [](auto resource, rlim_t value) {
    const rlimit both{value, value};
    ::setrlimit(resource, &both);
  };
  set(RLIMIT_AS, address_space_bytes() + kMaxMoreMemoryBytes);
  set(RLIMIT_CPU, static_cast<rlim_t>(limit.count() / 1000 + 2));
  set(RLIMIT_FSIZE, 0);
  set(RLIMIT_CORE, 0);
  set(RLIMIT_NOFILE, 512);
  // A node short of memory loses the probe first.
  if (const UniqueFd fd(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)); fd.valid()) static_cast<void>(::write(fd.get(), "900", 3));
}

void answer(int socket, const wire::ProbeResult& result) {
  const auto packet = result_packet(result);
  static_cast<void>(::send(socket, packet.data(), packet.size(), MSG_NOSIGNAL));
}

[[noreturn]] void run_child(int socket, const Request& request, const Roots& roots) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit_itself(request.limit);
  if (!keep_only(request.kind->rights)) {
    answer(socket, {.id = request.id, .status = wire::ProbeStatus::failed, .text = "the kernel refused to drop rights"});
    ::_exit(kExitAnswered);
  }
  try {
    answer(socket, run_probe(request, roots));
  } catch (const std::exception& error) {   // no memory within the limit
    answer(socket, {.id = request.id, .status = wire::ProbeStatus::failed, .text = std::string("the probe ended: ") + error.what()});
  }
  ::_exit(kExitAnswered);
}

struct Child {
  pid_t pid = -1;
  std::uint64_t id = 0;
  Clock::time_point deadline;
  bool killed = false;
};

// One process that does nothing but wait; it never parses what it reads from the node.
class HelperLoop {
 public:
  HelperLoop(int socket, Roots roots) : socket_(socket), roots_(std::move(roots)) {}

  void run() {
    std::string packet(kMaxRequestPacketBytes, '\0');
    for (;;) {
      pollfd wait{socket_, POLLIN, 0};
      const int ready = ::poll(&wait, 1, children_.empty() ? -1 : kPollMs);
      if (ready > 0) {
        const auto size = ::recv(socket_, packet.data(), packet.size(), MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) return;   // the agent ended
        if (size > 0) begin(std::string_view(packet).substr(0, static_cast<std::size_t>(size)));
      }
      reap();
    }
  }

 private:
  void begin(std::string_view packet) {
    const auto request = from_packet(packet);
    if (!request) return;   // the agent gives up waiting; only a broken agent comes here
    if (children_.size() >= kMaxChildren) return answer(socket_, {.id = request->id, .status = wire::ProbeStatus::busy, .text = "too many probes run"});
    const pid_t child = ::fork();
    if (child < 0) return answer(socket_, {.id = request->id, .status = wire::ProbeStatus::failed, .text = "fork: no process can be made"});
    if (child == 0) run_child(socket_, *request, roots_);
    children_.push_back({child, request->id, Clock::now() + request->limit, false});
  }

  void reap() {
    const auto now = Clock::now();
    for (auto child = children_.begin(); child != children_.end();) {
      int status = 0;
      if (::waitpid(child->pid, &status, WNOHANG) == child->pid) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != kExitAnswered) {
          const bool late = child->killed || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
          answer(socket_, {.id = child->id, .status = late ? wire::ProbeStatus::timeout : wire::ProbeStatus::failed,
                           .text = late ? "the probe did not end in time" : "the probe ended by signal " + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0)});
        }
        child = children_.erase(child);
        continue;
      }
      // One that hangs in the kernel dies when the kernel lets it go; until then it takes a place, which is what bounds them.
      if (!child->killed && now >= child->deadline) {
        ::kill(child->pid, SIGKILL);
        child->killed = true;
      }
      ++child;
    }
  }

  int socket_;
  Roots roots_;
  std::vector<Child> children_;
};

}  // namespace

Result<Helper> start_helper(const Roots& roots) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno_error(errno, "socketpair");
  Helper helper;
  UniqueFd theirs(ends[1]);
  helper.socket = UniqueFd(ends[0]);
  if (::fcntl(helper.socket.get(), F_SETFL, O_NONBLOCK) != 0) return errno_error(errno, "fcntl");
  if (capng_get_caps_process() == 0) {
    for (const auto& one : kRights) {
      if (capng_have_capability(CAPNG_PERMITTED, one.capability) == 0) helper.lacking += (helper.lacking.empty() ? "" : ", ") + std::string(one.name);
    }
  }
  const pid_t agent = ::getpid();
  helper.pid = ::fork();
  if (helper.pid < 0) return errno_error(errno, "fork");
  if (helper.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != agent) ::_exit(0);
    ::prctl(PR_SET_NAME, "fw-probes");
    ::prctl(PR_SET_DUMPABLE, 0);              // the agent, which has fewer rights, may not look into it
    ::signal(SIGINT, SIG_IGN);                // the agent says when it is over
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGCHLD, SIG_DFL);
    helper.socket.reset();
    unsigned all = 0;
    for (const auto& one : kRights) all |= one.right;
    if (!keep_only(all)) ::_exit(1);
    HelperLoop(theirs.get(), roots).run();
    ::_exit(0);
  }
  return helper;
}

std::string result_packet(const wire::ProbeResult& result) {
  return std::to_string(result.id) + " " + std::to_string(static_cast<int>(result.status)) + " " + result.text.substr(0, limits::kMaxProbeResultBytes);
}

Result<wire::ProbeResult> result_of_packet(std::string_view packet) {
  const auto id = kernel::to_number<std::uint64_t>(kernel::take_until(packet, ' '));
  const auto status = kernel::to_number<std::uint8_t>(kernel::take_until(packet, ' '));
  if (!id || !status || *status > static_cast<std::uint8_t>(wire::ProbeStatus::timeout) || packet.size() > limits::kMaxProbeResultBytes)
    return Error(Errc::malformed, "probe: a packet of the helper");
  return wire::ProbeResult{.id = *id, .status = static_cast<wire::ProbeStatus>(*status), .text = std::string(packet)};
}

}  // namespace fw::probes
