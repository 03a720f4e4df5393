// A YAML text as a flat list of dotted keys with their lines. The only door to yaml-cpp.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fw::config {

struct YamlEntry {
  std::string key;                  // "tls.certificate"
  std::size_t line = 0;             // of the key; the first line is 1
  std::vector<std::string> values;  // one for a scalar
  bool is_list = false;
};

struct YamlError {
  std::size_t line = 0;
  std::string text;
};

struct YamlEntries {
  std::vector<YamlEntry> entries;
  std::vector<YamlError> errors;
};

// Pure, never throws. Accepts one document that is a mapping of mappings, scalars and lists of scalars; a key given twice, an anchor,
// an alias or a deeper list is an error with its line. A text longer than 1 MiB or nested deeper than 16 is refused.
YamlEntries read_yaml(std::string_view text);

}  // namespace fw::config
