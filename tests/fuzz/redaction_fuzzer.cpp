// Any bytes as a text: redacting ends, changes nothing that it does not count, and lines stay lines.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node-agent/redaction/redaction.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  fw::redaction::RedactionCounts counts;
  const auto once = fw::redaction::redact(text, &counts);
  if (counts.empty() && once != text) std::abort();
  if (std::count(once.begin(), once.end(), '\n') > std::count(text.begin(), text.end(), '\n')) std::abort();
  (void)fw::redaction::redact(once);
  (void)fw::redaction::parse_rules(text);
  return 0;
}
