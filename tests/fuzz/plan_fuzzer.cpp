// Any bytes as one of the signed documents (all but the policy): an error, or a document whose bytes these are, with a class and words.
#include <cstdlib>

#include "protocol/authority/catalogue.hpp"

namespace {

using namespace fw;
using namespace fw::authority;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void same(const Result<T>& read, ByteView bytes) {
  if (!read) return;
  const auto again = to_bytes(*read);
  require(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0: {
      const auto plan = parse_plan(bytes);
      same(plan, bytes);
      if (!plan) break;
      require(class_of(*plan) <= 3 && !describe(plan->action).empty());
      const auto problems = check_plan(*plan);
      const auto value = main_value(plan->action);
      const auto& info = info_of(plan->action);
      require(!problems.empty() || !value || (*value >= info.min_value && *value <= info.max_value));
      require(!problems.empty() || ttl_ms(plan->action) <= info.max_ttl_ms);
      break;
    }
    case 1: same(parse_approval(bytes), bytes); break;
    case 2: same(parse_standing(bytes), bytes); break;
    case 3: same(parse_statement(bytes), bytes); break;
    default: same(parse_outcome(bytes), bytes);
  }
  return 0;
}
