// The trial set-up that `fleetwright init` writes: two authorities, certificates, keys, the first policy, secrets and
// configurations for one aggregator, some nodes and some people, in one folder.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/failure.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::cli {

struct TrialPlan {
  std::string folder;              // must be absent or empty
  std::vector<std::string> nodes;  // names; each gets a random uid
  std::vector<std::string> people;
  std::optional<authority::Profile> profile;  // nothing: team, or solo when there is one person
  enum class Actions { observe_only, enabled } actions = Actions::observe_only;
  std::string host_name;  // of this machine: goes into the server's certificate
  std::string advertise;  // host that agents and people connect to
  std::string listen_agents = "127.0.0.1:7443";
  std::string listen_people = "127.0.0.1:7444";
  std::string listen_plain = "127.0.0.1:7445";
  bool allow_port_zero = false;  // for tests, which ask the aggregator for its ports
  std::int64_t now_ns = 0;
};

// Fills in what the name of this machine decides: host_name, and the node when none is named. What is no DNS name, like
// "(none)", becomes "localhost" and "node-1". Returns the word to the person about it; "" when there is none.
std::string use_host_name(TrialPlan& plan, std::string_view host);

// Called before each step with its name; an error ends the set-up there. Tests stop it in the middle.
using Checkpoint = std::function<Result<void>(std::string_view step)>;

// All or nothing: everything is made in FOLDER.init beside the folder and renamed at the end; what a killed run left
// there is removed by the next one. Keys, secrets and configurations 0600, folders 0700. Refuses, naming what exists,
// when the folder is not empty. Returns the files, relative to the folder. Blocking: writes and syncs about a dozen
// small files.
Outcome<std::vector<std::string>> make_trial(const TrialPlan& plan, const Checkpoint& checkpoint = {});

// What make_trial would refuse before it makes anything: names, addresses, a folder in use. Reads the file system.
Outcome<void> check_trial(const TrialPlan& plan);

authority::Profile profile_of(const TrialPlan& plan) noexcept;

// What the person must know about the profile: loud for solo. One paragraph.
std::string profile_words(const TrialPlan& plan);

// The commands to run next, one per line.
std::string trial_next_steps(const TrialPlan& plan, const std::string& default_folder);

}  // namespace fw::cli
