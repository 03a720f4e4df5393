// Everything that is not exactly what was approved is refused: every field, every mixture of plans, votes and nodes. Every bit: bit_flips_test.cpp.
#include <functional>
#include <random>

#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

// The verdict on bytes as they come from outside.
bool approves(const World& world, ByteView bytes) {
  const auto envelope = decode_envelope(bytes);
  return envelope && world.verify(*envelope).approved.has_value();
}

TEST(TruncatedEnvelope, is_refused_at_every_length) {
  World world;
  auto bytes = encode(world.envelope());
  while (!bytes.empty()) {
    bytes.pop_back();
    EXPECT_FALSE(approves(world, bytes)) << bytes.size();
  }
}

// K plans, an envelope's votes, proof and class from any of them, on any of the nodes.
TEST(CrossProduct, of_plans_votes_proofs_and_nodes_has_only_the_true_ones) {
  constexpr std::size_t kPlans = 4, kNodes = 3;
  World world;
  std::vector<NodeFacts> nodes;
  for (std::size_t n = 0; n < kNodes; ++n) {
    nodes.push_back(world.facts);
    nodes.back().node = uuid("node " + std::to_string(n));
    nodes.back().incarnation = nonce("incarnation " + std::to_string(n));
  }
  std::vector<Envelope> released;
  std::vector<std::size_t> node_of;
  for (std::size_t p = 0; p < kPlans; ++p) {
    node_of.push_back(p % kNodes);
    world.plan.nonce = nonce("plan " + std::to_string(p));
    world.plan.target.node = nodes[p % kNodes].node;
    world.plan.target.incarnation = nodes[p % kNodes].incarnation;
    released.push_back(world.envelope());
  }
  std::size_t approved = 0;
  for (std::size_t plan = 0; plan < kPlans; ++plan) {
    for (std::size_t votes = 0; votes < kPlans; ++votes) {
      for (std::size_t proof = 0; proof < kPlans; ++proof) {
        for (std::size_t node = 0; node < kNodes; ++node) {
          auto envelope = released[plan];
          envelope.votes = released[votes].votes;
          envelope.proof = released[proof].proof;
          const bool is_true = plan == votes && plan == proof && node_of[plan] == node;
          const auto verdict = verify_plan(envelope, world.policy, nodes[node], world.memory, kNow);
          EXPECT_EQ(verdict.approved.has_value(), is_true) << plan << ' ' << votes << ' ' << proof << ' ' << node << ' ' << verdict.refusal.sentence;
          approved += verdict.approved ? 1U : 0U;
        }
      }
    }
  }
  EXPECT_EQ(approved, kPlans);
}

// Signs anything with keys that are not enough: one approver, the log, a witness, a root. Whatever they build, it is refused.
TEST(StolenKeys, of_one_approver_and_the_whole_aggregator_are_not_enough) {
  std::mt19937 random(20'261'124);
  const std::vector<std::string> stolen = {"alice", "log", "node/w1", "root-1", "mallory"};
  const std::vector<std::string> people = {"alice", "bob", "carol", "dave", "mallory"};
  for (int round = 0; round < 400; ++round) {
    World world;
    const auto pick = [&](const std::vector<std::string>& list) { return list[random() % list.size()]; };
    if (random() % 2 == 0) world.plan.nonce = nonce(std::to_string(round));
    if (random() % 4 == 0) world.plan.target.boot = world.facts.boot;
    std::vector<Vote> votes;
    for (auto count = random() % 5; count > 0; --count) {
      auto approval = world.approval(pick(people));
      if (random() % 3 == 0) approval.nonce = nonce(std::to_string(random()));
      votes.push_back(World::sign(approval, pick(stolen)));
      if (random() % 3 == 0) votes.back().signature.key = key_id(key(pick(people)).public_key());
    }
    std::optional<SignedStanding> standing;
    if (random() % 3 == 0) {
      auto pass = world.pass();
      pass.trigger = random() % 2 == 0 ? Trigger::automatic : Trigger::one_approver;
      standing = World::sign(pass, {pick(stolen), pick(stolen)});
    }
    EXPECT_FALSE(world.verify(world.envelope(votes, standing)).approved) << round;
  }
}

// One random field of the envelope is replaced by another plausible value; the release is proved anew half of the time.
TEST(RandomField, changed_after_the_votes_is_refused) {
  std::mt19937 random(7);
  World world;
  const auto good = world.envelope(world.votes({"alice", "bob"}));
  const std::vector<std::function<void(Envelope&)>> changes = {
      [&](Envelope& e) { e.action_class ^= static_cast<std::uint8_t>(1 + random() % 255); },
      [&](Envelope& e) { e.plan[random() % e.plan.size()] ^= static_cast<std::uint8_t>(1 + random() % 255); },
      [&](Envelope& e) { e.plan.insert(e.plan.end(), 8, 0); },
      [&](Envelope& e) { e.plan.resize(e.plan.size() - 8); },
      [&](Envelope& e) { e.votes.erase(e.votes.begin() + static_cast<std::ptrdiff_t>(random() % 2)); },
      [&](Envelope& e) { e.votes[random() % 2] = e.votes[random() % 2], e.votes[0] = e.votes[1]; },
      [&](Envelope& e) { std::swap(e.votes[0].document, e.votes[1].document); },
      [&](Envelope& e) { std::swap(e.votes[0].signature, e.votes[1].signature); },
      [&](Envelope& e) { std::swap(e.votes[0].signature.key, e.votes[1].signature.key); },
      [&](Envelope& e) { std::swap(e.votes[0].signature.bytes, e.votes[1].signature.bytes); },
      [&](Envelope& e) { auto& d = e.votes[random() % 2].document; d[random() % d.size()] ^= static_cast<std::uint8_t>(1 + random() % 255); },
      [&](Envelope& e) { auto& s = e.votes[random() % 2].signature.bytes; s[random() % s.size()] ^= static_cast<std::uint8_t>(1 + random() % 255); },
      [&](Envelope& e) { e.votes[random() % 2].signature.bytes.push_back(0); },
      [&](Envelope& e) { e.votes[random() % 2].signature.bytes.pop_back(); },
      [&](Envelope& e) { e.votes[random() % 2].signature.bytes.clear(); },
  };
  ASSERT_TRUE(world.verify(good).approved);
  for (int round = 0; round < 300; ++round) {
    auto envelope = good;
    const auto change = random() % changes.size();
    changes[change](envelope);
    if (random() % 2 == 0) world.prove(envelope);
    EXPECT_FALSE(world.verify(envelope).approved) << "change " << change << " round " << round;
  }
}

}  // namespace
}  // namespace fw::authority::verifier_test
