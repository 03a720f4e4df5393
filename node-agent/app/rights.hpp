// The privileges of this process: fewer after start, and words for what is missing.
#pragma once
#include <string>
#include <vector>

namespace fw::agent {

// Gives up every capability except CAP_DAC_READ_SEARCH (files of other users: certificates, cgroups), also for children; on kernels
// before 5.19 CAP_BPF stays, because reading a BPF map needs it there. Sets no_new_privs. Call it when everything is open. Returns the
// names kept, or why nothing could be dropped; an unprivileged process has nothing to drop and that is fine.
struct Dropped {
  std::vector<std::string> kept;
  std::string problem;   // "" when it worked
};
Dropped drop_rights(const std::string& kernel_release);

}  // namespace fw::agent
