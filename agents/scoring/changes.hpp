// The change term: how much a change explains one card's symptom, by time, place, mechanism and track record. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agents/cards/card.hpp"
#include "agents/casefile/case_file.hpp"
#include "agents/findings.hpp"

namespace fw::agents {

enum class Place : std::uint8_t { elsewhere = 0, unmatched, node, named, exact };   // of the change, seen from the subject

struct CandidateField {
  std::string path, mechanism;
  std::optional<std::string> before_text, after_text;
  std::optional<std::int64_t> before_value, after_value;
};

// One row of `changes` with its fields and what scoring needs of the rest of the file.
struct Candidate {
  std::string change_id, change_group, source, actor, revision, title, outcome;
  std::string object_kind, object_name, object_namespace;
  std::int64_t started_ns = 0;
  std::optional<std::int64_t> finished_ns;
  std::optional<std::int64_t> entity_id;
  Place place = Place::unmatched;
  bool healthy_sibling = false;   // matched to an entity without symptoms that is not the subject
  std::vector<CandidateField> fields;
  std::size_t group = 0;          // index of the deploy it belongs to; the same for all sources of one deploy
};

struct Context {
  std::int64_t onset_ns = 0;
  std::optional<std::int64_t> limit_at_onset;
  std::vector<Candidate> changes;   // by start, then id
  std::size_t groups = 0;
};

Result<Context> load_context(const CaseFile& file);

struct ChangeTerm {
  double llr = 0;                          // added to the card's log-odds
  std::vector<ChangeScore> scores;         // one per deploy that touches the subject at all, best first
  const Candidate* suspect = nullptr;      // the deploy that holds most of the share, by its most telling row; in Context
  bool proven = false;                     // right place, right field, before the onset
};

// past: what people confirmed minus refuted for this card on this subject, as log odds.
ChangeTerm score_changes(const Context& context, const Card& card, double past);

// "resources.limits.memory 256Mi -> 64Mi" or the title, for people.
std::string summary(const Candidate& change);

}  // namespace fw::agents
