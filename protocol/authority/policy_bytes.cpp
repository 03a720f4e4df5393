// Writer and reader of the trust policy.
#include "protocol/authority/schema_io.hpp"

namespace fw::authority {

static void write(const Scope& scope, schema::Scope::Builder to) {
  write_texts(scope.clusters, to.initClusters(count(scope.clusters)));
  write_texts(scope.name_spaces, to.initNamespaces(count(scope.name_spaces)));
  write_texts(scope.node_labels, to.initNodeLabels(count(scope.node_labels)));
  to.setMaxClass(scope.max_class);
}

static Scope read(Reading& in, schema::Scope::Reader from) {
  return {in.texts("clusters", from.getClusters()), in.texts("namespaces", from.getNamespaces()),
          in.texts("nodeLabels", from.getNodeLabels()), from.getMaxClass()};
}

static void write(const Approver& approver, schema::Approver::Builder to) {
  write(approver.person, to.initPerson());
  to.setLevel(to_enum<schema::Level>(approver.level));
  write_texts(approver.groups, to.initGroups(count(approver.groups)));
  write_list(approver.keys, to.initKeys(count(approver.keys)),
             [](const PublicKey& key, schema::PublicKey::Builder entry) { write(key, entry); });
  write(approver.scope, to.initScope());
  to.setNotAfterMs(approver.not_after_ms);
}

static Approver read(Reading& in, schema::Approver::Reader from) {
  Approver out;
  out.person = read(in, from.getPerson());
  out.level = in.enumerator("level", from.getLevel(), Level::senior);
  out.groups = in.texts("groups", from.getGroups());
  out.keys = in.list("keys", from.getKeys(), [&](schema::PublicKey::Reader key) { return read(in, "keys", key); });
  out.scope = read(in, from.getScope());
  out.not_after_ms = from.getNotAfterMs();
  return out;
}

static void write(const ClassRule& rule, schema::ClassRule::Builder to) {
  to.setActionClass(rule.action_class);
  to.setThreshold(rule.threshold);
  to.setSeniors(rule.seniors);
  write_texts(rule.groups, to.initGroups(count(rule.groups)));
  to.setMaxValidityMs(rule.max_validity_ms);
  to.setRequireInclusion(rule.require_inclusion);
}

static ClassRule read(Reading& in, schema::ClassRule::Reader from) {
  return {from.getActionClass(), from.getThreshold(), from.getSeniors(), in.texts("groups", from.getGroups()),
          from.getMaxValidityMs(), from.getRequireInclusion()};
}

static void write(const Enabled& enabled, schema::Enabled::Builder to) {
  write_texts(enabled.clusters, to.initClusters(count(enabled.clusters)));
  write_texts(enabled.node_labels, to.initNodeLabels(count(enabled.node_labels)));
  write_numbers(enabled.actions, to.initActions(count(enabled.actions)));
  to.setMaxClass(enabled.max_class);
}

static Enabled read(Reading& in, schema::Enabled::Reader from) {
  return {in.texts("clusters", from.getClusters()), in.texts("nodeLabels", from.getNodeLabels()),
          in.numbers("actions", from.getActions()), from.getMaxClass()};
}

// Roots and witnesses.
template <class Named>
static void write_names(const std::vector<Named>& entries, capnp::List<schema::NamedKey>::Builder to) {
  write_list(entries, to, [](const Named& entry, schema::NamedKey::Builder row) {
    row.setName(to_text(entry.name));
    write(entry.key, row.initKey());
  });
}

template <class Named>
static std::vector<Named> read_names(Reading& in, const char* field, capnp::List<schema::NamedKey>::Reader from) {
  return in.list(field, from, [&](schema::NamedKey::Reader row) {
    return Named{in.text(field, row.getName()), read(in, field, row.getKey())};
  });
}

static void write(const Policy& policy, schema::Policy::Builder to) {
  to.setVersion(policy.version);
  to.setOrganisation(to_text(policy.organisation));
  to.setProfile(to_enum<schema::Profile>(policy.profile));
  to.setIssuedMs(policy.issued_ms);
  to.setNotAfterMs(policy.not_after_ms);
  write_names(policy.roots, to.initRoots(count(policy.roots)));
  to.setRootThreshold(policy.root_threshold);
  write_list(policy.approvers, to.initApprovers(count(policy.approvers)),
             [](const Approver& approver, schema::Approver::Builder entry) { write(approver, entry); });
  write_list(policy.classes, to.initClasses(count(policy.classes)),
             [](const ClassRule& rule, schema::ClassRule::Builder entry) { write(rule, entry); });
  to.setResumeThreshold(policy.resume_threshold);
  write_list(policy.limits, to.initLimits(count(policy.limits)), [](const Limit& limit, schema::Limit::Builder entry) {
    entry.setBudget(to_text(limit.budget));
    entry.setPerHour(limit.per_hour);
    entry.setPerDay(limit.per_day);
  });
  write_list(policy.bounds, to.initBounds(count(policy.bounds)), [](const Bound& bound, schema::Bound::Builder entry) {
    entry.setAction(bound.action);
    entry.setMinValue(bound.min_value);
    entry.setMaxValue(bound.max_value);
    entry.setMaxTtlMs(bound.max_ttl_ms);
  });
  write_list(policy.enabled, to.initEnabled(count(policy.enabled)),
             [](const Enabled& enabled, schema::Enabled::Builder entry) { write(enabled, entry); });
  to.setLogOrigin(to_text(policy.log_origin));
  write(policy.log_key, to.initLogKey());
  write_names(policy.witnesses, to.initWitnesses(count(policy.witnesses)));
  to.setWitnessQuorum(policy.witness_quorum);
  to.setTimeSkewMs(policy.time_skew_ms);
  to.setPaused(policy.paused);
}

static void read(Reading& in, schema::Policy::Reader from, Policy& out) {
  out.version = from.getVersion();
  out.organisation = in.text("organisation", from.getOrganisation());
  out.profile = in.enumerator("profile", from.getProfile(), Profile::enterprise);
  out.issued_ms = from.getIssuedMs();
  out.not_after_ms = from.getNotAfterMs();
  out.roots = read_names<Root>(in, "roots", from.getRoots());
  out.root_threshold = from.getRootThreshold();
  out.approvers = in.list("approvers", from.getApprovers(), [&](schema::Approver::Reader entry) { return read(in, entry); });
  out.classes = in.list("classes", from.getClasses(), [&](schema::ClassRule::Reader entry) { return read(in, entry); });
  out.resume_threshold = from.getResumeThreshold();
  out.limits = in.list("limits", from.getLimits(), [&](schema::Limit::Reader entry) {
    return Limit{in.text("budget", entry.getBudget()), entry.getPerHour(), entry.getPerDay()};
  });
  out.bounds = in.list("bounds", from.getBounds(), [](schema::Bound::Reader entry) {
    return Bound{entry.getAction(), entry.getMinValue(), entry.getMaxValue(), entry.getMaxTtlMs()};
  });
  out.enabled = in.list("enabled", from.getEnabled(), [&](schema::Enabled::Reader entry) { return read(in, entry); });
  out.log_origin = in.text("logOrigin", from.getLogOrigin());
  out.log_key = read(in, "logKey", from.getLogKey());
  out.witnesses = read_names<Witness>(in, "witnesses", from.getWitnesses());
  out.witness_quorum = from.getWitnessQuorum();
  out.time_skew_ms = from.getTimeSkewMs();
  out.paused = from.getPaused();
}

Bytes to_bytes(const Policy& policy) { return canonical_bytes<schema::Policy>(policy); }
Result<Policy> parse_policy(ByteView bytes) { return from_canonical_bytes<schema::Policy, Policy>("policy", bytes, kMaxPolicyBytes); }

}  // namespace fw::authority
