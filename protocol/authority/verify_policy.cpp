// The next policy: only the roots of the old and of the new version together bring it in.
#include <set>

#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace verify {

Problem check_roots(Domain domain, ByteView document, const std::vector<Signature>& signatures, const Policy& policy) {
  const auto message = signing_input(domain, document);
  std::set<Digest> good;
  for (const auto& root : policy.roots) {
    const auto id = key_id(root.key);
    for (const auto& signature : signatures) {
      if (signature.key == id && signature.algorithm == root.key.algorithm && verify_signature(root.key, message, signature.bytes)) good.insert(id);
    }
  }
  const auto needed = std::max<std::uint32_t>(1, policy.root_threshold);
  if (good.size() >= needed) return {};
  return refuse(Code::roots_too_few, "the roots of policy version ", policy.version, " need ", needed, " signatures, ", good.size(),
                " are good: more of them sign");
}

}  // namespace verify

namespace {

using namespace verify;

Problem check_size(ByteView document, const std::vector<Signature>& signatures) {
  if (document.size() <= kMaxPolicyBytes && signatures.size() <= kMaxListEntries) return {};
  return refuse(Code::policy_malformed, "the policy has ", document.size(), " bytes and ", signatures.size(), " signatures; the limits are ",
                kMaxPolicyBytes, " and ", kMaxListEntries);
}

Problem check_successor(const Policy& next, const Policy& current, std::int64_t now_ms) {
  if (next.organisation != current.organisation) {
    return refuse(Code::policy_invalid, "the policy is of ", next.organisation, ", this node belongs to ", current.organisation, ": send it there");
  }
  if (next.version <= current.version) {
    return refuse(Code::policy_older, "the policy is version ", next.version, ", this node has version ", current.version,
                  ": number the next one ", current.version + 1);
  }
  if (next.version - current.version > 1) {
    return refuse(Code::policy_gap, "the policy is version ", next.version, ", this node has version ", current.version, ": send version ",
                  current.version + 1, " first");
  }
  if (now_ms > next.not_after_ms) {
    return refuse(Code::policy_expired, "policy version ", next.version, " ended at ", time_text(next.not_after_ms), ", it is ", time_text(now_ms),
                  ": sign a new one");
  }
  return {};
}

}  // namespace

PolicyVerdict verify_policy(ByteView document, const std::vector<Signature>& signatures, const Policy& current, std::int64_t now_ms) {
  const auto refused = [](Refusal refusal) { return PolicyVerdict{{}, {}, std::move(refusal)}; };
  if (auto problem = check_size(document, signatures)) return refused(*problem);
  if (auto problem = check_roots(Domain::policy, document, signatures, current)) return refused(*problem);
  auto next = parse_policy(document);
  if (!next) return refused(refuse(Code::policy_malformed, "the policy cannot be read (", next.error().message(), "): compile and sign it again"));
  if (const auto broken = check_policy(*next); !broken.empty()) {
    return refused(refuse(Code::policy_invalid, "the policy breaks a rule. ", joined(broken, " "), " Correct and sign it again."));
  }
  if (auto problem = check_successor(*next, current, now_ms)) return refused(*problem);
  if (auto problem = check_roots(Domain::policy, document, signatures, *next)) return refused(*problem);
  const auto active_from_ms = now_ms + (loosened_by(current, *next).empty() ? 0 : kLooseningDelayMs);
  return {std::move(*next), active_from_ms, {}};
}

}  // namespace fw::authority
