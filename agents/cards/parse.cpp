#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <set>

#include "agents/cards/card.hpp"

namespace fw::agents {
namespace {

int line_of(const YAML::Node& node) { return node.Mark().is_null() ? 1 : node.Mark().line + 1; }

// Reads one mapping; remembers which file it is about.
class Reader {
 public:
  Reader(const CardFile& file, std::vector<std::string>& problems) : file_(file), problems_(problems) {}

  void problem(const YAML::Node& at, const std::string& text) { problem(line_of(at), text); }
  void problem(int line, const std::string& text) { problems_.push_back(file_.path + ":" + std::to_string(line) + ": " + text); }

  // Only these keys, each at most once.
  bool keys(const YAML::Node& map, std::string_view what, std::initializer_list<std::string_view> known) {
    if (!map.IsMap()) {
      problem(map, std::string{what} + " must be a mapping");
      return false;
    }
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      if (std::find(known.begin(), known.end(), key) == known.end()) problem(entry.first, "unknown key '" + key + "' in " + std::string{what});
      if (!seen.insert(key).second) problem(entry.first, "key '" + key + "' twice in " + std::string{what});
    }
    return true;
  }

  std::string text(const YAML::Node& map, const char* key, bool required = true) {
    const YAML::Node node = map[key];
    if (!node) {
      if (required) problem(map, std::string{"'"} + key + "' is missing");
      return {};
    }
    if (!node.IsScalar() || node.Scalar().empty()) {
      problem(node, std::string{"'"} + key + "' must be a text");
      return {};
    }
    std::string out = node.Scalar();
    while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
    return out;
  }

  std::vector<std::string> list(const YAML::Node& map, const char* key, bool required) {
    const YAML::Node node = map[key];
    std::vector<std::string> out;
    if (!node) {
      if (required) problem(map, std::string{"'"} + key + "' is missing");
      return out;
    }
    if (!node.IsSequence()) {
      problem(node, std::string{"'"} + key + "' must be a list");
      return out;
    }
    for (const auto& item : node)
      if (item.IsScalar() && !item.Scalar().empty()) out.push_back(item.Scalar());
      else problem(item, std::string{"'"} + key + "' must hold texts");
    return out;
  }

  template <std::size_t N>
  void known(const YAML::Node& map, const char* key, const std::vector<std::string>& values, const std::string_view (&names)[N]) {
    for (const auto& value : values)
      if (std::find(std::begin(names), std::end(names), value) == std::end(names))
        problem(map[key], std::string{"unknown "} + key + " '" + value + "'");
  }

  void flag(const YAML::Node& map, const char* key, bool& value) {
    const YAML::Node node = map[key];
    if (node && !YAML::convert<bool>::decode(node, value)) problem(node, std::string{"'"} + key + "' must be true or false");
  }

  std::optional<double> strength(const YAML::Node& map, const char* key) {
    const YAML::Node node = map[key];
    if (!node) return 0.0;
    const std::string word = node.IsScalar() ? node.Scalar() : "";
    if (word == "none") return 0.0;
    if (word == "weak") return kWeak;
    if (word == "medium") return kMedium;
    if (word == "strong") return kStrong;
    if (word == "decisive") return kDecisive;
    problem(node, std::string{"'"} + key + "' must be none, weak, medium, strong or decisive");
    return std::nullopt;
  }

 private:
  const CardFile& file_;
  std::vector<std::string>& problems_;
};

EvidenceRule read_rule(Reader& reader, const YAML::Node& node) {
  EvidenceRule rule;
  if (!reader.keys(node, "evidence", {"name", "sql", "if_true", "if_false", "kernel_fact", "needed", "missing"})) return rule;
  rule.name = reader.text(node, "name");
  rule.sql = reader.text(node, "sql");
  rule.missing = reader.text(node, "missing", false);
  rule.if_true = reader.strength(node, "if_true").value_or(0);
  rule.if_false = 0 - reader.strength(node, "if_false").value_or(0);
  if (rule.if_true == 0 && rule.if_false == 0) reader.problem(node, "evidence '" + rule.name + "' has neither if_true nor if_false");
  reader.flag(node, "kernel_fact", rule.kernel_fact);
  reader.flag(node, "needed", rule.needed);
  return rule;
}

Mechanism read_mechanism(Reader& reader, const YAML::Node& at, const std::string& text) {
  Mechanism out;
  const auto space = text.find(' ');
  out.name = text.substr(0, space);
  if (std::find(std::begin(kMechanisms), std::end(kMechanisms), out.name) == std::end(kMechanisms))
    reader.problem(at, "unknown mechanism '" + out.name + "'");
  if (space == std::string::npos) return out;
  const std::string direction = text.substr(space + 1);
  if (direction == "up") out.direction = Mechanism::Direction::up;
  else if (direction == "down") out.direction = Mechanism::Direction::down;
  else reader.problem(at, "a mechanism goes 'up' or 'down', not '" + direction + "'");
  return out;
}

Card read_card(Reader& reader, const YAML::Node& root) {
  Card card;
  card.line = line_of(root);
  if (!reader.keys(root, "card", {"id", "title", "specialist", "triggers", "prior", "change", "mechanisms", "evidence", "confusable_with",
                                  "explains", "next_evidence", "facts", "sentence", "by_hand"}))
    return card;
  card.id = reader.text(root, "id");
  card.title = reader.text(root, "title");
  card.specialist = reader.text(root, "specialist");
  if (const YAML::Node id = root["id"]; id && card.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    reader.problem(id, "'id' is lower-case letters, digits and dashes");
  if (const YAML::Node s = root["specialist"]; s && card.specialist != "kubernetes" && card.specialist != "node")
    reader.problem(s, "unknown specialist '" + card.specialist + "'");

  card.triggers = reader.list(root, "triggers", true);
  reader.known(root, "triggers", card.triggers, kSymptoms);
  if (root["triggers"] && card.triggers.empty()) reader.problem(root["triggers"], "'triggers' is empty: the card would never be asked");
  card.explains = reader.list(root, "explains", true);
  reader.known(root, "explains", card.explains, kSymptoms);
  card.confusable_with = reader.list(root, "confusable_with", true);
  if (const YAML::Node node = root["confusable_with"]) card.confusable_line = line_of(node);
  card.next_evidence = reader.list(root, "next_evidence", false);

  if (const YAML::Node prior = root["prior"]) {
    if (!YAML::convert<double>::decode(prior, card.prior) || !(card.prior >= 0.0001 && card.prior <= 0.5))
      reader.problem(prior, "'prior' must be between 0.0001 and 0.5");
  } else {
    reader.problem(root, "'prior' is missing");
  }

  const std::string change = reader.text(root, "change");
  if (change == "required") card.change = ChangeRole::required;
  else if (change == "any") card.change = ChangeRole::any;
  else if (change != "none" && root["change"]) reader.problem(root["change"], "'change' must be required, any or none");
  for (const auto& text : reader.list(root, "mechanisms", card.change != ChangeRole::none))
    card.mechanisms.push_back(read_mechanism(reader, root["mechanisms"], text));

  if (const YAML::Node evidence = root["evidence"]; evidence && evidence.IsSequence() && evidence.size() > 0)
    for (const auto& node : evidence) card.evidence.push_back(read_rule(reader, node));
  else
    reader.problem(evidence ? evidence : root, "'evidence' must be a list of rules");

  card.sentence = reader.text(root, "sentence");
  if (const YAML::Node facts = root["facts"]) {
    if (facts.IsMap())
      for (const auto& entry : facts) {
        if (entry.first.IsScalar() && entry.second.IsScalar()) card.facts.emplace_back(entry.first.Scalar(), entry.second.Scalar());
        else reader.problem(entry.first, "'facts' maps a name to one query");
      }
    else
      reader.problem(facts, "'facts' must be a mapping");
  }
  if (const YAML::Node remedies = root["by_hand"]) {
    if (!remedies.IsSequence()) reader.problem(remedies, "'by_hand' must be a list");
    else
      for (const auto& node : remedies) {
        if (!reader.keys(node, "by_hand", {"set_memory_limit", "raise_memory_limit_a_while", "command"})) continue;
        if (node.size() != 1) reader.problem(node, "one action per entry of 'by_hand'");
        if (node["set_memory_limit"]) card.by_hand.push_back({ByHand::Kind::set_memory_limit, reader.text(node, "set_memory_limit")});
        if (node["raise_memory_limit_a_while"])
          card.by_hand.push_back({ByHand::Kind::raise_memory_limit_a_while, reader.text(node, "raise_memory_limit_a_while")});
        if (node["command"]) card.by_hand.push_back({ByHand::Kind::command, reader.text(node, "command")});
      }
  }
  return card;
}

}  // namespace

std::vector<Card> parse_card(const CardFile& file, std::vector<std::string>& problems) {
  const std::size_t before = problems.size();
  Reader reader{file, problems};
  Card card;
  try {
    card = read_card(reader, YAML::Load(file.text));
  } catch (const YAML::Exception& e) {
    reader.problem(e.mark.is_null() ? 1 : e.mark.line + 1, e.msg);
  }
  card.file = file.path;
  if (problems.size() != before) return {};
  return {std::move(card)};
}

}  // namespace fw::agents
