// Random packets, people, clocks and crashes. What may not happen is checked against what the test itself knows to be true, never against
// the verifier. A failure prints its seed.
#include <random>
#include <set>

#include "protocol/authority/executor_records.hpp"
#include "protocol/authority/journal.hpp"
#include "tests/unit/authority/executor/node.hpp"

namespace fw::authority::test {
namespace {

constexpr int kBudgetPerHour = 3;

Policy limited_policy() {
  auto policy = team_policy();
  policy.limits = {{"set_memory_limit", kBudgetPerHour, 100}};
  return policy;
}

class Schedule {
 public:
  explicit Schedule(unsigned seed) : seed_(seed), random_(seed), node_(limited_policy()) {
    node_.world.on_effect = [this](const Plan& plan) { check_effect(plan); };
  }

  int effects = 0, crashes = 0, deliveries = 0;

  void run(int steps) {
    start();
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      try {
        step();
      } catch (const FakeDisk::Crash&) {
        ++crashes;
        node_.executor.reset();
        node_.disk.restart(static_cast<AfterCrash>(pick(3)));
      }
      if (!node_.executor) start();
      check_states();
    }
  }

 private:
  struct Known { Plan plan; Names people; Envelope envelope; bool enough = false; };

  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
  std::string where() const { return "seed " + std::to_string(seed_); }

  void start() {
    for (int tries = 0; tries < 3 && !node_.executor; ++tries) {
      try {
        (void)node_.start();
      } catch (const FakeDisk::Crash&) {
        node_.executor.reset();
        node_.disk.restart(AfterCrash::torn);
      }
    }
    ASSERT_TRUE(node_.executor) << where();
  }

  // An error ends the program. The packets are not answered: a courier that is deaf.
  void send(const Packet& packet) {
    if (!node_.executor) return;   // of several reports of one turn the acknowledgement of an earlier one ended it
    ++deliveries;
    auto answer = node_.executor->on_packet(to_bytes(packet));
    if (!answer) {
      node_.executor.reset();
      return;
    }
    for (const auto& bytes : *answer) heard(parse_packet(bytes).value());
  }
  // I7: what is reported is durable.
  void heard(const Packet& packet) {
    const auto* report = std::get_if<OutcomeReport>(&packet);
    if (!report) return;
    const auto outcome = parse_outcome(report->outcome).value();
    const auto kept = durable(outcome.plan);
    ASSERT_TRUE(kept) << where();
    ASSERT_EQ(kept->state, outcome.state) << where();
    if (pick(2) == 0) send(AckOutcome{outcome.plan, outcome.journal_seq, 1});
  }
  std::optional<PlanRecord> durable(const Digest& plan) const {
    auto disk = node_.disk.durable_copy();
    auto journal = Journal::open(disk);
    std::optional<PlanRecord> found;
    if (!journal) return found;
    for (const auto& record : (*journal)->restored()) {
      auto parsed = parse_record(record.type, record.payload);
      auto* kept = parsed ? std::get_if<PlanRecord>(&parsed->body) : nullptr;
      if (kept && kept->digest == plan) found = *kept;
    }
    return found;
  }

  void step() {
    switch (pick(16)) {
      case 0:
      case 1: return new_plan();
      case 2:
      case 3:
      case 4:
      case 5: return deliver_known();
      case 6: return deliver_mangled();
      case 7: return say(pick(3) == 0 ? Pause{"p"} : decltype(Statement::body)(Resume{"r"}));
      case 8: return deny();
      case 9: return node_.disk.fail_at(node_.disk.operations() + 1 + pick(12), static_cast<DiskFault>(1 + pick(4)));
      case 10:
        (pick(2) == 0 ? node_.world.crash_before_call : node_.world.crash_after_call) = node_.world.calls + 1 + pick(5);
        return;
      case 11: return node_.world.recreate(kPath, node_.world.objects.at(kPath).values);
      case 12:
        node_.world.objects.at(kPath).values[Probe::memory_limit_bytes] = kOld + static_cast<std::int64_t>(pick(3));
        return;
      case 13: {
        auto garbage = to_bytes(DeliverPlan{Bytes(pick(200), static_cast<std::uint8_t>(pick(256)))});
        garbage[pick(garbage.size())] ^= static_cast<std::uint8_t>(1U << pick(8));
        if (!node_.executor->on_packet(garbage)) node_.executor.reset();
        return;
      }
      case 14: return set_clock_back();
      default: return pass(std::chrono::milliseconds(1 + pick(2'000'000)));
    }
  }

  void pass(std::chrono::milliseconds time) {
    node_.clock.advance(time);
    true_ms_ += time.count();
    for (int i = 0; i < 3 && node_.executor; ++i) {
      for (const auto& bytes : node_.executor->on_timer()) heard(parse_packet(bytes).value());
    }
  }
  void set_clock_back() {
    const auto now_ns = node_.clock.wall_ns();
    node_.clock.set_wall_ns(now_ns - static_cast<std::int64_t>(pick(86'400)) * kNsPerSecond);
    deliver_known();
    node_.clock.set_wall_ns(now_ns);
  }

  void new_plan() {
    Known known;
    const Action actions[] = {SetMemoryLimit{kNew + static_cast<std::int64_t>(pick(4)), 0}, SetMemoryLimit{kNew, 60'000}, KillProcess{0},
                              RotateLog{"/var/log/pods/shop_checkout_1/app/0.log", 1 << 20}, Freeze{60'000}};
    known.plan = node_.make_plan(actions[pick(5)], "plan " + std::to_string(plans_.size()));
    known.plan.not_before_ms = true_ms_ - 1'000;
    known.plan.not_after_ms = true_ms_ + 1'000 + static_cast<std::int64_t>(pick(3'600'000));
    if (pick(8) == 0) known.plan.target.node.bytes[3] ^= 1;
    for (const auto* name : {"alice", "bob", "carol"}) {
      if (pick(3) != 0) known.people.emplace_back(name);
    }
    if (pick(10) == 0 && !known.people.empty()) {
      known.plan.proposer = Proposer::person;
      known.plan.person = person(known.people.front());
    }
    std::size_t counting = known.people.size();
    if (known.plan.proposer == Proposer::person) counting = 0;      // a vote of theirs refuses
    known.enough = counting >= (class_of(known.plan) >= 2 ? 2U : 1U);
    known.envelope = node_.approve(known.plan, known.people);
    plans_.push_back(std::move(known));
  }
  void deliver_known() {
    if (plans_.empty()) return;
    auto& known = plans_[pick(plans_.size())];
    send(DeliverPlan{encode(pick(4) == 0 ? known.envelope : node_.release(known.envelope))});
  }
  void deliver_mangled() {
    if (plans_.empty()) return;
    auto envelope = plans_[pick(plans_.size())].envelope;
    const auto& other = plans_[pick(plans_.size())].envelope;
    switch (pick(5)) {
      case 0: envelope.votes = other.votes; break;
      case 1: envelope.plan[pick(envelope.plan.size())] ^= static_cast<std::uint8_t>(1U << pick(8)); break;
      case 2: envelope.votes.insert(envelope.votes.end(), envelope.votes.begin(), envelope.votes.begin() + (envelope.votes.empty() ? 0 : 1)); break;
      case 3: envelope.action_class = static_cast<std::uint8_t>(pick(4)); break;
      default: envelope.proof.entry += "x"; return send(DeliverPlan{encode(envelope)});
    }
    send(DeliverPlan{encode(node_.release(envelope))});
  }
  void say(decltype(Statement::body) body) {
    const bool pause = std::holds_alternative<Pause>(body);
    auto what = statement(std::move(body));
    what.nonce = nonce_of("statement " + std::to_string(++statements_));
    what.issued_ms = true_ms_ + statements_;
    what.expires_ms = what.issued_ms + kHourMs;
    const auto document = sign(what, pause ? Names{"alice"} : Names{"alice", "bob"});
    send(DeliverStatement{document.document, document.signatures});
  }
  void deny() {
    if (plans_.empty()) return;
    const auto& known = plans_[pick(plans_.size())];
    auto no = approval(known.plan, "dave", Decision::deny);
    no.issued_ms = true_ms_;
    no.expires_ms = true_ms_ + kHourMs;
    send(DeliverDenial{sign(no, "dave")});
  }

  // Called from inside of apply(), before the world changes.
  void check_effect(const Plan& plan) {
    ++effects;
    const auto known = std::ranges::find_if(plans_, [&](const Known& one) { return one.plan == plan; });
    ASSERT_NE(known, plans_.end()) << where() << ": a plan that nobody made";
    ASSERT_TRUE(known->enough) << where() << ": I1, I2";
    ASSERT_EQ(plan.target.node, node_uid()) << where() << ": I3";
    ASSERT_LE(true_ms_, plan.not_after_ms + node_.policy.time_skew_ms) << where() << ": I6";
    ASSERT_GE(true_ms_, plan.not_before_ms - node_.policy.time_skew_ms) << where() << ": I6";
    const auto digest = digest_of(plan);
    const auto claim = durable(digest);
    ASSERT_TRUE(claim && claim->state == State::claimed) << where() << ": I7";
    for (const auto& check : plan.preconditions) {
      ASSERT_TRUE(holds(check, node_.world.objects.at(FakeActuator::name_of(plan)).values.at(check.probe))) << where() << ": I12";
    }
    if (node_.executor) {
      ASSERT_FALSE(node_.executor->status().paused) << where() << ": I13";
    }
    if (std::holds_alternative<RotateLog>(plan.action)) {
      ASSERT_EQ(node_.world.done[plan.nonce].applied, 0) << where() << ": I4";
    }
    if (std::holds_alternative<SetMemoryLimit>(plan.action)) {
      budget_[digest] = claim->started_ms;
      const auto in_hour = std::ranges::count_if(budget_, [&](const auto& use) { return use.second > claim->started_ms - kHourMs && use.second <= claim->started_ms; });
      ASSERT_LE(in_hour, kBudgetPerHour) << where() << ": I14";
    }
    // I4 for the others: done() counts visible changes.
    if (!std::holds_alternative<SetMemoryLimit>(plan.action)) {
      ASSERT_LE(node_.world.done[plan.nonce].changed, 1) << where() << ": I4";
    }
  }

  // I8, I9.
  void check_states() {
    using S = State;
    static const std::set<std::pair<S, S>> kNotAllowed = {{S::done, S::claimed},    {S::done, S::verified},    {S::done, S::refused},   {S::done, S::failed},
                                                          {S::failed, S::claimed},  {S::failed, S::verified},  {S::failed, S::done},    {S::refused, S::claimed},
                                                          {S::refused, S::done},    {S::expired, S::claimed},  {S::expired, S::done},   {S::unknown, S::claimed},
                                                          {S::claimed, S::verified}, {S::claimed, S::refused}, {S::claimed, S::expired}};
    for (const auto& outcome : node_.executor->outcomes()) {
      const auto [it, first] = states_.try_emplace(outcome.plan, outcome.state);
      if (!first) {
        ASSERT_FALSE(kNotAllowed.contains({it->second, outcome.state})) << where() << ": I8 " << to_string(it->second) << " " << to_string(outcome.state);
      }
      it->second = outcome.state;
    }
    const auto status = node_.executor->status();
    ASSERT_GE(status.policy_version, policy_version_) << where() << ": I9";
    ASSERT_GE(status.time_floor_ms, time_floor_ms_) << where() << ": I9";
    ASSERT_GE(status.journal_seq, journal_seq_) << where();
    policy_version_ = status.policy_version;
    time_floor_ms_ = status.time_floor_ms;
    journal_seq_ = status.journal_seq;
  }

  unsigned seed_;
  std::mt19937 random_;
  Node node_;
  std::vector<Known> plans_;
  std::map<Digest, State> states_;
  std::map<Digest, std::int64_t> budget_;   // claims
  std::int64_t true_ms_ = kNowMs;
  int statements_ = 0;
  std::uint64_t policy_version_ = 0, journal_seq_ = 0;
  std::int64_t time_floor_ms_ = 0;
};

TEST(ExecutorProperties, hold_for_random_packets_and_crashes) {
  int effects = 0, crashes = 0, deliveries = 0;
  const char* only = std::getenv("FW_SEED");
  const unsigned first = only ? static_cast<unsigned>(std::stoul(only)) : 1;
  for (unsigned seed = first; seed < first + (only ? 1 : 20) && !HasFailure(); ++seed) {
    Schedule schedule(seed);
    schedule.run(120);
    effects += schedule.effects;
    crashes += schedule.crashes;
    deliveries += schedule.deliveries;
  }
  if (!only) {
    EXPECT_GT(effects, 20);
    EXPECT_GT(crashes, 20);
    EXPECT_GT(deliveries, 500);
  }
}

}  // namespace
}  // namespace fw::authority::test
