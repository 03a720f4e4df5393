// What the specialists answer about one case file. Plain data; no clock, no network, no threads behind it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fw::agents {

enum class Answer : std::uint8_t { no = 0, yes, missing };
enum class Confidence : std::uint8_t { guess = 0, likely, sure };   // the words that people see (decisions.md)

struct Evidence {
  std::string name;                       // the card's words
  Answer answer = Answer::missing;
  double llr = 0;                         // natural log-likelihood ratio that it contributed; 0 when missing
  std::string sql;
  std::vector<std::string> evidence_ids;  // rows of the case file that it rests on
  std::string missing_reason;             // why it could not be computed
};

// One candidate change for one card, with the parts of its term (natural log).
struct ChangeScore {
  std::string change_id;
  std::string change_group;
  double llr = 0;
  double time = 0, place = 0, mechanism = 0, record = 0;
  double share = 0;                       // of the card's probability that goes to this change; "no change" has the rest
};

// What would mend it, for a plan. Only kinds of the catalogue; numbers are computed from the case file, never from text.
struct Remedy {
  enum class Kind : std::uint8_t { set_memory_limit = 0 };
  Kind kind = Kind::set_memory_limit;
  std::int64_t subject_id = 0;
  std::string cgroup_path;                // where the limit is that was hit
  std::int64_t value = 0;                 // proposed
  std::int64_t value_now = 0;             // as the case file last saw it: the plan's precondition
  std::int64_t safe_min = 0, safe_max = 0;   // `plan edit` stays within
  std::string why;                        // one sentence
  bool temporary = false;                 // a brake, whoever owns the target: it does not mend the cause
};

struct Hypothesis {
  std::string card;
  std::string title;
  std::string specialist;
  std::int64_t subject_id = 0;
  double probability = 0;                 // normalised over all hypotheses and "unknown"
  Confidence confidence = Confidence::guess;
  double prior = 0;
  double log_odds = 0;
  std::vector<Evidence> evidence;
  std::vector<ChangeScore> changes;       // best first; empty when no change is a candidate
  std::optional<std::string> suspect_change_id;   // set when one change holds most of the share
  std::string sentence;                   // the card's verdict, filled in with facts of this case
  std::vector<std::string> by_hand;       // commands that would mend it
  std::vector<Remedy> remedies;           // best first
  std::string track_record;               // "right 41 of 43 times here" or "never confirmed yet"
};

struct Fact { std::string id; std::int64_t time_ns = 0; std::string source; std::string text; };   // id: "E3"

struct Step { std::string who; std::string said; };   // how the answer came about, in order

struct Findings {
  std::string engine_version;
  std::string verdict;                    // one sentence: what, since when, why, how sure; or what is not known
  std::vector<Hypothesis> hypotheses;     // best first
  double unknown_probability = 1;
  std::vector<Fact> facts;                // the facts that hypotheses cite, in time order
  std::vector<std::string> next_evidence; // what would tell the top hypotheses apart
  std::vector<Step> steps;
  std::string incident;                   // "INC-7"

  // The cause that may be shown as such: the best hypothesis unless "unknown" holds more.
  const Hypothesis* cause() const noexcept {
    return !hypotheses.empty() && hypotheses.front().probability > unknown_probability ? &hypotheses.front() : nullptr;
  }
};

}  // namespace fw::agents
