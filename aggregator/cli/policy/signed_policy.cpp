#include "aggregator/cli/policy/signed_policy.hpp"

#include <boost/json.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "aggregator/cli/signing/bytes_text.hpp"

namespace fw::cli {
namespace {

namespace json = boost::json;
using authority::Algorithm;
using authority::Signature;

constexpr std::string_view kApiVersion = "fleetwright/v1alpha1", kKind = "SignedPolicy";
constexpr std::size_t kMaxSignatures = 64;

Error malformed(std::string why) { return {Errc::malformed, std::move(why)}; }

json::object to_json(const Signature& signature) {
  return {{"key", authority::to_text(signature.key)},
          {"algorithm", authority::to_string(signature.algorithm)},
          {"bytes", encode_base64(signature.bytes)}};
}

std::string text(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  const auto* string = value != nullptr ? value->if_string() : nullptr;
  return string != nullptr ? std::string(*string) : std::string();
}

}  // namespace

Result<Signature> read_signature(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return malformed("a signature must be an object");
  const auto key = authority::parse_digest(text(*object, "key"));
  auto bytes = decode_base64(text(*object, "bytes"));
  if (!key || !bytes) return malformed("a signature needs key (hex) and bytes (base64)");
  for (const auto algorithm : {Algorithm::ed25519, Algorithm::sk_ed25519, Algorithm::sk_p256}) {
    if (authority::to_string(algorithm) == text(*object, "algorithm")) return Signature{*key, algorithm, std::move(*bytes)};
  }
  return malformed("unknown algorithm of a signature");
}

std::string signature_json(const Signature& signature) { return json::serialize(to_json(signature)); }

std::string render_signed_policy(const SignedPolicy& policy) {
  // One line per signature: a person sees who is missing, and a diff shows what was added.
  std::string out = "{\n  \"apiVersion\": \"" + std::string(kApiVersion) + "\",\n  \"kind\": \"" + std::string(kKind) +
                    "\",\n  \"document\": \"" + encode_base64(policy.document) + "\",\n  \"signatures\": [";
  for (std::size_t i = 0; i < policy.signatures.size(); ++i) {
    out += (i == 0 ? "\n    " : ",\n    ") + signature_json(policy.signatures[i]);
  }
  return out + "\n  ]\n}\n";
}

Result<SignedPolicy> parse_signed_policy(std::string_view bytes) {
  json::error_code error;
  const auto value = json::parse(bytes, error);
  const auto* object = error ? nullptr : value.if_object();
  if (object == nullptr) return malformed("not a JSON object");
  if (text(*object, "kind") != kKind) return malformed("its kind is not SignedPolicy");
  auto document = decode_base64(text(*object, "document"));
  if (!document || document->empty()) return malformed("document: must be base64");
  SignedPolicy out{std::move(*document), {}};
  const auto* signatures = object->if_contains("signatures");
  const auto* array = signatures != nullptr ? signatures->if_array() : nullptr;
  if (array == nullptr || array->size() > kMaxSignatures) return malformed("signatures: must be a list");
  for (const auto& item : *array) {
    auto signature = read_signature(item);
    if (!signature) return signature.error();
    out.signatures.push_back(std::move(*signature));
  }
  return out;
}

RootSignatures check_root_signatures(const SignedPolicy& policy, const authority::Policy& roots) {
  const auto message = authority::signing_input(authority::Domain::policy, policy.document);
  RootSignatures out;
  for (const auto& signature : policy.signatures) {
    const auto root = std::find_if(roots.roots.begin(), roots.roots.end(),
                                   [&](const auto& entry) { return authority::key_id(entry.key) == signature.key; });
    const bool good = root != roots.roots.end() && root->key.algorithm == signature.algorithm &&
                      authority::verify_signature(root->key, message, signature.bytes);
    if (!good) {
      out.strangers.push_back(authority::to_text(signature.key));
    } else if (std::find(out.good.begin(), out.good.end(), root->name) == out.good.end()) {
      out.good.push_back(root->name);
    }
  }
  return out;
}

std::string why_not_trusted(const SignedPolicy& theirs, const SignedPolicy& mine) {
  if (theirs.document == mine.document) return {};
  const auto theirs_says = authority::parse_policy(theirs.document), mine_says = authority::parse_policy(mine.document);
  if (!theirs_says || !mine_says) return "it cannot be read";
  if (theirs_says->organisation != mine_says->organisation) return "it is of " + theirs_says->organisation + ", you trust one of " + mine_says->organisation;
  if (theirs_says->version <= mine_says->version) {
    return fmt::format("its version {} is not later than {}, which you trust", theirs_says->version, mine_says->version);
  }
  for (const auto& [whose, roots] : {std::pair("roots that you trust", *mine_says), std::pair("own roots", *theirs_says)}) {
    const auto good = check_root_signatures(theirs, roots).good.size();
    if (good < roots.root_threshold) return fmt::format("{} of the {} signed it, {} must [roots-too-few]", good, whose, roots.root_threshold);
  }
  return {};
}

}  // namespace fw::cli
