// What the next version of a policy allows that this one does not. A later end is none of it: a policy has to be renewed.
#include <algorithm>
#include <limits>

#include "protocol/authority/catalogue.hpp"

namespace fw::authority {
namespace {

using Sentences = std::vector<std::string>;

template <class T>
bool contains(const std::vector<T>& list, const T& entry) { return std::find(list.begin(), list.end(), entry) != list.end(); }

// Of lists where empty means any: whether `after` has something that `before` has not.
template <class T>
bool widened(const std::vector<T>& before, const std::vector<T>& after) {
  if (before.empty()) return false;
  return after.empty() || !std::all_of(after.begin(), after.end(), [&](const T& entry) { return contains(before, entry); });
}

bool widened(const Scope& before, const Scope& after) {
  return widened(before.clusters, after.clusters) || widened(before.name_spaces, after.name_spaces) ||
         widened(before.node_labels, after.node_labels) || after.max_class > before.max_class;
}

// 0 means without end.
template <class Number>
Number or_most(Number value) { return value == 0 ? std::numeric_limits<Number>::max() : value; }

template <class List, class Same>
auto find(const List& list, Same same) {
  const auto found = std::find_if(list.begin(), list.end(), same);
  return found == list.end() ? nullptr : &*found;
}

void roots(const Policy& before, const Policy& after, Sentences& out) {
  for (const auto& root : after.roots)
    if (find(before.roots, [&](const Root& old) { return old.key == root.key; }) == nullptr) out.push_back("Root " + root.name + " has a new key.");
  if (after.root_threshold < before.root_threshold) out.emplace_back("Fewer roots sign a policy.");
}

void approvers(const Policy& before, const Policy& after, Sentences& out) {
  for (const auto& now : after.approvers) {
    const auto name = now.person.str();
    const auto* was = find(before.approvers, [&](const Approver& old) { return old.person == now.person; });
    if (was == nullptr) {
      out.push_back(name + " may approve.");
      continue;
    }
    if (now.level > was->level) out.push_back(name + " becomes senior.");
    for (const auto& group : now.groups)
      if (!contains(was->groups, group)) out.push_back(name + " joins the group " + group + ".");
    for (const auto& key : now.keys)
      if (!contains(was->keys, key)) out.push_back(name + " has a new key.");
    if (widened(was->scope, now.scope)) out.push_back(name + " has a wider scope.");
    if (or_most(now.not_after_ms) > or_most(was->not_after_ms)) out.push_back(name + " may approve for longer.");
  }
}

void classes(const Policy& before, const Policy& after, Sentences& out) {
  for (const auto& was : before.classes) {
    const auto name = "Class " + std::to_string(was.action_class);
    const auto* now = find(after.classes, [&](const ClassRule& rule) { return rule.action_class == was.action_class; });
    if (now == nullptr) {
      out.push_back(name + " has no rule.");
      continue;
    }
    if (now->threshold < was.threshold) out.push_back(name + " needs fewer people.");
    if (now->seniors < was.seniors) out.push_back(name + " needs fewer seniors.");
    for (const auto& group : was.groups)
      if (!contains(now->groups, group)) out.push_back(name + " needs nobody of " + group + ".");
    if (now->max_validity_ms > was.max_validity_ms) out.push_back(name + ": plans are valid for longer.");
    if (was.require_inclusion && !now->require_inclusion) out.push_back(name + " needs no inclusion in the audit log.");
  }
}

void limits(const Policy& before, const Policy& after, Sentences& out) {
  for (const auto& was : before.limits) {
    const auto* now = find(after.limits, [&](const Limit& limit) { return limit.budget == was.budget; });
    if (now == nullptr) {
      out.push_back("The limit " + was.budget + " is gone.");
    } else if (now->per_hour > was.per_hour || now->per_day > was.per_day) {
      out.push_back("The limit " + was.budget + " is higher.");
    }
  }
}

std::string action_name(std::uint16_t index) {
  const auto all = catalogue();
  return index >= 1 && index <= all.size() ? std::string(all[index - 1U].name) : "action " + std::to_string(index);
}

void bounds(const Policy& before, const Policy& after, Sentences& out) {
  for (const auto& was : before.bounds) {
    const std::string name = action_name(was.action);
    const auto* now = find(after.bounds, [&](const Bound& bound) { return bound.action == was.action; });
    if (now == nullptr) {
      out.push_back("The bound of " + name + " is gone.");
    } else if (now->min_value < was.min_value || now->max_value > was.max_value || or_most(now->max_ttl_ms) > or_most(was.max_ttl_ms)) {
      out.push_back("The bound of " + name + " is wider.");
    }
  }
}

void enabled(const Policy& before, const Policy& after, Sentences& out) {
  for (const auto& now : after.enabled) {
    const auto covers = [&](const Enabled& was) {
      return !widened(was.clusters, now.clusters) && !widened(was.node_labels, now.node_labels) && !widened(was.actions, now.actions) &&
             now.max_class <= was.max_class;
    };
    if (find(before.enabled, covers) == nullptr) {
      out.emplace_back("More nodes or actions are enabled.");
      return;
    }
  }
}

void log(const Policy& before, const Policy& after, Sentences& out) {
  if (after.log_origin != before.log_origin || after.log_key != before.log_key) out.emplace_back("Another audit log counts.");
  for (const auto& witness : after.witnesses)
    if (!contains(before.witnesses, witness)) out.push_back("Witness " + witness.name + " is new, or has a new key.");
  if (after.witness_quorum < before.witness_quorum) out.emplace_back("Fewer witnesses are needed.");
}

}  // namespace

std::vector<std::string> loosened_by(const Policy& before, const Policy& after) {
  Sentences out;
  if (after.profile < before.profile) out.push_back("The profile becomes " + std::string(to_string(after.profile)) + ".");
  roots(before, after, out);
  approvers(before, after, out);
  classes(before, after, out);
  limits(before, after, out);
  bounds(before, after, out);
  enabled(before, after, out);
  log(before, after, out);
  if (after.resume_threshold < before.resume_threshold) out.emplace_back("Fewer people resume after a pause.");
  if (after.time_skew_ms > before.time_skew_ms) out.emplace_back("Clocks may differ more.");
  if (before.paused && !after.paused) out.emplace_back("The pause ends.");
  return out;
}

}  // namespace fw::authority
