#include "node-agent/executor/app/serve.hpp"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "node-agent/executor/app/log.hpp"

namespace fw::executor {
namespace {

using Packets = std::vector<Bytes>;
constexpr std::uint64_t kLongestWaitNs = 60ULL * 1'000'000'000;

class Loop {
 public:
  Loop(authority::Executor& executor, const PacketListener& listener, const UniqueFd& signals, const Clock& clock)
      : executor_(executor), listener_(listener), signals_(signals), clock_(clock) {}

  Result<int> run() {
    for (;;) {
      std::array<pollfd, 2> waits{pollfd{signals_.get(), POLLIN, 0}, peer_or_listener()};
      if (!wait(waits)) return errno_error(errno, "ppoll");
      if (waits[0].revents != 0) {
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) return static_cast<int>(info.ssi_signo);
      }
      if (waits[1].revents != 0) {
        if (auto ok = peer_ ? talk() : meet(); !ok) return ok.error();
      }
      send(executor_.on_timer());
      if (executor_.broken()) return Error(Errc::io, "journal: " + executor_.status().journal_problem);
    }
  }

 private:
  pollfd peer_or_listener() const {
    if (!peer_) return {listener_.fd(), POLLIN, 0};
    return {peer_->fd(), static_cast<short>(peer_->wants_to_write() ? POLLIN | POLLOUT : POLLIN), 0};
  }

  bool wait(std::array<pollfd, 2>& waits) const {
    std::uint64_t rest_ns = kLongestWaitNs;
    if (const auto deadline = executor_.next_deadline_mono_ns()) {
      const auto now = clock_.mono_ns();
      rest_ns = *deadline > now ? std::min(*deadline - now, kLongestWaitNs) : 0;
    }
    const timespec timeout{static_cast<time_t>(rest_ns / 1'000'000'000), static_cast<long>(rest_ns % 1'000'000'000)};
    return ::ppoll(waits.data(), waits.size(), &timeout, nullptr) >= 0 || errno == EINTR;
  }

  Result<void> meet() {
    auto met = listener_.accept();
    if (!met) {
      say(log::Level::warn, "peer refused", {{"error", met.error().message()}});
      return {};
    }
    if (!*met) return {};
    peer_.emplace(std::move(**met));
    say(log::Level::info, "peer connected");
    send(executor_.on_connected());
    return {};
  }

  // One packet a turn: timers and signals wait for nobody.
  Result<void> talk() {
    auto packet = peer_->receive(buffer_);
    if (!packet && packet.error().code == Errc::gone) {
      leave();
      return {};
    }
    if (!packet) return packet.error();
    if (*packet) {
      auto answers = executor_.on_packet(**packet);
      if (!answers) return answers.error();
      send(std::move(*answers));
    } else {
      flush();
    }
    return {};
  }

  void send(Packets packets) {
    if (!peer_) return;
    for (auto& packet : packets) peer_->send(std::move(packet));
    flush();
  }

  void flush() {
    if (!peer_->flush()) leave();
  }

  void leave() {
    say(log::Level::info, "peer gone", {{"dropped", peer_->dropped_total()}});
    peer_.reset();
  }

  authority::Executor& executor_;
  const PacketListener& listener_;
  const UniqueFd& signals_;
  const Clock& clock_;
  std::optional<PacketPeer> peer_;
  Bytes buffer_ = Bytes(authority::kMaxPacketBytes);
};

}  // namespace

Result<UniqueFd> open_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return errno_error(errno, "sigprocmask");
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, "signalfd");
  return fd;
}

Result<int> serve(authority::Executor& executor, const PacketListener& listener, const UniqueFd& signals, const Clock& clock) {
  return Loop(executor, listener, signals, clock).run();
}

}  // namespace fw::executor
