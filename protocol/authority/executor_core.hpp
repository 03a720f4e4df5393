// The executor, in five files: executor.cpp (open, packets, time, reports), executor_claim.cpp (a plan until it is claimed and done),
// executor_others.cpp (plans about plans, plans on one value), executor_watch.cpp (effects, restores, what a crash left) and
// executor_deliveries.cpp (policies, denials, statements, checkpoints).
//
// Each call is one turn: the time is read once, then what is due is done, then outcomes and status go out. Rules that hold everywhere:
// state_ has only what is durable; the world is touched only for a plan that is CLAIMED in state_; what was done and could not be written
// waits in unwritten_, is written before anything else, and a crash until then is settled by the action's Recovery.
#pragma once
#include <deque>
#include <map>

#include "protocol/authority/executor.hpp"
#include "protocol/authority/executor_state.hpp"

namespace fw::authority {

class ExecutorCore final : public Executor {
 public:
  ExecutorCore(ExecutorConfig config, Deps deps);
  Result<void> start();

  Result<std::vector<Bytes>> on_packet(ByteView packet) override;
  bool broken() const override { return journal_->broken(); }
  std::vector<Bytes> on_connected() override;
  std::vector<Bytes> on_timer() override;
  std::optional<std::uint64_t> next_deadline_mono_ns() const override;
  ExecutorStatus status() const override;
  std::vector<Outcome> outcomes() const override;

 private:
  // A plan on its way to the claim. Its log proof begins at the checkpoint that was seen when it came; once the proof's end is durable (every
  // later checkpoint continues it) the proof stays good however far the log goes on.
  struct Attempt {
    Digest digest{};
    Envelope envelope;
    std::optional<Checkpoint> seen;
    bool end_is_durable = false;
  };
  // One that cannot be claimed at this moment (its target is gone, another one is in flight, the disk is full): tried again by the same path
  // until its window is over.
  struct Waiting { Attempt attempt; Refusal why; std::int64_t next_ms = 0; };
  // What of a plan is in memory only.
  struct Live {
    std::unique_ptr<OpenTarget> target;      // claimed and watched
    std::int64_t next_ms = 0;                // when it is looked at again
    std::int64_t ask_until_ms = 0;           // what a crash left, of an object that cannot be asked
    std::int64_t report_ms = 0, report_wait_ms = 0;
  };

  // executor.cpp
  void begin_turn();
  void do_what_is_due();
  std::vector<Bytes> end_turn();
  void send(const Packet& packet) { out_.push_back(to_bytes(packet)); }
  void notice(const Digest& subject, std::string_view code, std::string sentence, bool again = false);
  void notice(const Digest& subject, const Refusal& refusal, bool again) { notice(subject, to_string(refusal.code), refusal.sentence, again); }
  Result<void> compact();
  Result<void> write(RecordBody body, std::int64_t signed_ms = 0);   // durable, then known
  void record_done(RecordBody body);                                 // of what has happened: now or as soon as it can be
  Result<void> append(const Record& record);
  bool write_what_waits();
  const PlanRecord* unwritten(const Digest& plan) const;             // the newest
  Result<void> load();
  void start_new_journal();
  Result<void> load_policies(const Policy& first);
  void advance_policy();
  Result<void> activate(Policy policy, Bytes document);
  void forget();
  void report_outcomes();
  void report(const PlanRecord& plan);
  Outcome outcome_of(const PlanRecord& plan) const;
  NodeFacts facts() const;
  Memory memory() const { return state_.memory(policy_, now_ms_); }
  std::string witness_name() const { return "node/" + config_.node.str(); }

  // executor_claim.cpp
  void deliver(const DeliverPlan& delivered);
  void try_plan(Attempt attempt);
  void wait(const Attempt& attempt, Refusal why);
  void try_waiting();
  void expire_verified();
  bool busy_with_other(const Digest& digest) const;
  Result<void> see_checkpoint(const Checkpoint& checkpoint, const std::string& note);
  void claim(const Attempt& attempt, const Approved& approved);
  void not_approved(const Attempt& attempt, const Refusal& refusal);
  void not_now(PlanRecord record, const Attempt& attempt, const Plan& plan, const Error& error);
  void refuse(PlanRecord record, const Refusal& refusal);
  void store(PlanRecord record);                                     // what has happened to a plan
  void act(PlanRecord record, const Plan& plan, std::unique_ptr<OpenTarget> target);
  void acted(PlanRecord record, const Plan& plan, std::unique_ptr<OpenTarget> target, std::string after);
  void finish_plan(PlanRecord record, State state);                  // code and sentence are in it
  void mark_rolled_back(PlanRecord record);

  // executor_others.cpp
  const PlanRecord* other_of(const Plan& plan) const;                // that an undo or extend names
  Result<std::unique_ptr<OpenTarget>> open_target(const Plan& plan);
  std::optional<Refusal> check_extension(const Plan& plan) const;
  const PlanRecord* newer_on(const PlanRecord& plan) const;          // that is still to be restored to what `plan` set
  std::optional<Refusal> check_held(const Plan& plan) const;

  // executor_watch.cpp
  void watch();
  void recover(PlanRecord record);
  std::optional<Refusal> may_run_again(const PlanRecord& record, const Plan& plan, OpenTarget& target) const;
  bool look_at_effect(PlanRecord& record, const Plan& plan);   // whether the record changed
  Result<OpenTarget*> open_live(const Plan& plan, Live& live);
  void restore(PlanRecord record);
  void look_again(const Digest& plan, std::int64_t after_ms) { live_[plan].next_ms = now_ms_ + after_ms; }

  // executor_deliveries.cpp
  void deliver(const DeliverPolicy& delivered);
  void deliver(const DeliverDenial& delivered);
  void deliver(const DeliverStatement& delivered);
  void deliver(const DeliverCheckpoint& delivered);
  void deliver(const AckOutcome& acknowledged);
  Result<void> take(const Pause& pause, const Statement& statement);
  Result<void> take(const Resume& resume, const Statement& statement);
  Result<void> take(const Settle& settle, const Statement& statement);
  Result<void> take(const NewOrigin& origin, const Statement& statement);
  void taken(const Digest& subject, const Result<void>& written);

  const ExecutorConfig config_;
  Disk& disk_;
  const Clock& clock_;
  Actuator& actuator_;

  std::unique_ptr<Journal> journal_;
  ExecutorState state_;
  std::optional<PrivateKey> key_;
  Policy policy_;                        // in force
  std::optional<Policy> pending_;
  std::deque<Record> unwritten_;
  std::map<Digest, Waiting> waiting_;
  std::map<Digest, Live> live_;

  std::int64_t wall_ms_ = 0;
  std::int64_t now_ms_ = 0;              // never goes back: the latest of wall clock, journal and what the monotonic clock adds to them
  std::uint64_t mono_ns_ = 0;
  std::vector<Bytes> out_;
  bool settled_ = false;                 // what was read back is durable again: only then it is acted upon and reported
  bool connected_ = false;
  bool ask_status_ = false;
  std::int64_t journal_retry_ms_ = 0;
  std::int64_t forget_ms_ = 0;
  std::uint64_t compacted_bytes_ = 0;
  std::optional<ExecutorStatus> sent_status_;
};

}  // namespace fw::authority
