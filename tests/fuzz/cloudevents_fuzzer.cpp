// Input: the content type, a line end, header lines "name: value" up to an empty line, the body.
#include <algorithm>
#include <cstdlib>

#include "aggregator/changes/cloudevents/cloudevents.hpp"
#include "aggregator/changes/json_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::changes;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto take_line = [&rest] {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    return line;
  };
  cloudevents::Message message;
  message.content_type = std::string(take_line());
  for (std::string_view line = take_line(); !line.empty(); line = take_line()) {
    const auto colon = line.find(": ");
    if (colon == std::string_view::npos) break;
    message.attributes.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  message.body = rest;
  const auto received = cloudevents::parse(message, 1);
  if (received.has_error()) {
    if (received.error().context.empty()) std::abort();
    return 0;
  }
  for (const auto& one : *received) {
    const auto* change = std::get_if<Change>(&one.what);
    if (change == nullptr) continue;
    const auto& object = change->object;
    if (object.name.empty() && object.cgroup_path.empty() && object.container_id.empty()) std::abort();
    if (change->fields.size() > kMaxFields) std::abort();
    for (const auto& text : {change->source_key, change->actor, change->title, change->url, change->object.name, change->object.cgroup_path}) {
      if (!valid_utf8(text) || text.size() > kMaxLongBytes) std::abort();
    }
  }
  return 0;
}
