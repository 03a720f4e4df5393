#include "common/config/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/config/item.hpp"
#include "common/config/values.hpp"
#include "common/config/yaml_entries.hpp"

namespace fw::config {

namespace fs = std::filesystem;

namespace {

Result<std::string> read_text(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return errno_error(EISDIR, path.string());
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return errno_error(errno, path.string());
  std::ostringstream text;
  text << stream.rdbuf();
  if (stream.bad()) return errno_error(EIO, path.string());
  return std::move(text).str();
}

// "agent.yaml" has its drop-in files in "agent.d".
std::vector<fs::path> drop_ins(const fs::path& file) {
  auto folder = file;
  folder.replace_extension(".d");
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".yaml") files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string at(std::string_view file, std::size_t line) { return std::string(file) + ":" + std::to_string(line); }

}  // namespace

std::optional<std::string> check_host_port(std::string_view value) {
  const auto colon = value.rfind(':');
  const auto wrong = "'" + std::string(value) + "' is not host:port";
  if (colon == std::string_view::npos || colon == 0) return wrong;
  const auto host = value.substr(0, colon);
  const auto port = value.substr(colon + 1);
  if (host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']')) return wrong;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size()) return wrong;
  return std::nullopt;
}

std::optional<std::string> check_readable_file(std::string_view value) {
  const std::string path(value);
  std::error_code ignored;
  if (::access(path.c_str(), R_OK) != 0) return path + ": " + std::strerror(errno);
  if (!fs::is_regular_file(path, ignored)) return path + ": not a file";
  return std::nullopt;
}

Schema::Schema(std::string program) : program_(std::move(program)) {}
Schema::~Schema() = default;
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;

void Schema::add(std::unique_ptr<Item> item) {
  FW_ASSERT(find(item->key.name) == nullptr, "a configuration key is declared twice");
  item->built_in = item->print();
  items_.push_back(std::move(item));
}

Item* Schema::find(std::string_view name) {
  const auto it = std::find_if(items_.begin(), items_.end(), [&](const auto& item) { return item->key.name == name; });
  return it == items_.end() ? nullptr : it->get();
}

std::string Schema::unknown_key(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& item : items_) names.push_back(item->key.name);
  auto suggestion = nearest(name, names);
  if (suggestion.empty()) {  // the right last word under the wrong section: "log_level", "logging.level"
    const auto last = name.substr(name.rfind('.') == std::string_view::npos ? 0 : name.rfind('.') + 1);
    for (const auto candidate : names) {
      if (candidate.substr(candidate.rfind('.') + 1) == last) suggestion = candidate;
    }
  }
  const auto text = std::string(name.substr(0, 128)) + ": unknown key";
  return suggestion.empty() ? text : text + "; did you mean " + std::string(suggestion) + "?";
}

void Schema::assign(Item& item, const std::vector<std::string>& values, std::string_view folder, std::string_view where,
                    std::vector<Problem>& problems) {
  item.origin = where;
  if (auto wrong = item.assign(values, folder)) {
    problems.push_back({std::string(where), item.key.name + ": " + *wrong});
    item.refused = true;
  }
}

void Schema::apply_text(std::string_view name, std::string_view yaml, std::vector<Problem>& problems) {
  const auto folder = fs::path(name).parent_path().string();
  const auto read = read_yaml(yaml);
  for (const auto& error : read.errors) problems.push_back({at(name, error.line), error.text});
  for (const auto& entry : read.entries) {
    const auto where = at(name, entry.line);
    auto* item = find(entry.key);
    if (item == nullptr) {
      problems.push_back({where, unknown_key(entry.key)});
    } else if (entry.is_list && !item->is_list()) {
      problems.push_back({where, entry.key + ": expected one value, not a list"});
      item->refused = true;
    } else {
      assign(*item, entry.values, folder, where, problems);
    }
  }
}

void Schema::apply_file(const std::string& file, std::vector<Problem>& problems) {
  const auto apply = [&](const fs::path& path) {
    if (auto text = read_text(path)) {
      apply_text(path.string(), *text, problems);
    } else {
      problems.push_back({path.string(), text.error().message()});
    }
  };
  apply(file);
  for (const auto& drop_in : drop_ins(file)) apply(drop_in);
}

void Schema::apply_set(const std::string& set, std::vector<Problem>& problems) {
  const auto equals = set.find('=');
  if (equals == std::string::npos) {
    problems.push_back({"--set", "'" + set + "' is not KEY=VALUE"});
    return;
  }
  const auto name = std::string_view(set).substr(0, equals);
  auto* item = find(name);
  if (item == nullptr) {
    problems.push_back({"--set", unknown_key(name)});
    return;
  }
  assign(*item, {set.substr(equals + 1)}, "", "--set", problems);
}

void Schema::finish(std::string_view file, std::vector<Problem>& problems) {
  for (const auto& item : items_) {
    if (item->refused) continue;
    if (item->empty() && item->key.required) {
      const auto unset = item->origin == "built-in";
      problems.push_back({unset ? std::string(file) : item->origin,
                          item->key.name + (unset ? ": required but not set. " + item->key.help : ": must not be empty")});
    } else if (!item->empty() && item->key.check) {
      if (auto wrong = item->key.check(item->text_value())) problems.push_back({item->origin, item->key.name + ": " + *wrong});
    }
  }
}

std::vector<Problem> Schema::load(const Sources& sources) {
  std::vector<Problem> problems;
  if (sources.file) apply_file(*sources.file, problems);
  for (const auto& set : sources.sets) apply_set(set, problems);
  if (sources.strict) finish(sources.file.value_or(program_), problems);
  return problems;
}

std::vector<Problem> Schema::load_text(std::string_view name, std::string_view yaml, bool strict) {
  std::vector<Problem> problems;
  apply_text(name, yaml, problems);
  if (strict) finish(name, problems);
  return problems;
}

std::string Schema::print() const {
  std::string out;
  for (const auto& item : items_) {
    out += item->key.name + ": " + item->print() + "  # " + item->origin + "\n";
  }
  return out;
}

std::string Schema::docs_table() const {
  std::string out = "| key | kind | default | range | meaning |\n|---|---|---|---|---|\n";
  for (const auto& item : items_) {
    const auto& shown = item->key.required && item->empty() ? std::string("required") : "`" + item->built_in + "`";
    out += "| `" + item->key.name + "` | " + item->kind() + " | " + shown + " | " + item->range() + " | " + item->key.help + " |\n";
  }
  return out;
}

}  // namespace fw::config
