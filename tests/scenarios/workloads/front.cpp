// Stands for everything outside the container: it starts the worker inside the given cgroups, forwards requests to it,
// answers 502 while it is away, and starts it again when it ended. The worker's parent lives outside its cgroup, as a
// container runtime's shim does.
//
// GET /-/status tells the counts, POST /-/stop ends the worker in order (SIGTERM) and keeps it away, POST /-/start starts it.
// --log gets one JSON line per start and end of the worker.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "memory.hpp"

namespace {

using namespace fw::workload;

struct Options {
  std::vector<std::string> cgroups;      // folders; the worker joins each of them before it starts
  std::string port_file, log, touch_clock;
  int restart_delay_ms = 300;
  std::vector<std::string> worker;       // program and arguments, without --port
};

class Supervisor {
 public:
  Supervisor(Options options, std::uint16_t worker_port)
      : options_(std::move(options)), touch_(options_.touch_clock.empty() ? TouchClock{} : TouchClock{options_.touch_clock}) {
    options_.worker.insert(options_.worker.end(), {"--port", std::to_string(worker_port)});
    if (!options_.touch_clock.empty()) options_.worker.insert(options_.worker.end(), {"--touch-clock", options_.touch_clock});
    if (!options_.log.empty()) {
      log_.reset(open(options_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      check(log_.get(), options_.log.c_str());
    }
  }

  // Starts the worker again and again until the process ends.
  void run() {
    for (;;) {
      {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return wanted_; });
      }
      const pid_t pid = start();
      worker_pid_ = pid;
      ++starts_;
      write_log("{\"time_ns\":" + std::to_string(realtime_ns()) + ",\"event\":\"started\",\"pid\":" + std::to_string(pid) + "}\n");
      {
        const std::scoped_lock lock{mutex_};
        if (!wanted_) kill(pid, SIGTERM);   // stop() came before there was a pid
      }
      int status = 0;
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
      const std::scoped_lock lock{mutex_};
      worker_pid_ = 0;
      ++ends_;
      write_log("{\"time_ns\":" + std::to_string(realtime_ns()) + ",\"event\":\"ended\",\"pid\":" + std::to_string(pid) +
                ",\"signal\":" + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0) +
                ",\"exit_code\":" + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 0) +
                ",\"last_touch_ns\":" + std::to_string(touch_.last_ns()) + "}\n");
      changed_.notify_all();
      if (wanted_) std::this_thread::sleep_for(std::chrono::milliseconds{options_.restart_delay_ms});
    }
  }

  void stop_worker() {
    std::unique_lock lock{mutex_};
    wanted_ = false;
    if (worker_pid_ > 0) kill(worker_pid_, SIGTERM);
    changed_.wait(lock, [&] { return worker_pid_ == 0; });
  }

  void start_worker() {
    const std::scoped_lock lock{mutex_};
    wanted_ = true;
    changed_.notify_all();
  }

  pid_t worker_pid() const { return worker_pid_; }
  std::uint64_t starts() const { return starts_; }
  std::uint64_t ends() const { return ends_; }

 private:
  // Between fork and exec only calls that are safe after fork in a program with threads.
  pid_t start() const {
    std::vector<fw::UniqueFd> joins;
    for (const std::string& cgroup : options_.cgroups) {
      joins.emplace_back(open((cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
      check(joins.back().get(), cgroup.c_str());
    }
    std::vector<char*> arguments;
    for (const std::string& argument : options_.worker) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    check(pid, "fork");
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);   // of this thread, which lives as long as the program
    if (getppid() != parent) _exit(126);
    for (const fw::UniqueFd& join : joins) {
      if (write(join.get(), "0", 1) != 1) _exit(126);
    }
    execv(arguments[0], arguments.data());
    _exit(127);
  }

  void write_log(const std::string& line) const {
    if (log_.valid() && write(log_.get(), line.data(), line.size()) < 0) std::perror("front: log");
  }

  Options options_;
  TouchClock touch_;
  fw::UniqueFd log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = true;
  std::atomic<pid_t> worker_pid_{0};
  std::atomic<std::uint64_t> starts_{0}, ends_{0};
};

struct Counts { std::atomic<std::uint64_t> requests{0}, ok{0}, bad_gateway{0}; };

std::string status_json(const Counts& counts, const Supervisor& supervisor) {
  return "{\"requests\":" + std::to_string(counts.requests) + ",\"ok\":" + std::to_string(counts.ok) +
         ",\"bad_gateway\":" + std::to_string(counts.bad_gateway) + ",\"worker_pid\":" + std::to_string(supervisor.worker_pid()) +
         ",\"starts\":" + std::to_string(supervisor.starts()) + ",\"ends\":" + std::to_string(supervisor.ends()) + "}\n";
}

void serve(int listener, std::uint16_t worker_port, Counts& counts, Supervisor& supervisor) {
  for (;;) {
    const fw::UniqueFd client{accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
    if (!client.valid()) continue;
    set_timeout(client.get(), 1000);
    const std::string request = read_until(client.get(), "\r\n\r\n");
    if (request.find(" /-/status") != std::string::npos) {
      write_all(client.get(), response("200 OK", status_json(counts, supervisor)));
    } else if (request.find(" /-/stop") != std::string::npos) {
      supervisor.stop_worker();
      write_all(client.get(), response("200 OK", "stopped\n"));
    } else if (request.find(" /-/start") != std::string::npos) {
      supervisor.start_worker();
      write_all(client.get(), response("200 OK", "started\n"));
    } else if (!request.empty()) {
      ++counts.requests;
      const bool ok = status_of_get(worker_port, 2000) == 200;
      ++(ok ? counts.ok : counts.bad_gateway);
      write_all(client.get(), ok ? response("200 OK", "ok\n") : response("502 Bad Gateway", "worker away\n"));
    }
  }
}

std::uint16_t free_port() { return port_of(listen_on(0).get()); }

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Front of one worker"};
  app.add_option("--cgroup", options.cgroups);
  app.add_option("--port-file", options.port_file)->required();
  app.add_option("--log", options.log);
  app.add_option("--touch-clock", options.touch_clock);
  app.add_option("--restart-delay-ms", options.restart_delay_ms);
  app.add_option("worker", options.worker)->required();
  app.positionals_at_end();
  CLI11_PARSE(app, argc, argv);
  try {
    const fw::UniqueFd listener = listen_on(0);
    const std::uint16_t worker_port = free_port();
    Supervisor supervisor{options, worker_port};
    Counts counts;
    // Detached: they end with the process, which ends by a signal only, and the worker with it.
    for (int i = 0; i < 8; ++i) std::thread{serve, listener.get(), worker_port, std::ref(counts), std::ref(supervisor)}.detach();
    const fw::UniqueFd port_file{open((options.port_file + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    check(port_file.get(), options.port_file.c_str());
    const std::string port = std::to_string(port_of(listener.get()));
    if (write(port_file.get(), port.data(), port.size()) < 0) check(-1, "port file");
    check(std::rename((options.port_file + ".new").c_str(), options.port_file.c_str()), "port file");
    supervisor.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "front: %s\n", error.what());
    return 1;
  }
}
