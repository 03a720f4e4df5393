#include "tests/simulation/report.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "protocol/authority/verifier.hpp"
#include "tests/simulation/faults.hpp"

namespace fw::sim {

namespace {

// Codes that no delivery can get from the executor, and why.
constexpr std::pair<std::string_view, std::string_view> kUnreachable[] = {
    {"below-replay-floor", "a window that ended before the floor is over first"},
};

bool unreachable(std::string_view code) {
  return std::any_of(std::begin(kUnreachable), std::end(kUnreachable), [&](const auto& one) { return one.first == code; });
}

std::vector<std::string> wanted() {
  std::vector<std::string> out;
  for (const auto* state : {"VERIFIED", "CLAIMED", "DONE", "FAILED", "UNKNOWN", "REFUSED", "EXPIRED"}) out.push_back(std::string("state ") + state);
  for (int code = 1; code <= static_cast<int>(authority::Code::not_unknown); ++code) {
    const auto text = to_string(static_cast<authority::Code>(code));
    if (!unreachable(text)) out.push_back("code " + std::string(text));
  }
  for (const auto* operation : {"list", "read", "append", "append_torn", "sync", "after_sync", "sync_folder", "rename", "unlink"}) {
    out.push_back(std::string("crash node.") + operation);
    if (std::string_view(operation) != "unlink") out.push_back(std::string("crash audit.") + operation);
  }
  for (const auto* point : {"store.before_commit", "store.after_commit", "act.before", "act.after", "act.restore"}) out.push_back(std::string("crash ") + point);
  for (std::size_t i = 0; i < kFaults; ++i) out.push_back("fault " + std::string(to_string(static_cast<Fault>(i))));
  for (const auto role : {Role::aggregator, Role::node, Role::network, Role::approver}) out.push_back("owns " + std::string(to_string(role)));
  for (const auto* what : {"effect diagnose", "effect set_memory_limit", "effect set_memory_high", "effect set_cpu_max", "effect set_cpu_weight",
                           "effect set_pids_max", "effect freeze", "effect thaw", "effect kill_process", "effect kill_cgroup", "effect set_sysctl",
                           "effect rotate_log", "restored", "rolled back", "by votes", "by standing approval", "released", "acknowledged", "incident fixed",
                           "plan RELEASED", "plan DONE", "plan EXPIRED", "plan DENIED", "fork seen", "log broken", "resumed", "taken vote", "taken policy",
                           "taken standing", "taken undo", "taken edit", "tampered flipped bit", "tampered lost entry"}) {
    out.emplace_back(what);
  }
  return out;
}

}  // namespace

void Report::add(const Outcome& outcome) {
  violations += outcome.violations.size();
  for (const auto& violation : outcome.violations) {
    if (failures.size() < 20) failures.push_back(std::to_string(outcome.seed) + " " + violation.invariant + " " + violation.what);
  }
  unapproved += outcome.unapproved;
  if (!outcome.counts() && outcome.violations.empty()) {
    ++too_small;
    return;
  }
  ++schedules;
  if (outcome.role != Role::none) ++attacked;
  deliveries += outcome.deliveries;
  faults += outcome.faults;
  effects += outcome.effects;
  for (const auto& name : outcome.reached) ++reached[name];
}

void Report::add(const Report& other) {
  schedules += other.schedules;
  attacked += other.attacked;
  too_small += other.too_small;
  deliveries += other.deliveries;
  faults += other.faults;
  effects += other.effects;
  unapproved += other.unapproved;
  violations += other.violations;
  for (const auto& [name, count] : other.reached) reached[name] += count;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

std::string Report::to_lines() const {
  std::ostringstream out;
  out << schedules << ' ' << attacked << ' ' << too_small << ' ' << deliveries << ' ' << faults << ' ' << effects << ' ' << unapproved << ' ' << violations << '\n';
  for (const auto& [name, count] : reached) out << "r " << count << ' ' << name << '\n';
  for (const auto& failure : failures) out << "f " << failure << '\n';
  return out.str();
}

Report Report::from_lines(const std::string& lines) {
  Report report;
  std::istringstream in(lines);
  in >> report.schedules >> report.attacked >> report.too_small >> report.deliveries >> report.faults >> report.effects >> report.unapproved >> report.violations;
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("f ")) report.failures.push_back(line.substr(2));
    if (!line.starts_with("r ")) continue;
    std::istringstream one(line.substr(2));
    std::uint64_t count = 0;
    std::string name;
    one >> count >> std::ws;
    std::getline(one, name);
    report.reached[name] = count;
  }
  return report;
}

std::vector<std::string> Report::missing() const {
  std::vector<std::string> out;
  for (auto& name : wanted()) {
    if (!reached.contains(name)) out.push_back(std::move(name));
  }
  return out;
}

void Report::print() const {
  std::printf("\n%-40s %10s  %s\n", "reached", "schedules", "share");
  for (const auto& [name, count] : reached) {
    std::printf("%-40s %10lu  %6.2f %%\n", name.c_str(), count, 100.0 * static_cast<double>(count) / static_cast<double>(std::max<std::uint64_t>(1, schedules)));
  }
  for (const auto& name : missing()) std::printf("%-40s %10d  never\n", name.c_str(), 0);
  std::printf("\n%lu schedules (%lu attacked; %lu more were too small to count), %lu deliveries, %lu faults, %lu effects\n", schedules, attacked, too_small, deliveries,
              faults, effects);
}

void Report::write_json(const std::string& path, double seconds, double busy) const {
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) std::filesystem::create_directories(folder);
  std::ofstream out(path);
  out << "[\n";
  const auto row = [&](const char* name, double value, const char* unit, const char* better, const char* must, const char* goal, bool last = false) {
    char line[512];
    std::snprintf(line, sizeof line,
                  " {\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\", \"better\": \"%s\", \"must\": %s, \"goal\": %s, \"peers\": {}, \"machine_busy_ratio\": %.2f}%s\n",
                  name, value, unit, better, must, goal, busy, last ? "" : ",");
    out << line;
  };
  row("schedules_per_second", static_cast<double>(schedules) / std::max(seconds, 0.001), "1/s", "higher", "10", "200");
  row("violations", static_cast<double>(violations), "", "lower", "0", "0");
  row("attack_schedules", static_cast<double>(attacked), "", "higher", "100", "null");
  row("unapproved_executions", static_cast<double>(unapproved), "", "lower", "0", "0");
  row("schedules", static_cast<double>(schedules), "", "higher", "500", "null", true);
  out << "]\n";
}

}  // namespace fw::sim
