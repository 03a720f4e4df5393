#include "aggregator/changes/change.hpp"

#include <algorithm>

#include "aggregator/changes/received.hpp"

namespace fw::changes {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::unknown: return "unknown";
    case Outcome::in_progress: return "in_progress";
    case Outcome::success: return "success";
    case Outcome::failure: return "failure";
    case Outcome::cancelled: return "cancelled";
  }
  return "unknown";
}

namespace {

void keep(std::string& text, const std::string& stored, const std::string& absent = {}) {
  if (text == absent) text = stored;
}

// A delivery about an object by its own name knows more than one that only knows the repository.
bool weak(const ObjectRef& object) { return object.kind == "Repository"; }

}  // namespace

Change merge(const Change& stored, Change incoming) {
  incoming.id = stored.id;
  incoming.received_ns = stored.received_ns;
  incoming.started_ns = std::min(stored.started_ns, incoming.started_ns);
  // An attempt that already ended does not go back to running because an older delivery came late; a newer end wins.
  const bool older_end = stored.finished_ns && (!incoming.finished_ns || *incoming.finished_ns < *stored.finished_ns);
  if (older_end) {
    incoming.finished_ns = stored.finished_ns;
    incoming.outcome = stored.outcome;
  } else if (incoming.outcome == Outcome::unknown) {
    incoming.outcome = stored.outcome;
  }
  if (weak(incoming.object) && !weak(stored.object)) incoming.object = stored.object;
  keep(incoming.change_group, stored.change_group);
  keep(incoming.actor, stored.actor, "unknown");
  keep(incoming.revision, stored.revision);
  keep(incoming.title, stored.title);
  keep(incoming.environment, stored.environment);
  keep(incoming.url, stored.url);
  if (incoming.fields.empty()) incoming.fields = stored.fields;
  return incoming;
}

}  // namespace fw::changes
