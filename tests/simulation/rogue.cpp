#include "tests/simulation/rogue.hpp"

#include <algorithm>

namespace fw::sim {

using namespace authority;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

constexpr std::string_view kVoteWords[] = {"none",    "none_at_all", "one_only",   "same_person_twice", "other_plan", "other_person",  "unknown_key",
                                           "bad_signature", "expired", "early", "old_policy", "with_denial", "mangled", "proposer_votes"};
constexpr std::string_view kProofWords[] = {"none", "missing", "wrong_entry", "wrong_index", "other_log_key", "forked", "older_head", "no_witness", "from_nowhere"};
constexpr std::string_view kEnvelopeWords[] = {"none", "lower_class", "higher_class", "garbage_plan", "flipped_bit", "cut_short"};
constexpr std::string_view kStandingWords[] = {"none", "unsigned", "one_signer", "wrong_hours", "other_action", "no_vote", "mangled"};

}  // namespace

Rogue::Rogue(Deps deps, Rng rng, PolicyMix mix, std::optional<std::size_t> stolen, double flaws)
    : deps_(deps),
      rng_(rng),
      pens_(deps.truth, Keys::get(), rng.split("pens")),
      keys_(Keys::get()),
      policy_(make_policy(mix, kStartNs / kNsPerMs)),
      stolen_(stolen),
      flaws_(flaws),
      branches_(1) {}

void Rogue::mark(std::string_view part, std::string_view word) {
  if (word != "none") deps_.marks.reach("attack " + std::string(part) + "." + std::string(word));
}

void Rogue::send(int node, Packet packet) {
  auto bytes = to_bytes(packet);
  if (sent_.size() < 64) sent_.emplace_back(node, bytes);
  else sent_[rng_.below(sent_.size())] = {node, bytes};
  deps_.network.send(0, node, std::move(bytes));
}

void Rogue::on_packet(int from, const Bytes& bytes) {
  const auto packet = parse_packet(bytes);
  if (!packet) return;
  auto& news = news_[from];
  if (const auto* status = std::get_if<ExecutorStatus>(&*packet)) {
    news.known = true;
    news.incarnation = status->incarnation;
    news.policy_version = status->policy_version;
    news.paused = status->paused;
    news.head = status->checkpoint.empty() ? std::nullopt : head_of(status->checkpoint);
  }
  if (const auto* report = std::get_if<OutcomeReport>(&*packet)) {
    const auto outcome = parse_outcome(report->outcome);
    if (!outcome) return;
    if (outcome->state == State::done) news.done.push_back(outcome->plan);
    if (outcome->state == State::unknown) news.unknown.push_back(outcome->plan);
    if (rng_.chance(0.7)) send(from, AckOutcome{outcome->plan, outcome->journal_seq, 0});
  }
}

std::size_t Rogue::append(std::size_t branch, std::string line) {
  auto& log = branches_[branch];
  log.tree.append(leaf_hash(line));
  log.lines->push_back(std::move(line));
  return log.lines->size() - 1;
}

std::string Rogue::note_of(std::size_t branch, std::uint64_t size, bool witnessed, bool other_key) {
  const auto& log = branches_[branch];
  const Checkpoint head{kOrigin, size, log.tree.root_at(size)};
  auto text = sign_note(head, other_key ? keys_.other_log : keys_.log);
  if (!other_key) deps_.heads.signed_now({head.origin, head.size, head.root}, log.lines);
  // Honest witnesses follow the first branch.
  if (witnessed && branch == 0 && !other_key) {
    for (std::size_t i = 0; i < keys_.witnesses.size(); ++i) {
      const auto name = "witness-" + std::to_string(i);
      const auto note = parse_note(text);
      if (!note) break;
      text += cosign_note(*note, name, keys_.witnesses[i], deps_.timeline.now_ns() / kSecond);
      deps_.heads.cosigned({head.origin, head.size, head.root}, name);
    }
  }
  return text;
}

void Rogue::step() {
  const auto dice = rng_.below(100);
  if (dice < 62) {
    deliver_plan();
    if (rng_.chance(0.15)) deliver_plan();
    return;
  }
  if (dice < 68) return deliver_statement();
  if (dice < 74) return deliver_policy();
  if (dice < 80) return deliver_checkpoint();
  if (dice < 85) return deliver_denial();
  if (dice < 95) return deliver_old();
  deliver_noise();
}

void Rogue::deliver_plan() {
  if (!rng_.chance(0.3)) last_node_ = rng_.below(deps_.nodes.size());   // else the same again, which may be busy
  auto& node = *deps_.nodes[last_node_];
  auto& news = news_[node.number()];
  if (!news.known) return send(node.number(), AskStatus{});
  const auto now_ms = deps_.timeline.now_ms();
  const auto plan_flaw = flaw(flaws_ / 2, PlanFlaw::count_);
  auto plan = write_plan(rng_, node, news.incarnation, pens_.nonce(), now_ms, plan_flaw);
  mark("plan", to_string(plan_flaw));
  if (rng_.chance(0.12) && !news.done.empty()) {
    plan.preconditions.clear();
    plan.effect.reset();
    plan.effect_within_ms = 0;
    if (rng_.chance(0.6)) plan.action = Undo{rng_.pick(news.done)};
    else plan.action = Extend{rng_.pick(news.done), 600'000};
  }

  Envelope envelope;
  envelope.plan = to_bytes(plan);
  envelope.action_class = class_of(plan);
  deps_.truth.plan(plan, envelope.plan, now_ms);
  const auto envelope_flaw = flaw(flaws_ / 4, EnvelopeFlaw::count_);
  mark("envelope", kEnvelopeWords[static_cast<std::size_t>(envelope_flaw)]);
  if (envelope_flaw == EnvelopeFlaw::lower_class && envelope.action_class > 0) --envelope.action_class;
  if (envelope_flaw == EnvelopeFlaw::higher_class && envelope.action_class < 3) ++envelope.action_class;
  if (envelope_flaw == EnvelopeFlaw::garbage_plan) rng_.fill(envelope.plan);

  const auto vote_flaw = flaw(flaws_ / 2, VoteFlaw::count_);
  mark("votes", kVoteWords[static_cast<std::size_t>(vote_flaw)]);
  envelope.votes = gather(plan, envelope.plan, envelope.action_class, news.policy_version, vote_flaw);
  if (rng_.chance(0.2)) {
    const auto standing_flaw = flaw(flaws_, StandingFlaw::count_);
    mark("standing", kStandingWords[static_cast<std::size_t>(standing_flaw)]);
    envelope.standing = standing_for(plan, envelope.action_class, news.policy_version, standing_flaw);
    if (envelope.standing && envelope.votes.size() > 1) envelope.votes.resize(1);
    if (standing_flaw == StandingFlaw::no_vote) envelope.votes.clear();
  }
  const auto proof_flaw = flaw(flaws_ / 3, ProofFlaw::count_);
  mark("proof", kProofWords[static_cast<std::size_t>(proof_flaw)]);
  envelope.proof = prove(news, envelope, proof_flaw);

  auto bytes = encode(envelope);
  if (envelope_flaw == EnvelopeFlaw::flipped_bit) bytes[rng_.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << rng_.below(8));
  if (envelope_flaw == EnvelopeFlaw::cut_short) bytes.resize(rng_.below(bytes.size()));
  send(node.number(), DeliverPlan{std::move(bytes)});
}

std::vector<Vote> Rogue::gather(const Plan& plan, const Bytes& bytes, std::uint8_t action_class, std::uint64_t version, VoteFlaw flaw) {
  const auto now_ms = deps_.timeline.now_ms();
  std::vector<Vote> votes;
  Pens::VoteOptions usual;
  usual.policy_version = version;
  // Honest people read the plan on their own machine. A thief signs whatever helps.
  std::vector<std::size_t> people = {kAlice, kBob, kCarol, kErin};
  if (plan.target.name_space == "batch" && action_class < 2) people.push_back(kDave);
  if (rng_.chance(flaws_ / 4)) people.insert(people.begin(), kDave);
  std::rotate(people.begin(), people.begin() + static_cast<std::ptrdiff_t>(rng_.below(people.size())), people.end());
  if (stolen_ && rng_.chance(0.5)) {
    std::erase(people, *stolen_);
    people.insert(people.begin(), *stolen_);
  }
  std::erase_if(people, [&](std::size_t human) {
    const bool proposer = plan.proposer == Proposer::person && plan.person == keys_.humans[human].person;
    return proposer && flaw != VoteFlaw::proposer_votes;
  });
  auto wanted = std::max<std::size_t>(action_class, 1);
  if (flaw == VoteFlaw::one_only) wanted = 1;
  if (flaw == VoteFlaw::none_at_all) wanted = 0;
  if (rng_.chance(0.3) && wanted > 0) ++wanted;
  // A thief alone, with no honest person's help.
  if (flaw != VoteFlaw::none && stolen_ && rng_.chance(0.5)) people = {*stolen_};
  for (std::size_t i = 0; i < people.size() && votes.size() < wanted; ++i) {
    auto options = usual;
    if (flaw == VoteFlaw::expired) options.issued_shift_ms = -300 * kMinuteMs;
    if (flaw == VoteFlaw::early) options.issued_shift_ms = 60 * kMinuteMs;
    if (flaw == VoteFlaw::old_policy) options.policy_version = version + (rng_.chance(0.5) ? 1 : std::uint64_t(-1));
    if (flaw == VoteFlaw::other_person && i == 0) options.claims = keys_.humans[(people[i] + 1) % 5].person;
    options.mangled_document = flaw == VoteFlaw::mangled && i == 0;
    votes.push_back(pens_.vote(people[i], plan, bytes, action_class, now_ms, options));
  }
  if (flaw == VoteFlaw::proposer_votes && plan.proposer == Proposer::person) {
    for (std::size_t human = 0; human < 5; ++human) {
      if (keys_.humans[human].person == plan.person) votes.push_back(pens_.vote(human, plan, bytes, action_class, now_ms, usual));
    }
  }
  if (flaw == VoteFlaw::same_person_twice) {
    votes.clear();
    for (std::size_t key = 0; key < 2; ++key) {
      auto options = usual;
      options.key = key;
      votes.push_back(pens_.vote(kAlice, plan, bytes, action_class, now_ms, options));
    }
  }
  if (flaw == VoteFlaw::other_plan && !old_votes_.empty()) votes = {rng_.pick(old_votes_), rng_.pick(old_votes_)};
  if (flaw == VoteFlaw::unknown_key) votes.push_back(pens_.vote(kStranger, plan, bytes, action_class, now_ms, usual));
  if (flaw == VoteFlaw::bad_signature && !votes.empty()) votes.back().signature.bytes[rng_.below(64)] ^= 1;
  if (flaw == VoteFlaw::with_denial && !people.empty()) {
    auto options = usual;
    options.decision = Decision::deny;
    votes.push_back(pens_.vote(people.back(), plan, bytes, action_class, now_ms, options));
  }
  for (const auto& vote : votes) {
    if (old_votes_.size() < 32) old_votes_.push_back(vote);
  }
  return votes;
}

std::optional<SignedStanding> Rogue::standing_for(const Plan& plan, std::uint8_t action_class, std::uint64_t version, StandingFlaw flaw) {
  // One that is there already is used again and again, until it is used up.
  if (flaw == StandingFlaw::none && !standings_.empty() && rng_.chance(0.7)) return rng_.pick(standings_).first;
  StandingApproval terms;
  terms.name = "night-" + std::to_string(standings_.size());
  terms.nonce = pens_.nonce();
  terms.trigger = flaw != StandingFlaw::no_vote && rng_.chance(0.3) ? Trigger::automatic : Trigger::one_approver;
  terms.policy_version = version;
  for (std::uint16_t action = 1; action <= 12; ++action) {
    if (flaw != StandingFlaw::other_action || action != plan.action.index()) terms.actions.push_back(action);
  }
  terms.max_class = std::max<std::uint8_t>(action_class, 1);
  terms.max_value = std::int64_t{1} << 30;
  terms.per_hour = static_cast<std::uint32_t>(rng_.between(1, 2));
  terms.per_day = 4;
  terms.not_before_ms = deps_.timeline.now_ms() - kMinuteMs;
  terms.not_after_ms = deps_.timeline.now_ms() + 12 * 60 * kMinuteMs;
  const auto minute = static_cast<std::uint32_t>(deps_.timeline.now_ms() / kMinuteMs % 1440);
  if (flaw == StandingFlaw::wrong_hours) {
    terms.from_minute = (minute + 60) % 1440;
    terms.to_minute = (minute + 120) % 1440;
  }
  auto bytes = to_bytes(terms);
  SignedStanding made;
  const std::size_t signers = flaw == StandingFlaw::unsigned_ ? 0 : flaw == StandingFlaw::one_signer ? 1 : 2;
  std::vector<std::size_t> people = {kAlice, kBob, kCarol};
  std::rotate(people.begin(), people.begin() + static_cast<std::ptrdiff_t>(rng_.below(3)), people.end());
  if (flaw == StandingFlaw::one_signer && stolen_) people[0] = *stolen_;
  if (flaw == StandingFlaw::mangled) bytes.resize(bytes.size() + 8, 3);
  for (std::size_t i = 0; i < signers; ++i) made.signatures.push_back(pens_.sign_standing(people[i], terms, bytes));
  made.document = std::move(bytes);
  if (flaw == StandingFlaw::none) standings_.emplace_back(made, terms);
  return made;
}

LogProof Rogue::prove(NodeNews& news, Envelope& envelope, ProofFlaw flaw) {
  LogProof proof;
  if (flaw == ProofFlaw::missing) return proof;
  if (flaw == ProofFlaw::forked && branches_.size() == 1) {
    branches_.push_back({std::make_shared<std::vector<std::string>>(*branches_[0].lines), branches_[0].tree});
    append(1, "{\"verb\":\"another history\"}");
  }
  const std::size_t branch = flaw == ProofFlaw::forked ? branches_.size() - 1 : news.branch;
  auto entry = "{\"seq\":" + std::to_string(branches_[branch].lines->size()) + ",\"verb\":\"plan.released\",\"release\":\"" +
               to_text(release_digest(envelope)) + "\"}";
  if (flaw == ProofFlaw::wrong_entry) entry = "{\"verb\":\"something else\"}";
  const auto index = append(branch, entry);
  const auto size = branches_[branch].lines->size();
  proof.entry = entry;
  proof.index = flaw == ProofFlaw::wrong_index && index > 0 ? index - 1 : index;
  const auto& tree = branches_[branch].tree;
  proof.path = *tree.inclusion(proof.index, size);
  proof.note = note_of(branch, size, flaw != ProofFlaw::no_witness, flaw == ProofFlaw::other_log_key);
  proof.consistent_from = news.head ? news.head->size : 0;
  if (flaw == ProofFlaw::from_nowhere) proof.consistent_from = rng_.below(size + 1);
  if (proof.consistent_from <= size) proof.consistency = *tree.consistency(proof.consistent_from, size);
  if (flaw == ProofFlaw::older_head && size > 1) {
    // As if the log had gone back: a head from before, without the entry.
    const auto before = 1 + rng_.below(size - 1);
    proof.note = note_of(branch, before, true);
    proof.index = before - 1;
    proof.entry = (*branches_[branch].lines)[proof.index];
    proof.path = *tree.inclusion(proof.index, before);
  }
  return proof;
}

}  // namespace fw::sim
