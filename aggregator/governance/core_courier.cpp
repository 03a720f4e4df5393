// The courier: plans until the node's outcome, statements and policies until the node has them, heads so that no node lags far behind.
// At least once; the node answers from its journal when it knows the plan.
#include <algorithm>
#include <utility>

#include "aggregator/governance/impl.hpp"
#include "common/base64.hpp"

namespace fw::governance {

void Core::Impl::send(const Uuid& node, const authority::Packet& packet) {
  packets.push_back({node, authority::to_bytes(packet)});
  ++stats.deliveries_total;
}

void Core::Impl::courier() {
  for (auto& [digest, delivery] : deliveries) deliver(plans.at(digest), delivery);
  std::erase_if(deliveries, [&](const auto& at) {
    const PlanState state = plans.at(at.first).state;
    const bool denial_only = state == PlanState::denied && !at.second.denials.empty();
    return state != PlanState::released && !(denial_only && now_ms() <= plans.at(at.first).plan.not_after_ms);
  });
  for (auto& [node, executor] : executors) news_for(executor);
}

// After a node's word: its news alone, not those of thousands of others.
void Core::Impl::courier_of(ExecutorState& executor) {
  if (waits_for_quorum()) return courier();              // its cosignature may be what others wait for
  for (auto& [digest, delivery] : deliveries) deliver(plans.at(digest), delivery);
  news_for(executor);
}

void Core::Impl::deliver(const PlanRecord& plan, Delivery& delivery) {
  const auto at = executors.find(plan.plan.target.node);
  if (at == executors.end() || !at->second.connected || !delivery.resend.due(mono_ns())) return;
  const ExecutorState& executor = at->second;
  for (const authority::Vote& denial : delivery.denials) send(executor.node, authority::DeliverDenial{denial});
  if (!delivery.denials.empty()) delivery.resend.later(mono_ns(), config);
  if (plan.state != PlanState::released || delivery.proof_asked || !plan.log_index) return;
  const auto size = deliverable_size(executor, plan);
  if (!size) return;                                     // the next head, or the next cosignature, does it
  delivery.proof_asked = true;
  const std::uint64_t from = executor.seen ? executor.seen->size : 0;
  log_work.emplace_back(ProveRelease{.plan = plan.digest, .index = static_cast<std::uint64_t>(*plan.log_index), .size = *size, .from_size = from});
  delivery.resend.later(mono_ns(), config);
}

// The newest head that the node can take: it holds the release, has its quorum, and is not older than what the node saw.
std::optional<std::uint64_t> Core::Impl::deliverable_size(const ExecutorState& executor, const PlanRecord& plan) const {
  const authority::Policy* in_force = policy_of(executor.node);
  if (in_force == nullptr) return std::nullopt;
  const std::uint64_t seen = executor.seen ? executor.seen->size : 0;
  for (auto head = heads.rbegin(); head != heads.rend(); ++head) {
    if (head->checkpoint.origin != origin() || head->cosignatures.size() < in_force->witness_quorum) continue;
    if (head->checkpoint.size > static_cast<std::uint64_t>(*plan.log_index) && head->checkpoint.size >= seen) return head->checkpoint.size;
    return std::nullopt;
  }
  return std::nullopt;
}

std::string Core::Impl::note_of(std::uint64_t size) const {
  const auto head = std::find_if(heads.rbegin(), heads.rend(), [&](const Head& h) { return h.checkpoint.size == size && h.checkpoint.origin == origin(); });
  if (head == heads.rend()) return {};
  std::string text = head->text;
  std::size_t lines = 0;
  for (const auto& [name, bytes] : head->cosignatures) {
    const std::string line = "\u2014 " + name + " " + encode_base64(bytes) + "\n";
    // What a note can hold; the node adds its own.
    if (lines == authority::kMaxCosignatures || text.size() + 2 * line.size() > authority::kMaxNoteBytes) break;
    text += line;
    ++lines;
  }
  return text;
}

void Core::Impl::on_release_proof(const ReleaseProof& answer) {
  const auto at = deliveries.find(answer.plan);
  if (at == deliveries.end()) return;
  at->second.proof_asked = false;
  const PlanRecord& plan = plans.at(answer.plan);
  if (plan.state != PlanState::released) return;
  authority::Envelope envelope{.action_class = plan.action_class, .plan = plan.document, .votes = released_votes(plan), .standing = std::nullopt,
                               .proof = answer.proof};
  if (const auto digest = authority::parse_digest(plan.standing)) {
    const auto standing = documents.find(*digest);
    if (standing == documents.end()) return;
    envelope.standing = authority::SignedStanding{standing->second.document, standing->second.signatures};
  }
  envelope.proof.note = note_of(answer.size);
  if (envelope.proof.note.empty()) return;               // a newer head came meanwhile
  send(plan.plan.target.node, authority::DeliverPlan{authority::encode(envelope)});
}

// ---- what a node is told besides plans ----------------------------------------------------------------------------

bool Core::Impl::waits_for_quorum() const {
  const authority::Policy* in_force = policy();
  return in_force != nullptr && in_force->witness_quorum > 0 && !deliveries.empty();
}

void Core::Impl::news_for(ExecutorState& executor) {
  const authority::Policy* newest = policy();
  if (!executor.connected || newest == nullptr) return;
  NodeNews& told = news[executor.node];
  const std::int64_t now = mono_ns();

  const std::uint64_t has = std::max(executor.status.policy_version, executor.status.pending_policy_version.value_or(0));
  if (std::exchange(told.policy_sent_after, has) != has) told.policy = {};   // it took one: the next goes at once
  if (told.policy.due(now) && has < newest->version) {
    for (const auto& [digest, record] : documents) {     // the chain, one by one: each is checked with the one before
      const auto* version = std::get_if<authority::Policy>(&record.parsed);
      if (version == nullptr || version->version != has + 1 || document_tickets.contains(digest)) continue;
      send(executor.node, authority::DeliverPolicy{record.document, record.signatures});
      told.policy.later(now, config);
    }
  }
  if (told.statements.due(now)) {
    std::vector<const DocumentRecord*> due;
    bool soon = false;                                   // one is not durable yet
    for (const auto& [digest, record] : documents) {
      const auto* statement = std::get_if<authority::Statement>(&record.parsed);
      if (statement == nullptr || record.state != DocumentState::active || statement->expires_ms < now_ms()) continue;
      if (told.has.contains(digest)) continue;
      if (document_tickets.contains(digest)) {
        soon = true;
        continue;
      }
      const auto* settle = std::get_if<authority::Settle>(&statement->body);
      if (settle != nullptr) {
        const auto plan = plans.find(settle->plan);
        if (plan == plans.end() || plan->second.plan.target.node != executor.node) continue;
      }
      due.push_back(&record);
    }
    std::sort(due.begin(), due.end(), [](const DocumentRecord* a, const DocumentRecord* b) {   // a resume after its pause
      return std::get<authority::Statement>(a->parsed).issued_ms < std::get<authority::Statement>(b->parsed).issued_ms;
    });
    for (const DocumentRecord* record : due) send(executor.node, authority::DeliverStatement{record->document, record->signatures});
    if (!soon) told.statements.later(now, config);       // a new one, and a new connection, begin again
  }
  const std::uint64_t seen = executor.seen ? executor.seen->size : 0;
  const bool lags = log_size > seen || (log_size > 0 && !executor.seen);
  if (lags && log_open && told.head_asked != log_size && (now >= told.next_head_ns || waits_for_quorum())) {
    told.head_asked = log_size;
    told.next_head_ns = now + config.news_every.count();
    log_work.emplace_back(ProveNews{.node = executor.node, .size = log_size, .from_size = seen});
  } else if (lags && now >= told.next_head_ns) {
    told.head_asked = 0;                                 // no answer: again
  }
}

void Core::Impl::on_news_proof(const NewsProof& answer) {
  const auto at = executors.find(answer.node);
  const std::string text = note_of(answer.size);
  if (at == executors.end() || !at->second.connected || text.empty()) return;
  send(answer.node, authority::DeliverCheckpoint{.note = text, .from_size = answer.from_size, .consistency = answer.consistency});
}

}  // namespace fw::governance
