// Who a certificate is for (tls.hpp: peer_identity, identity_of).
#include <openssl/core_names.h>

#include <limits>
#include <optional>

#include "protocol/transport/certificate.hpp"
#include "protocol/wire/text.hpp"

namespace fw::transport {
namespace {

constexpr std::string_view kOurUriPrefix = "spiffe://fleetwright/";
constexpr std::size_t kMaxNameBytes = 64;   // RFC 5280, ub-common-name

Error not_ours(std::string what) { return {Errc::permission, "the peer's certificate " + std::move(what)}; }

bool key_is_allowed(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return false;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return true;
  char group[64] = "";
  std::size_t length = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
         std::string_view(group, length) == "prime256v1";
}

std::string text_of(const ASN1_STRING* text) {
  unsigned char* raw = nullptr;
  const int length = ASN1_STRING_to_UTF8(&raw, text);
  if (length < 0) {
    ERR_clear_error();
    return {};
  }
  const TextPtr owner(raw);
  return {reinterpret_cast<const char*>(raw), static_cast<std::size_t>(length)};
}

}  // namespace

std::optional<std::string> common_name(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return std::nullopt;
  auto text = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (text.empty() || text.size() > kMaxNameBytes || !wire::is_wire_text(text)) return std::nullopt;
  return text;
}

std::int64_t time_ns(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  constexpr std::int64_t kMostSeconds = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;
  return std::min<std::int64_t>(timegm(&parts), kMostSeconds) * 1'000'000'000;
}

AlternativeNames alternative_names(const X509* certificate) {
  AlternativeNames out;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    const auto raw = [](const ASN1_STRING* s) {
      return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)), static_cast<std::size_t>(ASN1_STRING_length(s)));
    };
    if (name->type == GEN_URI) out.uris.push_back(raw(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) out.servers.push_back(raw(name->d.dNSName));
    if (name->type == GEN_IPADD) out.servers.push_back(ip_text(raw(name->d.iPAddress)));
  }
  return out;
}

Result<PeerIdentity> identity_of(const X509* certificate) {
  if (!key_is_allowed(certificate)) return not_ours("has a key of another kind than P-256 or Ed25519");
  // EKU flags are cached in the certificate by the first call, which is why OpenSSL wants it mutable.
  const auto usage = X509_get_extended_key_usage(const_cast<X509*>(certificate));
  if (usage == std::numeric_limits<std::uint32_t>::max()) return not_ours("does not say what it may be used for");
  const auto name = common_name(X509_get_subject_name(certificate));
  if (!name) return not_ours("has no common name, several, or one that is not text");

  std::optional<std::string> uri;
  for (auto& candidate : alternative_names(certificate).uris) {
    if (!candidate.starts_with(kOurUriPrefix)) continue;
    if (uri) return not_ours("has several fleetwright URIs");
    uri = std::move(candidate);
  }
  PeerIdentity peer;
  peer.name = *name;
  peer.not_after_ns = time_ns(X509_get0_notAfter(certificate));
  if ((usage & XKU_SSL_CLIENT) == 0) {
    if ((usage & XKU_SSL_SERVER) == 0) return not_ours("is for another purpose");
    peer.kind = PeerIdentity::Kind::server;
    return peer;
  }
  const std::string_view node_prefix = kNodeUriPrefix;
  if (uri && uri->starts_with(node_prefix)) {
    const auto uid = Uuid::parse(std::string_view(*uri).substr(node_prefix.size()));
    // One spelling only: two names for one node would be two nodes somewhere.
    if (!uid || uid->is_nil() || *uri != kNodeUriPrefix + uid->str()) return not_ours("names no node: not a UUID in lower case");
    peer.kind = PeerIdentity::Kind::node;
    peer.node_uid = *uid;
    return peer;
  }
  if (uri && *uri != kPersonUriPrefix + *name) return not_ours("names another person in its URI than in its common name");
  peer.kind = PeerIdentity::Kind::person;
  return peer;
}

Result<PeerIdentity> peer_identity(const SSL* ssl) {
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return PeerIdentity{};
  if (SSL_get_verify_result(ssl) != X509_V_OK) return not_ours("was not verified");
  return identity_of(certificate);
}

}  // namespace fw::transport
