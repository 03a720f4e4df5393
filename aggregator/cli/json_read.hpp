// Tolerant reading of the API's objects: absent keys and values of another type give the type's default. Pure.
#pragma once
#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::cli::json_read {

using Object = boost::json::object;

const boost::json::value* find(const Object& object, std::string_view key);   // nothing for null, too
std::string text(const Object& object, std::string_view key);
std::optional<std::string> optional_text(const Object& object, std::string_view key);   // numbers and the like as their JSON text
std::optional<std::int64_t> optional_integer(const Object& object, std::string_view key);
std::int64_t integer(const Object& object, std::string_view key);
std::optional<std::int64_t> optional_time(const Object& object, std::string_view key);   // absent times are left out or zero
bool boolean(const Object& object, std::string_view key);
const Object* child(const Object& object, std::string_view key);

template <class Visit>
void each(const Object& object, std::string_view key, Visit visit) {
  const auto* value = find(object, key);
  const auto* array = value != nullptr ? value->if_array() : nullptr;
  if (array == nullptr) return;
  for (const auto& item : *array) visit(item);
}

template <class Visit>
void each_object(const Object& object, std::string_view key, Visit visit) {
  each(object, key, [&](const boost::json::value& item) {
    if (const auto* inner = item.if_object()) visit(*inner);
  });
}

std::vector<std::string> texts(const Object& object, std::string_view key);

// Errc::malformed: not JSON, nested deeper than 32, not an object, or of another kind.
Result<Object> parse(std::string_view bytes, std::string_view kind);

}  // namespace fw::cli::json_read
