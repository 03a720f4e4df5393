// fw_sim: runs schedules until the time is over or they are done, and says what they reached and what broke. docs/reliability.md.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "tests/simulation/report.hpp"

namespace fw::sim {
namespace {

struct Arguments {
  double seconds = 60;
  std::uint64_t schedules = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t first_seed = 0;
  std::optional<std::uint64_t> replay;
  int jobs = 1;
  std::string json;
  std::string planted;
  bool must_reach_all = true;
  Options options;
};

using Instant = std::chrono::steady_clock::time_point;
double since(Instant start) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

[[noreturn]] void usage(const char* what) {
  std::fprintf(stderr,
               "fw_sim: %s\n"
               "  --seconds N        stop after N seconds (SIM_SECONDS, 60)\n"
               "  --schedules N      stop after N schedules\n"
               "  --first-seed S     the first of the seeds (random, printed)\n"
               "  --attack R         share of attacked schedules, 0 to 1 (0.4)\n"
               "  --role NAME        always this attacker: none, aggregator, node, network, approver\n"
               "  --jobs N           processes (1)\n"
               "  --json FILE        rows for make bench\n"
               "  --reach print      what was never reached is said, and no failure (all)\n"
               "  --planted NAME|all finds a planted bug, each within --seconds\n"
               "  --seed S           replays one schedule; with --off N,N (faults that do not strike), --last-fault N, --last-step N, --trace (every delivery)\n",
               what);
  std::exit(2);
}

Role role_named(std::string_view name) {
  for (const auto role : {Role::none, Role::aggregator, Role::node, Role::network, Role::approver}) {
    if (to_string(role) == name) return role;
  }
  usage("no such role");
}

Arguments parse(int argc, char** argv) {
  Arguments out;
  if (const char* seconds = std::getenv("SIM_SECONDS")) out.seconds = std::strtod(seconds, nullptr);
  out.first_seed = (std::uint64_t{std::random_device{}()} << 20U);
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace") {
      out.options.trace = true;
      continue;
    }
    if (i + 1 >= argc) usage("a value is missing");
    const char* value = argv[++i];
    const auto number = std::strtoull(value, nullptr, 10);
    if (name == "--seconds") out.seconds = std::strtod(value, nullptr);
    else if (name == "--schedules") out.schedules = number;
    else if (name == "--first-seed") out.first_seed = number;
    else if (name == "--attack") out.options.attack_ratio = std::strtod(value, nullptr);
    else if (name == "--role") out.options.role = role_named(value);
    else if (name == "--jobs") out.jobs = std::max(1, static_cast<int>(number));
    else if (name == "--json") out.json = value;
    else if (name == "--reach") out.must_reach_all = std::strcmp(value, "print") != 0;
    else if (name == "--planted") out.planted = value;
    else if (name == "--seed") out.replay = number;
    else if (name == "--last-fault") out.options.last_fault = number;
    else if (name == "--last-step") out.options.last_step = number;
    else if (name == "--off") {
      for (const char* at = value; *at != '\0';) {
        char* end = nullptr;
        out.options.faults_off.insert(std::strtoull(at, &end, 10));
        at = *end == ',' ? end + 1 : end;
      }
    } else {
      usage("no such option");
    }
  }
  return out;
}

bool breaks_same(const Options& options, const std::string& invariant) {
  const auto outcome = run_schedule(options);
  return !outcome.violations.empty() && outcome.violations.front().invariant == invariant;
}

// Fewer faults, then fewer steps, with the same thing broken at the end.
Options shrink(Options options, const Outcome& broken) {
  const auto& invariant = broken.violations.front().invariant;
  std::uint64_t low = 0, high = broken.faults_drawn;
  while (low < high) {   // the last fault that is needed
    auto tried = options;
    tried.last_fault = (low + high) / 2;
    if (breaks_same(tried, invariant)) high = *tried.last_fault;
    else low = *tried.last_fault + 1;
  }
  auto shorter = options;
  shorter.last_fault = high;
  if (breaks_same(shorter, invariant)) options = shorter;
  for (std::uint64_t part = std::max<std::uint64_t>(1, high / 2); part >= 1; part /= 2) {
    for (std::uint64_t from = 1; from <= high; from += part) {
      auto tried = options;
      for (auto number = from; number < from + part && number <= high; ++number) tried.faults_off.insert(number);
      if (tried.faults_off.size() > options.faults_off.size() && breaks_same(tried, invariant)) options = tried;
    }
    if (part == 1) break;
  }
  return options;
}

std::string replay_command(const Options& options) {
  auto out = "fw_sim --seed " + std::to_string(options.seed);
  if (options.role) out += " --role " + std::string(to_string(*options.role));
  else if (options.attack_ratio != Options{}.attack_ratio) out += " --attack " + std::to_string(options.attack_ratio);
  if (options.last_fault) out += " --last-fault " + std::to_string(*options.last_fault);
  if (!options.faults_off.empty()) {
    out += " --off ";
    for (const auto number : options.faults_off) out += std::to_string(number) + ",";
    out.pop_back();
  }
  return out;
}

void print_broken(const Outcome& outcome) {
  for (const auto& violation : outcome.violations) {
    std::printf("BROKEN %s at %.3f s, step %lu: %s\n", violation.invariant.c_str(), static_cast<double>(violation.at_ms) / 1000.0, violation.step,
                violation.what.c_str());
  }
}

void explain(const Options& options, const Outcome& outcome) {
  std::printf("seed %lu, owned: %s\n", outcome.seed, std::string(to_string(outcome.role)).c_str());
  print_broken(outcome);
  std::printf("replay: %s\n", replay_command(options).c_str());
  std::fflush(stdout);
  const auto small = shrink(options, outcome);
  std::printf("shrunk: %s\n", replay_command(small).c_str());
  print_broken(run_schedule(small));
  std::fflush(stdout);
}

Report run_many(const Arguments& arguments, int job, Instant start) {
  Report report;
  auto options = arguments.options;
  for (std::uint64_t i = static_cast<std::uint64_t>(job); i < arguments.schedules; i += static_cast<std::uint64_t>(arguments.jobs)) {
    if (since(start) > arguments.seconds) break;
    options.seed = arguments.first_seed + i;
    const auto outcome = run_schedule(options);
    if (!outcome.violations.empty() && report.violations < 3) explain(options, outcome);
    report.add(outcome);
  }
  return report;
}

Report run_in_processes(const Arguments& arguments, Instant start) {
  if (arguments.jobs == 1) return run_many(arguments, 0, start);
  std::vector<std::pair<pid_t, int>> children;
  for (int job = 0; job < arguments.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) usage("no pipe");
    std::fflush(stdout);
    const auto child = fork();
    if (child == 0) {
      close(ends[0]);
      const auto lines = run_many(arguments, job, start).to_lines();
      for (std::size_t done = 0; done < lines.size();) {
        const auto wrote = write(ends[1], lines.data() + done, lines.size() - done);
        if (wrote <= 0) _exit(3);
        done += static_cast<std::size_t>(wrote);
      }
      std::fflush(stdout);
      _exit(0);
    }
    close(ends[1]);
    children.emplace_back(child, ends[0]);
  }
  Report report;
  for (const auto& [child, end] : children) {
    std::string lines;
    char part[4096];
    for (ssize_t got = 0; (got = read(end, part, sizeof part)) > 0;) lines.append(part, static_cast<std::size_t>(got));
    close(end);
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
      std::printf("a process died: status %d\n", status);
      report.violations += 1;
    }
    report.add(Report::from_lines(lines));
  }
  return report;
}

double busy_ratio(const std::pair<double, double>& before, const std::pair<double, double>& after) {
  const auto total = after.second - before.second;
  return total <= 0 ? 0 : (after.first - before.first) / total;
}
std::pair<double, double> cpu_time() {   // busy, all
  std::ifstream in("/proc/stat");
  std::string cpu;
  in >> cpu;
  double value = 0, all = 0, idle = 0;
  for (int i = 0; i < 8 && in >> value; ++i) {
    all += value;
    if (i == 3 || i == 4) idle += value;
  }
  return {all - idle, all};
}

int find_planted(const Arguments& arguments) {
  int missed = 0;
  bool any = false;
  for (const auto& bug : planted_bugs()) {
    if (arguments.planted != "all" && arguments.planted != bug.name) continue;
    any = true;
    const auto start = std::chrono::steady_clock::now();
    auto options = arguments.options;
    options.attack_ratio = 0.6;
    if (bug.needs_rogue) options.role = Role::aggregator;
    options.planted = bug.bug;
    bool found = false;
    std::uint64_t tried = 0;
    for (options.seed = arguments.first_seed; !found && since(start) < arguments.seconds; ++options.seed, ++tried) {
      for (const auto& violation : run_schedule(options).violations) {
        if (violation.invariant != bug.invariant || found) continue;
        found = true;
        std::printf("PASS planted_%s: %s found after %.1f s, %lu schedules (%s)\n", std::string(bug.name).c_str(), violation.invariant.c_str(), since(start), tried + 1,
                    violation.what.c_str());
      }
    }
    if (!found) {
      ++missed;
      std::printf("FAIL planted_%s: %s was not found broken in %.0f s and %lu schedules: %s\n", std::string(bug.name).c_str(), std::string(bug.invariant).c_str(),
                  since(start), tried, std::string(bug.what).c_str());
    }
    std::fflush(stdout);
  }
  if (!any) usage("no such planted bug");
  return missed == 0 ? 0 : 1;
}

int replay(Arguments arguments) {
  arguments.options.seed = *arguments.replay;
  for (const auto& bug : planted_bugs()) {
    if (bug.name == arguments.planted) arguments.options.planted = bug.bug;
  }
  const auto outcome = run_schedule(arguments.options);
  for (const auto& name : outcome.reached) std::printf("  %s\n", name.c_str());
  std::printf("seed %lu: owned %s, %lu deliveries, %lu faults, %lu steps, %lu effects, %zu violations\n", outcome.seed, std::string(to_string(outcome.role)).c_str(),
              outcome.deliveries, outcome.faults, outcome.steps, outcome.effects, outcome.violations.size());
  print_broken(outcome);
  return outcome.violations.empty() ? 0 : 1;
}

int run(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  if (arguments.replay) return replay(arguments);
  if (!arguments.planted.empty()) return find_planted(arguments);
  std::printf("first seed %lu, %d processes\n", arguments.first_seed, arguments.jobs);
  const auto before = cpu_time();
  const auto start = std::chrono::steady_clock::now();
  const auto report = run_in_processes(arguments, start);
  const auto seconds = since(start);
  report.print();
  std::printf("%.1f schedules/s, %lu violations, %lu unapproved executions\n", static_cast<double>(report.schedules) / seconds, report.violations, report.unapproved);
  for (const auto& failure : report.failures) std::printf("failure: seed %s\n", failure.c_str());
  if (!arguments.json.empty()) report.write_json(arguments.json, seconds, busy_ratio(before, cpu_time()));
  const auto missing = report.missing();
  if (!missing.empty() && arguments.must_reach_all) std::printf("FAIL: never reached: %s\n", missing.front().c_str());
  return report.violations != 0 || (!missing.empty() && arguments.must_reach_all) ? 1 : 0;
}

}  // namespace
}  // namespace fw::sim

int main(int argc, char** argv) { return fw::sim::run(argc, argv); }
