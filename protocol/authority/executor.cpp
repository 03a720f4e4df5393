#include "protocol/authority/executor.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "protocol/authority/executor_core.hpp"
#include "protocol/authority/text.hpp"

namespace fw::authority {
namespace {

constexpr std::int64_t kJournalRetryMs = 1'000;
constexpr std::int64_t kReportAgainMs = 5'000, kReportAgainMaxMs = 60'000;
constexpr std::int64_t kForgetEveryMs = 60'000;
constexpr std::uint64_t kCompactAboveBytes = 256 * 1024;   // and twice the state

Result<Policy> good_policy(const Bytes& document) {
  auto policy = parse_policy(document);
  if (!policy) return with_context(policy.error(), "policy");
  if (const auto broken = check_policy(*policy); !broken.empty()) return Error(Errc::malformed, "policy: " + broken.front());
  return policy;
}

// What the world says goes into signed documents, whose texts are bounded and clean.
void make_reportable(std::string& text) {
  if (text.size() <= kMaxTextBytes && is_document_text(text, TextKind::prose)) return;
  text.resize(std::min(text.size(), kMaxTextBytes));
  std::ranges::replace_if(text, [](char c) { return (c < ' ' && c != '\n') || c > '~'; }, '?');
}
void make_reportable(RecordBody& body) {
  if (auto* plan = std::get_if<PlanRecord>(&body)) {
    for (auto* text : {&plan->sentence, &plan->before, &plan->after}) make_reportable(*text);
  }
}

}  // namespace

ExecutorCore::ExecutorCore(ExecutorConfig config, Deps deps)
    : config_(std::move(config)), disk_(deps.disk), clock_(deps.clock), actuator_(deps.actuator), mono_ns_(deps.clock.mono_ns()) {}

Result<void> ExecutorCore::start() {
  if (sha256(config_.first_policy) != config_.first_policy_digest) {
    return Error(Errc::permission, "policy: its SHA-256 is " + to_text(sha256(config_.first_policy)) + ", not the one that is configured");
  }
  const auto first = good_policy(config_.first_policy);
  if (!first) return first.error();
  auto journal = Journal::open(disk_);
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  if (auto loaded = load(); !loaded) return loaded;
  begin_turn();
  const bool fresh = !state_.identity();
  if (fresh) start_new_journal();
  auto key = PrivateKey::from_pem(state_.identity()->key_pem);
  if (!key) return with_context(key.error(), "journal: key");
  key_.emplace(std::move(*key));
  // A full disk does not keep an old journal from answering; a new one has to be there first.
  if (auto compacted = compact(); !compacted && (fresh || journal_->broken())) return compacted;
  if (auto loaded = load_policies(*first); !loaded) return loaded;
  do_what_is_due();
  return {};
}

Result<void> ExecutorCore::load() {
  for (const auto& restored : journal_->restored()) {
    auto record = parse_record(restored.type, restored.payload);
    if (!record) return with_context(record.error(), fmt::format("journal: record {}", restored.seq));
    state_.apply(std::move(*record), restored.seq, restored.hash);
  }
  if (!journal_->restored().empty()) {
    if (!state_.identity() || !state_.active_policy()) return Error(Errc::malformed, "journal: it has no identity or no policy");
    if (state_.identity()->node != config_.node) {
      return Error(Errc::conflict, "journal: it is of node " + state_.identity()->node.str() + ": each node needs a folder of its own");
    }
  }
  journal_->forget_restored();
  return {};
}

void ExecutorCore::start_new_journal() {
  IdentityRecord identity{make_nonce(), config_.node, PrivateKey::generate().to_pem()};
  state_.apply({now_ms_, std::move(identity)}, 0, {});
  state_.apply({now_ms_, PolicyRecord{true, 0, config_.first_policy}}, 0, {});
}

Result<void> ExecutorCore::load_policies(const Policy& first) {
  auto active = good_policy(state_.active_policy()->document);
  if (!active) return active.error();
  policy_ = std::move(*active);
  if (state_.pending_policy()) {
    auto pending = good_policy(state_.pending_policy()->document);
    if (!pending) return pending.error();
    pending_ = std::move(*pending);
  }
  // Who installs the node's files may bring it a newer policy, never an older one.
  if (first.version > (pending_ ? pending_->version : policy_.version)) return activate(first, config_.first_policy);
  return {};
}

Result<void> ExecutorCore::activate(Policy policy, Bytes document) {
  if (auto written = write(PolicyRecord{true, 0, std::move(document)}); !written) return written;
  policy_ = std::move(policy);
  pending_.reset();
  return {};
}

// By the clock alone, as everything that begins.
void ExecutorCore::advance_policy() {
  if (!pending_ || wall_ms_ < state_.pending_policy()->active_from_ms) return;
  (void)activate(*pending_, state_.pending_policy()->document);
}

void ExecutorCore::begin_turn() {
  const std::uint64_t elapsed_ms = (clock_.mono_ns() - mono_ns_) / kNsPerMs;
  mono_ns_ += elapsed_ms * kNsPerMs;
  wall_ms_ = clock_.wall_ns() / kNsPerMs;
  now_ms_ = std::max({now_ms_ + static_cast<std::int64_t>(elapsed_ms), wall_ms_, state_.time_floor_ms()});
}

void ExecutorCore::do_what_is_due() {
  if (journal_->broken()) return;
  if (journal_->needs_compaction() && !compact()) return;   // nothing is done about what may not be durable
  if (!write_what_waits()) return;
  advance_policy();
  watch();
  expire_verified();
  try_waiting();
  forget();
}

std::vector<Bytes> ExecutorCore::end_turn() {
  if (settled_) report_outcomes();
  auto now = status();
  if (ask_status_ || (connected_ && now != sent_status_)) {
    send(now);
    sent_status_ = std::move(now);
  }
  ask_status_ = false;
  return std::exchange(out_, {});
}

Result<std::vector<Bytes>> ExecutorCore::on_packet(ByteView bytes) {
  if (journal_->broken()) return Error(Errc::io, "journal: " + journal_->problem());
  auto packet = parse_packet(bytes);
  if (!packet) return with_context(packet.error(), "packet");
  begin_turn();
  do_what_is_due();
  const bool ours = std::visit(
      [this](const auto& body) {
        if constexpr (requires { deliver(body); }) {
          deliver(body);
          return true;
        } else {
          ask_status_ = std::is_same_v<std::decay_t<decltype(body)>, AskStatus>;
          return ask_status_;
        }
      },
      *packet);
  if (!ours) return Error(Errc::malformed, "packet: only an executor sends this");
  return end_turn();
}

std::vector<Bytes> ExecutorCore::on_connected() {
  begin_turn();
  connected_ = ask_status_ = true;
  for (auto& [digest, live] : live_) live.report_ms = live.report_wait_ms = 0;
  do_what_is_due();
  return end_turn();
}

std::vector<Bytes> ExecutorCore::on_timer() {
  begin_turn();
  do_what_is_due();
  return end_turn();
}

std::optional<std::uint64_t> ExecutorCore::next_deadline_mono_ns() const {
  if (journal_->broken()) return {};
  std::int64_t next_ms = forget_ms_;
  const auto due = [&next_ms](std::int64_t at_ms) { next_ms = std::min(next_ms, at_ms); };
  if (journal_->needs_compaction() || !unwritten_.empty()) due(journal_retry_ms_);
  if (pending_) due(now_ms_ + state_.pending_policy()->active_from_ms - wall_ms_);
  for (const auto& [digest, waiting] : waiting_) due(waiting.next_ms);
  for (const auto& [digest, plan] : state_.plans()) {
    const auto live = live_.find(digest);
    const std::int64_t look_ms = live == live_.end() ? 0 : live->second.next_ms;
    if (unwritten(digest)) continue;
    if (plan.state == State::verified) due(plan.not_after_ms + policy_.time_skew_ms + 1);
    if (plan.state == State::claimed) due(look_ms);
    if (plan.restore_at_ms != 0 && (plan.restore_at_ms > now_ms_ || !newer_on(plan))) due(std::max(plan.restore_at_ms, look_ms));
    if (connected_ && is_final(plan.state) && !plan.acknowledged) due(live == live_.end() ? 0 : live->second.report_ms);
  }
  // A journal that cannot be written holds everything up: then it alone is waited for.
  if (journal_->needs_compaction() || !unwritten_.empty()) next_ms = std::max(next_ms, journal_retry_ms_);
  return mono_ns_ + static_cast<std::uint64_t>(std::max<std::int64_t>(0, next_ms - now_ms_)) * kNsPerMs;
}

Result<void> ExecutorCore::compact() {
  if (now_ms_ < journal_retry_ms_) return Error(Errc::io, "journal: " + journal_->problem());
  if (auto compacted = journal_->compact(state_.records()); !compacted) {
    journal_retry_ms_ = now_ms_ + kJournalRetryMs;
    return compacted;
  }
  compacted_bytes_ = journal_->bytes();
  settled_ = true;
  return {};
}

Result<void> ExecutorCore::append(const Record& record) {
  if (journal_->needs_compaction() || journal_->bytes() > kCompactAboveBytes + 2 * compacted_bytes_) {
    if (auto compacted = compact(); !compacted) return compacted;
  }
  const auto place = journal_->append(record_type(record), to_bytes(record));
  if (!place) {
    journal_retry_ms_ = now_ms_ + kJournalRetryMs;
    return place.error();
  }
  state_.apply(record, place->seq, place->hash);
  return {};
}

Result<void> ExecutorCore::write(RecordBody body, std::int64_t signed_ms) {
  if (!write_what_waits()) return Error(Errc::io, "journal: " + journal_->problem());
  make_reportable(body);
  return append({std::max(now_ms_, signed_ms), std::move(body)});
}

void ExecutorCore::record_done(RecordBody body) {
  make_reportable(body);
  unwritten_.push_back({now_ms_, std::move(body)});
  (void)write_what_waits();
}

bool ExecutorCore::write_what_waits() {
  while (!unwritten_.empty()) {
    if (!append(unwritten_.front())) return false;
    unwritten_.pop_front();
  }
  return true;
}

const PlanRecord* ExecutorCore::unwritten(const Digest& plan) const {
  for (auto it = unwritten_.rbegin(); it != unwritten_.rend(); ++it) {
    const auto* record = std::get_if<PlanRecord>(&it->body);
    if (record && record->digest == plan) return record;
  }
  return nullptr;
}

void ExecutorCore::forget() {
  if (now_ms_ < forget_ms_) return;
  forget_ms_ = now_ms_ + kForgetEveryMs;
  state_.forget(now_ms_, policy_.time_skew_ms);
  std::erase_if(live_, [this](const auto& entry) { return !state_.find(entry.first); });
}

void ExecutorCore::report_outcomes() {
  for (const auto& [digest, plan] : state_.plans()) {
    if (!is_final(plan.state) || plan.acknowledged) continue;
    auto& live = live_[digest];
    if (live.report_ms > now_ms_) continue;
    report(plan);
    live.report_wait_ms = std::clamp(2 * live.report_wait_ms, kReportAgainMs, kReportAgainMaxMs);
    live.report_ms = now_ms_ + live.report_wait_ms;
  }
}

void ExecutorCore::report(const PlanRecord& plan) {
  Bytes document = to_bytes(outcome_of(plan));
  Signature signature = key_->sign(Domain::result, document);
  send(OutcomeReport{std::move(document), std::move(signature)});
}

Outcome ExecutorCore::outcome_of(const PlanRecord& plan) const {
  Outcome outcome;
  outcome.plan = plan.digest;
  outcome.node = config_.node;
  outcome.incarnation = state_.identity()->incarnation;
  outcome.state = plan.state;
  outcome.code = plan.code;
  outcome.sentence = plan.sentence;
  outcome.started_ms = plan.started_ms;
  outcome.ended_ms = plan.ended_ms;
  outcome.before = plan.before;
  outcome.after = plan.after;
  outcome.rolled_back = plan.rolled_back;
  outcome.journal_seq = plan.outcome_seq;
  outcome.journal_hash = plan.outcome_hash;
  return outcome;
}

void ExecutorCore::notice(const Digest& subject, std::string_view code, std::string sentence, bool again) {
  make_reportable(sentence);
  send(Notice{subject, std::string(code), std::move(sentence), again});
}

NodeFacts ExecutorCore::facts() const {
  return {config_.node, state_.identity()->incarnation, config_.boot, config_.cluster, config_.labels, config_.observe_only};
}

ExecutorStatus ExecutorCore::status() const {
  ExecutorStatus status;
  status.version = config_.version;
  status.node = config_.node;
  status.incarnation = state_.identity()->incarnation;
  status.key = key_->public_key();
  status.policy_version = policy_.version;
  status.policy = sha256(state_.active_policy()->document);
  if (pending_) status.pending_policy_version = pending_->version;
  status.policy_not_after_ms = policy_.not_after_ms;
  status.observe_only = config_.observe_only;
  status.paused = state_.facts().paused || policy_.paused;
  status.journal_problem = journal_->problem();
  status.time_floor_ms = state_.time_floor_ms();
  status.checkpoint = state_.facts().note;
  status.journal_seq = journal_->seq();
  status.pending_restores = static_cast<std::uint32_t>(std::ranges::count_if(state_.plans(), [](const auto& entry) { return entry.second.restore_at_ms != 0; }));
  return status;
}

std::vector<Outcome> ExecutorCore::outcomes() const {
  std::vector<Outcome> out;
  for (const auto& [digest, plan] : state_.plans()) out.push_back(outcome_of(plan));
  return out;
}

Result<std::unique_ptr<Executor>> Executor::open(ExecutorConfig config, Deps deps) {
  auto core = std::make_unique<ExecutorCore>(std::move(config), deps);
  if (auto started = core->start(); !started) return started.error();
  return std::unique_ptr<Executor>(std::move(core));
}

}  // namespace fw::authority
