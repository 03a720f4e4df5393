#include "tests/unit/authority/verifier/world.hpp"

#include <map>

#include "tests/support/authority_builder.hpp"

namespace fw::authority::verifier_test {

const PrivateKey& key(const std::string& name) {
  static std::map<std::string, PrivateKey> keys;
  const auto found = keys.find(name);
  return found != keys.end() ? found->second : keys.emplace(name, test::key_of(name)).first->second;
}

Person person(const std::string& name) { return test::person(name); }
Nonce nonce(const std::string& name) { return test::nonce_of(name); }
Uuid uuid(const std::string& name) { return {test::nonce_of("uuid " + name)}; }

std::uint64_t Book::append(const std::string& entry) {
  tree_.append(leaf_hash(entry));
  return tree_.size() - 1;
}

void Book::fill(std::uint64_t size, const std::string& word) {
  while (tree_.size() < size) append(word + " " + std::to_string(tree_.size()));
}

Checkpoint Book::checkpoint(std::uint64_t size) const { return {origin_, size, tree_.root_at(size)}; }

std::string Book::note(std::uint64_t size, const std::vector<std::string>& witnesses) const {
  const auto head = checkpoint(size);
  auto text = sign_note(head, key(log_key_));
  const auto note = parse_note(text);
  for (const auto& witness : witnesses) text += cosign_note(*note, witness, key(witness), kNow / 1000);
  return text;
}

World::World() {
  policy.version = 7;
  policy.organisation = "acme";
  policy.profile = Profile::team;
  policy.issued_ms = kNow - 10 * kDay;
  policy.not_after_ms = kNow + 90 * kDay;
  for (const auto* name : {"root-1", "root-2", "root-3"}) policy.roots.push_back({name, key(name).public_key()});
  policy.root_threshold = 2;
  for (const auto* name : {"alice", "bob", "carol", "dave"}) {
    Approver made;
    made.person = person(name);
    made.keys.push_back(key(name).public_key());
    policy.approvers.push_back(made);
  }
  approver(policy, "dave").level = Level::senior;
  approver(policy, "dave").groups = {"storage"};
  for (std::uint8_t action_class = 0; action_class <= 3; ++action_class) {
    ClassRule made;
    made.action_class = action_class;
    made.threshold = std::min<std::uint32_t>(action_class, 2);
    made.require_inclusion = action_class > 0;
    policy.classes.push_back(made);
  }
  rule(policy, 3).seniors = 1;
  policy.resume_threshold = 2;
  policy.enabled.push_back({});
  policy.log_origin = "fleetwright/acme/audit";
  policy.log_key = key("log").public_key();
  for (const auto* name : {"node/w1", "node/w2", "node/w3"}) policy.witnesses.push_back({name, key(name).public_key()});
  policy.time_skew_ms = kSkew;

  facts.node = uuid("node");
  facts.incarnation = nonce("incarnation");
  facts.boot = uuid("boot");
  facts.cluster = "prod";
  facts.labels = {"zone=a", "pool=web"};
  facts.observe_only = false;

  memory.time_floor_ms = kNow - kHour;
  memory.log_origin = policy.log_origin;
  memory.log_key = policy.log_key;
  book.fill(5);
  memory.checkpoint = book.checkpoint(5);
  book.fill(9);

  plan.nonce = nonce("plan");
  plan.incident = "INC-7";
  plan.target.cluster = "prod";
  plan.target.node = facts.node;
  plan.target.incarnation = facts.incarnation;
  plan.target.name_space = "shop";
  plan.target.workload = "checkout";
  plan.target.container_name = "checkout";
  plan.target.cgroup_path = "/shop/checkout";
  plan.target.display_name = "checkout";
  plan.action = SetMemoryLimit{256LL << 20, 0};
  plan.preconditions = {{Probe::memory_limit_bytes, Comparison::equal, 64LL << 20}};
  plan.effect = Check{Probe::memory_limit_bytes, Comparison::equal, 256LL << 20};
  plan.effect_within_ms = 5000;
  plan.not_before_ms = kNow - 10 * kMinute;
  plan.not_after_ms = kNow + 50 * kMinute;
}

Approval World::approval(const std::string& name, std::optional<std::uint8_t> action_class) const {
  Approval made;
  made.plan = plan_digest(action_class.value_or(class_of(plan)), to_bytes(plan));
  made.decision = Decision::approve;
  made.person = person(name);
  made.policy_version = policy.version;
  made.nonce = nonce("approval of " + name);
  made.issued_ms = kNow - 5 * kMinute;
  made.expires_ms = kNow + 30 * kMinute;
  made.renderer = "test";
  return made;
}

Vote World::sign(const Approval& approval, const std::string& key_name) {
  Vote vote;
  vote.document = to_bytes(approval);
  vote.signature = key(key_name.empty() ? approval.person.subject : key_name).sign(Domain::approval, vote.document);
  return vote;
}

std::vector<Vote> World::votes(const std::vector<std::string>& names) const {
  std::vector<Vote> made;
  for (const auto& name : names) made.push_back(vote(name));
  return made;
}

StandingApproval World::pass() const {
  StandingApproval made;
  made.name = "night-memory";
  made.nonce = nonce("pass");
  made.trigger = Trigger::one_approver;
  made.policy_version = policy.version;
  made.actions = {static_cast<std::uint16_t>(Action(SetMemoryLimit{}).index())};
  made.max_class = 2;
  made.max_value = 1LL << 30;
  made.per_hour = 1;
  made.per_day = 4;
  made.not_before_ms = kNow - kDay;
  made.not_after_ms = kNow + kDay;
  return made;
}

SignedStanding World::sign(const StandingApproval& standing, const std::vector<std::string>& key_names) {
  SignedStanding made;
  made.document = to_bytes(standing);
  for (const auto& name : key_names) made.signatures.push_back(key(name).sign(Domain::standing, made.document));
  return made;
}

Envelope World::envelope(std::vector<Vote> votes, std::optional<SignedStanding> standing, std::optional<std::uint8_t> action_class) {
  Envelope made;
  made.action_class = action_class.value_or(class_of(plan));
  made.plan = to_bytes(plan);
  made.votes = std::move(votes);
  made.standing = std::move(standing);
  prove(made);
  return made;
}

void World::prove(Envelope& envelope) {
  auto& proof = envelope.proof;
  proof.entry = R"({"schema":1,"verb":"plan.released","release":")" + to_text(release_digest(envelope)) + R"(","detail":{}})";
  proof.index = book.append(proof.entry);
  const auto size = book.tree().size();
  proof.path = *book.tree().inclusion(proof.index, size);
  proof.consistent_from = memory.checkpoint ? memory.checkpoint->size : 0;
  proof.consistency = *book.tree().consistency(proof.consistent_from, size);
  proof.note = book.note(size, cosigners);
}

Refusal World::seen(Refusal refusal) {
  seen_codes().insert(refusal.code);
  EXPECT_EQ(refusal.sentence.empty(), refusal.code == Code::ok);
  for (const char letter : refusal.sentence) EXPECT_GE(static_cast<unsigned char>(letter), 0x20) << refusal.sentence;
  return refusal;
}

std::set<Code>& seen_codes() {
  static std::set<Code> codes;
  return codes;
}

Approver& approver(Policy& policy, const std::string& name) {
  for (auto& entry : policy.approvers) {
    if (entry.person == person(name)) return entry;
  }
  ADD_FAILURE() << name << " is not in the policy";
  return policy.approvers.front();
}

ClassRule& rule(Policy& policy, std::uint8_t action_class) { return policy.classes.at(action_class); }

}  // namespace fw::authority::verifier_test
