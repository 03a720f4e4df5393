// Every single bit of the 50 golden envelopes, flipped: refused. About 700,000 verifications, so on all cores and in a program of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <thread>

#include "protocol/authority/verifier.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

const std::string kFolder = std::string(FW_SOURCE_DIR) + "/tests/golden/authority/";

Bytes read(const std::string& name) {
  std::ifstream file(kFolder + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A node for which the envelope is good, now.
struct Case {
  std::string name;
  Bytes bytes;
  NodeFacts facts;
  Memory memory;
};

struct Golden {
  Policy policy;
  std::int64_t now_ms = 0;
  std::vector<Case> cases;

  Golden() {
    const auto text = read("index.json");
    const auto index = boost::json::parse({reinterpret_cast<const char*>(text.data()), text.size()}).as_object();
    policy = *parse_policy(read(std::string(index.at("policy").as_string())));
    now_ms = index.at("nowMs").as_int64();
    for (const auto& row : index.at("envelopes").as_array()) {
      Case made;
      made.name = row.at("file").as_string();
      made.bytes = read(made.name);
      made.facts = {test::node_uid(), test::incarnation(), test::boot_uid(), std::string(row.at("cluster").as_string()), {}, false};
      made.memory.log_origin = policy.log_origin;
      made.memory.log_key = policy.log_key;
      if (const auto from = row.at("consistentFrom").to_number<std::uint64_t>(); from > 0) {
        made.memory.checkpoint = Checkpoint{policy.log_origin, from, *parse_digest(row.at("seenRoot").as_string())};
      }
      cases.push_back(std::move(made));
    }
  }
  bool approves(const Case& node, ByteView bytes) const {
    const auto envelope = decode_envelope(bytes);
    return envelope && verify_plan(*envelope, policy, node.facts, node.memory, now_ms).approved;
  }
};

TEST(GoldenEnvelopes, are_approved_as_they_are) {
  const Golden golden;
  ASSERT_EQ(golden.cases.size(), 50U);
  for (const auto& node : golden.cases) {
    const auto envelope = decode_envelope(node.bytes);
    ASSERT_TRUE(envelope) << node.name;
    const auto verdict = verify_plan(*envelope, golden.policy, node.facts, node.memory, golden.now_ms);
    EXPECT_TRUE(verdict.approved) << node.name << ": " << verdict.refusal.sentence;
  }
}

TEST(GoldenEnvelopes, with_any_bit_flipped_are_refused) {
  const Golden golden;
  std::atomic<std::size_t> next{0}, flips{0}, approved{0};
  const auto work = [&] {
    for (auto i = next++; i < golden.cases.size(); i = next++) {
      const auto& node = golden.cases[i];
      auto bytes = node.bytes;
      for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit, ++flips) {
        const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
        bytes[bit / 8] ^= mask;
        if (golden.approves(node, bytes) && approved++ < 10) {
          ADD_FAILURE() << node.name << " is approved with bit " << bit % 8 << " of byte " << bit / 8 << " flipped";
        }
        bytes[bit / 8] ^= mask;
      }
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  threads.clear();
  std::size_t expected = 0;
  for (const auto& node : golden.cases) expected += node.bytes.size() * 8;
  EXPECT_EQ(flips, expected);
  EXPECT_EQ(approved, 0U);
  std::cout << flips << " flips refused" << std::endl;
}

}  // namespace
}  // namespace fw::authority
