// Writers and readers of plan, approval, standing approval, statement and outcome. The policy has its own file.
#include "protocol/authority/schema_io.hpp"

namespace fw::authority {
// Static, not in an unnamed namespace: the templates of schema_io.hpp find them by their arguments.

static constexpr auto kProse = TextKind::prose;

// ---- plan

static void write(const Target& target, schema::Target::Builder to) {
  to.setCluster(to_text(target.cluster));
  to.setNode(to_data(target.node.bytes));
  to.setIncarnation(to_data(target.incarnation));
  if (target.boot) to.setBoot(to_data(target.boot->bytes));
  to.setNamespace(to_text(target.name_space));
  to.setWorkload(to_text(target.workload));
  to.setPodUid(to_text(target.pod_uid));
  to.setContainerName(to_text(target.container_name));
  to.setContainerId(to_text(target.container_id));
  to.setCgroupPath(to_text(target.cgroup_path));
  to.setCgroupInode(target.cgroup_inode);
  to.setPid(target.pid);
  to.setStartTicks(target.start_ticks);
  to.setDisplayName(to_text(target.display_name));
}

static Target read(Reading& in, schema::Target::Reader from) {
  Target out;
  out.cluster = in.text("cluster", from.getCluster());
  out.node = in.uuid("node", from.getNode());
  out.incarnation = in.fixed<Nonce>("incarnation", from.getIncarnation());
  if (from.hasBoot()) out.boot = in.uuid("boot", from.getBoot());
  out.name_space = in.text("namespace", from.getNamespace());
  out.workload = in.text("workload", from.getWorkload());
  out.pod_uid = in.text("podUid", from.getPodUid());
  out.container_name = in.text("containerName", from.getContainerName());
  out.container_id = in.text("containerId", from.getContainerId());
  out.cgroup_path = in.text("cgroupPath", from.getCgroupPath());
  out.cgroup_inode = from.getCgroupInode();
  out.pid = from.getPid();
  out.start_ticks = from.getStartTicks();
  out.display_name = in.text("displayName", from.getDisplayName());
  return out;
}

namespace {
struct ActionWriter {
  schema::Action::Builder to;

  void operator()(std::monostate) { to.setUnset(); }
  void operator()(const Diagnose& a) { to.initDiagnose().setMaxBytes(a.max_bytes); }
  void operator()(const SetMemoryLimit& a) {
    auto group = to.initSetMemoryLimit();
    group.setLimitBytes(a.limit_bytes);
    group.setTtlMs(a.ttl_ms);
  }
  void operator()(const SetMemoryHigh& a) {
    auto group = to.initSetMemoryHigh();
    group.setHighBytes(a.high_bytes);
    group.setTtlMs(a.ttl_ms);
  }
  void operator()(const SetCpuMax& a) {
    auto group = to.initSetCpuMax();
    group.setQuotaUs(a.quota_us);
    group.setPeriodUs(a.period_us);
    group.setTtlMs(a.ttl_ms);
  }
  void operator()(const SetCpuWeight& a) {
    auto group = to.initSetCpuWeight();
    group.setWeight(a.weight);
    group.setTtlMs(a.ttl_ms);
  }
  void operator()(const SetPidsMax& a) {
    auto group = to.initSetPidsMax();
    group.setMax(a.max);
    group.setTtlMs(a.ttl_ms);
  }
  void operator()(const Freeze& a) { to.initFreeze().setTtlMs(a.ttl_ms); }
  void operator()(const Thaw&) { to.setThaw(); }
  void operator()(const KillProcess& a) { to.initKillProcess().setGraceMs(a.grace_ms); }
  void operator()(const KillCgroup&) { to.setKillCgroup(); }
  void operator()(const SetSysctl& a) {
    auto group = to.initSetSysctl();
    group.setKey(to_text(a.key));
    group.setValue(a.value);
    group.setTtlMs(a.ttl_ms);
  }
  void operator()(const RotateLog& a) {
    auto group = to.initRotateLog();
    group.setPath(to_text(a.path));
    group.setKeepBytes(a.keep_bytes);
  }
  void operator()(const Undo& a) { to.initUndo().setPlan(to_data(a.plan)); }
  void operator()(const Extend& a) {
    auto group = to.initExtend();
    group.setPlan(to_data(a.plan));
    group.setTtlMs(a.ttl_ms);
  }
};
}  // namespace

static Action read(Reading& in, schema::Action::Reader from) {
  using Which = schema::Action;
  switch (from.which()) {
    case Which::UNSET: break;
    case Which::DIAGNOSE: return Diagnose{from.getDiagnose().getMaxBytes()};
    case Which::SET_MEMORY_LIMIT: return SetMemoryLimit{from.getSetMemoryLimit().getLimitBytes(), from.getSetMemoryLimit().getTtlMs()};
    case Which::SET_MEMORY_HIGH: return SetMemoryHigh{from.getSetMemoryHigh().getHighBytes(), from.getSetMemoryHigh().getTtlMs()};
    case Which::SET_CPU_MAX: {
      const auto group = from.getSetCpuMax();
      return SetCpuMax{group.getQuotaUs(), group.getPeriodUs(), group.getTtlMs()};
    }
    case Which::SET_CPU_WEIGHT: return SetCpuWeight{from.getSetCpuWeight().getWeight(), from.getSetCpuWeight().getTtlMs()};
    case Which::SET_PIDS_MAX: return SetPidsMax{from.getSetPidsMax().getMax(), from.getSetPidsMax().getTtlMs()};
    case Which::FREEZE: return Freeze{from.getFreeze().getTtlMs()};
    case Which::THAW: return Thaw{};
    case Which::KILL_PROCESS: return KillProcess{from.getKillProcess().getGraceMs()};
    case Which::KILL_CGROUP: return KillCgroup{};
    case Which::SET_SYSCTL: {
      const auto group = from.getSetSysctl();
      return SetSysctl{in.text("key", group.getKey()), group.getValue(), group.getTtlMs()};
    }
    case Which::ROTATE_LOG: return RotateLog{in.text("path", from.getRotateLog().getPath()), from.getRotateLog().getKeepBytes()};
    case Which::UNDO: return Undo{in.fixed<Digest>("plan", from.getUndo().getPlan())};
    case Which::EXTEND: return Extend{in.fixed<Digest>("plan", from.getExtend().getPlan()), from.getExtend().getTtlMs()};
  }
  in.fail(Errc::malformed, "action", "none that is known");
  return std::monostate{};
}

static void write(const Check& check, schema::Check::Builder to) {
  to.setProbe(to_enum<schema::Probe>(check.probe, Probe::memory_limit_bytes));
  to.setComparison(to_enum<schema::Comparison>(check.comparison));
  to.setValue(check.value);
}

static Check read(Reading& in, schema::Check::Reader from) {
  return {in.enumerator("probe", from.getProbe(), Probe::node_available_bytes, Probe::memory_limit_bytes),
          in.enumerator("comparison", from.getComparison(), Comparison::greater_or_equal), from.getValue()};
}

static void write(const Plan& plan, schema::Plan::Builder to) {
  to.setNonce(to_data(plan.nonce));
  to.setIncident(to_text(plan.incident));
  to.setProposer(to_enum<schema::Proposer>(plan.proposer));
  write(plan.person, to.initPerson());
  write(plan.target, to.initTarget());
  std::visit(ActionWriter{to.initAction()}, plan.action);
  write_list(plan.preconditions, to.initPreconditions(count(plan.preconditions)),
             [](const Check& check, schema::Check::Builder entry) { write(check, entry); });
  if (plan.effect) write(*plan.effect, to.initEffect());
  to.setEffectWithinMs(plan.effect_within_ms);
  to.setNotBeforeMs(plan.not_before_ms);
  to.setNotAfterMs(plan.not_after_ms);
  to.setBudget(to_text(plan.budget));
  to.setEvidence(to_data(plan.evidence));
}

static void read(Reading& in, schema::Plan::Reader from, Plan& out) {
  out.nonce = in.fixed<Nonce>("nonce", from.getNonce());
  out.incident = in.text("incident", from.getIncident());
  out.proposer = in.enumerator("proposer", from.getProposer(), Proposer::person);
  out.person = read(in, from.getPerson());
  out.target = read(in, from.getTarget());
  out.action = read(in, from.getAction());
  out.preconditions = in.list("preconditions", from.getPreconditions(), [&](schema::Check::Reader check) { return read(in, check); });
  if (from.hasEffect()) out.effect = read(in, from.getEffect());
  out.effect_within_ms = from.getEffectWithinMs();
  out.not_before_ms = from.getNotBeforeMs();
  out.not_after_ms = from.getNotAfterMs();
  out.budget = in.text("budget", from.getBudget());
  out.evidence = in.fixed<Digest>("evidence", from.getEvidence());
}

// ---- approval

static void write(const Approval& approval, schema::Approval::Builder to) {
  to.setPlan(to_data(approval.plan));
  to.setDecision(to_enum<schema::Decision>(approval.decision));
  write(approval.person, to.initPerson());
  to.setPolicyVersion(approval.policy_version);
  to.setNonce(to_data(approval.nonce));
  to.setIssuedMs(approval.issued_ms);
  to.setExpiresMs(approval.expires_ms);
  to.setRender(to_data(approval.render));
  to.setRenderer(to_text(approval.renderer));
  to.setReason(to_text(approval.reason));
}

static void read(Reading& in, schema::Approval::Reader from, Approval& out) {
  out.plan = in.fixed<Digest>("plan", from.getPlan());
  out.decision = in.enumerator("decision", from.getDecision(), Decision::approve);
  out.person = read(in, from.getPerson());
  out.policy_version = from.getPolicyVersion();
  out.nonce = in.fixed<Nonce>("nonce", from.getNonce());
  out.issued_ms = from.getIssuedMs();
  out.expires_ms = from.getExpiresMs();
  out.render = in.fixed<Digest>("render", from.getRender());
  out.renderer = in.text("renderer", from.getRenderer());
  out.reason = in.text("reason", from.getReason(), kProse);
}

// ---- standing approval

static void write(const StandingApproval& standing, schema::StandingApproval::Builder to) {
  to.setName(to_text(standing.name));
  to.setNonce(to_data(standing.nonce));
  to.setTrigger(to_enum<schema::Trigger>(standing.trigger));
  to.setPolicyVersion(standing.policy_version);
  write_numbers(standing.actions, to.initActions(count(standing.actions)));
  write_texts(standing.clusters, to.initClusters(count(standing.clusters)));
  write_texts(standing.name_spaces, to.initNamespaces(count(standing.name_spaces)));
  write_texts(standing.node_labels, to.initNodeLabels(count(standing.node_labels)));
  write_texts(standing.cgroup_prefixes, to.initCgroupPrefixes(count(standing.cgroup_prefixes)));
  to.setMaxClass(standing.max_class);
  to.setMaxValue(standing.max_value);
  to.setMaxFactorPercent(standing.max_factor_percent);
  to.setMaxTtlMs(standing.max_ttl_ms);
  to.setFromMinute(standing.from_minute);
  to.setToMinute(standing.to_minute);
  to.setPerHour(standing.per_hour);
  to.setPerDay(standing.per_day);
  to.setNotBeforeMs(standing.not_before_ms);
  to.setNotAfterMs(standing.not_after_ms);
}

static void read(Reading& in, schema::StandingApproval::Reader from, StandingApproval& out) {
  out.name = in.text("name", from.getName());
  out.nonce = in.fixed<Nonce>("nonce", from.getNonce());
  out.trigger = in.enumerator("trigger", from.getTrigger(), Trigger::one_approver);
  out.policy_version = from.getPolicyVersion();
  out.actions = in.numbers("actions", from.getActions());
  out.clusters = in.texts("clusters", from.getClusters());
  out.name_spaces = in.texts("namespaces", from.getNamespaces());
  out.node_labels = in.texts("nodeLabels", from.getNodeLabels());
  out.cgroup_prefixes = in.texts("cgroupPrefixes", from.getCgroupPrefixes());
  out.max_class = from.getMaxClass();
  out.max_value = from.getMaxValue();
  out.max_factor_percent = from.getMaxFactorPercent();
  out.max_ttl_ms = from.getMaxTtlMs();
  out.from_minute = from.getFromMinute();
  out.to_minute = from.getToMinute();
  out.per_hour = from.getPerHour();
  out.per_day = from.getPerDay();
  out.not_before_ms = from.getNotBeforeMs();
  out.not_after_ms = from.getNotAfterMs();
}

// ---- statement

namespace {
struct StatementWriter {
  schema::Statement::Builder to;

  void operator()(std::monostate) { to.setUnset(); }
  void operator()(const Pause& body) { to.initPause().setReason(to_text(body.reason)); }
  void operator()(const Resume& body) { to.initResume().setReason(to_text(body.reason)); }
  void operator()(const Settle& body) {
    auto group = to.initSettle();
    group.setPlan(to_data(body.plan));
    group.setHappened(body.happened);
    group.setReason(to_text(body.reason));
  }
  void operator()(const NewOrigin& body) {
    auto group = to.initNewOrigin();
    group.setOrigin(to_text(body.origin));
    write(body.log_key, group.initLogKey());
    group.setOldOrigin(to_text(body.old_origin));
    group.setOldSize(body.old_size);
    group.setOldRoot(to_data(body.old_root));
  }
};
}  // namespace

static void write(const Statement& statement, schema::Statement::Builder to) {
  std::visit(StatementWriter{to}, statement.body);
  to.setNonce(to_data(statement.nonce));
  to.setPolicyVersion(statement.policy_version);
  to.setIssuedMs(statement.issued_ms);
  to.setExpiresMs(statement.expires_ms);
}

static decltype(Statement::body) read_body(Reading& in, schema::Statement::Reader from) {
  switch (from.which()) {
    case schema::Statement::UNSET: break;
    case schema::Statement::PAUSE: return Pause{in.text("reason", from.getPause().getReason(), kProse)};
    case schema::Statement::RESUME: return Resume{in.text("reason", from.getResume().getReason(), kProse)};
    case schema::Statement::SETTLE: {
      const auto group = from.getSettle();
      return Settle{in.fixed<Digest>("plan", group.getPlan()), group.getHappened(), in.text("reason", group.getReason(), kProse)};
    }
    case schema::Statement::NEW_ORIGIN: {
      const auto group = from.getNewOrigin();
      return NewOrigin{in.text("origin", group.getOrigin()), read(in, "logKey", group.getLogKey()),
                       in.text("oldOrigin", group.getOldOrigin()), group.getOldSize(), in.fixed<Digest>("oldRoot", group.getOldRoot())};
    }
  }
  in.fail(Errc::malformed, "statement", "none that is known");
  return std::monostate{};
}

static void read(Reading& in, schema::Statement::Reader from, Statement& out) {
  out.body = read_body(in, from);
  out.nonce = in.fixed<Nonce>("nonce", from.getNonce());
  out.policy_version = from.getPolicyVersion();
  out.issued_ms = from.getIssuedMs();
  out.expires_ms = from.getExpiresMs();
}

// ---- outcome

static void write(const Outcome& outcome, schema::Outcome::Builder to) {
  to.setPlan(to_data(outcome.plan));
  to.setNode(to_data(outcome.node.bytes));
  to.setIncarnation(to_data(outcome.incarnation));
  to.setState(to_enum<schema::State>(outcome.state, State::received));
  to.setCode(to_text(outcome.code));
  to.setSentence(to_text(outcome.sentence));
  to.setStartedMs(outcome.started_ms);
  to.setEndedMs(outcome.ended_ms);
  to.setBefore(to_text(outcome.before));
  to.setAfter(to_text(outcome.after));
  to.setRolledBack(outcome.rolled_back);
  to.setJournalSeq(outcome.journal_seq);
  to.setJournalHash(to_data(outcome.journal_hash));
}

static void read(Reading& in, schema::Outcome::Reader from, Outcome& out) {
  out.plan = in.fixed<Digest>("plan", from.getPlan());
  out.node = in.uuid("node", from.getNode());
  out.incarnation = in.fixed<Nonce>("incarnation", from.getIncarnation());
  out.state = in.enumerator("state", from.getState(), State::expired, State::received);
  out.code = in.text("code", from.getCode());
  out.sentence = in.text("sentence", from.getSentence(), kProse);
  out.started_ms = from.getStartedMs();
  out.ended_ms = from.getEndedMs();
  out.before = in.text("before", from.getBefore(), kProse);
  out.after = in.text("after", from.getAfter(), kProse);
  out.rolled_back = from.getRolledBack();
  out.journal_seq = from.getJournalSeq();
  out.journal_hash = in.fixed<Digest>("journalHash", from.getJournalHash());
}

void write(const PublicKey& key, schema::PublicKey::Builder to) {
  to.setAlgorithm(to_enum<schema::Algorithm>(key.algorithm, Algorithm::ed25519));
  to.setBytes(to_data(key.bytes));
}

PublicKey read(Reading& in, const char* field, schema::PublicKey::Reader from) {
  return {in.enumerator(field, from.getAlgorithm(), Algorithm::sk_p256, Algorithm::ed25519), in.data(field, from.getBytes(), kMaxKeyBytes)};
}

void write(const Person& person, schema::Person::Builder to) {
  to.setIssuer(to_text(person.issuer));
  to.setSubject(to_text(person.subject));
}

Person read(Reading& in, schema::Person::Reader from) { return {in.text("issuer", from.getIssuer()), in.text("subject", from.getSubject())}; }

Bytes to_bytes(const Plan& plan) { return canonical_bytes<schema::Plan>(plan); }
Bytes to_bytes(const Approval& approval) { return canonical_bytes<schema::Approval>(approval); }
Bytes to_bytes(const StandingApproval& standing) { return canonical_bytes<schema::StandingApproval>(standing); }
Bytes to_bytes(const Statement& statement) { return canonical_bytes<schema::Statement>(statement); }
Bytes to_bytes(const Outcome& outcome) { return canonical_bytes<schema::Outcome>(outcome); }

Result<Plan> parse_plan(ByteView bytes) { return from_canonical_bytes<schema::Plan, Plan>("plan", bytes, kMaxPlanBytes); }
Result<Approval> parse_approval(ByteView bytes) {
  return from_canonical_bytes<schema::Approval, Approval>("approval", bytes, kMaxDocumentBytes);
}
Result<StandingApproval> parse_standing(ByteView bytes) {
  return from_canonical_bytes<schema::StandingApproval, StandingApproval>("standing approval", bytes, kMaxDocumentBytes);
}
Result<Statement> parse_statement(ByteView bytes) {
  return from_canonical_bytes<schema::Statement, Statement>("statement", bytes, kMaxDocumentBytes);
}
Result<Outcome> parse_outcome(ByteView bytes) {
  return from_canonical_bytes<schema::Outcome, Outcome>("outcome", bytes, kMaxDocumentBytes);
}

}  // namespace fw::authority
