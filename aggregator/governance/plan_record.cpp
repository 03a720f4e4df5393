#include "aggregator/governance/plan_record.hpp"

#include <boost/json.hpp>
#include <array>

namespace fw::governance {
namespace {

namespace json = boost::json;
using authority::Decision;
using authority::State;

constexpr std::array<std::string_view, 13> kStates{"PROPOSED", "APPROVED", "RELEASED", "VERIFIED", "CLAIMED",    "DONE",       "FAILED",
                                                   "UNKNOWN",  "REFUSED",  "EXPIRED",  "DENIED",   "SUPERSEDED", "ROLLED_BACK"};
constexpr std::array<std::string_view, 9> kKinds{"proposed", "voted", "released", "node_said", "refused", "superseded", "expired", "fixed", "effect_missing"};

template <class... Fs>
struct Overloaded : Fs... { using Fs::operator()...; };

PlanState state_of(const authority::Outcome& outcome) {
  switch (outcome.state) {
    case State::verified: return PlanState::verified;
    case State::claimed: return PlanState::claimed;
    case State::done: return outcome.rolled_back ? PlanState::rolled_back : PlanState::done;
    case State::failed: return PlanState::failed;
    case State::unknown: return PlanState::unknown;
    case State::refused: return PlanState::refused;
    case State::expired: return PlanState::expired;
    case State::unset:
    case State::received: break;
  }
  return PlanState::released;
}

bool happened(PlanState state) {
  return state == PlanState::claimed || state == PlanState::done || state == PlanState::failed || state == PlanState::unknown ||
         state == PlanState::rolled_back;
}

// A node's word wins over what was only assumed here: that it had not come (expired), that it would not come (denied, superseded).
void take_outcome(PlanRecord& plan, const NodeSaid& said, const PlanEvent& event) {
  auto outcome = authority::parse_outcome(said.outcome);
  if (!outcome) return;
  const PlanState next = state_of(*outcome);
  const bool here_ended = plan.state == PlanState::denied || plan.state == PlanState::superseded || plan.state == PlanState::expired;
  if (!here_ended || happened(next)) plan.state = next;
  if (next == PlanState::done && plan.done_ns == 0) plan.done_ns = std::min(event.time_ns, outcome->ended_ms * 1'000'000);
  plan.ended_because = outcome->sentence;
  plan.outcome = std::move(*outcome);
  plan.outcome_audit_id = event.audit_id;
  plan.outcome_log_index = event.log_index;
}

void note_refusal(PlanRecord& plan, const Refused& refused, std::int64_t time_ns) {
  if (plan.refusals.size() == PlanRecord::kMostRefusals) plan.refusals.erase(plan.refusals.begin());
  plan.refusals.push_back({time_ns, refused.code, refused.sentence});
}

std::string text(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

std::int64_t integer(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_int64() ? v->get_int64() : 0;
}

std::vector<std::string> texts(const json::object& o, std::string_view key) {
  std::vector<std::string> out;
  const json::value* v = o.if_contains(key);
  if (v == nullptr || !v->is_array()) return out;
  for (const json::value& item : v->get_array()) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

json::array array(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& item : list) out.emplace_back(item);
  return out;
}

Result<json::object> parse(std::string_view text) {
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec);
  if (ec || !value.is_object()) return Error(Errc::malformed, "not a JSON object");
  return std::move(value.get_object());
}

Result<Bytes> bytes_of(const std::string& hex) {
  auto bytes = from_hex(hex);
  if (!bytes) return bytes.error();
  return Bytes(bytes->begin(), bytes->end());
}

}  // namespace

std::string_view to_string(PlanState state) { return kStates.at(static_cast<std::size_t>(state)); }

bool awaits_people(PlanState state) noexcept { return state == PlanState::proposed; }

bool awaits_node(PlanState state) noexcept {
  return state == PlanState::approved || state == PlanState::released || state == PlanState::verified || state == PlanState::claimed;
}

bool is_finished(PlanState state) noexcept { return !awaits_people(state) && !awaits_node(state) && state != PlanState::unknown; }

void apply(PlanRecord& plan, const PlanEvent& event) {
  ++plan.last_seq;
  const bool open = awaits_people(plan.state) || plan.state == PlanState::approved || plan.state == PlanState::released;
  std::visit(Overloaded{[](const Proposed&) {},
                        [&](const Voted& voted) {
                          if (voted.decision == Decision::deny && (open || plan.state == PlanState::verified)) {
                            plan.state = PlanState::denied;
                            plan.ended_because = voted.person + " denied it" + (voted.reason.empty() ? "" : ": " + voted.reason);
                          }
                        },
                        [&](const Released& released) {
                          if (!awaits_people(plan.state)) return;
                          plan.state = event.log_index ? PlanState::released : PlanState::approved;
                          plan.release = released;
                          plan.standing = released.standing;
                          plan.release_audit_id = event.audit_id;
                          plan.log_index = event.log_index;
                        },
                        [&](const NodeSaid& said) { take_outcome(plan, said, event); },
                        [&](const Refused& refused) { note_refusal(plan, refused, event.time_ns); },
                        [&](const Superseded& superseded) {
                          if (!open) return;
                          plan.state = PlanState::superseded;
                          plan.superseded_by = superseded.by;
                          plan.ended_because = superseded.why;
                        },
                        [&](const Expired& expired) {
                          if (is_finished(plan.state) || plan.state == PlanState::unknown) return;
                          plan.state = PlanState::expired;
                          plan.ended_because = expired.why;
                        },
                        [&](const Fixed&) { plan.fixed = plan.fixed || plan.state == PlanState::done; },
                        [&](const EffectMissing& missing) {
                          if (plan.state != PlanState::done) return;
                          plan.state = PlanState::failed;
                          plan.ended_because = missing.why;
                        }},
             event.body);
}

void apply_sequenced(PlanRecord& plan, std::int64_t audit_id, std::int64_t log_index) {
  if (audit_id == plan.release_audit_id) {
    plan.log_index = log_index;
    if (plan.state == PlanState::approved) plan.state = PlanState::released;
  }
  if (audit_id == plan.outcome_audit_id) plan.outcome_log_index = log_index;
}

std::string_view kind_of(const PlanEventBody& body) { return kKinds.at(body.index()); }

std::string body_json(const PlanEventBody& body) {
  return json::serialize(std::visit(
      Overloaded{[](const Proposed&) { return json::object(); },
                 [](const Voted& v) {
                   return json::object{{"person", v.person}, {"decision", v.decision == Decision::approve ? "approve" : "deny"}, {"reason", v.reason}};
                 },
                 [](const Released& r) {
                   return json::object{{"release", authority::to_text(r.release)}, {"votes", array(r.votes)}, {"standing", r.standing}};
                 },
                 [](const NodeSaid& n) { return json::object{{"outcome", to_hex(n.outcome)}}; },
                 [](const Refused& r) { return json::object{{"code", r.code}, {"sentence", r.sentence}}; },
                 [](const Superseded& s) { return json::object{{"by", s.by}, {"why", s.why}}; },
                 [](const Expired& e) { return json::object{{"why", e.why}}; },
                 [](const Fixed& f) { return json::object{{"quietNs", f.quiet_ns}}; },
                 [](const EffectMissing& e) { return json::object{{"why", e.why}}; }},
      body));
}

Result<PlanEventBody> parse_event_body(std::string_view kind, std::string_view text_json) {
  auto parsed = parse(text_json);
  if (!parsed) return with_context(parsed.error(), "plan event");
  const json::object& o = *parsed;
  if (kind == kKinds[0]) return Proposed{};
  if (kind == kKinds[1]) return Voted{text(o, "person"), text(o, "decision") == "approve" ? Decision::approve : Decision::deny, text(o, "reason")};
  if (kind == kKinds[2]) {
    auto release = authority::parse_digest(text(o, "release"));
    if (!release) return release.error();
    return Released{*release, texts(o, "votes"), text(o, "standing")};
  }
  if (kind == kKinds[3]) {
    auto outcome = bytes_of(text(o, "outcome"));
    if (!outcome) return outcome.error();
    return NodeSaid{std::move(*outcome)};
  }
  if (kind == kKinds[4]) return Refused{text(o, "code"), text(o, "sentence")};
  if (kind == kKinds[5]) return Superseded{text(o, "by"), text(o, "why")};
  if (kind == kKinds[6]) return Expired{text(o, "why")};
  if (kind == kKinds[7]) return Fixed{integer(o, "quietNs")};
  if (kind == kKinds[8]) return EffectMissing{text(o, "why")};
  return Error(Errc::malformed, "plan event: unknown kind " + std::string(kind));
}

std::string to_json(const PlanFacts& facts) {
  json::object out{{"safeMin", facts.safe_min}, {"safeMax", facts.safe_max}, {"unit", facts.unit}, {"why", facts.why},
                   {"byHand", array(facts.by_hand)}, {"proposedBy", facts.proposed_by}};
  if (facts.value_before) out["valueBefore"] = *facts.value_before;
  return json::serialize(out);
}

Result<PlanFacts> parse_facts(std::string_view text_json) {
  auto parsed = parse(text_json);
  if (!parsed) return with_context(parsed.error(), "plan facts");
  const json::object& o = *parsed;
  PlanFacts facts{.value_before = std::nullopt, .safe_min = integer(o, "safeMin"), .safe_max = integer(o, "safeMax"), .unit = text(o, "unit"),
                  .why = text(o, "why"), .by_hand = texts(o, "byHand"), .proposed_by = text(o, "proposedBy")};
  if (o.contains("valueBefore")) facts.value_before = integer(o, "valueBefore");
  return facts;
}

}  // namespace fw::governance
