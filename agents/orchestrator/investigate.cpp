#include "agents/investigate.hpp"

#include <algorithm>
#include <set>

#include "agents/casefile/rows.hpp"
#include "agents/casefile/text.hpp"
#include "agents/orchestrator/by_hand.hpp"
#include "agents/orchestrator/facts.hpp"
#include "agents/orchestrator/remedies.hpp"
#include "agents/orchestrator/template.hpp"
#include "agents/scoring/scoring.hpp"
#include "common/version.hpp"

namespace fw::agents {
namespace {

constexpr std::size_t kMaxNextEvidence = 5;
constexpr double kWorthCiting = 0.01;   // hypotheses below it cite no facts: the list stays readable

std::string times(std::int64_t n) { return std::to_string(n) + (n == 1 ? " time" : " times"); }

struct Symptom { std::string kind, evidence_id; std::int64_t count = 0, first_ns = 0; };

// One case on its way from triage to verdict; lives for one call.
class Investigation {
 public:
  Investigation(const CaseFile& file, const Cards& cards) : file_(file), cards_(cards.impl().cards) {}

  Result<Findings> run() {
    if (auto r = triage(); !r) return r.error();
    auto context = load_context(file_);
    if (!context) return context.error();
    context_ = std::move(*context);
    examine();
    for (auto& scored : scored_) tell(scored);
    verdict();
    next_evidence();
    if (auto r = cite(); !r) return r.error();
    return std::move(findings_);
  }

 private:
  void step(std::string who, std::string said) { findings_.steps.push_back({std::move(who), std::move(said)}); }

  std::optional<std::string> value(const std::string& sql) const {
    const auto table = file_.query(sql, {}, {.max_rows = 1});
    if (!table || table->rows.empty() || table->rows[0].empty()) return std::nullopt;
    return as_optional_text(table->rows[0][0]);
  }

  // Which cards are asked at all: those with a trigger among the symptoms.
  Result<void> triage() {
    findings_.engine_version = kVersion;
    findings_.incident = printable(value("select id from incident").value_or(""));
    subject_ = printable(value("select name from subject").value_or(""));
    if (subject_.empty()) subject_ = "an unnamed container";
    const auto id = file_.query("select subject_id from incident");
    if (id && !id->rows.empty()) subject_id_ = as_int(id->rows[0][0]).value_or(0);
    const auto rows = file_.query("select kind, min(evidence_id), sum(count), min(first_ns) from symptoms group by kind order by kind");
    if (!rows) return with_context(rows.error(), "symptoms");
    std::string list;
    for (const auto& row : rows->rows) {
      symptoms_.push_back({as_text(row[0]), as_text(row[1]), as_int(row[2]).value_or(0), as_time(row[3]).value_or(0)});
      list += (list.empty() ? "" : ", ") + printable(symptoms_.back().kind) + " " + times(symptoms_.back().count);
    }
    std::size_t asked = 0;
    for (const auto& card : cards_) if (triggered(card)) ++asked;
    step("triage", subject_ + ": " + (list.empty() ? "no symptom" : list) + "; " + std::to_string(asked) + " of " +
                       std::to_string(cards_.size()) + " checks apply");
    return {};
  }

  bool triggered(const Card& card) const {
    return std::any_of(symptoms_.begin(), symptoms_.end(), [&](const Symptom& s) {
      return std::find(card.triggers.begin(), card.triggers.end(), s.kind) != card.triggers.end();
    });
  }

  TrackRecord record_of(const Card& card) const {
    const auto rows = file_.query("select sum(confirmed), sum(refuted) from past_incidents where card = :card and subject_name = (select name from subject)",
                                  {{":card", card.id}});
    if (!rows || rows->rows.empty()) return {};
    const auto bounded = [](const SqlValue& v) { return std::clamp<std::int64_t>(as_int(v).value_or(0), 0, 1'000'000); };
    return {bounded(rows->rows[0][0]), bounded(rows->rows[0][1])};
  }

  void examine() {
    std::vector<std::string> kinds;
    for (const auto& s : symptoms_) kinds.push_back(s.kind);
    Examiner examiner{file_, context_, kinds, subject_id_};
    for (const auto& card : cards_)
      if (triggered(card)) scored_.push_back(examiner.examine(card, record_of(card)));
    findings_.unknown_probability = rank(scored_);
    std::set<std::string> specialists;
    for (const auto& s : scored_) specialists.insert(s.card->specialist);
    for (const auto& specialist : specialists) {
      std::string said;
      for (const auto& s : scored_) {
        if (s.card->specialist != specialist) continue;
        std::size_t yes = 0, no = 0, missing = 0;
        for (const auto& e : s.hypothesis.evidence) ++(e.answer == Answer::yes ? yes : e.answer == Answer::no ? no : missing);
        said += (said.empty() ? "" : "; ") + s.card->id + ": " + std::to_string(yes) + " for, " + std::to_string(no) + " against, " +
                std::to_string(missing) + " missing";
      }
      step(specialist, said);
    }
    if (!scored_.empty()) {
      const Scored& best = scored_.front();
      step("ranking", best.hypothesis.probability > findings_.unknown_probability ? best.card->id + " first of " + std::to_string(scored_.size())
                                                                                  : std::string{"no check wins over \"unknown\""});
    }
  }

  std::optional<std::string> engine_fact(const Scored& scored, const std::string& name) const {
    if (name == "subject") return subject_;
    if (name == "since" || name == "oom_story") {
      const auto row = file_.query("select sum(max(coalesce(kills, 1), 1)), min(time_ns) from subject_kills");
      std::int64_t kills = 0, since = context_.onset_ns;
      if (row && !row->rows.empty()) kills = as_int(row->rows[0][0]).value_or(0), since = as_time(row->rows[0][1]).value_or(since);
      for (const auto& s : symptoms_)   // symptoms count over the whole incident, events over the window of this file
        if (s.kind == "oom_kill" && s.count > kills) kills = s.count, since = std::min(since, s.first_ns);
      if (name == "since") return clock_text(since);
      return kills <= 1 ? "was OOM-killed once (" + clock_text(since) + ")"
                        : "is OOM-killed again and again (" + times(kills) + " since " + clock_text(since) + ")";
    }
    if (name == "change" && scored.change.suspect != nullptr) {
      const Candidate& c = *scored.change.suspect;
      const bool known = !c.actor.empty() && c.actor != "unknown";
      if (c.source == "node") return "a change that only the node saw (author unknown, noticed " + clock_text(c.started_ns) + ")";
      return "change " + summary(c) + " (" + (known ? printable(c.actor) : "author unknown") + ", " + clock_text(c.started_ns) + ")";
    }
    return std::nullopt;
  }

  Lookup lookup(const Scored& scored, bool for_shell) const {
    return [this, &scored, for_shell](const std::string& name) -> std::optional<std::string> {
      for (const auto& [fact, sql] : scored.card->facts)
        if (fact == name) {
          const auto text = value(sql);
          if (!text) return std::nullopt;
          return for_shell ? shell_word(*text) : printable(*text);
        }
      return engine_fact(scored, name);
    };
  }

  LimitTarget limit_target() const {
    const auto rows = file_.query(
        "select cgroup_path, cgroup_version, runtime, pod_uid, name from entities where entity_id in (select entity_id from limit_owners) "
        "order by coalesce(last_seen_ns, 0) desc, entity_id desc limit 1");
    if (!rows || rows->rows.empty()) return {};
    const auto& row = rows->rows[0];
    return {as_text(row[0]), as_int(row[1]), as_text(row[2]), as_text(row[3]), as_text(row[4])};
  }

  void tell(Scored& scored) {
    Hypothesis& h = scored.hypothesis;
    h.subject_id = subject_id_;
    h.confidence = confidence_of(scored);
    h.track_record = track_record_text(scored.record);
    h.sentence = fill(scored.card->sentence, lookup(scored, false)).value_or(subject_ + ": " + scored.card->title + ".");
    for (const auto& remedy : scored.card->by_hand) {
      if (remedy.kind == ByHand::Kind::command) {
        if (auto line = fill(remedy.text, lookup(scored, true))) h.by_hand.push_back(std::move(*line));
        continue;
      }
      const auto table = file_.query(remedy.text, {}, {.max_rows = 1});
      if (!table || table->rows.empty() || table->rows[0].empty()) continue;
      const auto bytes = as_int(table->rows[0][0]);
      if (!bytes || *bytes <= 0 || *bytes >= (std::int64_t{1} << 50)) continue;
      const bool a_while = remedy.kind == ByHand::Kind::raise_memory_limit_a_while;
      if (!a_while)
        for (auto& line : set_memory_limit(limit_target(), *bytes, scored.change.suspect)) h.by_hand.push_back(std::move(line));
      if (auto typed = memory_limit_remedy(file_, subject_id_, *bytes, a_while ? Lasts::a_while : Lasts::kept_if_nobody_else_owns_it))
        h.remedies.push_back(std::move(*typed));
    }
  }

  void verdict() {
    for (auto& scored : scored_) findings_.hypotheses.push_back(scored.hypothesis);
    if (const Hypothesis* cause = findings_.cause()) {
      static constexpr std::string_view kWords[] = {"A guess.", "Likely.", "Sure."};
      findings_.verdict = cause->sentence + " " + std::string{kWords[static_cast<std::size_t>(cause->confidence)]};
      return;
    }
    std::string symptoms;
    for (const auto& s : symptoms_) symptoms += (symptoms.empty() ? "" : ", ") + printable(s.kind) + " " + times(s.count);
    findings_.verdict = "The cause is not known: " + subject_ + " has " + (symptoms.empty() ? "no symptom" : symptoms);
    if (!symptoms_.empty()) findings_.verdict += " since " + clock_text(context_.onset_ns);
    if (!scored_.empty()) findings_.verdict += "; nearest is: " + scored_.front().card->title;
    findings_.verdict += ".";
  }

  // What would tell the first two apart: their unanswered rules, weightiest first, then what the cards themselves ask for.
  void next_evidence() {
    struct Open { double weight; std::string text; };
    std::vector<Open> open;
    const std::size_t top = std::min<std::size_t>(2, scored_.size());
    for (std::size_t i = 0; i < top; ++i)
      for (std::size_t r = 0; r < scored_[i].card->evidence.size(); ++r) {
        const Evidence& evidence = scored_[i].hypothesis.evidence[r];
        const EvidenceRule& rule = scored_[i].card->evidence[r];
        if (evidence.answer == Answer::missing) open.push_back({rule.if_true - rule.if_false, evidence.name + ": " + evidence.missing_reason});
      }
    std::stable_sort(open.begin(), open.end(), [](const Open& a, const Open& b) { return a.weight > b.weight; });
    const auto add = [&](const std::string& text) {
      auto& list = findings_.next_evidence;
      if (list.size() < kMaxNextEvidence && std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
    };
    for (const auto& o : open) add(o.text);
    const bool settled = findings_.cause() != nullptr && findings_.cause()->probability >= 0.9;
    if (!settled)
      for (std::size_t i = 0; i < top; ++i)
        for (const auto& text : scored_[i].card->next_evidence) add(text);
  }

  Result<void> cite() {
    std::set<std::string> ids;
    for (const auto& s : symptoms_) ids.insert(s.evidence_id);
    for (const auto& h : findings_.hypotheses) {
      if (h.probability < kWorthCiting) continue;
      for (const auto& e : h.evidence)
        if (e.answer != Answer::missing) ids.insert(e.evidence_ids.begin(), e.evidence_ids.end());
      if (!h.suspect_change_id) continue;
      const auto rows = file_.query("select evidence_id from changes where change_id = :id union select evidence_id from change_fields where change_id = :id",
                                    {{":id", *h.suspect_change_id}});
      if (rows)
        for (const auto& row : rows->rows) ids.insert(as_text(row[0]));
    }
    auto facts = describe(file_, ids);
    if (!facts) return facts.error();
    findings_.facts = std::move(*facts);
    return {};
  }

  const CaseFile& file_;
  const std::vector<Card>& cards_;
  Context context_;
  std::vector<Symptom> symptoms_;
  std::string subject_;
  std::int64_t subject_id_ = 0;
  std::vector<Scored> scored_;   // points into context_ and cards_
  Findings findings_;
};

}  // namespace

Result<Findings> investigate(const CaseFile& case_file, const Cards& cards) { return Investigation{case_file, cards}.run(); }

}  // namespace fw::agents
