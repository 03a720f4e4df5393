// The place in the audit log: entry, proof, signed head, what the node saw before, witnesses.
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

Code changed(void (*change)(World&, Envelope&)) {
  World world;
  auto envelope = world.envelope();
  change(world, envelope);
  return world.code(envelope);
}

TEST(Inclusion, needs_an_entry_and_a_head) {
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.entry.clear(); }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.note.clear(); }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof = {}; }), Code::inclusion_missing);
}

TEST(Inclusion, is_of_these_votes_and_no_others) {
  EXPECT_EQ(changed([](World& w, Envelope& e) { e.votes.push_back(w.vote("carol")); }), Code::inclusion_missing);
  World world;
  auto released = world.envelope(world.votes({"alice", "carol"}));
  auto sent = world.envelope();
  sent.proof = released.proof;
  EXPECT_EQ(world.code(sent), Code::inclusion_missing);
}

TEST(Inclusion, of_a_standing_approval_is_part_of_the_release) {
  World world;
  auto released = world.envelope();
  auto sent = world.envelope(world.votes({"alice", "bob"}), World::sign(world.pass(), {"alice", "bob"}));
  sent.proof = released.proof;
  EXPECT_EQ(world.code(sent), Code::inclusion_missing);
}

TEST(Inclusion, of_a_text_that_only_speaks_of_the_release_is_none) {
  World world;
  auto envelope = world.envelope();
  envelope.proof.entry = R"({"verb":"note","text":"\",\"release\":\")" + to_text(release_digest(envelope)) + R"(\""})";
  envelope.proof.index = world.book.append(envelope.proof.entry);
  const auto size = world.book.tree().size();
  envelope.proof.path = *world.book.tree().inclusion(envelope.proof.index, size);
  envelope.proof.consistency = *world.book.tree().consistency(5, size);
  envelope.proof.note = world.book.note(size);
  EXPECT_EQ(world.code(envelope), Code::inclusion_missing);
}

TEST(Inclusion, is_proved) {
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.index -= 1; }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.index = e.proof.path.size() + 100; }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.path[0][0] ^= 1; }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.path.pop_back(); }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.path.push_back({}); }), Code::inclusion_missing);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.entry += ' '; }), Code::inclusion_missing);
}

TEST(Checkpoint, must_be_read) {
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.note = "nonsense"; }), Code::checkpoint_bad);
  EXPECT_EQ(changed([](World&, Envelope& e) { e.proof.note.pop_back(); }), Code::checkpoint_bad);
}

TEST(Checkpoint, is_of_the_log_that_this_node_follows) {
  const auto with_book = [](Book book) {
    World world;
    world.memory.checkpoint.reset();
    world.book = std::move(book);
    return world.code(world.envelope());
  };
  EXPECT_EQ(with_book(Book()), Code::ok);
  EXPECT_EQ(with_book(Book("fleetwright/acme/audit", "mallory")), Code::checkpoint_bad);
  EXPECT_EQ(with_book(Book("fleetwright/other/audit", "log")), Code::checkpoint_bad);
}

TEST(Checkpoint, of_a_new_origin_is_good_where_the_node_follows_that_one) {
  World world;
  world.book = Book("fleetwright/acme/audit-2", "log-2");
  world.memory.checkpoint.reset();
  const auto envelope = world.envelope();
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad);
  world.memory.log_origin = "fleetwright/acme/audit-2";
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad);
  world.memory.log_key = key("log-2").public_key();
  EXPECT_EQ(world.code(envelope), Code::ok);
}

TEST(Checkpoint, continues_the_newest_that_the_node_saw) {
  World world;
  const auto envelope = world.envelope();   // size 10, from 5
  EXPECT_EQ(world.code(envelope), Code::ok);
  world.memory.checkpoint.reset();
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad) << "the proof starts elsewhere";
  EXPECT_EQ(world.code(world.envelope()), Code::ok);
  world.memory.checkpoint = world.book.checkpoint(6);
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad) << "the proof starts elsewhere";
  world.memory.checkpoint = world.book.checkpoint(4);
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad) << "the proof starts elsewhere";
  world.memory.checkpoint = world.book.checkpoint(5);
  world.memory.checkpoint->root[0] ^= 1;
  EXPECT_EQ(world.code(envelope), Code::checkpoint_inconsistent);
}

TEST(Checkpoint, of_the_same_size_has_the_same_root) {
  World world;
  auto envelope = world.envelope();
  world.memory.checkpoint = world.book.checkpoint(10);
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad) << "the proof starts elsewhere";
  envelope.proof.consistent_from = 10;
  EXPECT_EQ(world.code(envelope), Code::checkpoint_inconsistent) << "and is not needed";
  envelope.proof.consistency.clear();
  EXPECT_EQ(world.code(envelope), Code::ok);
  world.memory.checkpoint->root[31] ^= 1;
  EXPECT_EQ(world.code(envelope), Code::checkpoint_inconsistent);
}

TEST(Checkpoint, that_is_older_than_the_newest_seen_must_come_newer) {
  World world;
  auto envelope = world.envelope();
  world.book.fill(11);
  world.memory.checkpoint = world.book.checkpoint(11);
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad);
  envelope.proof.consistent_from = 11;
  EXPECT_EQ(world.code(envelope), Code::checkpoint_bad);
  EXPECT_TRUE(may_come_again(Code::checkpoint_bad));
}

TEST(Checkpoint, of_a_forked_log_is_inconsistent) {
  World world;
  world.book = Book();
  world.book.fill(9, "forked");
  EXPECT_EQ(world.code(world.envelope()), Code::checkpoint_inconsistent);
}

TEST(Witnesses, are_as_many_as_the_policy_wants) {
  World world;
  const auto with = [&](std::uint32_t quorum, std::vector<std::string> cosigners) {
    world.policy.witness_quorum = quorum;
    world.cosigners = std::move(cosigners);
    return world.code(world.envelope());
  };
  EXPECT_EQ(with(0, {}), Code::ok);
  EXPECT_EQ(with(1, {}), Code::witnesses_missing);
  EXPECT_EQ(with(1, {"node/w2"}), Code::ok);
  EXPECT_EQ(with(2, {"node/w2"}), Code::witnesses_missing);
  EXPECT_EQ(with(2, {"node/w2", "node/w1"}), Code::ok);
  EXPECT_EQ(with(2, {"node/w2", "node/w2"}), Code::witnesses_missing);
  EXPECT_EQ(with(1, {"node/other"}), Code::witnesses_missing);
}

TEST(Witnesses, with_one_key_under_two_names_count_once) {
  World world;
  world.policy.witness_quorum = 2;
  world.policy.witnesses.push_back({"node/alias", key("node/w1").public_key()});
  auto envelope = world.envelope();
  const auto note = parse_note(envelope.proof.note);
  envelope.proof.note += cosign_note(*note, "node/w1", key("node/w1"), kNow / 1000) + cosign_note(*note, "node/alias", key("node/w1"), kNow / 1000);
  EXPECT_EQ(world.code(envelope), Code::witnesses_missing);
}

}  // namespace
}  // namespace fw::authority::verifier_test
