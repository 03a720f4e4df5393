// What a match must be beside matching. Pure. Inside node-agent/redaction only.
#pragma once
#include <string_view>

#include "node-agent/redaction/redaction.hpp"

namespace fw::redaction {

bool passes(Check check, std::string_view secret);

}  // namespace fw::redaction
