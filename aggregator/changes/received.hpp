// What a webhook delivery holds.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "aggregator/changes/change.hpp"
#include "common/result.hpp"

namespace fw::changes {

struct Ignored { std::string reason; };   // a valid delivery that is no change of ours: answered 202 and counted

struct Received {
  std::variant<Ignored, Change> what;
  std::string delivery_id;                // the same on redelivery; "" when the source gave none
};

// What the store keeps when a delivery names a row that exists: updates may arrive late, twice or out of order, so an end is never
// taken back by an older "in progress", and a known value never by an absent one. The id and received_ns of the first stay.
Change merge(const Change& stored, Change incoming);

}  // namespace fw::changes
