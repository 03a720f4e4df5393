// Test program: what a truthful server would say, and what a node would count. `plan_maker plan NOW_MS [person]` prints a Plan as JSON;
// `plan_maker count POLICY.json PLAN_BASE64 NOW_MS` reads {"document","signature"} lines and prints who counts; `plan_maker statement|standing
// POLICY.json NOW_MS` reads one such line and prints the people whose signature is good.
#include <boost/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/plans/plan_object.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "protocol/authority/catalogue.hpp"
#include "protocol/authority/verifier.hpp"
#include "tests/support/authority_builder.hpp"

namespace {

using namespace fw;
using namespace fw::authority;
namespace json = boost::json;

struct Signed {
  Bytes document;
  Signature signature;
};

std::vector<Signed> read_signed() {
  std::vector<Signed> out;
  for (std::string line; std::getline(std::cin, line);) {
    const auto object = json::parse(line).as_object();
    out.push_back({*decode_base64(std::string_view(object.at("document").as_string())), *cli::read_signature(object.at("signature"))});
  }
  return out;
}

Policy read_policy(const char* path) { return *parse_policy(cli::parse_signed_policy(*cli::read_file(path, cli::kMaxConfigBytes))->document); }

int print_plan(std::int64_t now_ms, const char* proposer) {
  auto plan = authority::test::plan();
  plan.incident = "INC-7";
  plan.target.display_name = "checkout";
  plan.not_before_ms = now_ms - 1000;
  plan.not_after_ms = now_ms + 3'600'000;
  plan.nonce = make_nonce();
  plan.preconditions = {{Probe::memory_limit_bytes, Comparison::equal, 64 << 20}};
  plan.effect = Check{Probe::memory_limit_bytes, Comparison::equal, 256 << 20};
  plan.effect_within_ms = 10'000;
  if (proposer != nullptr) {
    plan.proposer = Proposer::person;
    plan.person = {"local", proposer};
  }
  const auto checked = cli::check_plan_bytes(to_bytes(plan), plan);
  for (const auto& problem : checked.problems) std::cerr << problem << "\n";
  const json::object out{
      {"apiVersion", "fleetwright/v1alpha1"}, {"kind", "Plan"}, {"digest", to_text(checked.digest)}, {"class", checked.action_class},
      {"document", encode_base64(checked.bytes)}, {"incident", "INC-7"}, {"state", "PROPOSED"}, {"stateText", "waits for 2 of 2 approvals"},
      {"action", "set_memory_limit"}, {"summary", describe(plan.action)}, {"node", "node-a"}, {"proposer", proposer != nullptr ? proposer : "engine"},
      {"createdNs", now_ms * 1'000'000}, {"notAfterMs", plan.not_after_ms}, {"policyVersion", 1},
      {"safeRange", {{"min", 192 << 20}, {"max", 1 << 30}, {"unit", "bytes"}, {"why", "its highest use was 180 MiB"}}},
      {"byHand", {"echo 268435456 > /sys/fs/cgroup/memory/shop/checkout/memory.limit_in_bytes"}},
      {"votes", json::array()}, {"needed", {{"people", 2}, {"have", 0}}}};
  std::cout << json::serialize(out) << "\n";
  return checked.problems.empty() ? 0 : 1;
}

int count(const char* policy, const char* plan, std::int64_t now_ms) {
  std::vector<Vote> votes;
  for (auto& item : read_signed()) votes.push_back({item.document, item.signature});
  const auto progress = count_votes(*decode_base64(plan), votes, std::nullopt, read_policy(policy), now_ms);
  for (const auto& person : progress.people) std::cout << person.str() << "\n";
  if (progress.enough) std::cout << "enough\n";
  if (progress.denied) std::cout << "denied\n";
  for (const auto& refusal : progress.bad) std::cout << "bad " << to_string(refusal.code) << "\n";
  return 0;
}

int check_signed(Domain domain, const char* policy_file) {
  const auto policy = read_policy(policy_file);
  for (const auto& item : read_signed()) {
    for (const auto& approver : policy.approvers) {
      for (const auto& key : approver.keys) {
        if (key_id(key) == item.signature.key && verify_signature(key, signing_input(domain, item.document), item.signature.bytes)) {
          std::cout << approver.person.str() << "\n";
        }
      }
    }
    if (domain == Domain::statement && !parse_statement(item.document)) return 1;
    if (domain == Domain::standing && !parse_standing(item.document)) return 1;
  }
  return 0;
}

int print_resume(std::int64_t issued_ms, std::int64_t expires_ms, std::uint64_t version) {
  Statement resume{Resume{"as the server has it"}, make_nonce(), version, issued_ms, expires_ms};
  std::cout << encode_base64(to_bytes(resume)) << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "plan" && argc >= 3) return print_plan(std::strtoll(argv[2], nullptr, 10), argc > 3 ? argv[3] : nullptr);
  if (verb == "resume" && argc == 5) return print_resume(std::strtoll(argv[2], nullptr, 10), std::strtoll(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10));
  if (verb == "count" && argc == 5) return count(argv[2], argv[3], std::strtoll(argv[4], nullptr, 10));
  if ((verb == "statement" || verb == "standing") && argc == 3) {
    return check_signed(verb == "statement" ? Domain::statement : Domain::standing, argv[2]);
  }
  return 2;
}
