// CloudEvents 1.0 over HTTP (binary, structured, batch) to changes. Type dev.fleetwright.change.v1; others are Ignored.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aggregator/changes/received.hpp"

namespace fw::changes::cloudevents {

inline constexpr std::string_view kChangeType = "dev.fleetwright.change.v1";
inline constexpr std::size_t kMaxBatch = 1'000;

struct Message {
  std::string content_type;                                        // as sent, with parameters
  std::vector<std::pair<std::string, std::string>> attributes;     // the ce-* headers: name without "ce-" in lower case, value as sent
  std::string_view body;
};

// Pure. All events of a batch or none. Errors: Errc::malformed with the path of the field ("[3].data.object.nam: unknown field"),
// Errc::unsupported (content type), Errc::too_large.
Result<std::vector<Received>> parse(const Message& message, std::int64_t received_ns);

}  // namespace fw::changes::cloudevents
