// Configuration of a program: each key is declared once, next to the typed struct that it fills.
//
//   struct AgentConfig { std::string address; std::chrono::milliseconds period = 10s; };
//   Schema schema_of(AgentConfig& config) {
//     Schema schema{"fleetwright-agent"};
//     schema.text({.name = "aggregator.address", .help = "Host and port of the aggregator.", .required = true}, config.address);
//     schema.duration({.name = "sample.period", .help = "...", .min = 1000, .max = 3'600'000}, config.period);
//     return schema;
//   }
//
// The value that the struct holds when the key is declared is the default. A later source wins over an earlier one:
// built-in < file < its drop-in folder (agent.yaml: agent.d/*.yaml, sorted by name) < --set KEY=VALUE. In YAML, "a: {b: 1}" and
// "a.b: 1" are the same key. A secret is never a value, always the path of a file.
//
// Threading: one thread, at start-up. Lifetime: a Schema writes into the struct that it was made for, which must outlive it.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::config {

// Says what is wrong with a value, or nothing.
using Check = std::function<std::optional<std::string>(std::string_view value)>;

std::optional<std::string> check_host_port(std::string_view value);      // "host:port", "[::1]:port"; port 0 is allowed
std::optional<std::string> check_readable_file(std::string_view value);  // looks at the file system

// What a key may be. min and max are in the unit of its kind: ms for duration, bytes for bytes, a plain number for integer.
struct Key {
  std::string name;                   // "sample.period"
  std::string help;                   // one sentence for docs/configuration.md and error texts
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  bool required = false;              // text, path and list: must not be empty
  std::vector<std::string> choices = {};  // text only: the allowed values
  Check check = {};                   // text and path: run on a value that is not empty, after all sources
};

// One thing to mend: "agent.yaml:7: sample.perod: unknown key; did you mean sample.period?"
struct Problem {
  std::string where;  // "file:line", "file" or "--set"
  std::string text;
  std::string message() const { return where + ": " + text; }
};

struct Sources {
  std::optional<std::string> file;   // an error when it cannot be read; its drop-in folder may be absent
  std::vector<std::string> sets;     // KEY=VALUE, in the order given
  bool strict = true;                // false for verbs that use only a part (--once): no required keys, no Key::check
};

struct Item;  // one declared key (item.hpp)

class Schema {
 public:
  explicit Schema(std::string program);
  ~Schema();
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;

  void text(Key key, std::string& target);
  void path(Key key, std::string& target);    // a relative path in a file is relative to that file's folder
  void list(Key key, std::vector<std::string>& target);
  void boolean(Key key, bool& target);
  void integer(Key key, std::int64_t& target);
  void bytes(Key key, std::uint64_t& target);
  void duration(Key key, std::chrono::milliseconds& target);

  // Fills the struct. All problems of all sources together; empty: the struct is complete and valid. Reads files; never throws.
  std::vector<Problem> load(const Sources& sources);
  // The same for one YAML text; `name` stands for its path in problems and origins. For tests and the fuzz target.
  std::vector<Problem> load_text(std::string_view name, std::string_view yaml, bool strict = true);

  // YAML that load() reads back, each value with its origin: "sample.period: 10s  # /etc/fleetwright/agent.yaml:4".
  std::string print() const;
  // The Markdown table of docs/configuration.md.
  std::string docs_table() const;
  const std::string& program() const noexcept { return program_; }

 private:
  void add(std::unique_ptr<Item> item);
  static void assign(Item& item, const std::vector<std::string>& values, std::string_view folder, std::string_view where,
                     std::vector<Problem>& problems);
  void apply_text(std::string_view name, std::string_view yaml, std::vector<Problem>& problems);
  void apply_file(const std::string& file, std::vector<Problem>& problems);
  void apply_set(const std::string& set, std::vector<Problem>& problems);
  Item* find(std::string_view name);
  std::string unknown_key(std::string_view name) const;
  void finish(std::string_view file, std::vector<Problem>& problems);

  std::string program_;
  std::vector<std::unique_ptr<Item>> items_;  // in order of declaration
};

}  // namespace fw::config
