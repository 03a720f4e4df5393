// Sends GET requests to a loopback port at a steady or rising rate until SIGTERM, then prints the counts as JSON.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

#include "net.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  double rate = 20, to_rate = 0, after_s = 0, ramp_s = 0;   // requests per second, all threads together
  int threads = 4;
};

struct Counts { std::atomic<std::uint64_t> ok{0}, bad_gateway{0}, none{0}; };

std::atomic<bool> stop{false};

double rate_at(const Options& options, double seconds) {
  if (options.to_rate <= 0 || seconds <= options.after_s) return options.rate;
  const double part = options.ramp_s <= 0 ? 1 : std::min(1.0, (seconds - options.after_s) / options.ramp_s);
  return options.rate + (options.to_rate - options.rate) * part;
}

void send_requests(const Options& options, Clock::time_point start, Counts& counts) {
  auto due = Clock::now();
  while (!stop) {
    std::this_thread::sleep_until(due);
    const int status = fw::workload::status_of_get(options.port, 3000);
    ++(status == 200 ? counts.ok : status == 502 ? counts.bad_gateway : counts.none);
    const double rate = rate_at(options, std::chrono::duration<double>(Clock::now() - start).count());
    due += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.threads / rate));
    due = std::max(due, Clock::now() - std::chrono::seconds{1});   // a stall does not turn into a burst without end
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Load generator"};
  app.add_option("--port", options.port)->required();
  app.add_option("--rate", options.rate)->check(CLI::PositiveNumber);
  app.add_option("--to-rate", options.to_rate);
  app.add_option("--after-seconds", options.after_s);
  app.add_option("--ramp-seconds", options.ramp_s);
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 64));
  CLI11_PARSE(app, argc, argv);

  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  Counts counts;
  const auto start = Clock::now();
  std::vector<std::jthread> threads;
  for (int i = 0; i < options.threads; ++i) threads.emplace_back(send_requests, std::cref(options), start, std::ref(counts));
  int signal = 0;
  sigwait(&ends, &signal);
  stop = true;
  threads.clear();
  std::printf("{\"ok\":%llu,\"bad_gateway\":%llu,\"none\":%llu}\n", static_cast<unsigned long long>(counts.ok),
              static_cast<unsigned long long>(counts.bad_gateway), static_cast<unsigned long long>(counts.none));
}
