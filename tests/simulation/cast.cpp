#include "tests/simulation/cast.hpp"

#include <algorithm>

namespace fw::sim {

using namespace authority;

namespace {

constexpr std::uint8_t kLogKey = 90;

PrivateKey key_of(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(number);
  seed[0] = 0x51;
  return PrivateKey::from_seed(seed);
}

Approver approver(const Human& human, Level level, std::vector<std::string> groups, Scope scope = {}) {
  Approver made;
  made.person = human.person;
  made.level = level;
  made.groups = std::move(groups);
  for (const auto& key : human.keys) made.keys.push_back(key.public_key());
  made.scope = std::move(scope);
  return made;
}

}  // namespace

const Keys& Keys::get() {
  static const Keys keys = [] {
    Keys made{{}, {}, {}, key_of(kLogKey), key_of(91)};
    std::uint8_t number = 0;
    for (const auto* name : {"alice", "bob", "carol", "dave", "erin", "stranger"}) {
      Human human{{"local", name}, {}};
      human.keys.push_back(key_of(++number));
      if (made.humans.empty()) human.keys.push_back(key_of(80));
      made.humans.push_back(std::move(human));
    }
    for (std::uint8_t i = 0; i < 5; ++i) made.roots.push_back(key_of(static_cast<std::uint8_t>(20 + i)));
    for (std::uint8_t i = 0; i < 2; ++i) made.witnesses.push_back(key_of(static_cast<std::uint8_t>(40 + i)));
    return made;
  }();
  return keys;
}

PrivateKey Keys::log_again() { return key_of(kLogKey); }

Policy make_policy(const PolicyMix& mix, std::int64_t now_ms) {
  const auto& keys = Keys::get();
  Policy policy;
  policy.version = 1;
  policy.organisation = "acme";
  policy.profile = mix.solo ? Profile::solo : Profile::team;
  policy.issued_ms = now_ms - 3'600'000;
  policy.not_after_ms = now_ms + (mix.short_life ? 2LL : 24LL * 30) * 3'600'000;
  for (std::size_t i = 0; i < 3; ++i) policy.roots.push_back({"root-" + std::to_string(i), keys.roots[i].public_key()});
  policy.root_threshold = 2;
  policy.approvers.push_back(approver(keys.humans[kAlice], Level::approver, {"shop"}));
  policy.approvers.push_back(approver(keys.humans[kBob], Level::approver, {"shop"}));
  policy.approvers.push_back(approver(keys.humans[kCarol], Level::senior, {"platform"}));
  Scope narrow;
  narrow.name_spaces = {"batch"};
  narrow.max_class = 1;
  policy.approvers.push_back(approver(keys.humans[kDave], Level::approver, {"batch"}, narrow));
  policy.approvers.push_back(approver(keys.humans[kErin], Level::approver, {"shop"}));
  if (mix.erin_leaves) policy.approvers.back().not_after_ms = now_ms + 1'800'000;
  for (std::uint8_t c = 0; c < 4; ++c) {
    ClassRule rule;
    rule.action_class = c;
    rule.threshold = mix.solo && c == 2 ? 1 : std::min<std::uint32_t>(c, 2);
    rule.seniors = c == 3 || (c == 2 && mix.seniors) ? 1 : 0;
    if (c == 2 && mix.group) rule.groups = {"platform"};
    rule.max_validity_ms = c < 2 ? 6LL * 3'600'000 : kMaxValidityMs;
    rule.require_inclusion = c >= 1;
    policy.classes.push_back(rule);
  }
  policy.resume_threshold = 2;
  policy.limits.push_back({"set_memory_limit", mix.low_budget ? 1U : 6U, mix.low_budget ? 2U : 30U});
  Bound bound;
  bound.action = find_action("set_memory_limit")->index;
  bound.min_value = 16 << 20;
  bound.max_value = mix.narrow ? 256LL << 20 : 2LL << 30;
  policy.bounds.push_back(bound);
  Enabled enabled;
  if (mix.narrow) enabled.max_class = 1;
  policy.enabled.push_back(enabled);
  policy.log_origin = kOrigin;
  policy.log_key = keys.log.public_key();
  for (std::size_t i = 0; i < keys.witnesses.size(); ++i) policy.witnesses.push_back({"witness-" + std::to_string(i), keys.witnesses[i].public_key()});
  policy.witness_quorum = mix.witness_quorum;
  policy.paused = mix.paused;
  return policy;
}

TruePlan& Truth::plan(const Plan& plan, const Bytes& bytes, std::int64_t now_ms) {
  auto& known = by_nonce_[plan.nonce];
  for (auto* one : known) {
    if (one->plan == plan) return *one;
  }
  plans_.push_back(std::make_unique<TruePlan>(TruePlan{plan, bytes, now_ms, {}}));
  known.push_back(plans_.back().get());
  return *plans_.back();
}

const TruePlan* Truth::find(const Plan& plan) const {
  const auto known = by_nonce_.find(plan.nonce);
  if (known == by_nonce_.end()) return nullptr;
  for (const auto* one : known->second) {
    if (one->plan == plan) return one;
  }
  return nullptr;
}

Nonce Pens::nonce() {
  Nonce made{};
  rng_.fill(made);
  return made;
}

Digest Pens::some_digest() {
  Digest made{};
  rng_.fill(made);
  return made;
}

Vote Pens::vote(std::size_t human, const Plan& plan, const Bytes& bytes, std::uint8_t action_class, std::int64_t now_ms,
                const VoteOptions& options) {
  const auto& who = keys_.humans[human];
  Approval approval;
  approval.plan = plan_digest(action_class, bytes);
  approval.decision = options.decision;
  approval.person = options.claims.value_or(who.person);
  approval.policy_version = options.policy_version;
  approval.nonce = nonce();
  approval.issued_ms = now_ms + options.issued_shift_ms;
  approval.expires_ms = approval.issued_ms + options.valid_ms;
  approval.render = sha256(bytes);
  approval.renderer = "fw_sim";
  Vote made;
  made.document = to_bytes(approval);
  if (options.mangled_document) {
    made.document.resize(made.document.size() + 8, 1);   // not canonical any more
  } else {
    truth_.plan(plan, bytes, now_ms)
        .votes.push_back({who.person, options.decision, approval.issued_ms, approval.expires_ms, now_ms, options.policy_version, approval.plan});
  }
  made.signature = who.keys[options.key].sign(Domain::approval, made.document);
  return made;
}

Signature Pens::sign_standing(std::size_t human, const StandingApproval& standing, const Bytes& bytes) {
  const auto& who = keys_.humans[human];
  auto known = std::find_if(truth_.standings.begin(), truth_.standings.end(), [&](const auto& one) { return one.bytes == bytes; });
  if (known == truth_.standings.end()) {
    truth_.standings.push_back({standing, bytes, {}});
    known = std::prev(truth_.standings.end());
  }
  known->people.insert(who.person);
  return who.keys.front().sign(Domain::standing, bytes);
}

TrueStatement& Pens::statement(const Statement& statement, std::int64_t now_ms) {
  for (auto& one : truth_.statements) {
    if (one.statement == statement) return one;
  }
  truth_.statements.push_back({statement, {}, {}, now_ms});
  return truth_.statements.back();
}

Signature Pens::sign_statement(std::size_t human, const Statement& document, const Bytes& bytes, std::int64_t now_ms) {
  const auto& who = keys_.humans[human];
  statement(document, now_ms).people.insert(who.person);
  return who.keys.front().sign(Domain::statement, bytes);
}

Signature Pens::root_sign_statement(std::size_t root, const Statement& document, const Bytes& bytes, std::int64_t now_ms) {
  statement(document, now_ms).roots.insert("root-" + std::to_string(root));
  return keys_.roots[root].sign(Domain::statement, bytes);
}

Signature Pens::root_sign_policy(std::size_t root, const Policy& policy, const Bytes& bytes) {
  const auto digest = sha256(bytes);
  auto known = std::find_if(truth_.policies.begin(), truth_.policies.end(), [&](const auto& one) { return one.digest == digest; });
  if (known == truth_.policies.end()) {
    truth_.policies.push_back({policy, digest, {}});
    known = std::prev(truth_.policies.end());
  }
  known->roots.insert("root-" + std::to_string(root));
  return keys_.roots[root].sign(Domain::policy, bytes);
}

}  // namespace fw::sim
