// Files for the tests of the real executor program: a policy with keys of tests, and packets for it, good ones and bad ones.
//
//   executor_fixture policy FOLDER                          policy.bin; prints its SHA-256
//   executor_fixture packets FOLDER STATUS CGROUP LIMIT     good.bin and bad-*.bin for the executor whose status packet is in STATUS
//   executor_fixture outcome FILE                           state, code and sentence of an outcome packet; nothing for others
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "common/id.hpp"
#include "protocol/authority/packets.hpp"
#include "tests/support/authority_builder.hpp"

namespace {

using namespace fw;
using namespace fw::authority;
namespace made = fw::authority::test;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Bytes read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes{std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, ByteView bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Policy policy() {
  auto out = made::team_policy();
  out.issued_ms = now_ms() - made::kHourMs;
  out.not_after_ms = now_ms() + 24 * made::kHourMs;
  return out;
}

Vote vote(const Plan& plan, std::string_view name, std::int64_t expires_ms = now_ms() + made::kHourMs) {
  auto approval = made::approval(plan, name);
  approval.issued_ms = now_ms() - 1000;
  approval.expires_ms = expires_ms;
  return made::sign(approval, name);
}

Envelope envelope(const Plan& plan, std::vector<Vote> votes) {
  auto out = made::envelope(plan, {});
  out.votes = std::move(votes);
  made::Log log;
  return made::released(std::move(out), log);
}

int packets(const std::string& folder, const std::string& status_file, const std::string& cgroup, const std::string& limit) {
  const auto parsed = parse_packet(read(status_file));
  if (!parsed || !std::holds_alternative<ExecutorStatus>(*parsed)) return 1;
  const auto& status = std::get<ExecutorStatus>(*parsed);
  auto plan = made::plan(SetMemoryLimit{std::atoll(limit.c_str()), 0});
  plan.nonce = make_nonce();
  plan.target.node = status.node;
  plan.target.incarnation = status.incarnation;
  plan.target.cgroup_path = cgroup;
  plan.target.cgroup_inode = 0;
  plan.target.boot.reset();
  plan.preconditions = {{Probe::memory_limit_bytes, Comparison::equal, 64 << 20}};
  plan.effect = Check{Probe::memory_limit_bytes, Comparison::equal, std::atoll(limit.c_str())};
  plan.effect_within_ms = 5000;
  plan.not_before_ms = now_ms() - 1000;
  plan.not_after_ms = now_ms() + made::kHourMs;
  const auto put = [&](const std::string& name, const Envelope& one) { write(folder + "/" + name + ".bin", to_bytes(Packet(DeliverPlan{encode(one)}))); };
  put("good", envelope(plan, {vote(plan, "alice"), vote(plan, "bob")}));
  put("bad-too-few", envelope(plan, {vote(plan, "alice")}));
  put("bad-twice", envelope(plan, {vote(plan, "alice"), vote(plan, "alice")}));
  put("bad-unknown", envelope(plan, {vote(plan, "alice"), vote(plan, "mallory")}));
  put("bad-expired", envelope(plan, {vote(plan, "alice", now_ms() - 600'000), vote(plan, "bob", now_ms() - 600'000)}));
  auto other = plan;
  other.target.node = made::node_uid();
  put("bad-node", envelope(other, {vote(other, "alice"), vote(other, "bob")}));
  auto swapped = envelope(plan, {vote(plan, "alice"), vote(plan, "bob")});
  swapped.plan = to_bytes(other);
  put("bad-swapped", swapped);
  auto forged = envelope(plan, {vote(plan, "alice"), vote(plan, "bob")});
  forged.votes[1].signature.bytes[0] ^= 1U;
  put("bad-forged", forged);
  auto unproven = envelope(plan, {vote(plan, "alice"), vote(plan, "bob")});
  unproven.proof = {};
  put("bad-unproven", unproven);
  write(folder + "/bad-ask.bin", to_bytes(Packet(AskStatus{})));
  write(folder + "/bad-ack.bin", to_bytes(Packet(AckOutcome{})));
  write(folder + "/bad-denial.bin", to_bytes(Packet(DeliverDenial{vote(plan, "mallory")})));
  write(folder + "/bad-policy.bin", to_bytes(Packet(DeliverPolicy{to_bytes(policy()), {}})));
  return 0;
}

int outcome(const std::string& file) {
  const auto packet = parse_packet(read(file));
  if (!packet) return 1;
  if (const auto* report = std::get_if<OutcomeReport>(&*packet)) {
    const auto parsed = parse_outcome(report->outcome);
    if (!parsed) return 1;
    std::cout << to_string(parsed->state) << " " << parsed->code << " " << parsed->sentence << "\n";
  } else if (const auto* notice = std::get_if<Notice>(&*packet)) {
    std::cout << "NOTICE " << notice->code << " " << notice->sentence << "\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "policy") {
    const auto bytes = to_bytes(policy());
    write(words[1] + "/policy.bin", bytes);
    std::cout << to_text(sha256(bytes)) << "\n";
    return 0;
  }
  if (words.size() == 5 && words[0] == "packets") return packets(words[1], words[2], words[3], words[4]);
  if (words.size() == 2 && words[0] == "outcome") return outcome(words[1]);
  std::cerr << "usage: executor_fixture policy|packets|outcome ...\n";
  return 2;
}
