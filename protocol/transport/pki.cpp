#include "protocol/transport/pki.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "protocol/transport/certificate.hpp"
#include "protocol/wire/text.hpp"

namespace fw::transport {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxServerNameBytes = 253;

Error invalid(std::string what) { return {Errc::invalid_argument, "certificate: " + std::move(what)}; }

bool all_of(std::string_view text, std::string_view extra) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || extra.find(c) != std::string_view::npos;
  });
}

Result<void> check_name(const std::string& name) {
  const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > kMaxNameBytes || !printable || !wire::is_wire_text(name))
    return invalid("a name must be 1 to 64 bytes of text");
  return {};
}

Result<void> check_validity(Validity validity) {
  if (validity.not_after_ns / kNsPerSecond <= validity.not_before_ns / kNsPerSecond) return invalid("validity is empty");
  return {};
}

std::string ip_bytes(const std::string& text) {
  std::array<char, 16> raw{};
  if (inet_pton(AF_INET, text.c_str(), raw.data()) == 1) return {raw.data(), 4};
  if (inet_pton(AF_INET6, text.c_str(), raw.data()) == 1) return {raw.data(), 16};
  return {};
}

Result<void> check_request(const CertificateRequest& request) {
  if (auto ok = check_name(request.name); !ok) return ok;
  if (auto ok = check_validity(request.validity); !ok) return ok;
  switch (request.role) {
    case PeerIdentity::Kind::none: return invalid("a role is needed");
    case PeerIdentity::Kind::node:
      if (request.node_uid.is_nil()) return invalid("a node needs its uid");
      return {};
    case PeerIdentity::Kind::person:
      if (!all_of(request.name, "._@-")) return invalid("a person's name is made of letters, digits and . _ @ -");
      return {};
    case PeerIdentity::Kind::server:
      if (request.server_names.empty()) return invalid("a server needs the names that clients know it by");
      for (const auto& name : request.server_names) {
        const bool ok = !name.empty() && name.size() <= kMaxServerNameBytes && (all_of(name, ".-") || !ip_bytes(name).empty());
        if (!ok) return invalid("'" + name + "' is no server name");
      }
      return {};
  }
  return invalid("a role is needed");
}

Result<std::string> pem_of(const EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) return openssl_error(Errc::io, "write key");
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(bytes));
}

Result<std::string> pem_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) return openssl_error(Errc::io, "write certificate");
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(bytes));
}

Result<CertificatePtr> certificate_from(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 1U << 20U))));
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return openssl_error(Errc::malformed, "certificate");
  return certificate;
}

Result<KeyPtr> key_from(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 1U << 20U))));
  // No password is asked for: an encrypted key is an error, not a prompt on the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return openssl_error(Errc::malformed, "key");
  return key;
}

bool add_extension(X509* certificate, const X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(GENERAL_NAMES* names, int type, const std::string& value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* text = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (name == nullptr || text == nullptr || ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) != 1) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(text);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, text);
  return sk_GENERAL_NAME_push(names, name) > 0;
}

bool add_alternative_names(X509* certificate, const CertificateRequest& request) {
  const NamesPtr names(GENERAL_NAMES_new());
  bool ok = names != nullptr;
  if (request.role == PeerIdentity::Kind::node) ok = ok && add_name(names.get(), GEN_URI, kNodeUriPrefix + request.node_uid.str());
  if (request.role == PeerIdentity::Kind::person) ok = ok && add_name(names.get(), GEN_URI, kPersonUriPrefix + request.name);
  if (request.role == PeerIdentity::Kind::server) {
    for (const auto& name : request.server_names) {
      const auto address = ip_bytes(name);
      ok = ok && (address.empty() ? add_name(names.get(), GEN_DNS, name) : add_name(names.get(), GEN_IPADD, address));
    }
  }
  return ok && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

bool set_serial(X509* certificate) {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7fU) | 0x40U);   // positive, full length
  std::unique_ptr<BIGNUM, Deleter<BN_free>> number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_subject(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.data()),
                                    static_cast<int>(name.size()), -1, 0) == 1;
}

// A version 3 certificate for `key`, not signed yet.
CertificatePtr new_certificate(const std::string& name, Validity validity, EVP_PKEY* key) {
  CertificatePtr certificate(X509_new());
  const bool ok = certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(certificate.get()) &&
                  set_subject(certificate.get(), name) &&
                  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), validity.not_before_ns / kNsPerSecond) != nullptr &&
                  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), validity.not_after_ns / kNsPerSecond) != nullptr &&
                  X509_set_pubkey(certificate.get(), key) == 1;
  return ok ? std::move(certificate) : CertificatePtr();
}

Result<PemPair> sign(X509* certificate, const EVP_PKEY* key, EVP_PKEY* signer) {
  const EVP_MD* digest = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
  if (X509_sign(certificate, signer, digest) == 0) return openssl_error(Errc::io, "sign certificate");
  auto certificate_pem = pem_of(certificate);
  if (!certificate_pem) return certificate_pem.error();
  auto key_pem = pem_of(key);
  if (!key_pem) return key_pem.error();
  return PemPair{std::move(*certificate_pem), std::move(*key_pem)};
}

}  // namespace

std::string ip_text(const std::string& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  return inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr ? std::string(text.data()) : std::string();
}

Validity Validity::from(std::int64_t wall_ns, std::chrono::hours length) {
  constexpr std::int64_t kClockSlackNs = 5 * 60 * kNsPerSecond;
  return {wall_ns - kClockSlackNs, wall_ns + std::chrono::nanoseconds(length).count()};
}

Result<PemPair> make_ca(const std::string& name, Validity validity) {
  if (auto ok = check_name(name); !ok) return ok.error();
  if (auto ok = check_validity(validity); !ok) return ok.error();
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error(Errc::io, "make key");
  const auto ca = new_certificate(name, validity, key.get());
  const bool ok = ca && X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) == 1 &&
                  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign") &&
                  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  if (!ok) return openssl_error(Errc::io, "make authority");
  return sign(ca.get(), key.get(), key.get());
}

Result<PemPair> issue_certificate(const PemPair& ca, const CertificateRequest& request) {
  if (auto ok = check_request(request); !ok) return ok.error();
  auto ca_certificate = certificate_from(ca.certificate);
  if (!ca_certificate) return with_context(ca_certificate.error(), "authority");
  auto ca_key = key_from(ca.key);
  if (!ca_key) return with_context(ca_key.error(), "authority");
  if (X509_check_private_key(ca_certificate->get(), ca_key->get()) != 1) return openssl_error(Errc::invalid_argument, "authority: key");
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error(Errc::io, "make key");
  const auto certificate = new_certificate(request.name, request.validity, key.get());
  const char* usage = request.role == PeerIdentity::Kind::server ? "serverAuth" : "clientAuth";
  const X509* issuer = ca_certificate->get();
  const bool ok = certificate && X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1 &&
                  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature") &&
                  add_extension(certificate.get(), issuer, NID_ext_key_usage, usage) &&
                  add_extension(certificate.get(), issuer, NID_subject_key_identifier, "hash") &&
                  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid:always") &&
                  add_alternative_names(certificate.get(), request);
  if (!ok) return openssl_error(Errc::io, "make certificate");
  return sign(certificate.get(), key.get(), ca_key->get());
}

Result<CertificateInfo> certificate_info(const std::string& pem) {
  auto certificate = certificate_from(pem);
  if (!certificate) return certificate.error();
  X509* x509 = certificate->get();
  CertificateInfo info;
  info.is_ca = X509_check_ca(x509) == 1;
  info.subject = common_name(X509_get_subject_name(x509)).value_or("");
  info.issuer = common_name(X509_get_issuer_name(x509)).value_or("");
  info.server_names = alternative_names(x509).servers;
  info.not_before_ns = time_ns(X509_get0_notBefore(x509));
  info.not_after_ns = time_ns(X509_get0_notAfter(x509));
  if (!info.is_ca) {
    auto identity = identity_of(x509);
    if (!identity) return identity.error();
    info.identity = std::move(*identity);
  }
  return info;
}

}  // namespace fw::transport
