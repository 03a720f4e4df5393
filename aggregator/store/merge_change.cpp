#include <algorithm>

#include "aggregator/store/store.hpp"

namespace fw::store {
namespace {

void prefer_known(std::string& stored, const std::string& told, std::string_view unknown = "") {
  if (!told.empty() && told != unknown) stored = told;
}

bool is_final(changes::Outcome outcome) {
  return outcome == changes::Outcome::success || outcome == changes::Outcome::failure || outcome == changes::Outcome::cancelled;
}

}  // namespace

changes::Change merge_change(const changes::Change& stored, const changes::Change& told) {
  changes::Change merged = stored;
  prefer_known(merged.change_group, told.change_group);
  prefer_known(merged.object.cluster, told.object.cluster);
  prefer_known(merged.object.kind, told.object.kind);
  prefer_known(merged.object.namespace_name, told.object.namespace_name);
  prefer_known(merged.object.name, told.object.name);
  prefer_known(merged.object.uid, told.object.uid);
  prefer_known(merged.object.cgroup_path, told.object.cgroup_path);
  prefer_known(merged.object.container_id, told.object.container_id);
  prefer_known(merged.object.node, told.object.node);
  prefer_known(merged.actor, told.actor, "unknown");
  prefer_known(merged.revision, told.revision);
  prefer_known(merged.title, told.title);
  prefer_known(merged.environment, told.environment);
  prefer_known(merged.url, told.url);
  if (told.started_ns != 0) merged.started_ns = merged.started_ns == 0 ? told.started_ns : std::min(merged.started_ns, told.started_ns);
  if (told.finished_ns) merged.finished_ns = told.finished_ns;
  // Webhooks arrive out of order: "in progress" after "success" is old news.
  if (is_final(told.outcome) || (told.outcome != changes::Outcome::unknown && !is_final(merged.outcome))) merged.outcome = told.outcome;
  for (const changes::Field& field : told.fields) {
    const auto same = std::find_if(merged.fields.begin(), merged.fields.end(), [&](const changes::Field& f) { return f.path == field.path; });
    if (same == merged.fields.end()) {
      merged.fields.push_back(field);
    } else {
      if (field.before) same->before = field.before;
      if (field.after) same->after = field.after;
    }
  }
  return merged;
}

}  // namespace fw::store
