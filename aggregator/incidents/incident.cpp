#include "aggregator/incidents/incident.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "aggregator/fleet/node_event.hpp"

namespace fw::incidents {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 4> kStates{"open", "explained", "resolved", "closed"};
constexpr std::array<std::string_view, 7> kKinds{"opened", "symptom", "explained", "resolved", "taken", "noted", "closed"};

json::object entity_object(const fleet::Entity& entity) {
  json::object object = json::parse(fleet::entity_json(entity)).get_object();
  object["node"] = entity.key.node.str();
  object["boot"] = entity.key.boot.str();
  object["cgroup_id"] = entity.key.cgroup_id;
  return object;
}

// Reads what body_json wrote; remembers whether something was missing.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}
  bool ok = true;

  std::string text(std::string_view name) {
    const json::value* v = object_.if_contains(name);
    if (v == nullptr || !v->is_string()) return fail(std::string());
    return std::string(v->get_string());
  }
  std::int64_t integer(std::string_view name) {
    const json::value* v = object_.if_contains(name);
    boost::system::error_code ec;
    const auto number = v == nullptr ? 0 : v->to_number<std::int64_t>(ec);
    return v == nullptr || ec ? fail(std::int64_t{0}) : number;
  }
  double real(std::string_view name) {
    const json::value* v = object_.if_contains(name);
    boost::system::error_code ec;
    const auto number = v == nullptr ? 0.0 : v->to_number<double>(ec);
    return v == nullptr || ec ? fail(0.0) : number;
  }
  bool flag(std::string_view name) {
    const json::value* v = object_.if_contains(name);
    return v == nullptr || !v->is_bool() ? fail(false) : v->get_bool();
  }
  fleet::Entity entity(std::string_view name) {
    const json::value* v = object_.if_contains(name);
    if (v == nullptr || !v->is_object()) return fail(fleet::Entity{});
    auto entity = fleet::parse_entity(json::serialize(*v));
    Fields inner(v->get_object());
    const auto node = Uuid::parse(inner.text("node")), boot = Uuid::parse(inner.text("boot"));
    boost::system::error_code ec;
    const json::value* cgroup = v->get_object().if_contains("cgroup_id");
    if (!entity || !node || !boot || cgroup == nullptr) return fail(fleet::Entity{});
    entity->key = {.node = *node, .boot = *boot, .cgroup_id = cgroup->to_number<std::uint64_t>(ec)};
    return *entity;
  }

 private:
  template <class T>
  T fail(T value) {
    ok = false;
    return value;
  }
  const json::object& object_;
};

}  // namespace

std::string_view to_string(State state) { return kStates.at(static_cast<std::size_t>(state)); }
std::string_view kind_of(const IncidentEvent& event) { return kKinds.at(event.body.index()); }

std::string body_json(const IncidentEvent& event) {
  struct Visitor {
    json::object operator()(const Opened& e) const { return {{"subject", entity_object(e.subject)}}; }
    json::object operator()(const SymptomSeen& e) const {
      return {{"symptom", to_string(e.kind)}, {"time_ns", e.time_ns}, {"node_level", e.node_level}, {"subject", entity_object(e.subject)}};
    }
    json::object operator()(const Explained& e) const {
      return {{"card", e.card}, {"title", e.title}, {"confidence", e.confidence}, {"verdict", e.verdict}, {"probability", e.probability},
              {"change_id", e.change_id}, {"change_summary", e.change_summary}, {"change_actor", e.change_actor},
              {"change_source", e.change_source}};
    }
    json::object operator()(const Resolved& e) const { return e.by.empty() ? json::object() : json::object{{"by", e.by}}; }
    json::object operator()(const Taken& e) const { return {{"person", e.person}}; }
    json::object operator()(const Noted& e) const { return {{"person", e.person}, {"text", e.text}}; }
    json::object operator()(const Closed& e) const {
      return {{"person", e.person}, {"reason", e.reason}, {"confirmed_cause", e.confirmed_cause}};
    }
  };
  return json::serialize(std::visit(Visitor{}, event.body));
}

Result<IncidentEvent> parse_incident_event(std::int64_t time_ns, std::string_view kind, std::string_view ref, std::string_view body) {
  boost::system::error_code ec;
  const json::value value = json::parse(json::string_view(body.data(), body.size()), ec);
  if (ec || !value.is_object()) return Error(Errc::malformed, "stored incident event: not a JSON object");
  Fields f(value.get_object());
  IncidentEvent event{.time_ns = time_ns, .ref = std::string(ref), .body = Resolved{}};
  if (kind == "opened") {
    event.body = Opened{f.entity("subject")};
  } else if (kind == "symptom") {
    const auto symptom = symptom_kind_from(f.text("symptom"));
    if (!symptom) return Error(Errc::malformed, "stored incident event: unknown symptom");
    event.body = SymptomSeen{.kind = *symptom, .time_ns = f.integer("time_ns"), .node_level = f.flag("node_level"), .subject = f.entity("subject")};
  } else if (kind == "explained") {
    event.body = Explained{.card = f.text("card"), .title = f.text("title"), .confidence = f.text("confidence"), .verdict = f.text("verdict"),
                           .probability = f.real("probability"), .change_id = f.text("change_id"),
                           .change_summary = f.text("change_summary"), .change_actor = f.text("change_actor"),
                           .change_source = f.text("change_source")};
  } else if (kind == "taken") {
    event.body = Taken{f.text("person")};
  } else if (kind == "noted") {
    event.body = Noted{f.text("person"), f.text("text")};
  } else if (kind == "closed") {
    event.body = Closed{f.text("person"), f.text("reason"), f.text("confirmed_cause")};
  } else if (kind == "resolved") {
    event.body = Resolved{value.get_object().contains("by") ? f.text("by") : ""};   // before plans it had none
  } else {
    return Error(Errc::malformed, "stored incident event: unknown kind '" + std::string(kind) + "'");
  }
  if (!f.ok) return Error(Errc::malformed, "stored incident event '" + std::string(kind) + "': a field is missing or of another type");
  return event;
}

void apply(Incident& incident, const IncidentEvent& event) {
  struct Visitor {
    Incident& i;
    const IncidentEvent& event;

    void operator()(const Opened& e) const {
      i.subject = e.subject;
      i.lineage = fleet::lineage_of(e.subject);
      i.opened_ns = event.time_ns;
    }
    void operator()(const SymptomSeen& e) const {
      auto found = std::find_if(i.symptoms.begin(), i.symptoms.end(), [&](const SymptomCount& s) { return s.kind == e.kind; });
      if (found == i.symptoms.end()) found = i.symptoms.insert(found, {.kind = e.kind, .count = 0, .first_ns = e.time_ns, .last_ns = e.time_ns});
      ++found->count;
      found->first_ns = std::min(found->first_ns, e.time_ns);
      found->last_ns = std::max(found->last_ns, e.time_ns);
      i.first_symptom_ns = i.first_symptom_ns == 0 ? e.time_ns : std::min(i.first_symptom_ns, e.time_ns);
      i.last_symptom_ns = std::max(i.last_symptom_ns, e.time_ns);
      i.node_level = i.node_level || e.node_level;
      i.subject = e.subject;
      if (i.state == State::resolved) {   // reopened; what was known of the cause stays known
        i.state = i.explanation ? State::explained : State::open;
        i.resolved_ns.reset();
      }
    }
    void operator()(const Explained& e) const {
      i.explanation = e;
      if (!i.explained_ns) i.explained_ns = event.time_ns;
      if (i.state == State::open) i.state = State::explained;
    }
    void operator()(const Resolved& e) const {
      i.resolved_by = e.by;
      i.state = State::resolved;
      i.resolved_ns = event.time_ns;
    }
    void operator()(const Taken& e) const { i.taken_by = e.person; }
    void operator()(const Noted& e) const { i.notes.push_back({.author = e.person, .text = e.text, .time_ns = event.time_ns}); }
    void operator()(const Closed& e) const {
      i.state = State::closed;
      i.closed_ns = event.time_ns;
      i.closed_by = e.person;
      i.close_reason = e.reason;
      i.confirmed_cause = e.confirmed_cause;
    }
  };
  std::visit(Visitor{incident, event}, event.body);
  ++incident.last_seq;
}

std::string_view severity(const Incident& incident) {
  std::int64_t ooms = 0;
  bool killed = false, crashing = false;
  for (const SymptomCount& symptom : incident.symptoms) {
    if (symptom.kind == SymptomKind::oom_kill) ooms = symptom.count;
    killed = killed || symptom.kind == SymptomKind::killed;
    crashing = crashing || symptom.kind == SymptomKind::crash_loop;
  }
  if (crashing || incident.node_level || ooms >= 3) return "critical";
  return ooms > 0 || killed ? "major" : "minor";
}

}  // namespace fw::incidents
