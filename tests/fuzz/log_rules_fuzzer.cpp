// A file of rules for the kernel's log, an empty line, and a line of the log that they are matched with.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node-agent/collectors/kernel_log/rules.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto end = std::min(input.find("\n\n"), size);
  const auto line = end + 2 <= size ? input.substr(end + 2) : std::string_view{};
  static auto builtin = fw::collectors::LogMatcher::make(*fw::collectors::parse_log_rules(fw::collectors::builtin_log_rules()));
  if (!builtin) std::abort();
  const auto inside = [&](const auto& match) {
    return !match || match->object.empty() || (match->object.data() >= line.data() && match->object.data() + match->object.size() <= line.data() + line.size());
  };
  if (!inside(builtin->match(0, line))) std::abort();
  auto rules = fw::collectors::parse_log_rules(input.substr(0, end));
  if (!rules) return 0;
  if (rules->size() > fw::collectors::kMaxLogRules) std::abort();
  auto matcher = fw::collectors::LogMatcher::make(std::move(*rules));
  if (matcher && (!inside(matcher->match(0, line)) || !inside(matcher->match(7, line)))) std::abort();
  return 0;
}
