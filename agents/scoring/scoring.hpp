// One card against one case: every rule asked, log-odds summed; then all cards against each other and "unknown". Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "agents/cards/card.hpp"
#include "agents/casefile/case_file.hpp"
#include "agents/findings.hpp"
#include "agents/scoring/changes.hpp"

namespace fw::agents {

struct TrackRecord { std::int64_t confirmed = 0, refuted = 0; };

struct Scored {
  const Card* card = nullptr;
  Hypothesis hypothesis;            // without sentence, commands and confidence
  ChangeTerm change;
  TrackRecord record;
  bool kernel_fact = false;         // a rule that is one said yes
};

// Asks the rules of one case; the same query of two cards runs once.
class Examiner {
 public:
  Examiner(const CaseFile& file, const Context& context, std::vector<std::string> symptoms, std::int64_t subject_id)
      : file_(file), context_(context), symptoms_(std::move(symptoms)), subject_id_(subject_id) {}
  Scored examine(const Card& card, TrackRecord record);

 private:
  Evidence ask(const EvidenceRule& rule);

  const CaseFile& file_;
  const Context& context_;
  std::vector<std::string> symptoms_;
  std::int64_t subject_id_;                 // :subject of a rule
  std::map<std::string, Evidence> asked_;   // by SQL
};

// Normalises over all hypotheses and "unknown", best first, ties by card id. Returns the probability of "unknown".
double rank(std::vector<Scored>& scored);

Confidence confidence_of(const Scored& scored);
std::string track_record_text(const TrackRecord& record);

}  // namespace fw::agents
