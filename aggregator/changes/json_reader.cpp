#include "aggregator/changes/json_reader.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/memory_resource.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "aggregator/changes/rfc3339.hpp"

namespace fw::changes {
namespace json = boost::json;
namespace {

// Under a monotonic pool: it frees everything at its end, so nothing is given back before. malloc, because Boost 1.81's pool frees with another
// size than it allocated.
class CappedMemory final : public json::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t align) override {
    FW_ASSERT(align <= alignof(std::max_align_t), "malloc aligns no stricter");
    void* memory = bytes <= left_ ? std::malloc(bytes) : nullptr;
    if (memory == nullptr) throw std::bad_alloc();
    left_ -= bytes;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t, std::size_t) override { std::free(memory); }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::size_t left_ = kMaxJsonMemoryBytes;
};

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::string join(std::string_view path, std::string_view name) {
  if (path.empty() || name.empty()) return std::string(path) + std::string(name);
  return std::string(path) + (name.front() == '[' ? "" : ".") + std::string(name);
}

// Names in error texts come from outside: printable ASCII only, short.
std::string printable(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 64)) out += is_control(c) || static_cast<unsigned char>(c) >= 0x80 ? '?' : c;
  return out;
}

// Where the first string is that is not UTF-8; "" when there is none (it was outside of strings).
std::string find_invalid(const json::value& value, const std::string& path) {
  if (const auto* text = value.if_string()) return valid_utf8(*text) ? "" : path;
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      const std::string member_path = join(path, printable(key));
      if (!valid_utf8(key)) return member_path;
      if (auto found = find_invalid(member, member_path); !found.empty()) return found;
    }
  } else if (const auto* array = value.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (auto found = find_invalid((*array)[i], join(path, "[" + std::to_string(i) + "]")); !found.empty()) return found;
    }
  }
  return "";
}

}  // namespace

struct JsonDocument::Memory {
  CappedMemory capped;
  json::monotonic_resource pool;
  json::value root;   // in pool, which is in capped: the order of members matters

  Memory() : pool(64_KiB, json::storage_ptr(&capped)), root(json::storage_ptr(&pool)) {}
};

JsonDocument::JsonDocument(std::shared_ptr<Memory> memory) : memory_(std::move(memory)), root_(&memory_->root) {}

Result<JsonDocument> JsonDocument::parse(std::string_view body) {
  const bool utf8 = valid_utf8(body);
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  options.allow_invalid_utf8 = !utf8;   // only to find the name of the field
  auto memory = std::make_shared<Memory>();
  json::error_code error;
  try {
    memory->root = json::parse(body, error, json::storage_ptr(&memory->pool), options);
  } catch (const std::bad_alloc&) {
    return Error(Errc::too_large, "body: needs more memory than one delivery may use");
  }
  if (error == json::error::too_deep) return Error(Errc::malformed, "body: nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  if (!utf8) {
    const std::string path = error ? "" : find_invalid(memory->root, "");
    return Error(Errc::malformed, (path.empty() ? "body" : path) + ": not valid UTF-8");
  }
  if (error) return Error(Errc::malformed, "body: not JSON (" + error.message() + ")");
  return JsonDocument(std::move(memory));
}

void Problems::report(std::string_view path, std::string_view text, Errc errc) {
  if (!first_) first_ = Error(errc, std::string(path) + ": " + std::string(text));
}

ObjectReader::ObjectReader(const json::value* value, std::string path, Problems& problems) : path_(std::move(path)), problems_(problems) {
  if (value == nullptr || value->is_null()) return;
  object_ = value->if_object();
  if (object_ == nullptr) problems_.report(path_.empty() ? "body" : path_, "must be an object");
}

std::string ObjectReader::path_of(std::string_view name) const { return join(path_, name); }

void ObjectReader::report(std::string_view name, std::string_view text) { problems_.report(path_of(name), text); }

const json::value* ObjectReader::find(std::string_view name) {
  asked_.emplace_back(name);
  if (object_ == nullptr) return nullptr;
  const auto it = object_->find(name);
  return it == object_->end() || it->value().is_null() ? nullptr : &it->value();
}

std::string ObjectReader::checked(std::string_view name, std::string_view value, std::size_t limit, std::string_view allowed_controls) {
  const auto refused = [&](char c) { return is_control(c) && allowed_controls.find(c) == std::string_view::npos; };
  if (value.size() > limit) {
    report(name, "longer than " + std::to_string(limit) + " bytes");
  } else if (!valid_utf8(value)) {
    report(name, "not valid UTF-8");
  } else if (std::any_of(value.begin(), value.end(), refused)) {
    report(name, "holds a control character");
  } else {
    return std::string(value);
  }
  return "";
}

std::string ObjectReader::text(std::string_view name, std::size_t limit) {
  const auto* value = find(name);
  if (value == nullptr) return "";
  if (const auto* string = value->if_string()) return checked(name, *string, limit);
  report(name, "must be text");
  return "";
}

std::string ObjectReader::required_text(std::string_view name, std::size_t limit) {
  std::string value = text(name, limit);
  if (value.empty()) report(name, "missing or empty");
  return value;
}

std::string ObjectReader::required_prose(std::string_view name, std::size_t limit) {
  const auto* value = find(name);
  const auto* string = value == nullptr ? nullptr : value->if_string();
  if (string == nullptr || string->empty()) {
    report(name, value == nullptr || string != nullptr ? "missing or empty" : "must be text");
    return "";
  }
  return checked(name, *string, limit, "\n\r\t");
}

std::string ObjectReader::free_text(std::string_view name, std::size_t limit) {
  const auto* value = find(name);
  const auto* string = value == nullptr ? nullptr : value->if_string();
  if (string == nullptr) return "";
  std::string_view rest = *string;
  std::string out;
  while (!rest.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(rest), 1);
    if (out.size() + length > limit) break;
    out += length == 1 && is_control(rest.front()) ? std::string_view(" ") : rest.substr(0, length);
    rest.remove_prefix(length);
  }
  return out;
}

std::string ObjectReader::url(std::string_view name) {
  std::string value = free_text(name, kMaxLongBytes);
  const bool web = value.starts_with("https://") || value.starts_with("http://");
  return web && value.find(' ') == std::string::npos ? value : "";
}

std::string ObjectReader::required_number(std::string_view name) {
  const auto* value = find(name);
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0) return std::to_string(value->get_int64());
  if (value != nullptr && value->is_uint64()) return std::to_string(value->get_uint64());
  report(name, value == nullptr ? "missing" : "must be a whole number");
  return "";
}

std::optional<std::int64_t> ObjectReader::time_ns(std::string_view name) {
  const std::string value = text(name, 64);
  if (value.empty()) return std::nullopt;
  const auto time = parse_rfc3339(value);
  if (time.has_value()) return *time;
  report(name, "not an RFC 3339 time such as 2026-11-24T02:47:03.120Z");
  return std::nullopt;
}

std::int64_t ObjectReader::required_time_ns(std::string_view name) {
  const auto time = time_ns(name);
  if (!time) report(name, "missing");
  return time.value_or(0);
}

std::optional<std::string> ObjectReader::scalar(std::string_view name, std::size_t limit) {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* string = value->if_string()) return checked(name, *string, limit);
  if (value->is_bool()) return value->get_bool() ? "true" : "false";
  if (const auto* number = value->if_double()) {
    // Boost.JSON writes 0.5 as 5E-1; people and quantity parsers expect 0.5.
    std::array<char, 32> out{};
    const auto end = std::to_chars(out.begin(), out.end(), *number).ptr;
    return std::string(out.begin(), end);
  }
  if (value->is_number()) return json::serialize(*value);
  report(name, "must be text, a number, true, false or null");
  return std::nullopt;
}

ObjectReader ObjectReader::object(std::string_view name) {
  const auto* value = find(name);
  return {value, path_of(name), problems_};
}

void ObjectReader::reject_unknown() {
  if (object_ == nullptr) return;
  for (const auto& member : *object_) {
    if (std::find(asked_.begin(), asked_.end(), std::string_view(member.key())) != asked_.end()) continue;
    std::string known;
    for (const auto& name : asked_) known += (known.empty() ? "" : ", ") + name;
    report(printable(member.key()), "unknown field; known are " + known);
    return;
  }
}

}  // namespace fw::changes
