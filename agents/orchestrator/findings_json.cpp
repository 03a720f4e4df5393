// Findings <-> the `Explanation` of docs/api.md.
#include <boost/json.hpp>
#include <cmath>
#include <stdexcept>

#include "agents/investigate.hpp"

namespace fw::agents {
namespace {

namespace json = boost::json;

constexpr std::string_view kAnswers[] = {"no", "yes", "missing"};
constexpr std::string_view kRemedies[] = {"set_memory_limit"};
constexpr std::string_view kConfidences[] = {"guess", "likely", "sure"};

// Six decimals: more would be noise, and Boost.JSON 1.81 does not read the last bit of a double back.
double rounded(double value) { return std::round(value * 1e6) / 1e6 + 0.0; }

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const auto& text : list) out.emplace_back(text);
  return out;
}

json::object to_value(const Evidence& e) {
  json::object out{{"name", e.name}, {"answer", kAnswers[static_cast<std::size_t>(e.answer)]}, {"llr", rounded(e.llr)}, {"sql", e.sql},
                   {"evidenceIds", texts(e.evidence_ids)}};
  if (!e.missing_reason.empty()) out["missingReason"] = e.missing_reason;
  return out;
}

json::object to_value(const ChangeScore& c) {
  return {{"id", c.change_id}, {"group", c.change_group}, {"llr", rounded(c.llr)}, {"time", rounded(c.time)}, {"place", rounded(c.place)}, {"mechanism", rounded(c.mechanism)},
          {"record", rounded(c.record)}, {"share", rounded(c.share)}};
}

json::object to_value(const Remedy& r) {
  return {{"action", kRemedies[static_cast<std::size_t>(r.kind)]}, {"subjectId", r.subject_id}, {"cgroupPath", r.cgroup_path}, {"value", r.value},
          {"valueNow", r.value_now}, {"safeMin", r.safe_min}, {"safeMax", r.safe_max}, {"why", r.why}, {"temporary", r.temporary}};
}

json::object to_value(const Hypothesis& h) {
  json::object out{{"card", h.card}, {"title", h.title}, {"specialist", h.specialist}, {"probability", rounded(h.probability)},
                   {"confidence", kConfidences[static_cast<std::size_t>(h.confidence)]}, {"prior", rounded(h.prior)}, {"logOdds", rounded(h.log_odds)},
                   {"sentence", h.sentence}, {"trackRecord", h.track_record}, {"byHand", texts(h.by_hand)}};
  if (h.suspect_change_id) out["suspectChangeId"] = *h.suspect_change_id;
  json::array evidence, changes, remedies;
  for (const auto& r : h.remedies) remedies.push_back(to_value(r));
  if (!remedies.empty()) out["remedies"] = std::move(remedies);
  for (const auto& e : h.evidence) evidence.push_back(to_value(e));
  for (const auto& c : h.changes) changes.push_back(to_value(c));
  out["evidence"] = std::move(evidence);
  out["changes"] = std::move(changes);
  return out;
}

// ---- reading: throws std::invalid_argument, caught at the border ----

std::string text(const json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  if (v == nullptr) return {};
  if (!v->is_string()) throw std::invalid_argument{std::string{key} + " is not a text"};
  return std::string{v->get_string()};
}

double number(const json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  if (v == nullptr) return 0;
  if (!v->is_number()) throw std::invalid_argument{std::string{key} + " is not a number"};
  return v->to_number<double>();
}

std::int64_t integer(const json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  if (v == nullptr) return 0;
  if (!v->is_number()) throw std::invalid_argument{std::string{key} + " is not a number"};
  return v->to_number<std::int64_t>();
}

template <class Read>
auto items(const json::object& o, const char* key, Read read) {
  std::vector<decltype(read(json::value{}))> out;
  const auto* v = o.if_contains(key);
  if (v == nullptr) return out;
  if (!v->is_array()) throw std::invalid_argument{std::string{key} + " is not a list"};
  for (const auto& item : v->get_array()) out.push_back(read(item));
  return out;
}

const json::object& object(const json::value& v) {
  if (!v.is_object()) throw std::invalid_argument{"an object is expected"};
  return v.get_object();
}

std::vector<std::string> text_list(const json::object& o, const char* key) {
  return items(o, key, [&](const json::value& v) {
    if (!v.is_string()) throw std::invalid_argument{std::string{key} + " holds something that is no text"};
    return std::string{v.get_string()};
  });
}

template <std::size_t N>
std::uint8_t word(const json::object& o, const char* key, const std::string_view (&words)[N]) {
  const std::string value = text(o, key);
  for (std::size_t i = 0; i < N; ++i)
    if (value == words[i]) return static_cast<std::uint8_t>(i);
  throw std::invalid_argument{std::string{key} + " has an unknown value"};
}

Evidence read_evidence(const json::value& v) {
  const auto& o = object(v);
  return {text(o, "name"), static_cast<Answer>(word(o, "answer", kAnswers)), number(o, "llr"), text(o, "sql"), text_list(o, "evidenceIds"),
          text(o, "missingReason")};
}

ChangeScore read_change(const json::value& v) {
  const auto& o = object(v);
  return {text(o, "id"), text(o, "group"), number(o, "llr"), number(o, "time"), number(o, "place"), number(o, "mechanism"), number(o, "record"),
          number(o, "share")};
}

Remedy read_remedy(const json::value& v) {
  const auto& o = object(v);
  Remedy r;
  r.kind = static_cast<Remedy::Kind>(word(o, "action", kRemedies));
  r.subject_id = integer(o, "subjectId"), r.cgroup_path = text(o, "cgroupPath"), r.value = integer(o, "value"), r.value_now = integer(o, "valueNow");
  r.safe_min = integer(o, "safeMin"), r.safe_max = integer(o, "safeMax"), r.why = text(o, "why");
  const auto* temporary = o.if_contains("temporary");
  r.temporary = temporary != nullptr && temporary->is_bool() && temporary->get_bool();
  return r;
}

Hypothesis read_hypothesis(const json::value& v) {
  const auto& o = object(v);
  Hypothesis h;
  h.card = text(o, "card"), h.title = text(o, "title"), h.specialist = text(o, "specialist");
  h.probability = number(o, "probability"), h.prior = number(o, "prior"), h.log_odds = number(o, "logOdds");
  h.confidence = static_cast<Confidence>(word(o, "confidence", kConfidences));
  h.sentence = text(o, "sentence"), h.track_record = text(o, "trackRecord");
  h.by_hand = text_list(o, "byHand");
  if (o.contains("suspectChangeId")) h.suspect_change_id = text(o, "suspectChangeId");
  h.evidence = items(o, "evidence", read_evidence);
  h.changes = items(o, "changes", read_change);
  h.remedies = items(o, "remedies", read_remedy);
  return h;
}

}  // namespace

std::string to_json(const Findings& f) {
  json::array hypotheses, facts, steps;
  for (const auto& h : f.hypotheses) hypotheses.push_back(to_value(h));
  for (const auto& fact : f.facts)
    facts.push_back(json::object{{"id", fact.id}, {"timeNs", fact.time_ns}, {"source", fact.source}, {"text", fact.text}});
  for (const auto& s : f.steps) steps.push_back(json::object{{"who", s.who}, {"said", s.said}});
  return json::serialize(json::object{{"apiVersion", "fleetwright/v1alpha1"}, {"kind", "Explanation"}, {"incident", f.incident},
                                      {"engine", f.engine_version}, {"verdict", f.verdict}, {"unknownProbability", rounded(f.unknown_probability)},
                                      {"hypotheses", std::move(hypotheses)}, {"facts", std::move(facts)},
                                      {"nextEvidence", texts(f.next_evidence)}, {"steps", std::move(steps)}});
}

Result<Findings> findings_from_json(const std::string& input) {
  boost::system::error_code failed;
  const json::value parsed = json::parse(input, failed);
  if (failed) return Error{Errc::malformed, "findings: " + failed.message()};
  try {
    const auto& o = object(parsed);
    Findings f;
    f.incident = text(o, "incident"), f.engine_version = text(o, "engine"), f.verdict = text(o, "verdict");
    f.unknown_probability = number(o, "unknownProbability");
    f.hypotheses = items(o, "hypotheses", read_hypothesis);
    f.facts = items(o, "facts", [](const json::value& v) {
      const auto& fact = object(v);
      return Fact{text(fact, "id"), integer(fact, "timeNs"), text(fact, "source"), text(fact, "text")};
    });
    f.next_evidence = text_list(o, "nextEvidence");
    f.steps = items(o, "steps", [](const json::value& v) { return Step{text(object(v), "who"), text(object(v), "said")}; });
    return f;
  } catch (const std::exception& e) {   // Boost.JSON's number conversion and the readers above
    return Error{Errc::malformed, std::string{"findings: "} + e.what()};
  }
}

}  // namespace fw::agents
