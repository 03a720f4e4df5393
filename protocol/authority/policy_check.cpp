// The rules of a trust policy by itself.
#include <algorithm>
#include <map>
#include <set>

#include "protocol/authority/catalogue.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::authority {
namespace {

constexpr std::uint8_t kMaxClass = 3;
constexpr std::int64_t kMaxTimeSkewMs = 10 * 60 * 1000;
constexpr std::size_t kMaxRoots = kMaxVotes;   // so that all of them can sign

using Sentences = std::vector<std::string>;

bool is_action(std::uint16_t index) { return index >= 1 && index < std::variant_size_v<Action>; }

void check_names(const std::vector<std::string>& names, const std::string& whose, Sentences& out) {
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size()) out.push_back(whose + " names one thing twice.");
  if (std::find(names.begin(), names.end(), "") != names.end()) out.push_back(whose + " has an empty name.");
}

void check_labels(const std::vector<std::string>& labels, const std::string& whose, Sentences& out) {
  check_names(labels, whose, out);
  for (const auto& label : labels)
    if (const auto sign = label.find('='); sign == 0 || sign == std::string::npos) out.push_back(whose + ": \"" + label + "\" is not key=value.");
}

// Every key has one owner, and is a key.
class Keys {
 public:
  explicit Keys(Sentences& out) : out_(out) {}
  void add(const PublicKey& key, const std::string& owner) {
    if (const auto good = check_key(key); !good) out_.push_back("The key of " + owner + " is not good (" + good.error().context + ").");
    const auto [place, first] = owners_.emplace(key_id(key), owner);
    if (!first) out_.push_back("One key belongs to " + place->second + " and to " + owner + ".");
  }

 private:
  Sentences& out_;
  std::map<Digest, std::string> owners_;
};

void check_roots(const Policy& policy, Sentences& out) {
  Keys keys(out);
  std::set<std::string> names;
  for (const auto& root : policy.roots) {
    if (root.name.empty()) out.emplace_back("A root has no name.");
    if (!names.insert(root.name).second) out.push_back("The root " + root.name + " is listed twice.");
    keys.add(root.key, "root " + root.name);
  }
  if (policy.roots.empty()) out.emplace_back("There is no root.");
  if (policy.roots.size() > kMaxRoots) out.emplace_back("There are more than 8 roots.");
  if (policy.root_threshold == 0) out.emplace_back("The root threshold is 0.");
  if (policy.root_threshold > kMaxVotes) out.emplace_back("The root threshold is above 8, more signatures than a node takes.");
  if (policy.root_threshold > policy.roots.size()) out.emplace_back("The root threshold is more than there are roots.");
  if (policy.profile == Profile::enterprise && policy.root_threshold < 2) out.emplace_back("The profile enterprise needs two roots to sign a policy.");
}

// Approvers, the log and the witnesses share no key. Roots may be approvers too, except in the profile enterprise.
void check_keys(const Policy& policy, Sentences& out) {
  Keys keys(out);
  if (policy.profile == Profile::enterprise)
    for (const auto& root : policy.roots) keys.add(root.key, "root " + root.name);
  for (const auto& approver : policy.approvers)
    for (const auto& key : approver.keys) keys.add(key, approver.person.str());
  keys.add(policy.log_key, "the log");
  for (const auto& witness : policy.witnesses) keys.add(witness.key, "witness " + witness.name);
}

void check_approvers(const Policy& policy, Sentences& out) {
  std::set<Person> people;
  for (const auto& approver : policy.approvers) {
    const auto name = approver.person.str();
    if (approver.person.issuer.empty() || approver.person.subject.empty()) out.emplace_back("An approver has no name.");
    if (!people.insert(approver.person).second) out.push_back("The person " + name + " is listed twice.");
    if (approver.keys.empty()) out.push_back("The person " + name + " has no key.");
    if (approver.scope.max_class > kMaxClass) out.push_back("The person " + name + " has a class above 3.");
    if (approver.not_after_ms < 0) out.push_back("The person " + name + " is never valid.");
    check_names(approver.groups, name + "'s groups", out);
    check_names(approver.scope.clusters, name + "'s clusters", out);
    check_names(approver.scope.name_spaces, name + "'s namespaces", out);
    check_labels(approver.scope.node_labels, name + "'s node labels", out);
  }
  if (policy.approvers.empty()) out.emplace_back("There is no approver.");
}

template <class Function>
std::uint32_t count_if(const std::vector<Approver>& approvers, Function function) {
  return static_cast<std::uint32_t>(std::count_if(approvers.begin(), approvers.end(), function));
}

void check_class(const ClassRule& rule, const Policy& policy, Sentences& out) {
  const auto name = "Class " + std::to_string(rule.action_class);
  const auto minimum = minimum_threshold(rule.action_class, policy.profile);
  if (rule.threshold < minimum)
    out.push_back(name + " needs " + std::to_string(minimum) + (minimum == 1 ? " person" : " people") + " at least, not " +
                  std::to_string(rule.threshold) + ".");
  if (rule.threshold > kMaxVotes) out.push_back(name + " needs more people than a plan can carry.");
  if (rule.seniors > rule.threshold) out.push_back(name + " needs more seniors than people.");
  if (rule.max_validity_ms <= 0 || rule.max_validity_ms > kMaxValidityMs) out.push_back(name + ": plans must be valid between 1 ms and 24 h.");
  if (rule.action_class >= 1 && !rule.require_inclusion) out.push_back(name + " must require inclusion in the audit log.");
  check_names(rule.groups, name + "'s groups", out);

  // Class 3 may be out of reach: then it never happens. For the others that is a mistake that shows at night.
  if (rule.action_class == kMaxClass) return;
  const auto may = [&](const Approver& approver) { return approver.scope.max_class >= rule.action_class; };
  if (rule.threshold > count_if(policy.approvers, may)) out.push_back(name + " needs more people than may approve it.");
  if (rule.seniors > count_if(policy.approvers, [&](const Approver& a) { return may(a) && a.level == Level::senior; }))
    out.push_back(name + " needs more seniors than may approve it.");
  for (const auto& group : rule.groups) {
    const auto in_group = [&](const Approver& a) { return may(a) && std::find(a.groups.begin(), a.groups.end(), group) != a.groups.end(); };
    if (count_if(policy.approvers, in_group) == 0) out.push_back(name + " needs somebody of " + group + ", and nobody is.");
  }
}

void check_classes(const Policy& policy, Sentences& out) {
  bool each_once = policy.classes.size() == kMaxClass + 1U;
  for (std::size_t i = 0; each_once && i < policy.classes.size(); ++i) each_once = policy.classes[i].action_class == i;
  if (!each_once) {
    out.emplace_back("The classes 0 to 3 are not each there once, in order.");
    return;
  }
  for (const auto& rule : policy.classes) check_class(rule, policy, out);
}

void check_limits(const Policy& policy, Sentences& out) {
  std::set<std::string> budgets;
  for (const auto& limit : policy.limits) {
    if (limit.budget.empty()) out.emplace_back("A limit has no name.");
    if (!budgets.insert(limit.budget).second) out.push_back("The limit " + limit.budget + " is there twice.");
    if (limit.per_hour > limit.per_day) out.push_back("The limit " + limit.budget + " allows more per hour than per day.");
  }
}

void check_bounds(const Policy& policy, Sentences& out) {
  std::set<std::uint16_t> seen;
  for (const auto& bound : policy.bounds) {
    if (!is_action(bound.action)) {
      out.push_back("A bound is about action " + std::to_string(bound.action) + ", which does not exist.");
      continue;
    }
    const auto& info = catalogue()[bound.action - 1U];
    const std::string name = "The bound of " + std::string(info.name);
    if (!seen.insert(bound.action).second) out.push_back(name + " is there twice.");
    if (bound.min_value > bound.max_value) out.push_back(name + " allows nothing.");
    if (bound.min_value < info.min_value || bound.max_value > info.max_value) out.push_back(name + " is wider than the catalogue's.");
    if (bound.max_ttl_ms > info.max_ttl_ms) out.push_back(name + " allows a longer TTL than the catalogue.");
  }
}

void check_enabled(const Policy& policy, Sentences& out) {
  for (const auto& row : policy.enabled) {
    check_names(row.clusters, "What is enabled", out);
    check_labels(row.node_labels, "What is enabled", out);
    if (row.max_class > kMaxClass) out.emplace_back("What is enabled has a class above 3.");
    for (const auto action : row.actions)
      if (!is_action(action)) out.push_back("Action " + std::to_string(action) + " is enabled, and does not exist.");
  }
}

// Names that stand in a signed note.
bool is_note_name(const std::string& name) { return !name.empty() && name.find_first_of(" +") == std::string::npos; }

void check_log(const Policy& policy, Sentences& out) {
  if (!is_note_name(policy.log_origin)) out.emplace_back("The log origin is empty, or has a space or a plus sign.");
  if (policy.log_key.algorithm != Algorithm::ed25519) out.emplace_back("The log key is not of ed25519.");
  std::set<std::string> names{policy.log_origin};
  for (const auto& witness : policy.witnesses) {
    if (!is_note_name(witness.name)) out.emplace_back("A witness's name is empty, or has a space or a plus sign.");
    if (!names.insert(witness.name).second) out.push_back("The witness " + witness.name + " is listed twice, or is the log.");
    if (witness.key.algorithm != Algorithm::ed25519) out.push_back("The key of witness " + witness.name + " is not of ed25519.");
  }
  if (policy.witness_quorum > kMaxCosignatures) out.emplace_back("The witness quorum is above 14, more than a checkpoint can carry.");
  if (policy.witness_quorum > policy.witnesses.size()) out.emplace_back("The witness quorum is more than there are witnesses.");
}

}  // namespace

std::uint32_t minimum_threshold(std::uint8_t action_class, Profile profile) noexcept {
  if (action_class == 0) return 0;
  if (action_class == 1) return 1;
  if (action_class == 2 && profile == Profile::solo) return 1;
  return 2;
}

std::vector<std::string> check_policy(const Policy& policy) {
  Sentences out;
  if (policy.version == 0) out.emplace_back("The version is 0.");
  if (policy.organisation.empty()) out.emplace_back("The organisation has no name.");
  if (policy.issued_ms <= 0 || policy.not_after_ms <= policy.issued_ms) out.emplace_back("The policy is never valid.");
  check_roots(policy, out);
  check_approvers(policy, out);
  check_keys(policy, out);
  check_classes(policy, out);
  check_limits(policy, out);
  check_bounds(policy, out);
  check_enabled(policy, out);
  check_log(policy, out);
  const std::uint32_t resume_minimum = policy.profile == Profile::solo ? 1 : 2;
  if (policy.resume_threshold < resume_minimum)
    out.push_back("To resume after a pause takes " + std::to_string(resume_minimum) + (resume_minimum == 1 ? " person" : " people") + " at least.");
  if (policy.resume_threshold > policy.approvers.size()) out.emplace_back("To resume takes more people than there are.");
  if (policy.time_skew_ms < 0 || policy.time_skew_ms > kMaxTimeSkewMs) out.emplace_back("The time skew is not between 0 and 10 min.");
  return out;
}

}  // namespace fw::authority
