#include "aggregator/api/body.hpp"

namespace fw::api {

Result<std::int64_t> incident_number(std::string_view id) {
  constexpr std::string_view kPrefix = "INC-";
  if (id.starts_with(kPrefix)) {
    if (const auto number = parse_number<std::int64_t>(id.substr(kPrefix.size())); number && *number > 0) return *number;
  }
  return Error(Errc::not_found, "no such incident; ids look like INC-7");
}

Result<std::size_t> limit_of(const std::string& value) {
  const auto number = parse_number<std::size_t>(value);
  if (number && *number >= 1 && *number <= kMaxItems) return *number;
  return Error(Errc::invalid_argument, "limit: must be a number from 1 to " + std::to_string(kMaxItems));
}

Result<bool> flag_of(const std::string& name, const std::string& value) {
  if (value == "true" || value == "false") return value == "true";
  return Error(Errc::invalid_argument, name + ": must be true or false");
}

}  // namespace fw::api
