#include "node-agent/executor/app/dry_run.hpp"

#include "protocol/authority/catalogue.hpp"

namespace fw::executor {
namespace {

using namespace authority;

DryRun refused(std::string text, const std::string& sentence, std::string_view code) {
  return {std::move(text) + "would refuse: " + sentence + " [" + std::string(code) + "]\n", false};
}

}  // namespace

DryRun dry_run(ByteView bytes, const Policy& policy, const NodeFacts& facts, Actuator& actuator, std::int64_t now_ms) {
  std::string text;
  auto envelope = decode_envelope(bytes);
  if (!envelope) return refused(text, envelope.error().message(), to_string(Code::envelope_malformed));
  envelope->proof.consistent_from = 0;   // to what the journal saw
  envelope->proof.consistency.clear();
  const auto plan = parse_plan(envelope->plan);
  auto node = facts;
  if (plan) node.incarnation = plan->target.incarnation;
  Memory memory;
  memory.log_origin = policy.log_origin;
  memory.log_key = policy.log_key;
  const auto verdict = verify_plan(*envelope, policy, node, memory, now_ms);
  if (!verdict.approved) return refused(text, verdict.refusal.sentence, to_string(verdict.refusal.code));
  const auto& approved = *verdict.approved;
  text += "plan " + to_text(approved.digest) + ": " + describe(approved.plan.action) + ", class " + std::to_string(approved.action_class) + "\n";
  for (const auto& person : approved.people) text += "approved by " + person.str() + "\n";
  auto target = actuator.open(approved.plan);
  if (!target) return refused(text, target.error().message(), to_string(Code::target_gone));
  text += "target " + (*target)->identity() + "\n";
  for (const auto& check : approved.plan.preconditions) {
    const auto read = (*target)->read(check.probe);
    text += "precondition " + to_string(check) + ": " + (read ? "read " + std::to_string(*read) : read.error().message()) + "\n";
    if (!read || !holds(check, *read)) return refused(text, "A precondition does not hold.", to_string(Code::precondition_changed));
  }
  const auto snapshot = (*target)->snapshot();
  if (!snapshot) return refused(text, snapshot.error().message(), to_string(Code::target_gone));
  return {text + "would act\n", true};
}

}  // namespace fw::executor
