// The core's state and its parts; each part is one file core_*.cpp. Inside aggregator/governance only.
#pragma once
#include <algorithm>
#include <deque>
#include <set>

#include "aggregator/audit/entry.hpp"
#include "aggregator/governance/core.hpp"
#include "aggregator/governance/make_plan.hpp"

namespace fw::governance {

template <class... Fs>
struct Overloaded : Fs... { using Fs::operator()...; };

inline std::string digest_text(const authority::Digest& digest) { return authority::to_text(digest); }
inline std::string short_digest(const authority::Digest& digest) { return authority::to_text(digest).substr(0, 12); }

struct Core::Impl {
  // What an incident wants, and how long its symptom must be gone.
  struct Case {
    IncidentView view;
    std::optional<Explanation> explanation;
    std::vector<authority::Digest> plans;                      // oldest first
  };
  // What is sent until it is answered, each time after twice as long, up to a limit; monotonic times. Made anew: at once.
  struct Resend {
    std::int64_t next_ns = 0, wait_ns = 0;
    bool due(std::int64_t now_ns) const { return now_ns >= next_ns; }
    void later(std::int64_t now_ns, const CoreConfig& config) {
      wait_ns = wait_ns == 0 ? config.resend_first.count() : std::min<std::int64_t>(2 * wait_ns, config.resend_most.count());
      next_ns = now_ns + wait_ns;
    }
  };
  // A released plan on its way.
  struct Delivery {
    Resend resend;
    bool proof_asked = false;
    std::vector<authority::Vote> denials;                      // that came after it was released
  };
  // What a node is told besides plans.
  struct NodeNews {
    Resend policy, statements;
    std::uint64_t policy_sent_after = 0;                       // the version that it had then
    std::int64_t next_head_ns = 0;
    std::set<authority::Digest> has;                           // statements that it answered
    std::optional<authority::Checkpoint> compared;             // head of it that was compared last
    std::uint64_t head_asked = 0;
  };

  Impl(CoreConfig c, const Clock& k) : config(std::move(c)), clock(k) {}

  std::int64_t now_ns() const { return clock.wall_ns(); }
  std::int64_t now_ms() const { return clock.wall_ns() / kNsPerMs; }
  std::int64_t mono_ns() const { return static_cast<std::int64_t>(clock.mono_ns()); }

  // ---- core.cpp: rows, durability, the log
  std::int64_t add_audit(const audit::Entry& entry);           // its id
  void add_event(PlanRecord& plan, PlanEventBody body);        // folds it in; row and entry
  std::uint64_t ticket() const { return next.empty() ? 0 : batch; }
  std::string problem() const;
  std::optional<Reply> not_now() const;                        // why nothing is taken from people
  std::optional<LogWork> next_sequence();
  void sequenced(const SequenceDone& done);
  void log_failed(const LogFailed& failed);

  // ---- core_plans.cpp
  PlanRecord& add_plan(authority::Plan plan, PlanFacts facts, const Uuid& incident, std::int64_t incident_number);
  PlanSetting setting(const Uuid& node, std::uint8_t action_class) const;
  void propose_for(Case& found);
  bool wants_plan(const Case& found, const authority::Plan& wanted) const;
  void try_release(PlanRecord& plan);
  bool release_with(PlanRecord& plan, const DocumentRecord* standing);
  std::vector<authority::Vote> good_votes(const PlanRecord& plan, const authority::Policy& policy) const;
  std::vector<authority::Vote> released_votes(const PlanRecord& plan) const;
  void watch(Case& found);
  void end_what_is_over();
  const PlanRecord* newest(const Case& found) const { return found.plans.empty() ? nullptr : &plans.at(found.plans.back()); }
  std::chrono::nanoseconds watch_time(const IncidentView& view) const;
  void say(const Uuid& incident, IncidentWord::Kind kind, std::string text) { words.push_back({incident, kind, std::move(text)}); }
  void make_room_for_plan();

  // ---- core_people.cpp
  Reply refuse(Errc errc, std::string code, std::string sentence, PlanRecord* plan = nullptr);
  Reply refuse(const authority::Refusal& refusal, PlanRecord* plan = nullptr);
  Reply vote(const authority::Digest& digest, authority::Vote vote, const Caller& caller);
  Reply propose_edit(const authority::Digest& replaces, ByteView document, std::uint8_t action_class, const Caller& caller);
  Reply propose_follow_up(const authority::Digest& plan, std::optional<std::uint64_t> extend_ms, const Caller& caller);
  void record(std::string_view verb, const Caller& caller, std::string_view object, std::string_view code, std::string_view detail);

  // ---- core_documents.cpp
  Reply sign_statement(ByteView document, authority::Signature signature, const Caller& caller);
  Reply sign_standing(ByteView document, authority::Signature signature, const Caller& caller);
  Reply load_policy(ByteView document, std::vector<authority::Signature> signatures, const Caller* caller);
  DocumentRecord& add_document(DocumentRecord record);
  void save_document(const DocumentRecord& record);
  bool make_room_for_document();
  void on_statement_active(const DocumentRecord& record);
  void expire_documents();
  authority::Memory memory() const;                            // what the verifier of statements needs
  const DocumentRecord* newest_policy() const;
  const authority::Policy* policy_of(const Uuid& node) const;  // in force there, as far as it is known
  const authority::Policy* policy() const;
  std::uint64_t policy_version() const { return policy() == nullptr ? 0 : policy()->version; }
  const authority::Approver* owner_of(const authority::Digest& key) const;   // in the newest policy
  bool is_root(const authority::Digest& key) const;
  const authority::NewOrigin* newest_origin() const;
  std::string origin() const;
  authority::PublicKey log_key() const;

  // ---- core_nodes.cpp
  void on_packet(const Uuid& node, ByteView bytes);
  void on_status(const Uuid& node, authority::ExecutorStatus status, ByteView bytes);
  void on_outcome(const Uuid& node, const authority::OutcomeReport& report);
  void on_notice(const Uuid& node, const authority::Notice& notice);
  void take_head(ExecutorState& executor);
  void on_compared(const HeadCompared& answer);
  bool may_say(const Uuid& node);
  void alarm(ExecutorState& executor, std::string code, std::string sentence);
  void compare_journal(ExecutorState& executor);
  void save_executor(ExecutorState& executor);
  void acknowledge(const PlanRecord& plan);

  // ---- core_courier.cpp
  void courier();
  void courier_of(ExecutorState& executor);
  void deliver(const PlanRecord& plan, Delivery& delivery);
  void on_release_proof(const ReleaseProof& answer);
  void on_news_proof(const NewsProof& answer);
  void news_for(ExecutorState& executor);
  std::optional<std::uint64_t> deliverable_size(const ExecutorState& executor, const PlanRecord& plan) const;
  std::string note_of(std::uint64_t size) const;               // with the cosignatures that came
  void send(const Uuid& node, const authority::Packet& packet);
  void collect_cosignatures(const authority::Note& seen);
  bool waits_for_quorum() const;

  const CoreConfig config;
  const Clock& clock;

  std::map<authority::Digest, PlanRecord> plans;
  std::map<authority::Digest, DocumentRecord> documents;
  std::map<authority::Digest, std::uint64_t> document_tickets; // of those not durable yet
  std::map<Uuid, ExecutorState> executors;
  std::map<Uuid, NodeNews> news;
  struct NodeWords { std::int64_t minute = 0; std::uint32_t entries = 0; };
  std::map<Uuid, NodeWords> words_of;
  std::map<Uuid, Case> cases;
  std::map<authority::Digest, Delivery> deliveries;

  // Rows: `next` fills up while `writing` is on its way; one that failed goes again.
  store::WriteGovernance next, writing;
  bool in_flight = false;
  std::uint64_t batch = 1, writing_batch = 0, durable_batch = 0;
  std::int64_t retry_ns = 0;
  std::string store_problem;

  // The log.
  std::int64_t last_audit_id = 0;
  std::deque<store::AuditRow> waiting;                         // durable, not in the log yet
  bool log_open = false, sequencing = false, urgent = false;
  std::int64_t sequenced_ns = 0;                               // monotonic
  std::string log_problem;
  std::string note;
  std::uint64_t log_size = 0;
  std::string log_origin;                                      // of `note`
  struct Head { authority::Checkpoint checkpoint; std::string text; std::map<std::string, Bytes> cosignatures; };
  std::deque<Head> heads;                                      // newest last
  std::deque<LogWork> log_work;
  std::optional<ContinueAs> continuing;

  std::vector<ToNode> packets;
  std::vector<IncidentWord> words;
  std::int64_t free_minute = 0;
  std::uint32_t free_entries = 0, free_hidden = 0;
  CoreStats stats;
};

}  // namespace fw::governance
