#include "aggregator/incidents/recent.hpp"

#include <algorithm>

#include "aggregator/incidents/change_match.hpp"

namespace fw::incidents {

void EventHistory::add(fleet::NodeEventPtr event) {
  auto& events = events_[event->entity->key.node];
  if (events.size() >= kMaxPerNode) {
    events.pop_front();
    ++dropped_total_;
  }
  events.push_back(std::move(event));
}

void EventHistory::expire(std::int64_t now_ns) {
  for (auto& [node, events] : events_) {
    while (!events.empty() && events.front()->received_ns < now_ns - kHorizon.count()) events.pop_front();
  }
  std::erase_if(events_, [](const auto& item) { return item.second.empty(); });
}

const std::deque<fleet::NodeEventPtr>& EventHistory::of(const Uuid& node) const {
  static const std::deque<fleet::NodeEventPtr> kNone;
  const auto found = events_.find(node);
  return found == events_.end() ? kNone : found->second;
}

std::vector<GroupUpdate> ChangeLog::add(changes::Change change, const fleet::Fleet& fleet) {
  const auto node_name = [&](const changes::Change& observed) -> std::string {
    const auto uid = Uuid::parse(observed.object.node);
    const fleet::NodeState* node = uid ? fleet.find_node(*uid) : nullptr;
    return node == nullptr ? std::string() : node->name;
  };
  std::vector<GroupUpdate> updates;
  const auto set_group = [&](changes::Change& of, const std::string& group) {
    if (of.change_group == group) return;
    of.change_group = group;
    updates.push_back({of.id, group});
  };
  std::erase_if(changes_, [&](const changes::Change& known) { return known.id == change.id; });
  for (changes::Change& known : changes_) {
    if ((change.source == "node") == (known.source == "node")) continue;
    changes::Change& observed = change.source == "node" ? change : known;
    changes::Change& posted = change.source == "node" ? known : change;
    if (!is_same_change(observed, posted, node_name(observed))) continue;
    const std::string group = posted.change_group.empty() ? "change:" + posted.id.str() : posted.change_group;
    set_group(posted, group);
    set_group(observed, group);
  }
  if (changes_.size() >= most_) {   // what nodes show of themselves is plenty; it must not push out what people said
    const auto observed = std::find_if(changes_.begin(), changes_.end(), [](const changes::Change& c) { return c.source == "node"; });
    changes_.erase(observed == changes_.end() ? changes_.begin() : observed);
  }
  const auto later = std::upper_bound(changes_.begin(), changes_.end(), change.started_ns,
                                      [](std::int64_t t, const changes::Change& c) { return t < c.started_ns; });
  changes_.insert(later, std::move(change));
  return updates;
}

void ChangeLog::expire(std::int64_t now_ns) {
  while (!changes_.empty() && changes_.front().started_ns < now_ns - kHorizon.count()) changes_.pop_front();
}

const changes::Change* ChangeLog::find(const Uuid& id) const {
  const auto found = std::find_if(changes_.begin(), changes_.end(), [&](const changes::Change& c) { return c.id == id; });
  return found == changes_.end() ? nullptr : &*found;
}

changes::Change observed_change(const fleet::NodeEvent& event, const wire::LimitChanged& limit) {
  const auto text = [](std::int64_t value) { return value < 0 ? std::string("max") : std::to_string(value); };
  changes::Change change;
  change.id = make_uuid_v7(event.received_ns);
  change.source = "node";
  change.source_key = event.ref.str();
  change.object = {.cluster = "", .kind = std::string(fleet::to_string(event.entity->kind)), .namespace_name = "", .name = event.entity->name,
                   .uid = event.entity->pod_uid, .cgroup_path = event.entity->cgroup_path, .container_id = event.entity->container_id,
                   .node = event.entity->key.node.str()};
  change.started_ns = event.our_time_ns();
  change.finished_ns = change.started_ns;
  change.outcome = changes::Outcome::success;
  change.fields.push_back({.path = limit.resource, .before = text(limit.before), .after = text(limit.after)});
  change.title = "seen on the node: " + summary_of(change);
  change.received_ns = event.received_ns;
  return change;
}

std::string summary_of(const changes::Change& change) {
  if (!change.fields.empty()) {
    const changes::Field& field = change.fields.front();
    return field.path + " " + field.before.value_or("?") + " -> " + field.after.value_or("?");
  }
  if (!change.title.empty()) return change.title;
  return change.revision.empty() ? change.source + " " + change.source_key : change.object.name + " " + change.revision;
}

}  // namespace fw::incidents
