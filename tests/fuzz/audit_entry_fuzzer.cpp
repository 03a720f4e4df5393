// Lines of an audit log from outside: places, entries, and the search for the first bad one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aggregator/audit/chain.hpp"
#include "aggregator/audit/entry.hpp"
#include "aggregator/audit/export.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::audit;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Chain chain;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto stored = parse_line(line);
    if (stored) {
      (void)ocsf_line(*stored, line);
      auto entry = stored->entry;
      entry.detail.clear();   // names of others' details are not ours to write
      const Draft draft{stored->id, to_text(entry)};
      if (!good_draft(draft)) std::abort();
      const auto again = parse_line(to_line(draft, stored->seq, stored->prev));
      if (!again || again->seq != stored->seq || again->id != stored->id || again->prev != stored->prev || again->entry.time_ms != entry.time_ms) std::abort();
    }
    chain.add(line);
  }
  // The head of these lines is good; a head with another root is not, and its first bad entry is one that it covers.
  const fw::authority::Checkpoint good{"o", chain.size(), chain.tree().root()};
  if (chain.check(good)) std::abort();
  for (const auto covered : {chain.size(), chain.size() / 2, chain.size() + 1}) {
    const auto damage = chain.check({"o", covered, {}});
    if (!damage || damage->seq > covered) std::abort();
  }
  return 0;
}
