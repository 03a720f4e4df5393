// The public face, and what makes things durable: one write at a time, then the log.
#include "aggregator/governance/core.hpp"

#include "aggregator/governance/audit_words.hpp"
#include "aggregator/governance/impl.hpp"

namespace fw::governance {
namespace {

constexpr std::int64_t kWriteRetryNs = 500'000'000;
constexpr std::size_t kHeadsKept = 16;               // cosignatures for older ones come too late

}  // namespace

// ---- rows ---------------------------------------------------------------------------------------------------------

std::int64_t Core::Impl::add_audit(const audit::Entry& entry) {
  next.audit.push_back({.id = ++last_audit_id, .time_ns = now_ns(), .entry = audit::to_text(entry)});
  return last_audit_id;
}

void Core::Impl::add_event(PlanRecord& plan, PlanEventBody body) {
  PlanEvent event{.time_ns = now_ns(), .body = std::move(body), .audit_id = 0, .log_index = std::nullopt};
  event.audit_id = add_audit(entry_of(plan, event, policy_version()));
  apply(plan, event);
  next.events.push_back({.plan = digest_text(plan.digest), .seq = plan.last_seq, .time_ns = event.time_ns, .kind = std::string(kind_of(event.body)),
                         .body = body_json(event.body), .audit_id = event.audit_id});
}

std::string Core::Impl::problem() const {
  if (!store_problem.empty()) return "the store does not take what is decided: " + store_problem;
  if (!log_problem.empty()) return "the audit log cannot be written: " + log_problem;
  if (!log_open) return "the audit log is not open yet";
  return {};
}

std::optional<Reply> Core::Impl::not_now() const {
  Reply reply;
  if (policy() == nullptr) {
    reply = {.errc = Errc::conflict, .code = "no-policy", .sentence = "no trust policy is configured: set governance.policy"};
  } else if (const std::string why = problem(); !why.empty()) {
    reply = {.errc = Errc::io, .code = "audit-not-writable", .sentence = why + "; nothing is approved meanwhile"};
  } else {
    return std::nullopt;
  }
  return reply;
}

std::optional<store::WriteGovernance> Core::take_write() {
  Impl& c = *impl_;
  if (c.in_flight || (!c.writing.empty() && c.mono_ns() < c.retry_ns)) return std::nullopt;
  if (c.writing.empty()) {
    if (c.next.empty()) return std::nullopt;
    c.writing = std::exchange(c.next, {});
    c.writing_batch = c.batch++;
  }
  c.in_flight = true;
  return c.writing;
}

void Core::on_written(const Result<store::Written>& written) {
  Impl& c = *impl_;
  FW_ASSERT(c.in_flight, "an answer to a write that was taken");
  c.in_flight = false;
  if (!written) {
    c.store_problem = written.error().message();
    c.retry_ns = c.mono_ns() + kWriteRetryNs;
    return;
  }
  c.store_problem.clear();
  c.durable_batch = c.writing_batch;
  for (store::AuditRow& row : c.writing.audit) c.waiting.push_back(std::move(row));
  for (const store::PlanEventRow& event : c.writing.events) c.urgent = c.urgent || event.kind == "released" || event.kind == "node_said";
  c.writing = {};
  std::erase_if(c.document_tickets, [&](const auto& at) { return at.second <= c.durable_batch; });
  c.courier();
}

bool Core::durable(std::uint64_t ticket) const noexcept { return ticket <= impl_->durable_batch; }

bool Core::idle() const noexcept { return !impl_->in_flight && impl_->writing.empty() && impl_->next.empty(); }

// ---- log ----------------------------------------------------------------------------------------------------------

void Core::on_log_opened(const std::string& note, std::uint64_t size) {
  Impl& c = *impl_;
  c.log_open = true;
  c.log_problem.clear();
  c.sequencing = false;
  c.continuing.reset();
  for (auto& [digest, delivery] : c.deliveries) delivery = {.resend = {}, .denials = std::move(delivery.denials)};   // its proof may have gone with the log
  c.sequenced({.rows = {}, .note = note, .size = size});
  for (auto& [node, told] : c.news) told.compared.reset();   // what was asked of the log before may have been lost with it
  for (auto& [node, executor] : c.executors) c.take_head(executor);
  for (auto& [uid, found] : c.cases) c.propose_for(found);
}

std::optional<LogWork> Core::Impl::next_sequence() {
  if (!log_open || sequencing || !log_problem.empty() || waiting.empty() || continuing) return std::nullopt;
  if (!urgent && mono_ns() - sequenced_ns < config.checkpoint_every.count()) return std::nullopt;
  Sequence work;
  const std::size_t many = std::min(waiting.size(), config.rows_per_sequence);
  work.rows.assign(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(many));
  sequencing = true;
  urgent = many < waiting.size() && urgent;
  return work;
}

void Core::Impl::sequenced(const SequenceDone& done) {
  sequencing = false;
  sequenced_ns = mono_ns();
  for (const store::SequencedRow& row : done.rows) {
    while (!waiting.empty() && waiting.front().id <= row.id) waiting.pop_front();
    next.sequenced.push_back(row);
  }
  note = done.note;
  log_size = done.size;
  if (const auto parsed = authority::parse_note(note); parsed && (heads.empty() || heads.back().checkpoint != parsed->checkpoint)) {
    log_origin = parsed->checkpoint.origin;
    heads.push_back({.checkpoint = parsed->checkpoint, .text = note, .cosignatures = {}});
    if (heads.size() > kHeadsKept) heads.pop_front();
  }
  for (const store::SequencedRow& row : done.rows) {
    for (auto& [digest, plan] : plans) {
      if (plan.release_audit_id != row.id && plan.outcome_audit_id != row.id) continue;
      apply_sequenced(plan, row.id, row.log_index);
      if (plan.release_audit_id == row.id && plan.state == PlanState::released) deliveries.try_emplace(digest);
      if (plan.outcome_audit_id == row.id) acknowledge(plan);
    }
  }
  courier();
}

void Core::Impl::log_failed(const LogFailed& failed) {
  if (failed.broken) {
    log_problem = failed.why;
    sequencing = false;
    return;
  }
  if (const auto at = deliveries.find(failed.plan); at != deliveries.end()) {
    at->second.proof_asked = false;                  // another head, or another node's word, may do
    at->second.resend.next_ns = mono_ns() + config.resend_first.count();
  }
  if (const auto at = news.find(failed.node); at != news.end()) {
    at->second.head_asked = 0;
    at->second.compared.reset();                     // compared at its next word
  }
  if (continuing) continuing.reset();
}

std::vector<LogWork> Core::take_log_work() {
  Impl& c = *impl_;
  std::vector<LogWork> work(std::make_move_iterator(c.log_work.begin()), std::make_move_iterator(c.log_work.end()));
  c.log_work.clear();
  if (!c.log_open || !c.log_problem.empty()) work.clear();
  if (auto sequence = c.next_sequence()) work.push_back(std::move(*sequence));
  return work;
}

void Core::on_log(const LogAnswer& answer) {
  Impl& c = *impl_;
  std::visit(Overloaded{[&](const SequenceDone& a) { c.sequenced(a); }, [&](const ReleaseProof& a) { c.on_release_proof(a); },
                        [&](const NewsProof& a) { c.on_news_proof(a); }, [&](const HeadCompared& a) { c.on_compared(a); },
                        [&](const Continued& a) {
                          c.continuing.reset();
                          c.sequenced({.rows = {}, .note = a.note, .size = a.head.size});
                        },
                        [&](const LogFailed& a) { c.log_failed(a); }},
             answer);
}

// ---- the rest of the face -----------------------------------------------------------------------------------------

Core::Core(CoreConfig config, const Clock& clock) : impl_(std::make_unique<Impl>(std::move(config), clock)) {}
Core::~Core() = default;

bool Core::enabled() const noexcept { return impl_->policy() != nullptr; }
bool Core::needs_log() const noexcept { return !impl_->log_open || !impl_->log_problem.empty(); }
std::string Core::problem() const { return impl_->problem(); }
std::vector<ToNode> Core::take_packets() { return std::exchange(impl_->packets, {}); }
std::vector<IncidentWord> Core::take_incident_words() { return std::exchange(impl_->words, {}); }

void Core::on_node_connected(const Uuid& node) { impl_->send(node, authority::AskStatus{}); }

void Core::on_node_disconnected(const Uuid& node) {
  if (const auto at = impl_->executors.find(node); at != impl_->executors.end()) at->second.connected = false;
}

void Core::on_packet(const Uuid& node, ByteView packet) { impl_->on_packet(node, packet); }

void Core::on_tick() {
  impl_->end_what_is_over();
  impl_->expire_documents();
  for (auto& [uid, found] : impl_->cases) impl_->watch(found);
  impl_->courier();
}

Reply Core::vote(const authority::Digest& plan, authority::Vote vote, const Caller& caller) { return impl_->vote(plan, std::move(vote), caller); }
Reply Core::propose_edit(const authority::Digest& replaces, ByteView document, std::uint8_t action_class, const Caller& caller) {
  return impl_->propose_edit(replaces, document, action_class, caller);
}
Reply Core::propose_undo(const authority::Digest& plan, const Caller& caller) { return impl_->propose_follow_up(plan, std::nullopt, caller); }
Reply Core::propose_extend(const authority::Digest& plan, std::uint64_t ttl_ms, const Caller& caller) {
  return impl_->propose_follow_up(plan, ttl_ms, caller);
}
Reply Core::sign_statement(ByteView document, authority::Signature signature, const Caller& caller) {
  return impl_->sign_statement(document, std::move(signature), caller);
}
Reply Core::sign_standing(ByteView document, authority::Signature signature, const Caller& caller) {
  return impl_->sign_standing(document, std::move(signature), caller);
}
Reply Core::load_policy(ByteView document, std::vector<authority::Signature> signatures, const Caller& caller) {
  return impl_->load_policy(document, std::move(signatures), &caller);
}
void Core::record(std::string_view verb, const Caller& caller, std::string_view object, std::string_view code, std::string_view detail) {
  impl_->record(verb, caller, object, code, detail);
}

}  // namespace fw::governance
