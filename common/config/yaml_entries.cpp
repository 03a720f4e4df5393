#include "common/config/yaml_entries.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <optional>
#include <set>
#include <sstream>

#include "common/units.hpp"

namespace fw::config {

namespace {

constexpr std::size_t kMaxTextBytes = 1_MiB;
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxErrors = 100;

struct Stop {};  // enough is wrong; thrown through yaml-cpp, caught below

std::size_t line_of(const YAML::Mark& mark) { return static_cast<std::size_t>(mark.line < 0 ? 0 : mark.line) + 1; }

// Receives the parser's events instead of a node tree: duplicate keys stay visible, and there is no recursion of ours.
class Flattener final : public YAML::EventHandler {
 public:
  explicit Flattener(YamlEntries& out) : out_(out) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { scalar(mark, ""); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    if (anchor != 0) fail(mark, "anchors are not supported");
    scalar(mark, value);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases are not supported");
    scalar(mark, "");
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, Level{.is_list = false});
  }
  void OnMapEnd() override { levels_.pop_back(); value_done(); }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    if (levels_.empty()) {
      fail(mark, "expected keys and values, not a list");
    } else if (levels_.back().is_list) {
      fail(mark, "a list inside a list is not supported");
    } else if (levels_.back().key) {
      add(mark, true);
    }
    open(mark, Level{.is_list = true});
  }
  void OnSequenceEnd() override { levels_.pop_back(); value_done(); }

 private:
  struct Level {
    bool is_list = false;
    std::optional<std::string> key = std::nullopt;  // of a mapping: read, its value is next
    std::size_t key_line = 0;
  };

  void fail(const YAML::Mark& mark, std::string text) {
    out_.errors.push_back({line_of(mark), std::move(text)});
    if (out_.errors.size() >= kMaxErrors) throw Stop{};
  }

  void open(const YAML::Mark& mark, Level level) {
    if (!levels_.empty()) {
      if (!level.is_list && levels_.back().is_list) fail(mark, "a mapping inside a list is not supported");
      if (!levels_.back().is_list && !levels_.back().key) fail(mark, "a key must be plain text");
    }
    levels_.push_back(std::move(level));
    if (levels_.size() > kMaxDepth) {
      fail(mark, "nested too deeply");
      throw Stop{};
    }
  }

  void scalar(const YAML::Mark& mark, const std::string& value) {
    if (levels_.empty()) {
      if (!value.empty()) fail(mark, "expected keys and values");
      return;
    }
    auto& level = levels_.back();
    if (level.is_list) {
      if (!out_.entries.empty() && out_.entries.back().is_list) out_.entries.back().values.push_back(value);
    } else if (!level.key) {
      level.key = value;
      level.key_line = line_of(mark);
    } else {
      add(mark, false).values.push_back(value);
      level.key.reset();
    }
  }

  // A mapping or list that was a value has ended: the next scalar of the level above is a key again.
  void value_done() {
    if (!levels_.empty() && !levels_.back().is_list) levels_.back().key.reset();
  }

  YamlEntry& add(const YAML::Mark& mark, bool is_list) {
    std::string key;
    for (const auto& level : levels_) {
      if (level.key) key += (key.empty() ? "" : ".") + *level.key;
    }
    if (!seen_.insert(key).second) fail(mark, key + ": given twice");
    return out_.entries.emplace_back(YamlEntry{.key = std::move(key), .line = levels_.back().key_line, .values = {}, .is_list = is_list});
  }

  YamlEntries& out_;
  std::vector<Level> levels_;
  std::set<std::string> seen_;
};

}  // namespace

YamlEntries read_yaml(std::string_view text) {
  YamlEntries out;
  if (text.size() > kMaxTextBytes) {
    out.errors.push_back({1, "larger than 1 MiB"});
    return out;
  }
  Flattener flattener(out);
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(flattener);
    if (parser) {
      YamlEntries ignored;
      Flattener second(ignored);
      if (parser.HandleNextDocument(second)) out.errors.push_back({1, "more than one document"});
    }
  } catch (const YAML::Exception& error) {
    out.errors.push_back({line_of(error.mark), error.msg});
  } catch (const Stop&) {
  } catch (const std::exception& error) {
    out.errors.push_back({1, error.what()});
  }
  return out;
}

}  // namespace fw::config
