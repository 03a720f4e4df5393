// The whole way in one process: the real core, the real audit log, a store in memory, and real executors behind a link that a test cuts.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "aggregator/audit/log.hpp"
#include "aggregator/governance/core.hpp"
#include "protocol/authority/executor.hpp"
#include "tests/support/authority_builder.hpp"
#include "tests/support/fake_actuator.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/manual_clock.hpp"

namespace fw::governance::test {

using namespace std::chrono_literals;
using namespace authority;   // NOLINT: documents are what these tests are about
using authority::test::key_of;
using authority::test::node_uid;
using fw::test::AfterCrash;
using fw::test::FakeActuator;
using fw::test::FakeDisk;
using fw::test::ManualClock;

inline constexpr const char* kPath = "/shop/checkout";
inline constexpr std::int64_t kOld = 64LL << 20, kNew = 256LL << 20, kMiB = 1LL << 20;

// What is durable: transactions as a whole, or not at all.
class MemoryStore {
 public:
  bool fails = false;
  std::size_t writes = 0;
  store::GovernanceRows rows;

  Result<store::Written> write(const store::WriteGovernance& w) {
    if (fails) return Error(Errc::io, "disk full");
    ++writes;
    append(rows.plans, w.plans);
    append(rows.votes, w.votes);
    append(rows.events, w.events);
    append(rows.audit, w.audit);
    for (const auto& row : w.audit) rows.last_audit_id = std::max(rows.last_audit_id, row.id);
    for (const auto& row : w.documents) put(rows.documents, row, [](const auto& r) { return r.digest; });
    for (const auto& row : w.executors) put(rows.executors, row, [](const auto& r) { return r.node; });
    for (const auto& s : w.sequenced) {
      std::erase_if(rows.audit, [&](const auto& row) { return row.id == s.id; });
      for (auto& event : rows.events) {
        if (event.audit_id == s.id) event.log_index = s.log_index;
      }
    }
    return store::Written{};
  }

 private:
  template <class T>
  static void append(std::vector<T>& to, const std::vector<T>& from) { to.insert(to.end(), from.begin(), from.end()); }
  template <class T, class Key>
  static void put(std::vector<T>& to, const T& row, Key key) {
    std::erase_if(to, [&](const T& known) { return key(known) == key(row); });
    to.push_back(row);
  }
};

class Fleet {
 public:
  ManualClock clock{authority::test::kNowMs * kNsPerMs};
  MemoryStore store;
  FakeDisk log_disk, node_disk;
  FakeActuator world;
  Policy policy;
  std::unique_ptr<audit::Log> log;
  std::unique_ptr<Core> core;
  std::unique_ptr<Executor> executor;
  bool linked = false;
  std::vector<IncidentWord> words;
  IncidentView incident;
  std::vector<Packet> to_node;          // everything that was sent, for attacks

  CoreConfig core_config;

  explicit Fleet(Policy first = authority::test::team_policy(), CoreConfig config = {}) : policy(std::move(first)), core_config(std::move(config)) {
    world.cgroup(kPath).values = {{Probe::memory_limit_bytes, kOld}, {Probe::memory_current_bytes, kOld / 2}, {Probe::populated, 1}};
    world.objects[""] = world.objects[kPath];
    incident = {.uid = Uuid{{7}}, .number = 7, .lineage = "l", .over = false, .node = node_uid(), .node_name = "node-a", .subject_path = kPath,
                .subject_name = "checkout", .pod_uid = "", .container_id = "", .name_space = "", .first_symptom_ns = clock.wall_ns() - 20'000'000'000,
                .last_symptom_ns = clock.wall_ns(), .symptoms_total = 5};
    start_server();
    start_node();
    link();
  }
  Fleet(const Fleet&) = delete;

  void start_server() {
    core = std::make_unique<Core>(core_config, clock);
    ASSERT_TRUE(core->restore(store.rows));
    const auto document = authority::test::sign(policy, {"root-1", "root-2"});
    const auto taken = core->configure_policy(document.document, document.signatures);
    ASSERT_TRUE(taken) << taken.error().message();
    open_log();
  }
  void open_log() {
    audit::LogConfig config{.origin = core->log_origin(), .continuation = std::nullopt, .old_key = std::nullopt};
    if (const auto c = core->log_continuation()) config.continuation = audit::Continuation{c->origin, c->old_origin, c->old_size, c->old_root};
    auto opened = audit::Log::open(log_disk, clock, key_of("log"), config);
    ASSERT_TRUE(opened) << opened.error().message();
    log = std::move(*opened);
    core->on_log_opened(log->note(), log->size());
  }
  // The server's machine loses its power: what was not durable is gone.
  void restart_server() {
    log.reset();
    core.reset();
    log_disk.restart(AfterCrash::drop_unsynced);
    start_server();
    if (linked) link();
  }
  void start_node() {
    ExecutorConfig config;
    config.node = node_uid();
    config.boot = authority::test::boot_uid();
    config.observe_only = false;
    config.first_policy = to_bytes(policy);
    config.first_policy_digest = sha256(config.first_policy);
    config.version = "test";
    auto opened = Executor::open(config, {node_disk, clock, world});
    ASSERT_TRUE(opened) << opened.error().message();
    executor = std::move(*opened);
  }
  void link() {
    linked = true;
    core->on_node_connected(node_uid());
    up(executor->on_connected());
    settle();
  }
  void cut() {
    linked = false;
    core->on_node_disconnected(node_uid());
  }

  // Until nothing moves any more.
  void settle() {
    for (int turns = 0; turns < 200; ++turns) {
      if (!turn()) return;
    }
    FAIL() << "it never comes to rest";
  }
  bool turn() {
    bool moved = false;
    if (auto write = core->take_write()) {
      core->on_written(store.write(*write));
      moved = !store.fails;
    }
    for (const LogWork& work : core->take_log_work()) {
      core->on_log(run(*log, work));
      moved = true;
    }
    for (ToNode& packet : core->take_packets()) {
      auto parsed = parse_packet(packet.packet);
      EXPECT_TRUE(parsed);
      to_node.push_back(std::move(*parsed));
      if (!linked) continue;
      auto answer = executor->on_packet(packet.packet);
      EXPECT_TRUE(answer);
      if (answer) up(std::move(*answer));
      moved = true;
    }
    for (IncidentWord& word : core->take_incident_words()) words.push_back(std::move(word));
    return moved;
  }
  void pass(std::chrono::milliseconds time, std::chrono::milliseconds step = 500ms) {
    for (auto left = time; left > 0ms; left -= step) {
      clock.advance(step);
      auto said = executor->on_timer();
      if (linked) up(std::move(said));
      core->on_tick();
      settle();
    }
  }

  // ---- people and incidents
  void explain(std::int64_t value = kNew, bool temporary = false, agents::Confidence confidence = agents::Confidence::sure) {
    core->on_incident(incident);
    agents::Remedy remedy{.kind = agents::Remedy::Kind::set_memory_limit, .subject_id = 2, .cgroup_path = kPath, .value = value,
                          .value_now = world.objects.at(kPath).values.at(Probe::memory_limit_bytes), .safe_min = 190 * kMiB, .safe_max = 1024 * kMiB,
                          .why = "because", .temporary = temporary};
    core->on_explained({.incident = incident.uid, .confidence = confidence, .remedies = {remedy}, .by_hand = {"echo"}, .findings = {}});
    settle();
  }
  void symptom() {
    incident.last_symptom_ns = clock.wall_ns();
    ++incident.symptoms_total;
    core->on_incident(incident);
    settle();
  }
  const PlanRecord& plan() const { return *core->newest_plan(incident.uid); }
  std::int64_t now_ms() const { return clock.wall_ns() / kNsPerMs; }
  Vote make_vote(const PlanRecord& on, std::string_view name, Decision decision = Decision::approve) const {
    Approval yes = authority::test::approval(on.plan, name, decision);
    yes.policy_version = policy.version;
    yes.issued_ms = now_ms();
    yes.expires_ms = now_ms() + authority::test::kHourMs;
    return authority::test::sign(yes, name);
  }
  Reply vote(std::string_view name, Decision decision = Decision::approve) {
    const PlanRecord& on = plan();
    Reply reply = core->vote(on.digest, make_vote(on, name, decision), caller(name));
    settle();
    return reply;
  }
  static Caller caller(std::string_view name) { return {.person = authority::test::person(name), .address = "192.0.2.1"}; }
  Reply state_by(decltype(Statement::body) body, std::string_view name, const std::optional<Bytes>& again = std::nullopt) {
    Statement s = authority::test::statement(std::move(body));
    s.policy_version = policy.version;
    s.issued_ms = now_ms();
    s.expires_ms = now_ms() + authority::test::kHourMs;
    const Bytes document = again.value_or(to_bytes(s));
    last_statement = document;
    Reply reply = core->sign_statement(document, authority::test::sign_as(name, Domain::statement, document), caller(name));
    settle();
    return reply;
  }
  Bytes last_statement;

  std::int64_t limit() { return world.objects.at(kPath).values.at(Probe::memory_limit_bytes); }
  // Entries of the log with this verb.
  std::vector<std::string> entries(std::string_view verb) {
    std::vector<std::string> found;
    for (const std::string& line : *log->entries(0, audit::kMaxReadEntries)) {
      if (line.find("\"verb\":\"" + std::string(verb) + "\"") != std::string::npos) found.push_back(line);
    }
    return found;
  }
  // I21: each event of each plan stands in the log exactly once.
  void expect_log_and_store_agree() {
    std::map<std::string, int> ids;
    for (const std::string& line : *log->entries(0, audit::kMaxReadEntries)) ++ids[std::to_string(audit::parse_line(line)->id)];
    for (const auto& [id, times] : ids) EXPECT_EQ(times, 1) << "entry " << id;
    for (const store::PlanEventRow& event : store.rows.events) {
      ASSERT_TRUE(event.log_index) << event.kind;
      const auto line = audit::parse_line(*log->entry(static_cast<std::uint64_t>(*event.log_index)));
      ASSERT_TRUE(line);
      EXPECT_EQ(line->id, static_cast<std::uint64_t>(event.audit_id));
      EXPECT_EQ(line->entry.plan, event.plan);
    }
    EXPECT_TRUE(store.rows.audit.empty());
  }

 private:
  void up(std::vector<Bytes> packets) {
    for (const Bytes& packet : packets) core->on_packet(node_uid(), packet);
  }
};

}  // namespace fw::governance::test
