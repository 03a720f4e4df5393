#include "agents/scoring/changes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "agents/casefile/rows.hpp"
#include "agents/orchestrator/template.hpp"

namespace fw::agents {
namespace {

// The constants of docs/adr/0011.
constexpr double kNow = 2.3;                       // time: right before the onset
constexpr double kTimeFloor = -3;
constexpr double kImpossible = -4.6;               // began after the onset
constexpr std::int64_t kSlackNs = 2'000'000'000;   // sources write whole seconds; clocks differ a little
constexpr std::int64_t kNoticeNs = 15'000'000'000; // an agent reads limits each 10 s: it may notice after the first kill
constexpr double kExact = 2.3, kNamed = 1.6, kOnNode = -1.6, kUnmatched = -2.3, kElsewhere = -4.6;
constexpr double kActs = 2.3, kMayAct = 0.7, kDoesNotAct = -4.6;
// A deploy without fields may have done it where the class needs a change; where it does not, that is no reason to blame it.
constexpr double kFieldsUnknown = -0.7, kFieldsUnknownAny = -1.6;
constexpr double kPerHealthySibling = -0.3, kHealthySiblings = -2.3;
constexpr double kAborted = -0.7;
constexpr double kCredible = 2.3;                  // a change below this is no candidate: many weak ones never add up
constexpr double kChangePrior = 0.05;              // that one given credible change is the cause, before looking
constexpr double kWithoutRequiredChange = 0.1;     // weight of "no change" where the class needs one
constexpr double kMaxFor = 3, kMaxForAny = 1.6, kMaxAgainst = -3, kMaxMissing = -2.3;
constexpr std::int64_t kSameDeployNs = 600'000'000'000;

double time_part(const Candidate& change, std::int64_t onset_ns) {
  const std::int64_t slack = change.source == "node" ? kNoticeNs : kSlackNs;
  if (change.started_ns > onset_ns + slack) return kImpossible;
  // A rollout that is still going on acts from its start; a finished one from its end.
  const bool finished = change.finished_ns && *change.finished_ns <= onset_ns;
  const double delay_s = static_cast<double>(std::max<std::int64_t>(0, onset_ns - (finished ? *change.finished_ns : change.started_ns))) / 1e9;
  return std::max(kTimeFloor, kNow - std::log1p(delay_s / 60));   // the hazard of a change falls with its age
}

double place_part(Place place) {
  switch (place) {
    case Place::exact: return kExact;
    case Place::named: return kNamed;
    case Place::node: return kOnNode;
    case Place::unmatched: return kUnmatched;
    case Place::elsewhere: return kElsewhere;
  }
  return kElsewhere;
}

double field_part(const CandidateField& field, const Card& card, const Context& context) {
  for (const auto& mechanism : card.mechanisms) {
    if (mechanism.name != field.mechanism) continue;
    if (mechanism.direction == Mechanism::Direction::any) return kActs;
    const bool known = field.before_value.has_value() && field.after_value.has_value();
    if (!known) return kMayAct;
    // -1 is "no limit": larger than any.
    const auto size = [](std::int64_t v) { return v < 0 ? std::numeric_limits<std::int64_t>::max() : v; };
    const bool down = size(*field.after_value) < size(*field.before_value);
    if (*field.after_value == *field.before_value || down != (mechanism.direction == Mechanism::Direction::down)) return kDoesNotAct;
    if (field.mechanism != "memory_limit" || !context.limit_at_onset) return kActs;
    // The kernel says which limit killed; a change to that very value is it, another value at least may be.
    const double off = std::abs(static_cast<double>(*field.after_value - *context.limit_at_onset));
    return off <= 0.02 * static_cast<double>(*context.limit_at_onset) ? kActs : kMayAct;
  }
  return kDoesNotAct;
}

double mechanism_part(const Candidate& change, const Card& card, const Context& context) {
  if (change.fields.empty()) return card.change == ChangeRole::required ? kFieldsUnknown : kFieldsUnknownAny;
  double best = kDoesNotAct;
  for (const auto& field : change.fields) best = std::max(best, field_part(field, card, context));
  return best;
}

int rank_of_source(const std::string& source) {   // who tells people more
  return source == "cloudevents" ? 0 : source == "github" ? 1 : source == "node" ? 3 : 2;
}

// Rows of one deploy: the aggregator's group, the same revision, or a limit that a node saw change to what a source announced.
void group_changes(Context& context) {
  auto& changes = context.changes;
  std::vector<std::size_t> parent(changes.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const auto join = [&](std::size_t a, std::size_t b) { parent[std::max(root(a), root(b))] = std::min(root(a), root(b)); };
  std::map<std::string, std::size_t> by_key;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!changes[i].change_group.empty()) join(i, by_key.emplace("group " + changes[i].change_group, i).first->second);
    if (changes[i].revision.size() >= 7) join(i, by_key.emplace("revision " + changes[i].revision, i).first->second);
  }
  const auto same_limit = [&](const Candidate& seen, const Candidate& told) {
    if (seen.source != "node" || told.source == "node" || seen.entity_id != told.entity_id || !seen.entity_id ||
        std::abs(seen.started_ns - told.started_ns) > kSameDeployNs)
      return false;
    for (const auto& a : seen.fields)
      for (const auto& b : told.fields)
        if (a.mechanism == b.mechanism && a.mechanism != "other" && a.after_value && a.after_value == b.after_value) return true;
    return false;
  };
  for (std::size_t i = 0; i < changes.size(); ++i)
    for (std::size_t j = 0; j < changes.size() && changes[i].source == "node"; ++j)
      if (same_limit(changes[i], changes[j])) join(i, j);
  std::map<std::size_t, std::size_t> dense;
  for (std::size_t i = 0; i < changes.size(); ++i) changes[i].group = dense.emplace(root(i), dense.size()).first->second;
  context.groups = dense.size();
}

struct Deploy { const Candidate* told = nullptr; ChangeScore score; bool proven = false; };

Deploy score_deploy(const Context& context, const Card& card, std::size_t group, double past) {
  Deploy deploy;
  ChangeScore& s = deploy.score;
  s.time = s.place = s.mechanism = -1e9;
  double healthy = 0, aborted = 0;
  const bool fields_known = std::any_of(context.changes.begin(), context.changes.end(),
                                        [&](const Candidate& c) { return c.group == group && !c.fields.empty(); });
  std::tuple<bool, bool, double, int, std::string> best;
  for (const auto& change : context.changes) {
    if (change.group != group) continue;
    const double time = time_part(change, context.onset_ns), place = place_part(change.place);
    const double mechanism = mechanism_part(change, card, context);
    s.time = std::max(s.time, time);
    s.place = std::max(s.place, place);
    if (!fields_known || !change.fields.empty()) s.mechanism = std::max(s.mechanism, mechanism);
    if (change.healthy_sibling) healthy = std::max(kHealthySiblings, healthy + kPerHealthySibling);
    if (change.outcome == "failure" || change.outcome == "cancelled") aborted = kAborted;
    // Shown is the row that says most: about this object, told by a person's tool, with the field that acts.
    std::tuple key{place < kOnNode, change.source == "node", -(place + mechanism), rank_of_source(change.source), change.change_id};
    if (deploy.told == nullptr || key < best) {
      best = std::move(key);
      deploy.told = &change;
    }
  }
  deploy.proven = s.time > kTimeFloor && s.place >= kNamed && s.mechanism >= kActs;
  s.place = std::max(kElsewhere, s.place + healthy);
  s.record = std::clamp(past, -1.0, 1.0) + aborted;
  s.llr = s.time + s.place + s.mechanism + s.record;
  s.change_id = printable(deploy.told->change_id);
  s.change_group = printable(deploy.told->change_group);
  return deploy;
}

}  // namespace

Result<Context> load_context(const CaseFile& file) {
  Context context;
  const auto head = file.query("select o.t_ns, l.limit_bytes from onset o, limit_at_onset l");
  if (!head) return with_context(head.error(), "onset");
  if (head->rows.empty()) return Error{Errc::malformed, "the case file has no incident"};
  context.onset_ns = as_time(head->rows[0][0]).value_or(0);
  context.limit_at_onset = as_int(head->rows[0][1]);

  const SqlLimits limits{.max_rows = 5'000, .max_steps = 20'000'000};
  const auto rows = file.query(R"sql(
    select c.change_id, c.change_group, c.source, c.actor, c.revision, coalesce(c.title, ''), c.outcome, coalesce(c.object_kind, ''),
           coalesce(c.object_name, ''), coalesce(c.object_namespace, ''), c.started_ns, c.finished_ns, c.entity_id, coalesce(c.match, ''),
           case when c.entity_id is null then 'unmatched'
                when c.entity_id in (select entity_id from lineage) or c.entity_id in (select entity_id from limit_owners)
                  or c.entity_id in (select g.to_id from edges g where g.relation = 'part_of' and g.from_id in (select entity_id from lineage))
                  then 'here'
                when c.entity_id = (select node_id from subject) then 'node'
                else 'elsewhere' end,
           c.entity_id in (select entity_id from symptoms)
    from changes c order by c.started_ns, c.change_id)sql", {}, limits);
  if (!rows) return with_context(rows.error(), "changes");
  std::map<std::string, std::vector<std::size_t>> by_id;   // one change can be matched to several entities: one row each
  for (const auto& row : rows->rows) {
    Candidate c;
    c.change_id = as_text(row[0]), c.change_group = as_text(row[1]), c.source = as_text(row[2]), c.actor = as_text(row[3]);
    c.revision = as_text(row[4]), c.title = as_text(row[5]), c.outcome = as_text(row[6]), c.object_kind = as_text(row[7]);
    c.object_name = as_text(row[8]), c.object_namespace = as_text(row[9]);
    c.started_ns = as_time(row[10]).value_or(0), c.finished_ns = as_time(row[11]), c.entity_id = as_int(row[12]);
    const std::string match = as_text(row[13]), where = as_text(row[14]);
    const bool by_name = match == "name" || match == "group" || match.empty();
    c.place = where == "here" ? (by_name ? Place::named : Place::exact) : where == "node" ? Place::node
              : where == "elsewhere" ? Place::elsewhere : Place::unmatched;
    c.healthy_sibling = where == "elsewhere" && as_int(row[15]).value_or(0) == 0;
    by_id[c.change_id].push_back(context.changes.size());
    context.changes.push_back(std::move(c));
  }
  const auto fields = file.query(
      "select change_id, path, before_text, after_text, before_value, after_value, mechanism from change_fields "
      "order by change_id, path, after_text, mechanism", {}, SqlLimits{.max_rows = 20'000, .max_steps = 20'000'000});
  if (!fields) return with_context(fields.error(), "change_fields");
  for (const auto& row : fields->rows)
    for (const auto i : by_id[as_text(row[0])])
      context.changes[i].fields.push_back({as_text(row[1]), as_text(row[6]), as_optional_text(row[2]), as_optional_text(row[3]),
                                           as_int(row[4]), as_int(row[5])});
  group_changes(context);
  return context;
}

ChangeTerm score_changes(const Context& context, const Card& card, double past) {
  ChangeTerm term;
  std::vector<Deploy> deploys;
  for (std::size_t group = 0; group < context.groups; ++group) {
    Deploy deploy = score_deploy(context, card, group, past);
    // What touches neither the subject nor its node, or has nothing to do with the class, is no candidate and not listed.
    if (deploy.score.place > kElsewhere && deploy.score.mechanism > kDoesNotAct) deploys.push_back(std::move(deploy));
  }
  std::sort(deploys.begin(), deploys.end(), [](const Deploy& a, const Deploy& b) {
    return std::tie(b.score.llr, a.score.change_id) < std::tie(a.score.llr, b.score.change_id);
  });
  const auto weight = [](const ChangeScore& s) {
    return s.llr >= kCredible && s.time > kImpossible ? kChangePrior * std::exp(std::min(s.llr, 7.0)) : 0;
  };
  double changed = 0;
  for (const auto& deploy : deploys) changed += weight(deploy.score);
  const double unchanged = card.change == ChangeRole::required ? kWithoutRequiredChange : 1;
  switch (card.change) {
    case ChangeRole::required: term.llr = std::clamp(std::log(unchanged + changed), kMaxMissing, kMaxFor); break;
    case ChangeRole::any: term.llr = std::min(std::log1p(changed), kMaxForAny); break;
    case ChangeRole::none: term.llr = card.mechanisms.empty() ? 0 : std::max(-std::log1p(changed), kMaxAgainst); break;
  }
  if (card.change == ChangeRole::none) return term;
  for (auto& deploy : deploys) {
    deploy.score.share = weight(deploy.score) / (unchanged + changed);
    if (deploy.score.share > 0.5 && term.suspect == nullptr) {
      term.suspect = deploy.told;
      term.proven = deploy.proven;
    }
    term.scores.push_back(deploy.score);
  }
  return term;
}

std::string summary(const Candidate& change) {
  std::string out = change.title.empty() ? "" : "\"" + printable(change.title) + "\"";
  for (const auto& field : change.fields) {
    if (field.mechanism == "other" || !out.empty()) continue;
    out = printable(field.path);
    if (field.before_text && field.after_text) out += " " + printable(*field.before_text) + " -> " + printable(*field.after_text);
  }
  if (out.empty() && !change.revision.empty()) out = "revision " + printable(change.revision).substr(0, 12);
  return out.empty() ? "without a title" : out;
}

}  // namespace fw::agents
