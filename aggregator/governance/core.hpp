// Plans, votes, policies, executors: who may what, what is due, what goes where. Pure, like incidents::Engine: facts, people's documents,
// packets of executors, answers of the log and the time go in; rows to write, work for the audit log, packets for nodes and words for
// incidents come out. The program (aggregator/app) and the simulator (tests/simulation) drive the same code.
//
//   command -> rows with their audit entries (one transaction) -> durable: people are told -> log: sequenced, head signed -> released:
//   the courier delivers until the node's outcome -> its entry sequenced -> acknowledged -> the symptom is watched
//
// It gathers and carries; it decides nothing that a node does not check again.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agents/findings.hpp"
#include "aggregator/governance/log_work.hpp"
#include "aggregator/governance/plan_record.hpp"
#include "aggregator/store/store.hpp"
#include "common/clock.hpp"
#include "protocol/authority/packets.hpp"

namespace fw::governance {

struct CoreConfig {
  std::string cluster;                                         // that plans name; "" outside of Kubernetes
  std::chrono::milliseconds plan_window = std::chrono::hours(1);       // <= 24 h
  std::chrono::milliseconds ttl = std::chrono::hours(1);               // of an effect that is not kept
  std::chrono::nanoseconds resend_first = std::chrono::seconds(5), resend_most = std::chrono::seconds(60);
  std::chrono::nanoseconds checkpoint_every = std::chrono::seconds(1); // entries that nobody waits for
  std::chrono::nanoseconds news_every = std::chrono::seconds(10);      // heads to nodes that lag
  std::chrono::nanoseconds watch_least = std::chrono::seconds(15), watch_most = std::chrono::minutes(30);   // of the symptom, after DONE
  std::chrono::nanoseconds answer_grace = std::chrono::minutes(5);     // after a plan's window: then EXPIRED
  std::chrono::nanoseconds warn_before = std::chrono::hours(24 * 14);  // of what runs out
  std::size_t plans = 4'000, documents = 1'000, executors = 20'000;    // in memory; finished plans leave first
  std::size_t rows_per_sequence = 256;
  std::uint32_t free_audit_per_minute = 600;                   // log-ins and refusals; what is more is counted in one entry
  std::uint32_t node_audit_per_minute = 120;                   // caused by one node: its outcomes come again, its alarms are only shown
};

// An incident as plans need it.
struct IncidentView {
  Uuid uid;
  std::int64_t number = 0;
  std::string lineage;
  bool over = false;                       // resolved or closed
  Uuid node;
  std::string node_name;
  std::string subject_path, subject_name, pod_uid, container_id, name_space;
  std::int64_t first_symptom_ns = 0, last_symptom_ns = 0, symptoms_total = 0;   // our time
};

// What an explanation says can be done.
struct Explanation {
  Uuid incident;
  agents::Confidence confidence = agents::Confidence::guess;
  std::vector<agents::Remedy> remedies;    // best first
  std::vector<std::string> by_hand;
  authority::Digest findings{};            // SHA-256 of their JSON
};

// "" code: taken; durable once durable() says so. Else nothing happened.
struct Reply {
  authority::Digest subject{};
  std::uint64_t ticket = 0;
  Errc errc = Errc::conflict;              // permission, not_found, conflict, malformed, overloaded, io
  std::string code = {}, sentence = {};
  bool ok() const noexcept { return code.empty(); }
};

struct Caller { authority::Person person; std::string address; };

struct ToNode { Uuid node; Bytes packet; };
struct IncidentWord { Uuid incident; enum class Kind : std::uint8_t { fixed, note } kind = Kind::note; std::string text; };

struct ExecutorState {
  Uuid node;
  authority::ExecutorStatus status;
  bool connected = false;
  std::int64_t first_seen_ns = 0, updated_ns = 0;
  std::optional<authority::Checkpoint> seen;   // parsed from status.checkpoint, when it is of our log
  std::string problem;                     // split view, a key that changed, a log newer than ours, a journal that is new or went back
  std::int64_t problem_ns = 0;             // since when, of a new journal; after a restart: of the restart
  std::uint64_t journal_seq = 0;           // the highest that it said while its journal was well
};

// A policy, statement or standing approval with its signatures.
enum class DocumentKind : std::uint8_t { policy = 0, statement, standing };
enum class DocumentState : std::uint8_t { gathering = 0, active, expired, replaced };
struct DocumentRecord {
  DocumentKind kind = DocumentKind::statement;
  authority::Digest digest{};
  Bytes document;
  std::vector<authority::Signature> signatures;
  DocumentState state = DocumentState::gathering;
  std::int64_t time_ns = 0;
  std::variant<authority::Policy, authority::Statement, authority::StandingApproval> parsed;
  std::vector<authority::Person> people;   // whose signature counts; policy: empty
  std::uint32_t needed = 0;
};

struct CoreStats { std::uint64_t plans_total = 0, votes_total = 0, refused_total = 0, deliveries_total = 0, outcomes_total = 0, alarms_total = 0; };

// Invariants: I21 (each state change is one event row and one audit entry in the same transaction), I24, I25 (audit not writable: no
// approval is taken, nothing released), I33. Nothing leaves for people or nodes before it is durable.
// Threading: one executor. Blocking: none. Errors: Reply.
class Core {
 public:
  Core(CoreConfig config, const Clock& clock);
  ~Core();

  // After a start, before anything else. Errc::malformed when rows cannot be read.
  Result<void> restore(const store::GovernanceRows& rows);
  // The policy of the configuration: taken when the store has none or an older one. Errc::malformed, Errc::permission.
  Result<void> configure_policy(ByteView document, const std::vector<authority::Signature>& signatures);
  // The log's head at its opening. Before this, and without a policy, nothing is proposed or taken.
  void on_log_opened(const std::string& note, std::uint64_t size);
  bool enabled() const noexcept;           // a policy is there
  bool needs_log() const noexcept;         // it is not open, or broke: open it (again) and call on_log_opened
  // Why no approval is taken now: the log, the store. "" while healthy.
  std::string problem() const;

  // ---- facts
  void on_incident(const IncidentView& incident);              // at each change of it
  void on_explained(const Explanation& explanation);
  // Somebody set the limit of this cgroup; ours are told apart by their time and value.
  void on_limit_changed(const Uuid& node, const std::string& cgroup_path, std::int64_t limit_bytes, std::int64_t our_time_ns, const std::string& comm);
  void on_node_connected(const Uuid& node);                    // its session; the executor says hello by a status
  void on_node_disconnected(const Uuid& node);
  void on_packet(const Uuid& node, ByteView packet);
  void on_tick();

  // ---- people. The caller is the client certificate's person.
  Reply vote(const authority::Digest& plan, authority::Vote vote, const Caller& caller);
  Reply propose_edit(const authority::Digest& replaces, ByteView document, std::uint8_t action_class, const Caller& caller);
  Reply propose_undo(const authority::Digest& plan, const Caller& caller);
  Reply propose_extend(const authority::Digest& plan, std::uint64_t ttl_ms, const Caller& caller);
  Reply sign_statement(ByteView document, authority::Signature signature, const Caller& caller);
  Reply sign_standing(ByteView document, authority::Signature signature, const Caller& caller);
  Reply load_policy(ByteView document, std::vector<authority::Signature> signatures, const Caller& caller);
  // For the audit log alone: log-ins, refused calls. Rate-bounded.
  void record(std::string_view verb, const Caller& caller, std::string_view object, std::string_view code, std::string_view detail);

  // ---- out
  std::optional<store::WriteGovernance> take_write();          // one at a time; answered by on_written. A failed one comes again
  void on_written(const Result<store::Written>& written);
  std::vector<LogWork> take_log_work();                        // each answered by on_log, in any order; one Sequence at a time
  void on_log(const LogAnswer& answer);
  std::vector<ToNode> take_packets();
  std::vector<IncidentWord> take_incident_words();
  bool durable(std::uint64_t ticket) const noexcept;
  bool idle() const noexcept;                                  // nothing to write, nothing in flight
  std::optional<std::int64_t> next_deadline_ns() const;        // monotonic; when on_tick has something to do

  // ---- views
  const PlanRecord* find(const authority::Digest& plan) const;
  Result<const PlanRecord*> find_prefix(std::string_view hex) const;   // Errc::not_found, Errc::conflict (several), Errc::invalid_argument
  std::vector<const PlanRecord*> plans(const Uuid& incident) const;    // nil: all; newest first
  const PlanRecord* newest_plan(const Uuid& incident) const;
  authority::Progress progress(const PlanRecord& plan) const;  // counted now, with the policy in force on its node
  std::string state_text(const PlanRecord& plan) const;        // "waits for 2 of 2 approvals"
  std::vector<const DocumentRecord*> documents(DocumentKind kind) const;   // newest first, gathering ones before all
  const DocumentRecord* find_document(const authority::Digest& digest) const;
  const DocumentRecord* policy() const;                        // newest active
  std::vector<const ExecutorState*> executors() const;
  std::vector<std::string> warnings() const;                   // what runs out, alarms of executors
  const std::string& checkpoint() const;                       // newest signed note
  std::uint64_t log_size() const noexcept;
  std::string log_origin() const;                              // the policy's, or of the newest NewOrigin statement
  std::optional<ContinueAs> log_continuation() const;          // what that statement says
  const CoreStats& stats() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::governance
