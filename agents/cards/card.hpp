// A failure class ("check" to people), as its YAML file says it. docs/cards.md tells how to write one.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agents/casefile/case_file.hpp"
#include "agents/investigate.hpp"
#include "common/result.hpp"

namespace fw::agents {

struct EvidenceRule {
  std::string name;
  std::string sql;              // first column 1 yes, 0 no, null or no row: missing; second column, optional: evidence ids
  double if_true = 0;           // log-likelihood ratio, >= 0
  double if_false = 0;          // <= 0
  bool kernel_fact = false;     // a yes is something the kernel itself said, not a reading of curves
  bool needed = false;          // without an answer to any needed rule the card cannot win over "unknown"
  std::string missing;          // what a person would have to do to know it
};

// Whether this class needs a change: `required` says so, `any` can have one, `none` is less likely beside a credible one.
enum class ChangeRole : std::uint8_t { none = 0, any, required };

struct Mechanism {
  enum class Direction : std::uint8_t { any = 0, up, down };
  std::string name;             // change_fields.mechanism
  Direction direction = Direction::any;
};

struct ByHand {
  enum class Kind : std::uint8_t { set_memory_limit = 0, raise_memory_limit_a_while, command };
  Kind kind = Kind::command;
  std::string text;             // the memory limits: SQL for the bytes; command: a template
};

struct Card {
  std::string id, title, specialist;
  std::vector<std::string> triggers;
  double prior = 0;
  ChangeRole change = ChangeRole::none;
  std::vector<Mechanism> mechanisms;
  std::vector<EvidenceRule> evidence;
  std::vector<std::string> confusable_with, explains, next_evidence;
  std::vector<std::pair<std::string, std::string>> facts;   // name -> SQL for one value
  std::string sentence;                                     // template over facts and the engine's own
  std::vector<ByHand> by_hand;
  std::string file;
  int line = 0;
  int confusable_line = 0;
};

struct Cards::Impl {
  std::vector<Card> cards;      // by id
};

struct CardFile { std::string path, text; };

// Strength words of the evidence keys, natural log-likelihood ratios.
inline constexpr double kWeak = 0.7, kMedium = 1.6, kStrong = 3.0, kDecisive = 4.6;

// What every template may use besides the card's own facts.
inline constexpr std::string_view kEngineFacts[] = {"subject", "oom_story", "since", "change"};

// Names of the symptoms that can trigger a card, and of the mechanisms that a changed field can have.
inline constexpr std::string_view kSymptoms[] = {"oom_kill", "crash_loop", "killed", "restart_loop"};
inline constexpr std::string_view kMechanisms[] = {"memory_limit", "memory_use", "image",  "cpu_limit",
                                                   "config",       "replicas",   "probe",  "other"};

// Parses one file; problems are appended as "path:line: text". Nothing is returned when there are any.
std::vector<Card> parse_card(const CardFile& file, std::vector<std::string>& problems);

// Parses and checks all of them together.
Result<std::vector<Card>> parse_cards(const std::vector<CardFile>& files);

}  // namespace fw::agents
