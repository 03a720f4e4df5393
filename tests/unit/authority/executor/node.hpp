// One node for a test: disk, clock and world outlive the executor, which is restarted at will. The aggregator is the test.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "protocol/authority/executor.hpp"
#include "tests/support/authority_builder.hpp"
#include "tests/support/fake_actuator.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/manual_clock.hpp"

namespace fw::authority::test {

using fw::test::AfterCrash;
using fw::test::DiskFault;
using fw::test::FakeActuator;
using fw::test::FakeDisk;
using fw::test::ManualClock;
using namespace std::chrono_literals;

constexpr const char* kPath = "/shop/checkout";
constexpr std::int64_t kOld = 64LL << 20, kNew = 256LL << 20;

class Node {
 public:
  FakeDisk disk;
  ManualClock clock{kNowMs * kNsPerMs};
  FakeActuator world;
  Log log;
  Policy policy = team_policy();
  ExecutorConfig config;
  std::unique_ptr<Executor> executor;
  std::vector<Packet> sent;            // everything since the last clear()

  explicit Node(Policy first = team_policy()) : policy(std::move(first)) {
    config.node = node_uid();
    config.boot = boot_uid();
    config.observe_only = false;
    config.first_policy = to_bytes(policy);
    config.first_policy_digest = sha256(config.first_policy);
    config.version = "test";
    world.cgroup(kPath).values = {{Probe::memory_limit_bytes, kOld}, {Probe::memory_high_bytes, kUnlimited}, {Probe::cpu_quota_us, 50'000},
                                  {Probe::cpu_weight, 100}, {Probe::pids_max, 100}, {Probe::frozen, 0}, {Probe::populated, 1},
                                  {Probe::sysctl_value, 128}, {Probe::file_bytes, 1LL << 30}};
    world.objects[""] = world.objects[kPath];
    world.cgroup("4242:123456").values = {{Probe::process_alive, 1}, {Probe::node_available_bytes, 0}};
  }
  Node(const Node&) = delete;

  Result<void> start() {
    executor.reset();
    auto opened = Executor::open(config, {disk, clock, world});
    if (!opened) return opened.error();
    executor = std::move(*opened);
    collect(executor->on_connected());
    return {};
  }
  // Ends the program; what a power loss takes goes as well.
  Result<void> restart(AfterCrash mode = AfterCrash::keep) {
    executor.reset();
    disk.restart(mode);
    world.crash_before_call = world.crash_after_call = 0;
    return start();
  }
  // The machine boots: its monotonic clock begins again.
  Result<void> reboot() {
    config.boot = {{static_cast<std::uint8_t>(++boots_)}};
    clock = ManualClock(clock.wall_ns(), 5'000'000'000);
    return restart(AfterCrash::drop_unsynced);
  }

  // Of the plan, for this journal: with the value that the world has as its precondition.
  Plan make_plan(const Action& action, const std::string& nonce = "") {
    Plan out = plan(action);
    if (!nonce.empty()) out.nonce = nonce_of(nonce);
    out.target.incarnation = executor->status().incarnation;
    out.not_before_ms = now_ms() - 1'000;
    out.not_after_ms = now_ms() + kHourMs;
    for (auto& check : out.preconditions) check.value = world.objects.at(FakeActuator::name_of(out)).values.at(check.probe);
    return out;
  }
  Envelope approve(const Plan& of, const Names& people = {"alice", "bob"}) {
    Envelope out;
    out.action_class = class_of(of);
    out.plan = to_bytes(of);
    for (const auto& name : people) {
      auto yes = approval(of, name);
      yes.policy_version = policy.version;
      yes.issued_ms = now_ms();
      yes.expires_ms = now_ms() + kHourMs;
      out.votes.push_back(sign(yes, name));
    }
    return release(std::move(out));
  }
  Envelope release(Envelope envelope) {
    const auto index = log.append(release_entry(envelope));
    envelope.proof = log.prove(index, seen());
    return envelope;
  }
  std::uint64_t seen() const {
    const auto note = parse_note(executor->status().checkpoint);
    return note && note->checkpoint.origin == log.checkpoint().origin ? note->checkpoint.size : 0;
  }
  std::int64_t now_ms() const { return clock.wall_ns() / kNsPerMs; }

  void send(const Packet& packet) {
    auto answer = executor->on_packet(to_bytes(packet));
    ASSERT_TRUE(answer) << answer.error().message();
    collect(std::move(*answer));
  }
  void deliver(const Envelope& envelope) { send(DeliverPlan{encode(envelope)}); }
  // In steps, with the timer when it is due.
  void pass(std::chrono::milliseconds time) {
    for (auto left = time; left > 0ms;) {
      auto step = left;
      if (const auto due = executor->next_deadline_mono_ns(); due && *due > clock.mono_ns()) {
        step = std::min(left, std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds(*due - clock.mono_ns())));
      } else if (due) {
        step = std::min(left, 1ms);
      }
      clock.advance(step);
      left -= step;
      collect(executor->on_timer());
    }
  }
  // What the aggregator does with reports: the newest of each plan, all acknowledged.
  void acknowledge() {
    for (const auto& packet : std::vector<Packet>(sent)) {
      if (const auto* report = std::get_if<OutcomeReport>(&packet)) {
        const auto outcome = parse_outcome(report->outcome).value();
        send(AckOutcome{outcome.plan, outcome.journal_seq, 1});
      }
    }
  }

  std::vector<Outcome> reports() const {
    std::vector<Outcome> out;
    for (const auto& packet : sent) {
      if (const auto* report = std::get_if<OutcomeReport>(&packet)) out.push_back(parse_outcome(report->outcome).value());
    }
    return out;
  }
  std::vector<Notice> notices() const {
    std::vector<Notice> out;
    for (const auto& packet : sent) {
      if (const auto* notice = std::get_if<Notice>(&packet)) out.push_back(*notice);
    }
    return out;
  }
  std::string last_notice() const { return notices().empty() ? "none" : notices().back().code; }
  std::optional<Outcome> outcome(const Plan& of) const { return outcome(plan_digest(class_of(of), to_bytes(of))); }
  std::optional<Outcome> outcome(const Digest& of) const {
    for (auto& found : executor->outcomes()) {
      if (found.plan == of) return found;
    }
    return std::nullopt;
  }
  State state(const Plan& of) const {
    const auto found = outcome(of);
    return found ? found->state : State::unset;
  }
  std::string code(const Plan& of) const {
    const auto found = outcome(of);
    return found ? found->code : "none";
  }
  std::int64_t value(Probe probe = Probe::memory_limit_bytes) { return world.objects.at(kPath).values.at(probe); }

 private:
  void collect(std::vector<Bytes> packets) {
    for (const auto& bytes : packets) {
      auto packet = parse_packet(bytes);
      ASSERT_TRUE(packet) << packet.error().message();
      sent.push_back(std::move(*packet));
    }
  }
  int boots_ = 100;
};

inline Digest digest_of(const Plan& plan) { return plan_digest(class_of(plan), to_bytes(plan)); }

}  // namespace fw::authority::test
