#include "aggregator/audit/entry.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cctype>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "common/id.hpp"
#include "common/utf8.hpp"

namespace fw::audit {
namespace {

namespace json = boost::json;

constexpr std::string_view kSchema = R"({"schema":1,"seq":)";
constexpr std::string_view kPrev = R"(,"prev":")";
constexpr std::size_t kPlaceBytes = 160;   // most that a place and an id add to a text
constexpr std::size_t kMaxListed = 64;     // texts of one detail
constexpr std::string_view kEllipsis = "\u2026", kReplacement = "\ufffd";

void write_string(std::string& out, std::string_view text) {
  out += '"';
  const auto begin = out.size();
  while (!text.empty()) {
    if (out.size() - begin + 6 + kEllipsis.size() > kMaxTextBytes) {   // 6: the longest escape
      out += kEllipsis;
      break;
    }
    const auto length = utf8_length(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (length == 0) {
      out += kReplacement;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c < 0x20) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

void write_member(std::string& out, std::string_view name, std::string_view text) {
  if (out.back() != '{') out += ',';
  out += fmt::format("\"{}\":", name);
  write_string(out, text);
}

void write_optional(std::string& out, std::string_view name, std::string_view text) {
  if (!text.empty()) write_member(out, name, text);
}

void write_value(std::string& out, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return write_string(out, *text);
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    out += std::to_string(*number);
    return;
  }
  if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
    return;
  }
  const auto& texts = std::get<std::vector<std::string>>(value);
  out += '[';
  for (std::size_t i = 0; i < std::min(texts.size(), kMaxListed); ++i) {
    if (i != 0) out += ',';
    write_string(out, texts[i]);
  }
  out += ']';
}

bool good_name(std::string_view name) {
  return !name.empty() && name != "release" && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
}

std::string detail_of(const Entry& entry) {
  std::string out = "{";
  for (const auto& [name, value] : entry.detail) {
    FW_ASSERT(good_name(name), "a name of an entry's detail is letters and digits, and not release");
    if (out.size() > 1) out += ',';
    out += fmt::format("\"{}\":", name);
    write_value(out, value);
  }
  return out + "}";
}

std::string time_text(std::int64_t time_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(time_ms)};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds.time_since_epoch().count())), (time - seconds).count());
}

// Digits, without a leading zero; takes them off `text`.
template <class T>
std::optional<T> take_number(std::string_view& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || length == 0 || (text.front() == '0' && length > 1)) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

Error malformed(std::string_view why) { return Error{Errc::malformed, std::string(why)}; }

// The whole text is one JSON object. Reused memory: a line is small.
std::optional<json::value> object_of(std::string_view text, json::storage_ptr memory) {
  json::error_code error;
  auto value = json::parse(text, error, std::move(memory));
  if (error || !value.is_object()) return std::nullopt;
  return value;
}

bool is_object(std::string_view text) {
  alignas(std::max_align_t) std::array<unsigned char, 8192> buffer;
  json::monotonic_resource memory(buffer.data(), buffer.size());
  return object_of(text, &memory).has_value();
}

}  // namespace

std::string to_text(const Entry& entry) {
  const auto with_detail = [&](std::string_view detail) {
    std::string out = "{";
    write_member(out, "time", time_text(entry.time_ms));
    out += ",\"actor\":{";
    write_member(out, "kind", entry.actor.kind);
    write_member(out, "name", entry.actor.name);
    write_optional(out, "key", entry.actor.key);
    out += '}';
    write_member(out, "verb", entry.verb);
    out += ",\"object\":{";
    write_member(out, "type", entry.object.type);
    write_member(out, "id", entry.object.id);
    out += '}';
    write_optional(out, "incident", entry.incident);
    write_optional(out, "plan", entry.plan);
    write_optional(out, "release", entry.release);
    if (entry.policy_version != 0) out += fmt::format(",\"policyVersion\":{}", entry.policy_version);
    write_optional(out, "decision", entry.decision);
    write_optional(out, "code", entry.code);
    if (!entry.detail.empty()) out += fmt::format(",\"detail\":{}", detail);
    return out + "}";
  };
  auto text = with_detail(detail_of(entry));
  return text.size() + kPlaceBytes <= kMaxLineBytes ? text : with_detail(R"({"detailCut":true})");
}

bool good_draft(const Draft& draft) {
  return draft.text.starts_with("{\"time\":\"") && draft.text.size() + kPlaceBytes <= kMaxLineBytes &&
         draft.text.find('\n') == std::string::npos && is_object(draft.text);
}

std::string rest_of(const Draft& draft) { return fmt::format("\"id\":{},{}", draft.id, std::string_view(draft.text).substr(1)); }

std::string to_line(const Draft& draft, std::uint64_t seq, const authority::Digest& prev) {
  FW_ASSERT(draft.text.size() > 2 && draft.text.front() == '{', "a draft is a JSON object");
  return fmt::format("{}{}{}{}\",{}", kSchema, seq, kPrev, to_hex(prev), rest_of(draft));
}

Result<Place> parse_place(std::string_view line) {
  if (line.size() > kMaxLineBytes) return malformed("the line is longer than 16 KiB");
  Place place;
  auto text = line;
  if (!take(text, kSchema)) return malformed("the line is not an entry");
  const auto seq = take_number<std::uint64_t>(text);
  if (!seq || !take(text, kPrev)) return malformed("the entry has no place");
  const auto prev = authority::parse_digest(text.substr(0, 64));
  if (!prev || authority::to_text(*prev) != text.substr(0, 64)) return malformed("the entry does not name the one before");
  text.remove_prefix(64);
  if (!take(text, "\",")) return malformed("the entry does not name the one before");
  if (!is_object(line)) return malformed("the line is not JSON");
  return Place{*seq, *prev, text};
}

namespace {

std::string string_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string{} : std::string(*text);
}

const json::object& object_at(const json::object& object, std::string_view name) {
  static const json::object kEmpty;
  const auto* value = object.if_contains(name);
  const auto* inner = value == nullptr ? nullptr : value->if_object();
  return inner == nullptr ? kEmpty : *inner;
}

std::uint64_t number_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  json::error_code error;
  const auto number = value == nullptr || !value->is_number() ? 0 : value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

std::optional<Value> value_of(const json::value& value) {
  if (const auto* text = value.if_string()) return Value(std::string(*text));
  if (const auto* flag = value.if_bool()) return Value(*flag);
  if (const auto* number = value.if_int64()) return Value(*number);
  if (!value.is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const auto& item : value.get_array()) {
    if (!item.is_string()) return std::nullopt;
    texts.emplace_back(item.get_string());
  }
  return Value(std::move(texts));
}

// "2026-11-24T15:04:05.123Z"
std::optional<std::int64_t> time_ms_of(std::string_view text) {
  if (text.size() != 24 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != '.' || text[23] != 'Z')
    return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = -1;
    const auto part = text.substr(at, length);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc{} && end == part.data() + part.size() && value >= 0 ? value : -1;
  };
  const std::chrono::year_month_day day(std::chrono::year(number(0, 4)), std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hours = number(11, 2), minutes = number(14, 2), seconds = number(17, 2), ms = number(20, 3);
  if (number(0, 4) < 0 || !day.ok() || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59 || ms < 0) return std::nullopt;
  const auto time = std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
                    std::chrono::seconds(seconds) + std::chrono::milliseconds(ms);
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

Result<Stored> parse_line(std::string_view line) {
  const auto place = parse_place(line);
  if (!place) return place.error();
  const auto value = object_of(line, {});
  if (!value) return malformed("the line is not JSON");
  const auto& object = value->get_object();
  Stored stored{place->seq, number_at(object, "id"), place->prev, {}};
  auto& entry = stored.entry;
  const auto time_ms = time_ms_of(string_at(object, "time"));
  if (!time_ms) return malformed("the entry has no time");
  entry.time_ms = *time_ms;
  const auto& actor = object_at(object, "actor");
  entry.actor = {string_at(actor, "kind"), string_at(actor, "name"), string_at(actor, "key")};
  entry.verb = string_at(object, "verb");
  const auto& about = object_at(object, "object");
  entry.object = {string_at(about, "type"), string_at(about, "id")};
  entry.incident = string_at(object, "incident");
  entry.plan = string_at(object, "plan");
  entry.release = string_at(object, "release");
  entry.policy_version = number_at(object, "policyVersion");
  entry.decision = string_at(object, "decision");
  entry.code = string_at(object, "code");
  for (const auto& [name, member] : object_at(object, "detail"))
    if (auto known = value_of(member)) entry.detail.emplace_back(name, std::move(*known));
  if (entry.verb.empty() || entry.actor.kind.empty()) return malformed("the entry has no verb or actor");
  return stored;
}

}  // namespace fw::audit
