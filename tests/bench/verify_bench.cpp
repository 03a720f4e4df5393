// verify_bench: how long one node needs to decide about one plan: class 2, two signatures, inclusion and consistency in a log of 10,000
// entries, a team policy. One line of JSON: {"verify_p50_ms": ..., "verify_p99_ms": ...}. Decoding the envelope is part of it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "protocol/authority/verifier.hpp"
#include "tests/support/authority_builder.hpp"

namespace {

using namespace fw;
using namespace fw::authority;

constexpr std::size_t kLogEntries = 10'000, kSeenEntries = 9'000, kRounds = 5'000;

}  // namespace

int main() {
  const Policy policy = test::team_policy();
  test::Log log;
  std::optional<Checkpoint> seen;
  for (std::size_t i = 0; i < kLogEntries; ++i) {
    log.append("entry " + std::to_string(i));
    if (i + 1 == kSeenEntries) seen = log.checkpoint();
  }
  const Bytes bytes = encode(test::released(test::envelope(test::plan(), {"alice", "bob"}), log, kSeenEntries));

  const NodeFacts facts{.node = test::node_uid(), .incarnation = test::incarnation(), .boot = test::boot_uid(), .cluster = "", .labels = {}, .observe_only = false};
  Memory memory;
  memory.checkpoint = seen;
  memory.log_origin = policy.log_origin;
  memory.log_key = policy.log_key;

  std::vector<double> ms;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto envelope = decode_envelope(bytes);
    const Verdict verdict = envelope ? verify_plan(*envelope, policy, facts, memory, test::kNowMs + 1'000) : Verdict{};
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    if (!verdict.approved) {   // a benchmark of refusals would be a lie
      std::fprintf(stderr, "verify_bench: refused: %s\n", verdict.refusal.sentence.c_str());
      return EXIT_FAILURE;
    }
  }
  std::sort(ms.begin(), ms.end());
  std::printf("{\"verify_p50_ms\": %.4f, \"verify_p99_ms\": %.4f}\n", ms[ms.size() / 2], ms[ms.size() * 99 / 100]);
}
