// The kinds of keys: how each reads its text, checks its range and prints itself.
#include <algorithm>
#include <filesystem>

#include "common/config/config.hpp"
#include "common/config/item.hpp"
#include "common/config/values.hpp"

namespace fw::config {

std::string yaml_text(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' || c == '-';
  };
  const bool is_plain = !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), plain);
  if (is_plain && text != "true" && text != "false" && text != "null") return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

namespace {

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : std::string(separator)) + part;
  return out;
}

class TextItem : public Item {
 public:
  TextItem(Key declared, std::string& target) : Item(std::move(declared)), target_(target) {}
  std::optional<std::string> assign(const std::vector<std::string>& values, std::string_view) override {
    const auto& choices = key.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), values.front()) == choices.end()) {
      return "'" + values.front() + "' is not one of " + joined(choices, ", ");
    }
    target_ = values.front();
    return std::nullopt;
  }
  std::string print() const override { return yaml_text(target_); }
  std::string kind() const override { return "text"; }
  std::string range() const override { return joined(key.choices, ", "); }
  bool empty() const override { return target_.empty(); }
  std::string text_value() const override { return target_; }

 protected:
  std::string& target_;
};

class PathItem final : public TextItem {
 public:
  using TextItem::TextItem;
  std::optional<std::string> assign(const std::vector<std::string>& values, std::string_view folder) override {
    const std::filesystem::path path(values.front());
    const bool join = !path.empty() && path.is_relative() && !folder.empty();
    target_ = join ? (std::filesystem::path(folder) / path).string() : path.string();
    return std::nullopt;
  }
  std::string kind() const override { return "path"; }
};

class ListItem final : public Item {
 public:
  ListItem(Key declared, std::vector<std::string>& target) : Item(std::move(declared)), target_(target) {}
  std::optional<std::string> assign(const std::vector<std::string>& values, std::string_view) override {
    target_.clear();
    for (const auto& value : values) {
      if (!value.empty()) target_.push_back(value);
    }
    return std::nullopt;
  }
  std::string print() const override {
    std::vector<std::string> quoted;
    for (const auto& value : target_) quoted.push_back(yaml_text(value));
    return "[" + joined(quoted, ", ") + "]";
  }
  std::string kind() const override { return "list of text"; }
  bool is_list() const override { return true; }
  bool empty() const override { return target_.empty(); }

 private:
  std::vector<std::string>& target_;
};

// A number of some kind: Traits has parse, print, count (as int64) and kKind.
template <class T, class Traits>
class NumberItem final : public Item {
 public:
  NumberItem(Key declared, T& target) : Item(std::move(declared)), target_(target) {}
  std::optional<std::string> assign(const std::vector<std::string>& values, std::string_view) override {
    const auto value = Traits::parse(values.front());
    if (!value) return value.error().context;
    const auto number = Traits::count(*value);
    if (number < key.min || number > key.max) {
      return values.front() + " is outside of " + range();
    }
    target_ = *value;
    return std::nullopt;
  }
  std::string print() const override { return Traits::print(target_); }
  std::string kind() const override { return Traits::kKind; }
  std::string range() const override {
    const auto low = Traits::print(Traits::make(key.min));
    if (key.max == std::numeric_limits<std::int64_t>::max()) return low + " or more";
    return low + " to " + Traits::print(Traits::make(key.max));
  }

 private:
  T& target_;
};

struct IntegerTraits {
  static constexpr const char* kKind = "whole number";
  static auto parse(std::string_view text) { return parse_integer(text); }
  static std::string print(std::int64_t value) { return std::to_string(value); }
  static std::int64_t count(std::int64_t value) { return value; }
  static std::int64_t make(std::int64_t value) { return value; }
};
struct BytesTraits {
  static constexpr const char* kKind = "bytes";
  static auto parse(std::string_view text) { return parse_bytes(text); }
  static std::string print(std::uint64_t value) { return print_bytes(value); }
  static std::int64_t count(std::uint64_t value) { return static_cast<std::int64_t>(value); }
  static std::uint64_t make(std::int64_t value) { return static_cast<std::uint64_t>(value); }
};
struct DurationTraits {
  static constexpr const char* kKind = "duration";
  static auto parse(std::string_view text) { return parse_duration(text); }
  static std::string print(std::chrono::milliseconds value) { return print_duration(value); }
  static std::int64_t count(std::chrono::milliseconds value) { return value.count(); }
  static std::chrono::milliseconds make(std::int64_t value) { return std::chrono::milliseconds{value}; }
};

class BooleanItem final : public Item {
 public:
  BooleanItem(Key declared, bool& target) : Item(std::move(declared)), target_(target) {}
  std::optional<std::string> assign(const std::vector<std::string>& values, std::string_view) override {
    const auto value = parse_boolean(values.front());
    if (!value) return value.error().context;
    target_ = *value;
    return std::nullopt;
  }
  std::string print() const override { return target_ ? "true" : "false"; }
  std::string kind() const override { return "boolean"; }
  std::string range() const override { return "true, false"; }

 private:
  bool& target_;
};

}  // namespace

void Schema::text(Key key, std::string& target) { add(std::make_unique<TextItem>(std::move(key), target)); }
void Schema::path(Key key, std::string& target) { add(std::make_unique<PathItem>(std::move(key), target)); }
void Schema::list(Key key, std::vector<std::string>& target) {
  add(std::make_unique<ListItem>(std::move(key), target));
}
void Schema::boolean(Key key, bool& target) { add(std::make_unique<BooleanItem>(std::move(key), target)); }
void Schema::integer(Key key, std::int64_t& target) {
  add(std::make_unique<NumberItem<std::int64_t, IntegerTraits>>(std::move(key), target));
}
void Schema::bytes(Key key, std::uint64_t& target) {
  add(std::make_unique<NumberItem<std::uint64_t, BytesTraits>>(std::move(key), target));
}
void Schema::duration(Key key, std::chrono::milliseconds& target) {
  add(std::make_unique<NumberItem<std::chrono::milliseconds, DurationTraits>>(std::move(key), target));
}

}  // namespace fw::config
