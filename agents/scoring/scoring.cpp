#include "agents/scoring/scoring.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "agents/casefile/rows.hpp"

namespace fw::agents {
namespace {

// The constants of docs/adr/0011.
constexpr double kMaxEvidence = 9, kMinEvidence = -12;   // no pile of rules makes a certainty
constexpr double kUninformed = -0.4;                     // at most, of a card none of whose needed rules has an answer: below "unknown"
constexpr double kUnexplained = -1.6;                    // per symptom that the card does not explain
constexpr double kMaxRecord = 1;                         // how far confirmed outcomes move the prior
constexpr double kSure = 0.9, kLikely = 0.6;
constexpr std::int64_t kConfirmationsForSure = 5;
constexpr std::int64_t kMaxRuleSteps = 20'000'000;
constexpr std::size_t kMaxCited = 8;

std::vector<std::string> split_ids(const std::string& text) {
  std::set<std::int64_t> numbers;   // by number: E9 before E10
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find(',', i), text.size());
    std::int64_t number = 0;
    if (end > i + 1 && text[i] == 'E' && std::from_chars(text.data() + i + 1, text.data() + end, number).ec == std::errc{}) numbers.insert(number);
    i = end + 1;
  }
  std::vector<std::string> out;
  for (const auto number : numbers)
    if (out.size() < kMaxCited) out.push_back("E" + std::to_string(number));
  return out;
}

double past_odds(const TrackRecord& record) {
  const double odds = std::log((static_cast<double>(record.confirmed) + 1) / (static_cast<double>(record.refuted) + 1));
  return std::clamp(odds, -kMaxRecord, kMaxRecord);
}

}  // namespace

Evidence Examiner::ask(const EvidenceRule& rule) {
  const auto [at, first] = asked_.try_emplace(rule.sql);
  if (!first) return at->second;
  Evidence& out = at->second;
  out.sql = rule.sql;
  const auto answer = file_.query(rule.sql, {{":subject", subject_id_}}, {.max_rows = 1, .max_steps = kMaxRuleSteps});
  if (!answer) {
    out.missing_reason = answer.error().context;
    return out;
  }
  if (answer->rows.empty() || answer->rows[0].empty()) return out;
  const auto value = as_int(answer->rows[0][0]);
  if (!value) return out;
  out.answer = *value != 0 ? Answer::yes : Answer::no;
  if (answer->rows[0].size() > 1) out.evidence_ids = split_ids(as_text(answer->rows[0][1]));
  return out;
}

Scored Examiner::examine(const Card& card, TrackRecord record) {
  Scored out;
  out.card = &card;
  out.record = record;
  Hypothesis& h = out.hypothesis;
  h.card = card.id;
  h.title = card.title;
  h.specialist = card.specialist;
  h.prior = card.prior;
  double sum = 0;
  bool needs = false, informed = false;
  for (const auto& rule : card.evidence) {
    Evidence evidence = ask(rule);
    evidence.name = rule.name;
    if (evidence.answer == Answer::missing) {
      if (evidence.missing_reason.empty()) evidence.missing_reason = rule.missing.empty() ? "the case file has no data for it" : rule.missing;
    } else {
      evidence.llr = evidence.answer == Answer::yes ? rule.if_true : rule.if_false;
      out.kernel_fact = out.kernel_fact || (rule.kernel_fact && evidence.answer == Answer::yes);
    }
    needs = needs || rule.needed;
    informed = informed || (rule.needed && evidence.answer != Answer::missing);
    sum += evidence.llr;
    h.evidence.push_back(std::move(evidence));
  }
  std::string unexplained;
  double missing_symptoms = 0;
  for (const auto& symptom : symptoms_)
    if (std::find(card.explains.begin(), card.explains.end(), symptom) == card.explains.end()) {
      unexplained += (unexplained.empty() ? "" : ", ") + symptom;
      missing_symptoms += kUnexplained;
    }
  if (!unexplained.empty()) {
    Evidence evidence;
    evidence.name = "it explains every symptom (not " + unexplained + ")";
    evidence.answer = Answer::no;
    evidence.llr = missing_symptoms;
    h.evidence.push_back(std::move(evidence));
    sum += missing_symptoms;
  }
  out.change = score_changes(context_, card, past_odds(record));
  h.changes = out.change.scores;
  if (out.change.suspect != nullptr) h.suspect_change_id = out.change.suspect->change_id;
  h.log_odds = std::log(card.prior / (1 - card.prior)) + std::clamp(sum, kMinEvidence, kMaxEvidence) + out.change.llr + past_odds(record);
  if (needs && !informed) h.log_odds = std::min(h.log_odds, kUninformed);
  return out;
}

double rank(std::vector<Scored>& scored) {
  std::sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) {
    return std::tie(b.hypothesis.log_odds, a.hypothesis.card) < std::tie(a.hypothesis.log_odds, b.hypothesis.card);
  });
  // "Unknown" has odds 1: it keeps what no card could win over it.
  double total = 1;
  for (const auto& s : scored) total += std::exp(s.hypothesis.log_odds);
  for (auto& s : scored) s.hypothesis.probability = std::exp(s.hypothesis.log_odds) / total;
  return 1 / total;
}

Confidence confidence_of(const Scored& scored) {
  const double p = scored.hypothesis.probability;
  const bool confirmed = scored.record.confirmed >= kConfirmationsForSure && scored.record.confirmed >= 4 * scored.record.refuted;
  const bool proven = scored.kernel_fact && scored.change.proven;
  if (p >= kSure && (confirmed || proven)) return Confidence::sure;
  return p >= kLikely ? Confidence::likely : Confidence::guess;
}

std::string track_record_text(const TrackRecord& record) {
  const std::int64_t times = record.confirmed + record.refuted;
  if (times == 0) return "never confirmed yet";
  return "right " + std::to_string(record.confirmed) + " of " + std::to_string(times) + (times == 1 ? " time here" : " times here");
}

}  // namespace fw::agents
