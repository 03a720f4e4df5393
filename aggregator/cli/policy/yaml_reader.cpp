#include "aggregator/cli/policy/yaml_reader.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include "common/config/values.hpp"

namespace fw::cli {
namespace {

constexpr std::size_t kMaxTextBytes = 1024 * 1024, kMaxListEntries = 256, kMaxProblems = 100;
constexpr std::uint64_t kDayMs = 86'400'000;

std::size_t line_of(const YAML::Mark& mark) { return mark.line < 0 ? 1 : static_cast<std::size_t>(mark.line) + 1; }

}  // namespace

struct YamlMap::Impl {
  std::vector<std::pair<std::string, YAML::Node>> entries;
  std::vector<std::pair<std::string, std::size_t>> lines;   // of the keys
  std::set<std::string, std::less<>> known;
  std::string path;                                          // "approvers."
  std::size_t line = 1;
  std::vector<YamlProblem>* problems = nullptr;

  void add(std::size_t at, std::string text) const {
    if (problems->size() < kMaxProblems) problems->push_back({at, std::move(text)});
  }
  void fill(const YAML::Node& node) {
    line = line_of(node.Mark());
    for (const auto& item : node) {
      if (!item.first.IsScalar()) {
        add(line_of(item.first.Mark()), path + ": a key must be plain text");
        continue;
      }
      const auto& key = item.first.Scalar();
      if (find(key) != nullptr) add(line_of(item.first.Mark()), path + key + ": given twice");
      entries.emplace_back(key, item.second);
      lines.emplace_back(key, line_of(item.first.Mark()));
    }
  }
  const YAML::Node* find(std::string_view key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
    return found == entries.end() || found->second.IsNull() ? nullptr : &found->second;
  }
  // A key without a value is a mistake: its default may be looser than what the person meant.
  const YAML::Node* take(std::string_view key) {
    const auto line_of_key = std::find_if(lines.begin(), lines.end(), [&](const auto& entry) { return entry.first == key; });
    const auto* node = find(key);
    const bool first = known.emplace(key).second;
    if (first && node == nullptr && line_of_key != lines.end()) add(line_of_key->second, path + std::string(key) + ": has no value");
    return node;
  }
};

YamlMap::YamlMap(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
YamlMap::YamlMap(YamlMap&&) noexcept = default;
YamlMap::~YamlMap() = default;

YamlMap YamlMap::parse(std::string_view text, std::vector<YamlProblem>& problems) {
  auto impl = std::make_unique<Impl>();
  impl->problems = &problems;
  if (text.size() > kMaxTextBytes) {
    impl->add(1, "larger than 1 MiB");
    return YamlMap(std::move(impl));
  }
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.size() != 1 || !documents.front().IsMap()) {
      impl->add(1, documents.size() > 1 ? "more than one document" : "there must be keys and values: `version: 1`, ...");
    } else {
      impl->fill(documents.front());
    }
  } catch (const YAML::Exception& error) {
    impl->add(line_of(error.mark), error.msg);
  } catch (const std::exception& error) {
    impl->add(1, error.what());
  }
  return YamlMap(std::move(impl));
}

bool YamlMap::has(std::string_view key) const { return impl_->find(key) != nullptr; }

std::size_t YamlMap::line() const { return impl_->line; }

std::size_t YamlMap::line(std::string_view key) const {
  const auto found =
      std::find_if(impl_->lines.begin(), impl_->lines.end(), [&](const auto& entry) { return entry.first == key; });
  return found == impl_->lines.end() ? impl_->line : found->second;
}

void YamlMap::problem(std::string_view key, std::string text) {
  impl_->add(line(key), impl_->path + std::string(key) + ": " + std::move(text));
}

std::string YamlMap::text(std::string_view key, std::string_view fallback) {
  const auto* node = impl_->take(key);
  if (node == nullptr) return std::string(fallback);
  if (node->IsScalar()) return node->Scalar();
  problem(key, "one value is expected here, not a list or a mapping");
  return std::string(fallback);
}

std::string YamlMap::required_text(std::string_view key) {
  auto out = text(key);
  if (out.empty()) problem(key, "is missing");
  return out;
}

std::vector<std::string> YamlMap::texts(std::string_view key) {
  const auto* node = impl_->take(key);
  std::vector<std::string> out;
  if (node == nullptr) return out;
  if (node->IsScalar()) return {node->Scalar()};
  const bool is_list = node->IsSequence() && node->size() <= kMaxListEntries;
  if (!is_list) problem(key, "a list of at most 256 values is expected here");
  for (std::size_t i = 0; is_list && i < node->size(); ++i) {
    const auto item = (*node)[i];
    if (item.IsScalar()) out.push_back(item.Scalar());
    else problem(key, "its values must be plain text");
  }
  return out;
}

std::vector<YamlMap> YamlMap::maps(std::string_view key) {
  const auto* node = impl_->take(key);
  std::vector<YamlMap> out;
  if (node == nullptr) return out;
  const bool is_list = node->IsSequence() && node->size() <= kMaxListEntries;
  if (!is_list) problem(key, "a list of at most 256 mappings is expected here: `- key: value`");
  for (std::size_t i = 0; is_list && i < node->size(); ++i) {
    const auto item = (*node)[i];
    auto impl = std::make_unique<Impl>();
    impl->problems = impl_->problems;
    impl->path = fmt::format("{}{}[{}].", impl_->path, key, i);
    impl->line = line_of(item.Mark());
    if (item.IsMap()) impl->fill(item);
    else problem(key, "each of its entries must be a mapping: `- key: value`");
    out.push_back(YamlMap(std::move(impl)));
  }
  return out;
}

std::optional<YamlMap> YamlMap::map(std::string_view key) {
  const auto* node = impl_->take(key);
  if (node == nullptr) return std::nullopt;
  if (!node->IsMap()) {
    problem(key, "keys and values are expected below it");
    return std::nullopt;
  }
  auto impl = std::make_unique<Impl>();
  impl->problems = impl_->problems;
  impl->path = impl_->path + std::string(key) + ".";
  impl->fill(*node);
  return YamlMap(std::move(impl));
}

std::int64_t YamlMap::integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  return value<std::int64_t>(key, fallback, [&](std::string_view word) -> Result<std::int64_t> {
    const auto number = config::parse_integer(word);
    if (!number) return number.error();
    if (*number < min || *number > max) return Error(Errc::malformed, fmt::format("{} is not within {} to {}", *number, min, max));
    return *number;
  });
}

bool YamlMap::boolean(std::string_view key, bool fallback) {
  return value<bool>(key, fallback, [](std::string_view word) { return config::parse_boolean(word); });
}

std::uint64_t YamlMap::duration_ms(std::string_view key, std::uint64_t fallback) {
  return value<std::uint64_t>(key, fallback, parse_length_ms);
}

std::int64_t YamlMap::time_ms(std::string_view key, std::int64_t fallback) {
  return value<std::int64_t>(key, fallback, parse_time_ms);
}

void YamlMap::finish() {
  std::vector<std::string_view> candidates(impl_->known.begin(), impl_->known.end());
  for (const auto& [key, line] : impl_->lines) {
    if (impl_->known.contains(key)) continue;
    const auto guess = config::nearest(key, candidates);
    impl_->add(line, impl_->path + key + ": unknown key" +
                         (guess.empty() ? fmt::format("; here can be {}", fmt::join(candidates, ", ")) : fmt::format("; did you mean {}?", guess)));
  }
}

std::string problems_text(std::string_view file, const std::vector<YamlProblem>& problems) {
  auto sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  std::string out;
  for (const auto& [line, text] : sorted) {
    out += line == 0 ? fmt::format("{}: {}\n", file, text) : fmt::format("{}:{}: {}\n", file, line, text);
  }
  return out;
}

Result<std::uint64_t> parse_length_ms(std::string_view text) {
  if (text.ends_with('d')) {
    const auto days = config::parse_integer(text.substr(0, text.size() - 1));
    constexpr std::int64_t kMaxDays = 36'500;
    if (!days || *days < 0 || *days > kMaxDays) return Error(Errc::malformed, "'" + std::string(text) + "' is not a length such as 30d");
    return static_cast<std::uint64_t>(*days) * kDayMs;
  }
  const auto length = config::parse_duration(text);
  if (!length) return length.error();
  return static_cast<std::uint64_t>(length->count());
}

std::string length_text(std::uint64_t ms) {
  if (ms != 0 && ms % kDayMs == 0) return fmt::format("{}d", ms / kDayMs);
  return config::print_duration(std::chrono::milliseconds(static_cast<std::int64_t>(ms)));
}

Result<std::int64_t> parse_time_ms(std::string_view text) {
  const Error bad(Errc::malformed, "'" + std::string(text) + "' is not a time such as 2027-11-24 or 2027-11-24T12:00:00Z");
  const auto number = [&](std::size_t at, std::size_t digits) -> int {
    int out = -1;
    if (at + digits > text.size()) return -1;
    const auto* end = text.data() + at + digits;
    const auto [stop, error] = std::from_chars(text.data() + at, end, out);
    return error == std::errc{} && stop == end && text[at] != '-' ? out : -1;
  };
  constexpr std::size_t kDate = 10, kDateTime = 20, kWithMs = 24;
  if (text.size() != kDate && text.size() != kDateTime && text.size() != kWithMs) return bad;
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (year < 0 || month < 0 || day < 0 || text[4] != '-' || text[7] != '-') return bad;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return bad;
  std::chrono::milliseconds time = std::chrono::sys_days(date).time_since_epoch();
  if (text.size() == kDate) return time.count();
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2), ms = text.size() == kWithMs ? number(20, 3) : 0;
  if (text[10] != 'T' || text[13] != ':' || text[16] != ':' || text.back() != 'Z' || (text.size() == kWithMs && text[19] != '.')) return bad;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || ms < 0) return bad;
  time += std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) + std::chrono::milliseconds(ms);
  return time.count();
}

std::string time_text(std::int64_t ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(ms)};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss rest{time - day};
  auto out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                         static_cast<unsigned>(date.day()), rest.hours().count(), rest.minutes().count(), rest.seconds().count());
  if (rest.subseconds().count() != 0) out += fmt::format(".{:03}", rest.subseconds().count());
  return out + "Z";
}

std::string yaml_quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto at = [&](std::size_t offset) { return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0U; };
    if (byte == '"' || byte == '\\') {
      out += fmt::format("\\{}", text[i]);
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte >= 0xE0 && byte <= 0xEF && i + 2 < text.size()) {
      const auto point = (byte & 0x0FU) << 12U | (at(1) & 0x3FU) << 6U | (at(2) & 0x3FU);
      const bool deceives = (point >= 0x200B && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
                            (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF;
      if (deceives) out += fmt::format("\\u{:04x}", point);
      else out += text.substr(i, 3);
      i += 2;
    } else if (byte == 0xC2 && at(1) >= 0x80 && at(1) < 0xA0) {
      out += fmt::format("\\x{:02x}", at(1));
      ++i;
    } else {
      out += text[i];
    }
  }
  return out + "\"";
}

}  // namespace fw::cli
