#include "node-agent/app/rights.hpp"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace fw::agent {

namespace {

bool reads_maps_without_rights(const std::string& release) {
  unsigned major = 0;
  unsigned minor = 0;
  if (std::sscanf(release.c_str(), "%u.%u", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 19);
}

}  // namespace

Dropped drop_rights(const std::string& kernel_release) {
  Dropped dropped;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) dropped.problem = std::string("no_new_privs: ") + std::strerror(errno);
  if (capng_get_caps_process() != 0) {
    dropped.problem = "the capabilities of this process cannot be read";
    return dropped;
  }
  std::vector<unsigned> wanted{CAP_DAC_READ_SEARCH};
  if (!reads_maps_without_rights(kernel_release)) wanted.push_back(CAP_BPF);
  std::vector<unsigned> kept;
  for (const auto capability : wanted) {
    if (capng_have_capability(CAPNG_EFFECTIVE, capability) != 0) kept.push_back(capability);
  }
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
  for (const auto capability : kept) {
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
    dropped.kept.emplace_back(capng_capability_to_name(capability));
  }
  if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) dropped.problem = "the kernel refused fewer capabilities";
  return dropped;
}

}  // namespace fw::agent
