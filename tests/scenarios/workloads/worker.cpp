// A small service whose memory behaves as the flags say. It is the first process of its container in the scenarios, so it
// knows nothing of cgroups, of the programs under test, or of what is expected of it.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <vector>

#include "memory.hpp"

namespace {

using namespace fw::workload;
using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  std::uint64_t base_bytes = 0;          // held from the start
  std::uint64_t request_bytes = 0;       // held by each request ...
  int hold_ms = 0;                       // ... for so long: working set = rate * hold * bytes
  std::uint64_t leak_bytes = 0;          // lost by each request
  int processes = 0;                     // > 0: prefork, the memory is in the children
  std::uint64_t child_after = 0;         // every so many requests start a helper ...
  std::uint64_t child_step_bytes = 0;    // ... that grows by this every 5 ms
  std::uint64_t exit_after = 0;          // end after so many requests
  int exit_code = 0;
  std::string read_file;                 // each request reads it: page cache
  std::string touch_clock;
};

std::atomic<bool> stop{false};
void on_term(int) { stop = true; }

[[noreturn]] void grow_without_end(std::uint64_t step_bytes, const TouchClock& clock) {
  prctl(PR_SET_NAME, "helper");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    Block{step_bytes, clock}.leak();
    poll(nullptr, 0, 5);
  }
}

void read_through(const std::string& path) {
  const fw::UniqueFd fd{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  char block[65536];
  while (fd.valid() && read(fd.get(), block, sizeof block) > 0) {}
}

class Server {
 public:
  Server(const Options& options, int listener, const TouchClock& clock) : options_(options), listener_(listener), clock_(clock) {}

  int run() {
    const Block base{options_.base_bytes, clock_};
    while (!stop) {
      pollfd ready{listener_, POLLIN, 0};
      if (poll(&ready, 1, held_.empty() ? 500 : 5) < 0 && errno != EINTR) return 1;
      release_expired();
      if ((ready.revents & POLLIN) == 0) continue;
      const fw::UniqueFd client{accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)};
      if (!client.valid()) continue;   // another of the prefork processes was quicker
      set_timeout(client.get(), 1000);
      serve(client.get());
      if (options_.exit_after != 0 && served_ >= options_.exit_after) return options_.exit_code;
    }
    return 0;
  }

 private:
  struct Held { Clock::time_point until; Block block; };

  void serve(int client) {
    if (read_until(client, "\r\n\r\n").empty()) return;
    ++served_;
    if (!options_.read_file.empty()) read_through(options_.read_file);
    Block{options_.leak_bytes, clock_}.leak();
    held_.push_back({Clock::now() + std::chrono::milliseconds{options_.hold_ms}, Block{options_.request_bytes, clock_}});
    if (options_.child_after != 0 && served_ % options_.child_after == 0 && fork() == 0) grow_without_end(options_.child_step_bytes, clock_);
    write_all(client, response("200 OK", "ok\n"));
  }

  void release_expired() {
    const auto now = Clock::now();
    while (!held_.empty() && held_.front().until <= now) held_.pop_front();
  }

  const Options& options_;
  int listener_;
  const TouchClock& clock_;
  std::deque<Held> held_;
  std::uint64_t served_ = 0;
};

// Prefork: the parent holds nothing and replaces children that died.
int supervise(Options options, int listener, const TouchClock& clock) {
  options.base_bytes /= static_cast<std::uint64_t>(options.processes);
  std::vector<pid_t> children(static_cast<std::size_t>(options.processes), -1);
  while (!stop) {
    for (pid_t& child : children) {
      if (child > 0) continue;
      child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::_Exit(Server{options, listener, clock}.run());
      }
    }
    int status = 0;
    const pid_t ended = waitpid(-1, &status, 0);
    for (pid_t& child : children) {
      if (child == ended) child = -1;
    }
    poll(nullptr, 0, 100);
  }
  for (const pid_t child : children) {
    if (child > 0) kill(child, SIGTERM);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"A service whose memory behaves as told"};
  const CLI::AsSizeValue size{false};
  app.add_option("--port", options.port)->required();
  app.add_option("--base", options.base_bytes)->transform(size);
  app.add_option("--request", options.request_bytes)->transform(size);
  app.add_option("--hold-ms", options.hold_ms);
  app.add_option("--leak", options.leak_bytes)->transform(size);
  app.add_option("--processes", options.processes);
  app.add_option("--child-after", options.child_after);
  app.add_option("--child-step", options.child_step_bytes)->transform(size);
  app.add_option("--exit-after", options.exit_after);
  app.add_option("--exit-code", options.exit_code);
  app.add_option("--read-file", options.read_file);
  app.add_option("--touch-clock", options.touch_clock);
  CLI11_PARSE(app, argc, argv);

  struct sigaction action{};
  action.sa_handler = on_term;   // no SA_RESTART: poll and waitpid return
  sigaction(SIGTERM, &action, nullptr);
  try {
    const fw::UniqueFd listener = listen_on(options.port);
    fcntl(listener.get(), F_SETFL, O_NONBLOCK);
    const TouchClock clock = options.touch_clock.empty() ? TouchClock{} : TouchClock{options.touch_clock};
    if (options.processes > 0) return supervise(options, listener.get(), clock);
    std::signal(SIGCHLD, SIG_IGN);   // helpers are not waited for
    return Server{options, listener.get(), clock}.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker: %s\n", error.what());
    return 1;
  }
}
