#include "aggregator/cli/trial.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "aggregator/cli/policy/starter_policy.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/trial_files.hpp"
#include "common/unique_fd.hpp"

namespace fw::cli {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kNamedEntries = 5;  // of a folder that is not empty

constexpr std::size_t kMostPeople = 64;
constexpr std::size_t kMaxSocketPath = 107;  // sun_path without its end

// Names become file names and YAML text.
bool is_safe_name(std::string_view name) {
  constexpr std::size_t kLongest = 63;
  return !name.empty() && name.size() <= kLongest && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-' || c == '@';
         });
}

// Labels of letters, digits and inner hyphens, with dots between them; short enough for a node's name.
bool is_dns_name(std::string_view name) {
  if (!is_safe_name(name) || name.find_first_of("_@") != std::string_view::npos) return false;
  for (std::size_t start = 0; start <= name.size();) {
    const auto end = std::min(name.find('.', start), name.size());
    const auto label = name.substr(start, end - start);
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    start = end + 1;
  }
  return true;
}

std::optional<Failure> check_plan(const TrialPlan& plan) {
  const auto usage = [](std::string what, std::string why) {
    return Failure{ExitCode::usage, std::move(what), std::move(why), "fleetwright init --help"};
  };
  constexpr char kNameRule[] = "names have letters, digits and . _ - @ only, at most 63, and do not begin with . or -";
  std::set<std::string> seen;
  for (const auto& node : plan.nodes) {
    if (!is_safe_name(node)) return usage("node name '" + node + "' cannot be used", kNameRule);
    if (!seen.insert(node).second) return usage("node '" + node + "' is named twice", "");
  }
  if (plan.people.empty() || plan.people.size() > kMostPeople) return usage("1 to 64 people are needed", "");
  seen.clear();
  for (const auto& person : plan.people) {
    if (!is_safe_name(person) || person.ends_with(".sign")) return usage("person '" + person + "' cannot be used", kNameRule);
    if (!seen.insert(person).second) return usage("person '" + person + "' is named twice", "");
  }
  if (const auto fewest = fewest_people(profile_of(plan)); plan.people.size() < fewest) {
    return Failure{ExitCode::usage,
                   fmt::format("the profile {} needs at least {} people", authority::to_string(profile_of(plan)), fewest),
                   fmt::format("{} named", plan.people.size()),
                   "--person alice --person bob ...; --profile solo for one person who decides alone"};
  }
  for (const auto* listen : {&plan.listen_agents, &plan.listen_people, &plan.listen_plain}) {
    const auto at = split_host_port(*listen);
    if (!at) return usage("'" + *listen + "' is not HOST:PORT", "");
    if (at->port == 0 && !plan.allow_port_zero)
      return usage("port 0 in '" + *listen + "'",
                   "agents and people could not know the port; --allow-port-0 is for tests");
  }
  return std::nullopt;
}

// "what exists" for the refusal; nothing when the folder is free to use.
std::optional<std::string> existing_entries(const std::string& folder) {
  std::error_code error;
  const auto status = fs::symlink_status(folder, error);
  if (!fs::exists(status)) return std::nullopt;
  if (!fs::is_directory(status)) return "it is not a folder";
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, error)) names.push_back(entry.path().filename().string());
  if (error) return error.message();
  if (names.empty()) return std::nullopt;
  std::sort(names.begin(), names.end());
  const auto more =
      names.size() > kNamedEntries ? fmt::format(" and {} more", names.size() - kNamedEntries) : std::string();
  names.resize(std::min(names.size(), kNamedEntries));
  return fmt::format("it holds {}{}", fmt::join(names, ", "), more);
}

// Removes the unfinished folder unless it was renamed into place.
struct Scratch {
  std::string path;
  ~Scratch() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

std::string normal_folder(const std::string& folder) {
  auto out = fs::absolute(folder).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

Failure in_use(const std::string& folder, const std::string& why) {
  return {ExitCode::usage, "folder " + folder + " is in use", why,
          "choose another with --dir, or move it away; init never overwrites"};
}

Result<void> sync_folder(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return errno_error(errno, path);
  return {};
}

}  // namespace

std::string use_host_name(TrialPlan& plan, std::string_view host) {
  const bool usable = is_dns_name(host);
  plan.host_name = usable ? host : "localhost";
  if (!plan.nodes.empty()) return {};
  plan.nodes.emplace_back(usable ? host : "node-1");
  if (usable) return {};
  return fmt::format("this machine's name '{}' is no DNS name: its node is called node-1 (--node NAME for another)\n",
                     term::escape(std::string(host)));
}

Outcome<void> check_trial(const TrialPlan& plan) {
  if (auto failure = check_plan(plan)) return *failure;
  const auto folder = normal_folder(plan.folder);
  // The path stands in quotes in a YAML file and in a URL.
  if (folder.find_first_of("\"\\\n?#%") != std::string::npos) {
    return Failure{ExitCode::usage, "folder " + folder + " cannot be used",
                   "its name has one of \" \\ ? # % or a line break", "--dir DIR"};
  }
  for (const auto& node : plan.nodes) {
    const auto socket = folder + "/nodes/" + node + "/executor.sock";
    if (socket.size() > kMaxSocketPath) {
      return Failure{ExitCode::usage, "folder " + folder + " cannot be used", "a socket's path has at most 107 characters: " + socket,
                     "--dir DIR with a shorter name"};
    }
  }
  if (const auto why = existing_entries(folder)) return in_use(folder, *why);
  return {};
}

Outcome<std::vector<std::string>> make_trial(const TrialPlan& given, const Checkpoint& checkpoint) {
  if (const auto good = check_trial(given); !good) return good.error();
  auto plan = given;
  plan.folder = normal_folder(plan.folder);

  const auto cannot = [&](const Error& error) { return failure_of(error, "cannot set up " + plan.folder); };
  std::error_code error;
  fs::create_directories(fs::path(plan.folder).parent_path(), error);
  Scratch scratch{plan.folder + ".init"};
  if (!error) fs::remove_all(scratch.path, error);
  if (error) return cannot(Error(error, fs::path(plan.folder).parent_path().string()));
  if (::mkdir(scratch.path.c_str(), kFolderMode) != 0) return cannot(errno_error(errno, scratch.path));

  auto files = write_trial_files(plan, scratch.path, checkpoint);
  if (!files) return cannot(files.error());
  if (const auto done = checkpoint ? checkpoint("rename") : Result<void>(); !done) return cannot(done.error());
  // Replaces an empty folder only; anything that appeared meanwhile stays.
  if (::rename(scratch.path.c_str(), plan.folder.c_str()) != 0) {
    return errno == EEXIST || errno == ENOTEMPTY ? in_use(plan.folder, "something was put there meanwhile")
                                                 : cannot(errno_error(errno, plan.folder));
  }
  scratch.path.clear();
  if (const auto done = sync_folder(fs::path(plan.folder).parent_path().string()); !done) return cannot(done.error());
  return std::move(*files);
}

authority::Profile profile_of(const TrialPlan& plan) noexcept {
  return plan.profile.value_or(plan.people.size() == 1 ? authority::Profile::solo : authority::Profile::team);
}

std::string profile_words(const TrialPlan& plan) {
  const auto profile = profile_of(plan);
  const auto [threshold, roots] = root_count(profile);
  auto out = profile == authority::Profile::solo
                 ? std::string("SOLO: one person alone decides everything up to class 2, and nobody checks them.\n"
                               "Right for a trial on your own machine; a fleet wants `init --profile team --person A --person B`.\n")
                 : fmt::format("Profile {}: {} approve; class 2 needs two of them, never the one who proposed.\n",
                               authority::to_string(profile), fmt::join(plan.people, ", "));
  return out + (roots == 1 ? std::string("Move authority/root-1.key off this machine: it alone changes the policy.\n")
                           : fmt::format("Move authority/root-1.key to root-{}.key off this machine: any {} of them change the policy.\n", roots, threshold));
}

std::string trial_next_steps(const TrialPlan& plan, const std::string& default_folder) {
  const auto folder = normal_folder(plan.folder);
  std::string out =
      fmt::format("Next, each in its own terminal:\n\n  fleetwright-aggregator --config {}/aggregator.yaml\n", folder);
  for (const auto& node : plan.nodes)
    out += fmt::format(
        "  fleetwright-agent --config {}/agent-{}.yaml    # as root, on {}\n"
        "  fleetwright-executor --config {}/executor-{}.yaml    # as root, on {}; only observes unless --enable-actions was given\n",
        folder, node, node, folder, node, node);
  out += "\n";
  if (folder != normal_folder(default_folder)) out += fmt::format("  export FLEETWRIGHT_CONFIG_DIR={}\n", folder);
  return out + "  fleetwright doctor\n  fleetwright incidents\n";
}

}  // namespace fw::cli
