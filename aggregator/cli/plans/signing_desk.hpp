// What every command that signs shares: the policy that counts, whose key signs, the plan that is meant, the question before the signature.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aggregator/cli/plans/plan_object.hpp"
#include "aggregator/cli/session.hpp"
#include "aggregator/cli/signing/signer.hpp"

namespace fw::cli {

// The newest policy of the server, parsed here. fetch_trust: one that goes on from the context's trusted-policy, where it has one; what is
// signed or counted goes by it. fetch_policy: whatever the server has, to be looked at.
struct Trust {
  PolicyObject object;
  authority::Policy policy;
};
Outcome<Trust> fetch_trust(Session& session);
Outcome<Trust> fetch_policy(Session& session);

// `flag` (--key), else $FLEETWRIGHT_SIGNING_KEY, else the context's signing-key, else the SSH agent's only key of `listed`.
Outcome<std::unique_ptr<Signer>> open_signer(Session& session, const std::string& flag, const std::vector<authority::PublicKey>& listed);

// A signer whose key is one of a person of the policy.
struct Desk {
  Trust trust;
  std::unique_ptr<Signer> signer;
  authority::Person person;
};
Outcome<Desk> open_desk(Session& session, const std::string& key_flag);

// `id`: INC-7, 7, or at least 8 hex digits of a digest. `wanted`: --plan; a plan that is not it is refused with plan_changed.
struct FoundPlan {
  std::string json;
  PlanObject object;
  CheckedPlan plan;
};
Outcome<FoundPlan> find_plan(Session& session, const std::string& id, const std::string& wanted = {});
Outcome<FoundPlan> found_plan(std::string json);   // an answer of the server
bool names_whole_digest(std::string_view wanted);

// On a terminal the person types `name`; without one, or with `yes`, `explicitly` must hold: what is signed was named whole.
struct Question {
  std::string sentence;    // "to approve this as alice with people/alice.sign.key"
  std::string name;        // to be typed
  bool yes = false;
  bool explicitly = false;
  std::string how;         // the command that needs no terminal
};
Outcome<void> confirm(const Session& session, const Question& question);

Outcome<authority::Signature> sign_with(Signer& signer, authority::Domain domain, ByteView document);
std::string document_body(ByteView document, const authority::Signature& signature);   // {"document", "signature"}

inline constexpr std::int64_t kNsPerMs = 1'000'000;
inline std::int64_t now_ms(const Session& session) { return session.now_ns() / kNsPerMs; }

}  // namespace fw::cli
