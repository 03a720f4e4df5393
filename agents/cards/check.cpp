#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "agents/cards/card.hpp"
#include "agents/orchestrator/template.hpp"
#include "common/embedded_file.hpp"

namespace fw {
std::span<const EmbeddedFile> builtin_cards();   // agents/CMakeLists.txt
}

namespace fw::agents {
namespace {

// A case about which nothing is known: every query of every card must compile and end on it.
Result<CaseFile> empty_case() {
  IncidentFacts facts;
  facts.id = "INC-1";
  facts.subject_id = 1;
  facts.onset_ns = facts.last_symptom_ns = facts.built_ns = 1'000'000'000;
  EntityRow subject;
  subject.entity_id = 1;
  subject.kind = "container";
  facts.entities.push_back(subject);
  return CaseFile::build(facts);
}

class Checker {
 public:
  Checker(const CaseFile& empty, std::vector<std::string>& problems) : empty_(empty), problems_(problems) {}

  void sql(const Card& card, const std::string& what, const std::string& text) {
    if (text.find("'now'") != std::string::npos) problem(card, card.line, what + " asks a clock ('now')");
    const auto done = empty_.query(text, {{":subject", std::int64_t{1}}});
    if (!done) problem(card, card.line, what + ": " + done.error().context);
  }

  void names(const Card& card, const std::string& what, const std::string& text) {
    const auto used = template_names(text);
    if (!used) return problem(card, card.line, what + ": " + used.error().context);
    for (const auto& name : *used) {
      const bool own = std::any_of(card.facts.begin(), card.facts.end(), [&](const auto& f) { return f.first == name; });
      if (!own && std::find(std::begin(kEngineFacts), std::end(kEngineFacts), name) == std::end(kEngineFacts))
        problem(card, card.line, what + " uses {" + name + "}, which is no fact of the card");
    }
  }

  void problem(const Card& card, int line, const std::string& text) {
    problems_.push_back(fmt::format("{}:{}: card {}: {}", card.file, line, card.id, text));
  }

 private:
  const CaseFile& empty_;
  std::vector<std::string>& problems_;
};

}  // namespace

Result<std::vector<Card>> parse_cards(const std::vector<CardFile>& files) {
  std::vector<std::string> problems;
  std::vector<Card> cards;
  for (const auto& file : files)
    for (auto& card : parse_card(file, problems)) cards.push_back(std::move(card));
  std::stable_sort(cards.begin(), cards.end(), [](const Card& a, const Card& b) { return a.id < b.id; });

  const auto empty = empty_case();
  if (!empty) return empty.error();
  Checker check{*empty, problems};
  std::map<std::string, const Card*> by_id;
  for (const auto& card : cards)
    if (!by_id.emplace(card.id, &card).second) check.problem(card, card.line, "this id exists twice");
  for (const auto& card : cards) {
    for (const auto& rule : card.evidence) check.sql(card, "evidence '" + rule.name + "'", rule.sql);
    for (const auto& [name, sql] : card.facts) check.sql(card, "fact '" + name + "'", sql);
    check.names(card, "sentence", card.sentence);
    for (const auto& remedy : card.by_hand)
      if (remedy.kind != ByHand::Kind::command) check.sql(card, "by_hand", remedy.text);
      else check.names(card, "by_hand", remedy.text);
    for (const auto& other : card.confusable_with) {
      const auto at = by_id.find(other);
      // A broken file gave no card; its own problems say enough.
      if (at == by_id.end()) {
        if (problems.empty()) check.problem(card, card.confusable_line, "confusable_with names '" + other + "', which does not exist");
        continue;
      }
      const auto& back = at->second->confusable_with;
      if (std::find(back.begin(), back.end(), card.id) == back.end())
        check.problem(card, card.confusable_line, "confusable_with names '" + other + "', which does not name it back");
    }
  }
  if (problems.empty()) return cards;
  std::string all;
  for (const auto& problem : problems) all += (all.empty() ? "" : "\n") + problem;
  return Error{Errc::malformed, all};
}

namespace {

std::vector<CardFile> builtin_files() {
  std::vector<CardFile> files;
  for (const auto& file : builtin_cards()) files.push_back({std::string{file.path}, std::string{file.text}});
  return files;
}

}  // namespace

const Cards& Cards::builtin() {
  static const Cards cards = [] {
    auto parsed = parse_cards(builtin_files());
    FW_ASSERT(parsed.has_value(), parsed.has_error() ? parsed.error().context.c_str() : "");
    Cards out;
    out.impl_ = std::make_shared<const Impl>(Impl{std::move(*parsed)});
    return out;
  }();
  return cards;
}

Result<Cards> Cards::load(const std::string& extra_folder) {
  namespace fs = std::filesystem;
  constexpr std::uintmax_t kMaxCardBytes = 256 * 1024;
  std::vector<CardFile> files = builtin_files();
  std::error_code failed;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator{extra_folder, failed})
    if (const auto extension = entry.path().extension(); extension == ".yaml" || extension == ".yml") paths.push_back(entry.path());
  if (failed) return Error{Errc::io, extra_folder + ": " + failed.message()};
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    if (fs::file_size(path, failed) > kMaxCardBytes || failed)
      return Error{Errc::malformed, path.string() + ":1: cannot be read or is larger than 256 KiB"};
    std::ostringstream text;
    text << std::ifstream{path, std::ios::binary}.rdbuf();
    files.push_back({path.string(), std::move(text).str()});
  }
  auto parsed = parse_cards(files);
  if (!parsed) return parsed.error();
  Cards out;
  out.impl_ = std::make_shared<const Impl>(Impl{std::move(*parsed)});
  return out;
}

std::size_t Cards::size() const noexcept { return impl_->cards.size(); }

std::vector<std::string> Cards::ids() const {
  std::vector<std::string> out;
  for (const auto& card : impl_->cards) out.push_back(card.id);
  return out;
}

}  // namespace fw::agents
