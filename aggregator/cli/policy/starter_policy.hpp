// The first policy of a set-up, by profile: what `init` signs, and the examples of docs/policies. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/authority/documents.hpp"

namespace fw::cli {

struct StarterPolicy {
  authority::Profile profile = authority::Profile::team;
  std::string organisation = "trial";
  std::vector<std::string> people;                  // names; the first is a senior
  std::vector<authority::PublicKey> people_keys;    // one each
  std::vector<authority::PublicKey> root_keys;      // root_count()
  authority::PublicKey log_key;
  std::int64_t issued_ms = 0, not_after_ms = 0;
};

struct RootCount {
  std::uint32_t threshold = 0, roots = 0;
};
RootCount root_count(authority::Profile profile) noexcept;          // 1 of 1, 2 of 3, 3 of 5
std::size_t fewest_people(authority::Profile profile) noexcept;     // 1, 2, 3

authority::Policy starter_policy(const StarterPolicy& starter);
std::string log_origin(const std::string& organisation);            // "fleetwright/ORGANISATION/audit"

}  // namespace fw::cli
