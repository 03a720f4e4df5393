#include "protocol/authority/packets.hpp"

#include <gmock/gmock.h>

#include <set>

#include "tests/support/authority_builder.hpp"
#include "tests/unit/authority/documents/golden.hpp"

namespace fw::authority {
namespace {

template <class T>
Errc code_of(const Result<T>& result) { return result ? Errc{} : static_cast<Errc>(result.error().code.value()); }

ExecutorStatus status() {
  ExecutorStatus out;
  out.version = "0.4.0";
  out.node = test::node_uid();
  out.incarnation = test::incarnation();
  out.key = test::public_key_of("executor");
  out.policy_version = 3;
  out.policy = sha256({});
  out.pending_policy_version = 4;
  out.policy_not_after_ms = test::kNowMs;
  out.observe_only = false;
  out.paused = true;
  out.journal_problem = "sync: no space left on device";
  out.time_floor_ms = 17;
  out.checkpoint = test::Log().note();
  out.journal_seq = 99;
  out.pending_restores = 2;
  return out;
}

std::vector<Packet> packets() {
  const auto vote = test::vote(test::plan(), "erin", Decision::deny);
  const auto policy = test::sign(test::team_policy(), {"root-1", "root-2"});
  const auto pause = test::sign(test::statement(Pause{"fire"}), {"alice"});
  auto quiet = status();
  quiet.pending_policy_version.reset();
  quiet.checkpoint.clear();
  return {DeliverPlan{encode(test::envelope(test::plan(), {"alice", "bob"}))},
          DeliverDenial{vote},
          DeliverPolicy{policy.document, policy.signatures},
          DeliverStatement{pause.document, pause.signatures},
          DeliverCheckpoint{test::Log().note(), 7, {sha256({}), Digest{}}},
          AckOutcome{sha256({}), 5, 41},
          AskStatus{},
          status(),
          OutcomeReport{Bytes{1, 2, 3}, vote.signature},
          Notice{sha256({}), "too-few-people", "One more approval is needed.\nAsk bob.", true},
          quiet};
}

TEST(Packets, of_every_type_are_read_as_written) {
  std::set<std::size_t> types;
  for (const auto& packet : packets()) {
    types.insert(packet.index());
    const auto bytes = to_bytes(packet);
    EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 4), "FLX1");
    EXPECT_EQ(bytes[4], packet.index() + 1);
    const auto read = parse_packet(bytes);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, packet);
  }
  EXPECT_EQ(types.size(), std::variant_size_v<Packet>);
}

TEST(Packets, are_written_as_ever) {
  const auto all = packets();
  for (std::size_t i = 0; i < all.size(); ++i)
    compare_golden("packets/" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".bin", as_text(to_bytes(all[i])));
}

TEST(Packets, have_one_form_for_what_they_say) {
  const auto all = packets();
  for (std::size_t i = 3; i < all.size(); ++i) {
    const auto bytes = to_bytes(all[i]);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      auto flipped = bytes;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      const auto read = parse_packet(flipped);
      EXPECT_TRUE(!read || to_bytes(*read) == flipped) << i << " " << bit;
    }
  }
}

TEST(Packets, that_are_cut_or_longer_are_refused) {
  for (const auto& packet : packets()) {
    auto bytes = to_bytes(packet);
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 64) EXPECT_FALSE(parse_packet(ByteView(bytes).first(size)));
    bytes.resize(bytes.size() + 8);
    EXPECT_EQ(code_of(parse_packet(bytes)), Errc::malformed);
  }
}

TEST(Packets, of_unknown_types_are_refused) {
  auto bytes = to_bytes(Packet(AskStatus{}));
  for (const int type : {0, 11, 255}) {
    bytes[4] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(code_of(parse_packet(bytes)), Errc::unsupported);
  }
  bytes[4] = 7;
  EXPECT_TRUE(parse_packet(bytes));
  bytes[3] = '2';
  EXPECT_EQ(code_of(parse_packet(bytes)), Errc::malformed);
}

TEST(Packets, have_limits) {
  EXPECT_EQ(code_of(parse_packet(Bytes(kMaxPacketBytes + 1))), Errc::too_large);
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverPlan{Bytes(kMaxEnvelopeBytes)})))), Errc{});
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverPlan{Bytes(kMaxEnvelopeBytes + 1)})))), Errc::too_large);
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverPolicy{Bytes(kMaxPolicyBytes + 1), {}})))), Errc::too_large);
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverStatement{Bytes(kMaxDocumentBytes + 1), {}})))), Errc::too_large);
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverCheckpoint{std::string(kMaxNoteBytes + 1, 'x'), 0, {}})))), Errc::too_large);
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverCheckpoint{"", 0, std::vector<Digest>(kMaxProofPath + 1)})))), Errc::too_large);
  const auto signature = test::vote(test::plan(), "alice").signature;
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverPolicy{{}, std::vector<Signature>(kMaxVotes, signature)})))), Errc{});
  EXPECT_EQ(code_of(parse_packet(to_bytes(Packet(DeliverPolicy{{}, std::vector<Signature>(kMaxVotes + 1, signature)})))), Errc::too_large);
}

TEST(Packets, of_one_signature_have_exactly_one) {
  auto bytes = to_bytes(Packet(DeliverStatement{Bytes{1, 2}, {}}));
  bytes[4] = 2;   // read as a denial
  EXPECT_EQ(code_of(parse_packet(bytes)), Errc::malformed);
  const auto signature = test::vote(test::plan(), "alice").signature;
  bytes = to_bytes(Packet(DeliverStatement{Bytes{1, 2}, {signature, signature}}));
  bytes[4] = 2;
  EXPECT_EQ(code_of(parse_packet(bytes)), Errc::malformed);
  bytes[4] = 9;
  EXPECT_EQ(code_of(parse_packet(bytes)), Errc::malformed);
}

}  // namespace
}  // namespace fw::authority
