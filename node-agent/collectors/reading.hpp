// Reading one control file for a collector. Inside node-agent/collectors only.
#pragma once
#include <array>
#include <optional>

#include "node-agent/collectors/collector.hpp"
#include "node-agent/kernel/cgroup_reader.hpp"

namespace fw::collectors {

using ReadBuffer = std::array<char, 8192>;   // the longest file, memory.stat of v2, has about 2 KiB

// What parse makes of the file; nullopt when it is absent, the cgroup gone (noted in entity) or the text bad (counted).
template <class Parse>
auto read_value(SampleContext& context, SampledEntity& entity, kernel::CgroupFile file, ReadBuffer& buffer, Parse parse)
    -> std::optional<typename decltype(parse(std::string_view{}))::value_type> {
  if (entity.gone || entity.reader == nullptr) return std::nullopt;
  const auto text = entity.reader->read(file, buffer);
  if (!text) {
    if (text.error().code == Errc::gone) {
      entity.gone = true;
    } else if (text.error().code != Errc::unsupported) {
      ++context.unreadable;
    }
    return std::nullopt;
  }
  auto value = parse(*text);
  if (!value) {
    ++context.unreadable;
    return std::nullopt;
  }
  return *value;
}

inline void put_if(SampleSink& sink, std::size_t metric, std::uint32_t entity_id, const std::optional<std::uint64_t>& value) {
  if (value) sink.put(metric, entity_id, static_cast<std::int64_t>(*value));
}

}  // namespace fw::collectors
