#include "aggregator/cli/render/incident.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "aggregator/cli/term/document.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli::render {
namespace {

using agents::Answer;
using agents::Evidence;
using agents::Findings;
using agents::Hypothesis;
using term::Document;
using term::Layout;
using term::Role;

std::string word(agents::Confidence confidence) {
  switch (confidence) {
    case agents::Confidence::sure: return "sure";
    case agents::Confidence::likely: return "likely";
    case agents::Confidence::guess: break;
  }
  return "guess";
}

std::string cited(const Evidence& evidence) {
  return evidence.evidence_ids.empty() ? std::string() : fmt::format("  [{}]", fmt::join(evidence.evidence_ids, ","));
}

std::string fact_time(std::int64_t time_ns, const Layout& layout) {
  return layout.for_people ? term::clock_time(time_ns) : term::rfc3339(time_ns);
}

void facts(Document& document, const std::vector<agents::Fact>& list) {
  for (const auto& fact : list) {
    const auto label = fmt::format("[{}]  {}  {} ", fact.id, fact_time(fact.time_ns, document.layout()), fact.source);
    document.item(2, label, fact.text, Role::dim);
  }
}

std::string number(double value) { return fmt::format("{:+.2f}", value); }

// The weight of a part for people: the numbers are for -o wide.
std::string weight(double llr, Detail detail) {
  constexpr double kMedium = 1.6, kWeak = 0.35;  // as strong as one medium observation; too little to tell
  if (detail == Detail::wide) return number(llr);
  if (std::abs(llr) < kWeak) return "0";
  const char* sign = llr > 0 ? "+" : "-";
  return std::abs(llr) >= kMedium ? std::string(sign) + sign : sign;
}

bool speaks_for(const Evidence& evidence) { return evidence.answer != Answer::missing && evidence.llr > 0; }
bool speaks_against(const Evidence& evidence) { return evidence.answer != Answer::missing && evidence.llr < 0; }
bool is_missing(const Evidence& evidence) { return evidence.answer == Answer::missing; }

std::string evidence_text(const Evidence& evidence, Detail detail) {
  auto out = evidence.answer == Answer::no ? "no: " + evidence.name : evidence.name;
  if (detail == Detail::wide) out += " (" + number(evidence.llr) + ")";
  return out + cited(evidence);
}

std::string missing_text(const Evidence& evidence) {
  return evidence.name + (evidence.missing_reason.empty() ? "" : ": " + evidence.missing_reason);
}

template <class Pick, class Text>
void list_evidence(Document& document, const Hypothesis& hypothesis, std::string_view title, Pick pick, Text text) {
  bool first = true;
  for (const auto& evidence : hypothesis.evidence) {
    if (!pick(evidence)) continue;
    if (std::exchange(first, false)) document.heading(title);
    document.item(2, "-", text(evidence));
  }
}

void by_hand(Document& document, const Hypothesis& hypothesis) {
  if (hypothesis.by_hand.empty()) return;
  document.blank();
  for (const auto& command : hypothesis.by_hand) {
    document.verbatim(0, "by hand: " + command, Role::bold);
    // What is shown would not be what is pasted, or the other way round.
    if (term::escape(command) != command)
      document.item(2, "careful:", "this command holds hidden characters; type it, do not paste it", Role::warn);
  }
}

std::string confidence_line(const Hypothesis& cause, Detail detail) {
  auto out = word(cause.confidence);
  if (detail == Detail::wide) out += fmt::format(" ({:.2f})", cause.probability);
  return out + "; " + (cause.track_record.empty() ? "never confirmed yet" : cause.track_record);
}

std::string title_line(const Incident& incident, std::int64_t now_ns, const Layout& layout) {
  auto out = fmt::format("{}  {}  {}  {}", incident.id, incident.severity, incident.state, incident.scope);
  if (!incident.node.empty() && incident.node != incident.scope) out += " on " + incident.node;
  if (incident.opened_ns != 0) {
    out += layout.for_people ? "  opened " + term::age(incident.opened_ns, now_ns) + " ago"
                             : "  opened " + term::rfc3339(incident.opened_ns);
  }
  if (!incident.taken_by.empty()) out += "  taken by " + incident.taken_by;
  return out;
}

std::string not_yet_explained(const Incident& incident) {
  std::string out = "Not yet explained.";
  for (const auto& symptom : incident.symptoms) {
    out += fmt::format(" {}: {} time{}, first {}, last {}.", symptom.kind, symptom.count, symptom.count == 1 ? "" : "s",
                       term::rfc3339(symptom.first_ns), term::rfc3339(symptom.last_ns));
  }
  return out;
}

// Words of a card id come from the server; only a plain one may go into a command to copy.
bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void plan_of(Document& document, const Incident& incident) {
  if (incident.plan.empty()) return;
  constexpr std::size_t kShown = 12;
  document.heading("Plan");
  document.item(2, incident.plan.substr(0, kShown),
                incident.plan_state + (incident.plan_class ? fmt::format(", class {}", *incident.plan_class) : ""));
}

void next_steps(Document& document, const Incident& incident, const std::optional<Findings>& findings) {
  const auto id = normal_incident_id(incident.id);
  if (!id) return;
  document.heading("Next");
  const auto step = [&](const std::string& arguments) { document.verbatim(2, "fleetwright " + arguments); };
  if (!incident.plan.empty()) step("plan diff " + *id);
  if (incident.plan_state == "PROPOSED") step("approve " + *id);
  if (findings) step("explain " + *id);
  if (incident.state == "closed") {
    step("case export " + *id + " " + *id + ".case");
    return;
  }
  if (incident.taken_by.empty()) step("take " + *id);
  const auto* cause = findings ? findings->cause() : nullptr;
  step("close " + *id + " --reason '...'" +
       (cause != nullptr && is_plain(cause->card) ? " --cause " + cause->card : ""));
  if (!findings) step("show " + *id);
}

void history(Document& document, const Incident& incident) {
  if (!incident.notes.empty()) document.heading("Notes");
  for (const auto& note : incident.notes) {
    document.item(2, fmt::format("{}  {}:", fact_time(note.time_ns, document.layout()), note.author), note.text,
                  Role::dim);
  }
  if (incident.closed_ns) {
    document.heading("Closed");
    auto text = fmt::format("by {} at {}", incident.closed_by, term::rfc3339(*incident.closed_ns));
    if (!incident.close_reason.empty()) text += ": " + incident.close_reason;
    if (!incident.confirmed_cause.empty()) text += " (cause: " + incident.confirmed_cause + ")";
    document.item(2, {}, text);
  }
}

void suspect_change(Document& document, const Incident& incident, Detail detail) {
  if (!incident.suspect) return;
  const auto& change = *incident.suspect;
  document.heading("Suspect change");
  document.item(
      2, short_change_id(change.id, document.layout(), detail),
      fmt::format("{} by {} ({})", change.summary, change.actor.empty() ? "unknown" : change.actor, change.source));
}

void change_table(Document& document, const Hypothesis& hypothesis, Detail detail) {
  if (hypothesis.changes.empty()) return;
  const bool wide = detail == Detail::wide;
  std::vector<term::Column> columns{{"CHANGE"}, {"TIME"}, {"PLACE"}, {"MECHANISM"}, {"RECORD"}, {"SUSPECT"}};
  if (wide) columns.insert(columns.end(), {{"LLR"}, {"SHARE"}, {"GROUP"}});
  term::Table table(std::move(columns));
  for (const auto& change : hypothesis.changes) {
    const bool suspect = hypothesis.suspect_change_id == change.change_id;
    std::vector<term::Cell> row{{short_change_id(change.change_id, document.layout(), detail)},
                                {weight(change.time, detail)},
                                {weight(change.place, detail)},
                                {weight(change.mechanism, detail)},
                                {weight(change.record, detail)},
                                {suspect ? "yes" : "no", suspect ? Role::bold : Role::plain}};
    if (wide)
      row.insert(row.end(), {{number(change.llr)}, {fmt::format("{:.2f}", change.share)}, {change.change_group}});
    table.add(std::move(row));
  }
  document.item(3, "changes:",
                detail == Detail::wide ? "natural log of how much each part speaks for it"
                                       : "++ strongly for, + for, 0 says nothing, - against, -- strongly against",
                Role::dim);
  document.table(5, table);
}

void hypothesis_block(Document& document, std::size_t rank, const Hypothesis& hypothesis, Detail detail) {
  auto title = fmt::format("{}. {}  {}: {} ({})", rank, word(hypothesis.confidence), hypothesis.card, hypothesis.title,
                           hypothesis.specialist);
  if (detail == Detail::wide)
    title += fmt::format("  p={:.3f} prior={:.3f} log-odds={:+.2f}", hypothesis.probability, hypothesis.prior,
                         hypothesis.log_odds);
  document.heading(title);
  if (!hypothesis.sentence.empty()) document.item(3, {}, hypothesis.sentence);
  document.item(3, "track record:", hypothesis.track_record.empty() ? "never confirmed yet" : hypothesis.track_record,
                Role::dim);
  const auto list = [&](std::string_view label, Role role, auto pick, auto text) {
    for (const auto& evidence : hypothesis.evidence) {
      if (pick(evidence)) document.item(3, label, text(evidence), role);
    }
  };
  const auto weighed = [&](const Evidence& evidence) { return evidence_text(evidence, detail); };
  list("for         ", Role::good, speaks_for, weighed);
  list("against     ", Role::bad, speaks_against, weighed);
  list(
      "says nothing", Role::dim,
      [](const Evidence& e) { return !speaks_for(e) && !speaks_against(e) && !is_missing(e); }, weighed);
  list("missing     ", Role::warn, is_missing, missing_text);
  change_table(document, hypothesis, detail);
}

}  // namespace

std::string show(const Incident& incident, const std::optional<Findings>& findings, const Layout& layout, Detail detail,
                 std::int64_t now_ns) {
  Document document(layout);
  document.paragraph(title_line(incident, now_ns, layout), term::role_of_severity(incident.severity));
  document.blank();
  const auto& verdict = findings && !findings->verdict.empty() ? findings->verdict : incident.verdict;
  document.paragraph(verdict.empty() ? not_yet_explained(incident) : verdict, Role::bold);

  const auto* cause = findings ? findings->cause() : nullptr;
  if (cause != nullptr) document.paragraph(confidence_line(*cause, detail), Role::dim);
  suspect_change(document, incident, detail);
  if (cause != nullptr) {
    list_evidence(document, *cause, "Why", speaks_for, [&](const Evidence& e) { return evidence_text(e, detail); });
  }
  if (findings && !findings->facts.empty()) {
    document.heading("Facts");
    facts(document, findings->facts);
  }
  if (cause != nullptr) {
    document.heading("What speaks against it");
    bool any = false;
    for (const auto& evidence : cause->evidence) {
      if (!speaks_against(evidence)) continue;
      document.item(2, "-", evidence_text(evidence, detail));
      any = true;
    }
    if (!any) document.item(2, "-", "nothing found");
    list_evidence(document, *cause, "Missing", is_missing, missing_text);
    by_hand(document, *cause);
  } else if (findings && !findings->next_evidence.empty()) {
    document.heading("What would tell more");
    for (const auto& text : findings->next_evidence) document.item(2, "-", text);
  }
  plan_of(document, incident);
  history(document, incident);
  next_steps(document, incident, findings);
  return document.take();
}

std::string explain(const std::string& title, const Findings& findings, const Layout& layout, Detail detail) {
  Document document(layout);
  document.paragraph(title, Role::bold);
  document.paragraph(findings.verdict);
  std::size_t rank = 0;
  for (const auto& hypothesis : findings.hypotheses) hypothesis_block(document, ++rank, hypothesis, detail);

  if (findings.cause() == nullptr) {
    document.heading("None of these explains it well enough: the cause is unknown.");
  }
  if (detail == Detail::wide) document.heading(fmt::format("unknown: p={:.3f}", findings.unknown_probability));
  if (!findings.facts.empty()) {
    document.heading("Facts");
    facts(document, findings.facts);
  }
  if (!findings.next_evidence.empty()) {
    document.heading("What would tell them apart");
    for (const auto& text : findings.next_evidence) document.item(2, "-", text);
  }
  if (!findings.steps.empty()) document.heading("Steps");
  for (const auto& step : findings.steps) document.item(2, step.who + ":", step.said, Role::dim);
  return document.take();
}

std::optional<std::string> evidence(const Findings& findings, const std::string& id, const Layout& layout) {
  const auto fact =
      std::find_if(findings.facts.begin(), findings.facts.end(), [&](const auto& f) { return f.id == id; });
  if (fact == findings.facts.end()) return std::nullopt;
  Document document(layout);
  document.item(0, fmt::format("[{}]  {}  {} ", fact->id, term::rfc3339(fact->time_ns), fact->source), fact->text,
                Role::bold);
  bool first = true;
  for (const auto& hypothesis : findings.hypotheses) {
    for (const auto& item : hypothesis.evidence) {
      if (std::find(item.evidence_ids.begin(), item.evidence_ids.end(), id) == item.evidence_ids.end()) continue;
      if (std::exchange(first, false)) document.heading("Cited by");
      document.item(2, hypothesis.card + ":", evidence_text(item, Detail::normal));
      if (!item.sql.empty()) document.verbatim(4, item.sql, Role::dim);
    }
  }
  return document.take();
}

}  // namespace fw::cli::render
