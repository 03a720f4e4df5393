#include "aggregator/cli/render/lists.hpp"

#include <fmt/format.h>

#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli::render {
namespace {

using term::Cell;
using term::Column;
using term::Layout;
using term::Role;

constexpr char kNone[] = "<none>";
constexpr char kUnknown[] = "<unknown>";

std::string or_none(const std::string& text) { return text.empty() ? kNone : text; }

// People see how long ago, scripts when.
std::string when(std::int64_t wall_ns, const Layout& layout, std::int64_t now_ns) {
  if (wall_ns == 0) return kUnknown;
  return layout.for_people ? term::age(wall_ns, now_ns) : term::rfc3339(wall_ns);
}

std::string suspect_of(const Incident& incident) {
  if (incident.suspect) {
    const auto& actor = incident.suspect->actor;
    return incident.suspect->summary + (actor.empty() || actor == "unknown" ? "" : " by " + actor);
  }
  return incident.explained_ns || incident.cause ? kNone : kUnknown;
}

std::string symptoms_of(const Incident& incident) {
  std::string out;
  for (const auto& symptom : incident.symptoms) {
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", symptom.kind, symptom.count);
  }
  return or_none(out);
}

}  // namespace

std::string probability(const std::optional<double>& value) { return value ? fmt::format("{:.2f}", *value) : kNone; }

std::string short_change_id(const std::string& id, const Layout& layout, Detail detail) {
  constexpr std::size_t kShown = 8;
  if (!layout.for_people || detail == Detail::wide || id.size() <= kShown) return id;
  return id.substr(id.size() - kShown);
}

std::string incidents(const std::vector<Incident>& list, const Layout& layout, Detail detail, std::int64_t now_ns) {
  const bool wide = detail == Detail::wide;
  std::vector<Column> columns{
      {"ID"}, {"SEV"}, {"STATE"}, {"SCOPE", wide ? 0U : 5U}, {"SUSPECT-CHANGE", wide ? 0U : 6U}, {"CONF"}, {"PLAN", wide ? 0U : 4U}};
  if (wide) {
    for (const auto* title : {"PROBABILITY", "CAUSE", "SYMPTOMS", "NODE", "TAKEN-BY", "CHANGE-ID", "PLAN-DIGEST"})
      columns.push_back({title});
  }
  columns.push_back({layout.for_people ? "AGE" : "OPENED"});
  term::Table table(std::move(columns));
  for (const auto& incident : list) {
    const auto confidence =
        incident.cause ? or_none(incident.cause->confidence) : (incident.explained_ns ? kNone : kUnknown);
    std::vector<Cell> row{{incident.id, Role::bold},
                          {incident.severity, term::role_of_severity(incident.severity)},
                          {incident.state, term::role_of_state(incident.state)},
                          {or_none(incident.scope)},
                          {suspect_of(incident)},
                          {confidence, term::role_of_confidence(confidence)},
                          {or_none(incident.plan_state), term::role_of_state(incident.plan_state)}};
    if (wide) {
      row.push_back({probability(incident.cause ? incident.cause->probability : std::nullopt)});
      row.push_back({incident.cause ? incident.cause->card : kNone});
      row.push_back({symptoms_of(incident)});
      row.push_back({or_none(incident.node)});
      row.push_back({or_none(incident.taken_by)});
      row.push_back({incident.suspect ? incident.suspect->id : kNone});
      row.push_back({or_none(incident.plan)});
    }
    row.push_back({when(incident.opened_ns, layout, now_ns)});
    table.add(std::move(row));
  }
  return table.render(layout);
}

std::string nodes(const std::vector<Node>& list, const Layout& layout, Detail detail, std::int64_t now_ns) {
  const bool wide = detail == Detail::wide;
  std::vector<Column> columns{{"NAME", wide ? 0U : 12U},  {"STATE"}, {"ENTITIES"}, {"EVENTS"}, {"LOST"},
                              {"LACKING", wide ? 0U : 8U}};
  if (wide) {
    for (const auto* title : {"UID", "AGENT", "KERNEL", "CGROUP", "CLOCK-OFFSET-MS", "CLOCK-ERROR-MS"})
      columns.push_back({title});
  }
  columns.push_back({layout.for_people ? "AGE" : "LAST-SEEN"});
  term::Table table(std::move(columns));
  for (const auto& node : list) {
    const auto lost = node.lost_samples_total + node.lost_events_total;
    const auto lacking = fmt::format("{}", fmt::join(node.lacking, ","));
    std::vector<Cell> row{{node.name, Role::bold},
                          {node.connected ? "connected" : "gone", node.connected ? Role::good : Role::bad},
                          {std::to_string(node.entities)},
                          {std::to_string(node.events_total)},
                          {std::to_string(lost), lost > 0 ? Role::warn : Role::plain},
                          {or_none(lacking), lacking.empty() ? Role::plain : Role::warn}};
    if (wide) {
      row.push_back({node.uid});
      row.push_back({node.agent_version});
      row.push_back({node.kernel_release});
      row.push_back({node.cgroup_mode});
      row.push_back({fmt::format("{:.3f}", static_cast<double>(node.clock_offset_ns) / 1e6)});
      row.push_back({fmt::format("{:.3f}", static_cast<double>(node.clock_error_ns) / 1e6)});
    }
    row.push_back({when(node.last_seen_ns, layout, now_ns)});
    table.add(std::move(row));
  }
  return table.render(layout);
}

std::string changes(const std::vector<Change>& list, const Layout& layout, Detail detail, std::int64_t now_ns) {
  const bool wide = detail == Detail::wide;
  std::vector<Column> columns{
      {"ID"},     {"OBJECT", wide ? 0U : 10U}, {"CHANGE", wide ? 0U : 14U}, {"ACTOR", wide ? 0U : 6U}, {"SOURCE"},
      {"OUTCOME"}};
  if (wide) {
    for (const auto* title : {"NAMESPACE", "REVISION", "ENVIRONMENT", "GROUP", "TITLE"}) columns.push_back({title});
  }
  columns.push_back({layout.for_people ? "AGE" : "STARTED"});
  term::Table table(std::move(columns));
  for (const auto& change : list) {
    std::vector<Cell> row{
        {short_change_id(change.id, layout, detail), Role::bold},
        {or_none(change.object())},
        {or_none(change.summary())},
        {change.actor.empty() ? "unknown" : change.actor},
        {change.source},
        {change.outcome.empty() ? "unknown" : change.outcome, change.outcome == "failure" ? Role::bad : Role::plain}};
    if (wide) {
      for (const auto* text :
           {&change.object_namespace, &change.revision, &change.environment, &change.group, &change.title}) {
        row.push_back({or_none(*text)});
      }
    }
    row.push_back({when(change.started_ns, layout, now_ns)});
    table.add(std::move(row));
  }
  return table.render(layout);
}

std::string names(const std::string& kind, const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += kind + "/" + term::escape(name) + "\n";
  return out;
}

}  // namespace fw::cli::render
