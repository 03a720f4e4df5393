// findings_from_json: text of a server or a store. What it reads, to_json must write, and that must read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agents/investigate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto findings = fw::agents::findings_from_json(std::string{data, data + size});
  if (!findings) return 0;
  const auto again = fw::agents::findings_from_json(fw::agents::to_json(*findings));
  if (!again || again->verdict != findings->verdict || again->hypotheses.size() != findings->hypotheses.size()) std::abort();
  return 0;
}
