// Kernel texts that only the executor reads, its snapshots and the paths of plans: first byte chooses, the rest is the input.
#include <cstdlib>

#include "node-agent/executor/actions/handles.hpp"
#include "node-agent/executor/actions/texts.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw;
  using namespace fw::executor;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  switch (data[0] % 5) {
    case 0:
      (void)parse_keyed(text, "frozen");
      (void)container_name_of(text, "uid");
      break;
    case 1:
      if (const auto value = parse_value(text)) require(*value >= -1);
      break;
    case 2:
      if (const auto max = parse_cpu_max(text)) require(max->period_us > 0 && max->quota_us >= -1);
      break;
    case 3:
      if (const auto snapshot = Snapshot::parse(bytes)) require(Snapshot::parse(snapshot->bytes()).value() == *snapshot);
      break;
    default:
      // A clean path has no way up and no second spelling.
      if (is_clean_path(text)) require(text.find("..") == std::string_view::npos || text.find("/../") == std::string_view::npos);
      break;
  }
  return 0;
}
