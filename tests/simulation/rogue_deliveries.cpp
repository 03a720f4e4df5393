// What else an owned aggregator sends: statements, policies, heads, denials, old things again, noise.
#include <algorithm>

#include "tests/simulation/rogue.hpp"

namespace fw::sim {

using namespace authority;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

}  // namespace

void Rogue::deliver_statement() {
  const auto now_ms = deps_.timeline.now_ms();
  auto at = rng_.below(deps_.nodes.size());
  // A node that is paused is worth more.
  for (std::size_t i = 0; i < deps_.nodes.size() && rng_.chance(0.7); ++i) {
    if (news_[deps_.nodes[i]->number()].paused) at = i;
  }
  auto& node = *deps_.nodes[at];
  auto& news = news_[node.number()];
  Statement statement;
  statement.nonce = pens_.nonce();
  statement.policy_version = policy_.version;
  statement.issued_ms = now_ms;
  statement.expires_ms = now_ms + 60 * kMinuteMs;
  if (rng_.chance(flaws_ / 3)) statement.issued_ms = now_ms - 600 * kMinuteMs, statement.expires_ms = now_ms - 500 * kMinuteMs;
  DeliverStatement packet;
  const bool enough = !rng_.chance(flaws_);
  const auto pause = rng_.below(10);
  std::vector<std::size_t> people = {kAlice, kCarol};
  if (!enough && stolen_) people = {*stolen_};
  else if (!enough) people = {kStranger};
  if (pause < 3 && !news.paused) {
    statement.body = Pause{"drill"};
    people.resize(1);
    deps_.marks.reach("attack statement.pause");
  } else if (pause < 6) {
    statement.body = Resume{"over"};
    if (!enough) deps_.marks.reach("attack statement.resume_by_too_few");
  } else if (pause < 9) {
    // For a plan that is in doubt, or for one that is not.
    statement.body = Settle{news.unknown.empty() || rng_.chance(0.2) ? pens_.some_digest() : rng_.pick(news.unknown), rng_.chance(0.5), "looked"};
    deps_.marks.reach("attack statement.settle");
  } else {
    NewOrigin origin{kRestoredOrigin, keys_.other_log.public_key(), kOrigin, 0, {}};
    if (news.head) origin.old_size = news.head->size, origin.old_root = news.head->root;
    statement.body = origin;
    packet.statement = to_bytes(statement);
    // Never by enough roots: the log stays where it is.
    packet.signatures.push_back(pens_.root_sign_statement(0, statement, packet.statement, now_ms));
    if (stolen_) packet.signatures.push_back(pens_.sign_statement(*stolen_, statement, packet.statement, now_ms));
    deps_.marks.reach("attack statement.new_origin_by_too_few");
    return send(node.number(), std::move(packet));
  }
  packet.statement = to_bytes(statement);
  const bool mangled = rng_.chance(flaws_ / 6);
  if (mangled) packet.statement.resize(packet.statement.size() + 8, 9);
  for (const auto human : people) packet.signatures.push_back(pens_.sign_statement(human, statement, packet.statement, now_ms));
  if (rng_.chance(flaws_ / 6)) packet.signatures.front().bytes[3] ^= 4;
  send(node.number(), std::move(packet));
}

void Rogue::deliver_policy() {
  const auto now_ms = deps_.timeline.now_ms();
  auto next = policy_;
  next.version = policy_.version + 1;
  next.issued_ms = now_ms;
  DeliverPolicy packet;
  const auto kind = rng_.chance(flaws_) ? 1 + rng_.below(6) : 0;
  switch (kind) {
    case 0:   // a good one: roots tighten or loosen
      switch (rng_.below(5)) {
        case 0: next.time_skew_ms = 60'000; break;
        case 1: next.paused = !next.paused; break;
        case 2: next.approvers.erase(next.approvers.begin() + static_cast<std::ptrdiff_t>(rng_.below(2))); break;
        case 3: next.limits.front().per_hour += 1; break;
        default:
          if (next.roots.size() == 3) next.roots[2] = {"root-3", keys_.roots[3].public_key()};
          break;
      }
      if (next.approvers.size() < 3) return;
      break;
    case 1: next.version = policy_.version; next.time_skew_ms += 1; deps_.marks.reach("attack policy.same_version"); break;
    case 2: next.version = policy_.version + 3; deps_.marks.reach("attack policy.gap"); break;
    case 3: deps_.marks.reach("attack policy.one_root"); next.classes[2].threshold = 1; break;
    case 4: deps_.marks.reach("attack policy.threshold_0"); next.classes[1].threshold = 0; break;
    case 5: deps_.marks.reach("attack policy.older"); next.version = 1; next.time_skew_ms += 2; break;
    default: deps_.marks.reach("attack policy.mangled"); break;
  }
  packet.policy = to_bytes(next);
  if (kind == 6) packet.policy[rng_.below(packet.policy.size())] ^= 0x10;
  const std::size_t signers = kind == 3 ? 1 : 2;
  for (std::size_t root = 0; root < signers; ++root) packet.signatures.push_back(pens_.root_sign_policy(root, next, packet.policy));
  if (kind == 3 && stolen_) packet.signatures.push_back(keys_.humans[*stolen_].keys[0].sign(Domain::policy, packet.policy));
  if (kind == 0) {
    DeliverPolicy before{to_bytes(policy_), {}};
    for (std::size_t root = 0; root < 2; ++root) before.signatures.push_back(pens_.root_sign_policy(root, policy_, before.policy));
    older_policies_.push_back(std::move(before));
    policy_ = next;
  }
  // To all, or to some: nodes that lag are part of the world.
  for (auto& node : deps_.nodes) {
    if (kind != 0 || rng_.chance(0.8)) send(node->number(), packet);
  }
  if (!older_policies_.empty() && rng_.chance(flaws_)) {
    deps_.marks.reach("attack policy.older_and_good");
    deps_.timeline.in(rng_.between(kSecond, kMinute), [this, old = rng_.pick(older_policies_)] {
      for (auto& node : deps_.nodes) send(node->number(), old);
    });
  }
}

void Rogue::deliver_checkpoint() {
  auto& node = *deps_.nodes[rng_.below(deps_.nodes.size())];
  auto& news = news_[node.number()];
  DeliverCheckpoint packet;
  std::size_t branch = news.branch;
  if (rng_.chance(flaws_) && branches_.size() > 1) {
    branch = branches_.size() - 1;
    deps_.marks.reach("attack checkpoint.forked");
  }
  append(branch, "{\"verb\":\"tick\"}");
  const auto size = branches_[branch].lines->size();
  auto shown = size;
  if (rng_.chance(flaws_ / 2)) {
    shown = 1 + rng_.below(size);
    deps_.marks.reach("attack checkpoint.older");
  }
  packet.note = note_of(branch, shown, true, rng_.chance(flaws_ / 4));
  packet.from_size = news.head ? news.head->size : 0;
  if (packet.from_size <= shown) packet.consistency = *branches_[branch].tree.consistency(packet.from_size, shown);
  if (rng_.chance(flaws_ / 4)) packet.note[rng_.below(packet.note.size())] ^= 1;
  send(node.number(), std::move(packet));
}

void Rogue::deliver_denial() {
  if (deps_.truth.plans().empty()) return;
  const auto& plan = *rng_.pick(deps_.truth.plans());
  Pens::VoteOptions options;
  options.decision = Decision::deny;
  options.policy_version = policy_.version;
  const auto human = rng_.chance(flaws_ / 2) ? kStranger : rng_.below(5);
  const auto vote = pens_.vote(human, plan.plan, plan.bytes, class_of(plan.plan), deps_.timeline.now_ms(), options);
  deps_.marks.reach("attack denial");
  send(deps_.nodes[rng_.below(deps_.nodes.size())]->number(), DeliverDenial{vote});
}

// What was sent once comes again: to the same node, or to another.
void Rogue::deliver_old() {
  if (sent_.empty()) return;
  auto [node, bytes] = rng_.pick(sent_);
  const bool elsewhere = rng_.chance(0.3);
  if (elsewhere) node = deps_.nodes[rng_.below(deps_.nodes.size())]->number();
  deps_.marks.reach(elsewhere ? "attack replay.elsewhere" : "attack replay");
  deps_.network.send(0, node, std::move(bytes));
}

void Rogue::deliver_noise() {
  auto& node = *deps_.nodes[rng_.below(deps_.nodes.size())];
  Bytes bytes;
  switch (rng_.below(3)) {
    case 0:
      bytes.resize(rng_.below(200));
      rng_.fill(bytes);
      break;
    case 1: bytes = to_bytes(Packet{Notice{{}, "", "ours is not to send this", false}}); break;
    default:
      if (sent_.empty()) return;
      bytes = rng_.pick(sent_).second;
      bytes[rng_.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << rng_.below(8));
      break;
  }
  deps_.marks.reach("attack noise");
  deps_.network.send(0, node.number(), std::move(bytes));
}

}  // namespace fw::sim
