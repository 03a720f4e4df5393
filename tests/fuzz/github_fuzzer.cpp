// Input: the event's name, a line end, the body. Also the signature header's parser and the times, which see outside bytes as well.
#include <cstdlib>

#include "aggregator/changes/github/github.hpp"
#include "aggregator/changes/json_reader.hpp"
#include "aggregator/changes/rfc3339.hpp"
#include "aggregator/changes/signature.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::changes;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view event = input.substr(0, input.find('\n'));
  const std::string_view body = event.size() < input.size() ? input.substr(event.size() + 1) : "";
  const auto received = github::parse(event, "guid", body, 1);
  if (received.has_value()) {
    if (const auto* change = std::get_if<Change>(&received->what)) {
      // What comes out is bounded, valid text, whatever came in.
      for (const auto& text : {change->source_key, change->revision, change->actor, change->title, change->environment, change->url, change->object.name}) {
        if (!valid_utf8(text) || text.size() > kMaxLongBytes) std::abort();
      }
      if (change->finished_ns && *change->finished_ns < change->started_ns) std::abort();
    }
  } else if (received.error().context.empty()) {
    std::abort();
  }
  if (check_signature("secret", event, body) == SignatureCheck::ok && event.size() != 71) std::abort();
  if (const auto time = parse_rfc3339(event); time.has_value() && *time < 0) std::abort();
  return 0;
}
