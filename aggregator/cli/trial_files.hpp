// The files of a trial set-up, written into a folder that nobody uses yet (trial.hpp makes it all or nothing).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/trial.hpp"

namespace fw::cli {

struct HostPort {
  std::string host;
  unsigned port = 0;
};

std::optional<HostPort> split_host_port(std::string_view text);  // "host:port", "[::1]:7443"

// The plan must have passed check_trial. The first error stops all later steps; what was written stays.
Result<std::vector<std::string>> write_trial_files(const TrialPlan& plan, std::string root, const Checkpoint& checkpoint);

}  // namespace fw::cli
