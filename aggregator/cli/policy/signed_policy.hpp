// A policy with its signatures as a file: what `init` and `policy sign` write and `policy push` sends. Pure.
//
//   {"apiVersion": "fleetwright/v1alpha1", "kind": "SignedPolicy", "document": base64, "signatures": [{"key", "algorithm", "bytes"}]}
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

#include "protocol/authority/documents.hpp"

namespace fw::cli {

struct SignedPolicy {
  Bytes document;
  std::vector<authority::Signature> signatures;
};

std::string render_signed_policy(const SignedPolicy& policy);
Result<SignedPolicy> parse_signed_policy(std::string_view json);   // Errc::malformed

// {"key": hex, "algorithm": "ed25519", "bytes": base64}, as the API has it (docs/api.md).
std::string signature_json(const authority::Signature& signature);

// Errc::malformed
Result<authority::Signature> read_signature(const boost::json::value& value);

// How many of the roots of `roots` signed well; who signed otherwise is in `strangers`.
struct RootSignatures {
  std::vector<std::string> good, strangers;
};
RootSignatures check_root_signatures(const SignedPolicy& policy, const authority::Policy& roots);

// Why who trusts `mine` should not believe `theirs`; "" when it is the same, or a later one of that organisation that both its own and the
// roots of `mine` signed, each by their threshold.
std::string why_not_trusted(const SignedPolicy& theirs, const SignedPolicy& mine);

}  // namespace fw::cli
