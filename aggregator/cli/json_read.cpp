#include "aggregator/cli/json_read.hpp"

namespace fw::cli::json_read {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;

const json::value* find(const Object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string text(const Object& object, std::string_view key) {
  const auto* value = find(object, key);
  const auto* string = value != nullptr ? value->if_string() : nullptr;
  return string != nullptr ? std::string(*string) : std::string();
}

std::optional<std::string> optional_text(const Object& object, std::string_view key) {
  const auto* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* string = value->if_string()) return std::string(*string);
  return json::serialize(*value);
}

std::optional<std::int64_t> optional_integer(const Object& object, std::string_view key) {
  const auto* value = find(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::int64_t integer(const Object& object, std::string_view key) { return optional_integer(object, key).value_or(0); }

std::optional<std::int64_t> optional_time(const Object& object, std::string_view key) {
  const auto time = optional_integer(object, key);
  return time && *time != 0 ? time : std::nullopt;
}

bool boolean(const Object& object, std::string_view key) {
  const auto* value = find(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const Object* child(const Object& object, std::string_view key) {
  const auto* value = find(object, key);
  return value != nullptr ? value->if_object() : nullptr;
}

std::vector<std::string> texts(const Object& object, std::string_view key) {
  std::vector<std::string> out;
  each(object, key, [&](const json::value& item) {
    if (const auto* string = item.if_string()) out.emplace_back(*string);
  });
  return out;
}

Result<Object> parse(std::string_view bytes, std::string_view kind) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  auto value = json::parse(bytes, error, {}, options);
  if (error) return Error(Errc::malformed, "not JSON: " + error.message());
  auto* object = value.if_object();
  if (object == nullptr) return Error(Errc::malformed, "not a JSON object");
  const auto found = text(*object, "kind");
  if (found != kind) {
    return Error(Errc::malformed, "expected kind " + std::string(kind) + ", got " + (found.empty() ? "none" : found));
  }
  return std::move(*object);
}

}  // namespace fw::cli::json_read
