// Texts of changes come from webhooks: quantities, field paths and object names of any bytes must parse, match or be refused.
#include <cstddef>
#include <cstdint>
#include <string>

#include "aggregator/incidents/change_match.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto cut = text.find('\n');
  const std::string path = text.substr(0, cut), value = cut == std::string::npos ? text : text.substr(cut + 1);
  fw::incidents::parse_value(path, value);
  fw::incidents::parse_bytes(value);
  fw::incidents::parse_milli(value);
  fw::fleet::Entity entity;
  entity.key.cgroup_id = 1;
  entity.cgroup_path = path;
  entity.name = value;
  fw::changes::Change posted, observed;
  posted.object.name = value;
  posted.object.cgroup_path = size % 2 == 0 ? path : std::string();
  posted.fields = {{path, value, value}};
  fw::incidents::match_change(posted, entity, path);
  observed.source = "node";
  observed.object.node = value;
  observed.object.cgroup_path = path;
  observed.fields = posted.fields;
  fw::incidents::is_same_change(observed, posted, path);
  return 0;
}
