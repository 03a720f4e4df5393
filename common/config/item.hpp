// One declared key of a Schema, by kind. Private to common/config.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "common/config/config.hpp"

namespace fw::config {

struct Item {
  explicit Item(Key declared) : key(std::move(declared)) {}
  virtual ~Item() = default;

  // Writes the values into the struct, or says what is wrong with them.
  virtual std::optional<std::string> assign(const std::vector<std::string>& values, std::string_view folder) = 0;
  virtual std::string print() const = 0;      // as YAML
  virtual std::string kind() const = 0;       // "duration", "bytes", "text" for the documentation
  virtual std::string range() const { return {}; }
  virtual bool is_list() const { return false; }
  virtual bool empty() const { return false; }
  virtual std::string text_value() const { return {}; }   // what key.check looks at

  Key key;
  std::string built_in;                // print() at declaration
  std::string origin = "built-in";
  bool refused = false;                // a source gave a wrong value, already reported
};

// Quoted when YAML would read the plain text as something else.
std::string yaml_text(const std::string& text);

}  // namespace fw::config
