// An incident is the fold of its events: open -> explained -> resolved (and back when symptoms return) -> closed by a person.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "aggregator/fleet/entity.hpp"
#include "aggregator/incidents/symptom.hpp"
#include "common/result.hpp"

namespace fw::incidents {

enum class State : std::uint8_t { open = 0, explained, resolved, closed };
std::string_view to_string(State state);

// ---- events -------------------------------------------------------------------------------------------------------

struct Opened { fleet::Entity subject; };
struct SymptomSeen {
  SymptomKind kind = SymptomKind::oom_kill;
  std::int64_t time_ns = 0;              // when it happened, in our time
  bool node_level = false;
  fleet::Entity subject;                 // the incarnation that suffered
};
struct Explained {
  std::string card, title, confidence, verdict;   // card "" : not known
  double probability = 0;
  std::string change_id, change_summary, change_actor, change_source;
  friend bool operator==(const Explained&, const Explained&) = default;
};
struct Resolved { std::string by; };       // "" : no symptom for long enough; else what mended it
struct Taken { std::string person; };
struct Noted { std::string person, text; };
struct Closed { std::string person, reason, confirmed_cause; };

struct IncidentEvent {
  std::int64_t time_ns = 0;              // ours
  std::string ref;                       // the node event behind a symptom: what makes a replay after a restart harmless
  std::variant<Opened, SymptomSeen, Explained, Resolved, Taken, Noted, Closed> body;
};

std::string_view kind_of(const IncidentEvent& event);
std::string body_json(const IncidentEvent& event);
Result<IncidentEvent> parse_incident_event(std::int64_t time_ns, std::string_view kind, std::string_view ref, std::string_view body);

// ---- fold ---------------------------------------------------------------------------------------------------------

struct SymptomCount { SymptomKind kind = SymptomKind::oom_kill; std::int64_t count = 0, first_ns = 0, last_ns = 0; };
struct Note { std::string author, text; std::int64_t time_ns = 0; };

struct Incident {
  Uuid uid;
  std::int64_t number = 0;               // 0 until the store gave it
  std::string lineage;
  State state = State::open;
  fleet::Entity subject;                 // newest incarnation
  bool node_level = false;               // at least one symptom was the node's shortage
  std::int64_t opened_ns = 0, first_symptom_ns = 0, last_symptom_ns = 0;
  std::optional<std::int64_t> explained_ns, resolved_ns, closed_ns;
  std::vector<SymptomCount> symptoms;
  std::optional<Explained> explanation;
  std::string resolved_by;               // of the newest resolution
  std::string taken_by, closed_by, close_reason, confirmed_cause;
  std::vector<Note> notes;
  std::int64_t last_seq = 0;             // of the events folded in
};

// Pure. What the event makes of the incident.
void apply(Incident& incident, const IncidentEvent& event);

// critical: it keeps failing or the whole node is short; major: it was killed; minor: it restarts much.
std::string_view severity(const Incident& incident);

}  // namespace fw::incidents
