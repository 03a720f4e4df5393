// Reads JSON from outside into bounded, checked text. For aggregator/changes and the bodies of aggregator/api.
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/units.hpp"
#include "common/utf8.hpp"
#include "protocol/limits.hpp"

namespace fw::changes {

inline constexpr std::size_t kMaxNameBytes = 256;                      // names, ids, actors, revisions
inline constexpr std::size_t kMaxTitleBytes = 1_KiB;
inline constexpr std::size_t kMaxLongBytes = limits::kMaxLabelBytes;   // urls, paths, values of fields
inline constexpr std::size_t kMaxFields = 256;                         // changed fields of one change
inline constexpr std::size_t kMaxJsonDepth = 32;
inline constexpr std::size_t kMaxJsonMemoryBytes = 256_MiB;            // of the parsed tree of one delivery

// A parsed body. Bytes that are not UTF-8 and deeper nesting than kMaxJsonDepth are errors; the former names the field.
class JsonDocument {
 public:
  static Result<JsonDocument> parse(std::string_view body);
  const boost::json::value& root() const noexcept { return *root_; }

 private:
  struct Memory;
  explicit JsonDocument(std::shared_ptr<Memory> memory);
  std::shared_ptr<Memory> memory_;   // owns the tree
  const boost::json::value* root_ = nullptr;
};

// The first thing that was wrong; readers that share it return empty values from then on, so that decoding code has no branches.
class Problems {
 public:
  void report(std::string_view path, std::string_view text, Errc errc = Errc::malformed);
  bool any() const noexcept { return first_.has_value(); }
  const Error& first() const noexcept { return *first_; }

 private:
  std::optional<Error> first_;
};

// One JSON object and its path. null counts as absent everywhere.
class ObjectReader {
 public:
  // Reports when `value` is no object; null and absent (nullptr) give a reader without fields.
  ObjectReader(const boost::json::value* value, std::string path, Problems& problems);

  bool present() const noexcept { return object_ != nullptr; }
  const boost::json::value* find(std::string_view name);   // nullptr when absent or null

  // Identities: valid UTF-8, no control characters, at most `limit` bytes, else reported.
  std::string text(std::string_view name, std::size_t limit = kMaxNameBytes);
  std::string required_text(std::string_view name, std::size_t limit = kMaxNameBytes);
  std::string required_prose(std::string_view name, std::size_t limit);   // as required_text, with line ends and tabs
  // Text for people, from a source that we do not control: control characters become blanks, too long is cut.
  std::string free_text(std::string_view name, std::size_t limit = kMaxTitleBytes);
  std::string url(std::string_view name);                  // "" unless http or https
  std::string required_number(std::string_view name);      // of an integer >= 0, as text
  std::optional<std::int64_t> time_ns(std::string_view name);
  std::int64_t required_time_ns(std::string_view name);
  // Text as given, a number or truth value as its JSON text.
  std::optional<std::string> scalar(std::string_view name, std::size_t limit = kMaxLongBytes);
  ObjectReader object(std::string_view name);

  // Reports the first field that no accessor asked for.
  void reject_unknown();
  void report(std::string_view name, std::string_view text);

 private:
  std::string path_of(std::string_view name) const;
  std::string checked(std::string_view name, std::string_view value, std::size_t limit, std::string_view allowed_controls = "");

  const boost::json::object* object_ = nullptr;
  std::string path_;
  Problems& problems_;
  std::vector<std::string> asked_;
};

}  // namespace fw::changes
