#include "protocol/transport/tls.hpp"

#include <boost/asio/ssl/context.hpp>

#include <string_view>

#include "protocol/transport/openssl.hpp"

namespace fw::transport {
namespace ssl = boost::asio::ssl;
namespace {

constexpr int kMaxIntermediates = 1;              // leaf, one intermediate, root: three certificates
constexpr long kMaxPeerChainBytes = 16 * 1024;
constexpr const char* kSignatures = "ECDSA+SHA256:ed25519";
constexpr std::string_view kHttpAlpn = "http/1.1";

// ALPN's wire form: each name with its length in front.
std::string alpn_list(std::string_view name) { return static_cast<char>(name.size()) + std::string(name); }

Error file_error(const std::string& path, const char* what) {
  const unsigned long code = ERR_peek_last_error();
  if (ERR_SYSTEM_ERROR(code) || ERR_GET_LIB(code) == ERR_LIB_SYS) {
    const int number = static_cast<int>(ERR_GET_REASON(code));
    ERR_clear_error();
    return errno_error(number, std::string(what) + " " + path);
  }
  // PEM readers put "no start line" last; a missing file leaves the system's error before it.
  while (const unsigned long earlier = ERR_get_error()) {
    if (!ERR_SYSTEM_ERROR(earlier)) continue;
    ERR_clear_error();
    return errno_error(static_cast<int>(ERR_GET_REASON(earlier)), std::string(what) + " " + path);
  }
  return {Errc::malformed, std::string(what) + " " + path + ": not what it should be"};
}

Result<void> load_own(SSL_CTX* context, const TlsFiles& files) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) return file_error(files.certificate, "certificate");
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    // OpenSSL looks at once whether key and certificate belong together.
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH || ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH) {
      ERR_clear_error();
      return Error(Errc::malformed, "key " + files.key + ": does not belong to certificate " + files.certificate);
    }
    return file_error(files.key, "key");
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return Error(Errc::malformed, "key " + files.key + ": does not belong to certificate " + files.certificate);
  }
  return {};
}

Result<void> load_authority(SSL_CTX* context, const std::string& path) {
  ERR_clear_error();
  if (SSL_CTX_load_verify_file(context, path.c_str()) != 1) return file_error(path, "authority");
  return {};
}

// What all contexts share. No resumption: each session proves its certificate anew, and an expired one cannot live on in a ticket.
void harden(SSL_CTX* context, int least_version) {
  SSL_CTX_set_min_proto_version(context, least_version);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify_depth(context, kMaxIntermediates);
  SSL_CTX_set_max_cert_list(context, kMaxPeerChainBytes);
}

template <const char* const* Name>
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in, unsigned in_bytes, void*) {
  static const std::string kOurs = alpn_list(*Name);
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_bytes, reinterpret_cast<const unsigned char*>(kOurs.data()),
                                          static_cast<unsigned>(kOurs.size()), in, in_bytes);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

constexpr const char* kAgentAlpnName = kAgentAlpn;
constexpr const char* kHttpAlpnName = kHttpAlpn.data();

Result<TlsContext> make(ssl::context::method method) {
  try {
    return std::make_shared<ssl::context>(method);
  } catch (const std::exception& error) {
    return Error(Errc::io, std::string("TLS: ") + error.what());
  }
}

}  // namespace

Result<TlsContext> make_agent_port_context(const TlsFiles& files) {
  auto context = make(ssl::context::tls_server);
  if (!context) return context;
  SSL_CTX* native = (*context)->native_handle();
  harden(native, TLS1_3_VERSION);
  if (auto ok = load_own(native, files); !ok) return ok.error();
  if (auto ok = load_authority(native, files.ca); !ok) return ok.error();
  SSL_CTX_set1_sigalgs_list(native, kSignatures);
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_alpn_select_cb(native, select_alpn<&kAgentAlpnName>, nullptr);
  return context;
}

Result<TlsContext> make_agent_client_context(const TlsFiles& files) {
  auto context = make(ssl::context::tls_client);
  if (!context) return context;
  SSL_CTX* native = (*context)->native_handle();
  harden(native, TLS1_3_VERSION);
  if (auto ok = load_own(native, files); !ok) return ok.error();
  if (auto ok = load_authority(native, files.ca); !ok) return ok.error();
  SSL_CTX_set1_sigalgs_list(native, kSignatures);
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  const auto alpn = alpn_list(kAgentAlpn);
  SSL_CTX_set_alpn_protos(native, reinterpret_cast<const unsigned char*>(alpn.data()), static_cast<unsigned>(alpn.size()));
  return context;
}

Result<TlsContext> make_https_port_context(const TlsFiles& files) {
  auto context = make(ssl::context::tls_server);
  if (!context) return context;
  SSL_CTX* native = (*context)->native_handle();
  harden(native, TLS1_2_VERSION);
  if (auto ok = load_own(native, files); !ok) return ok.error();
  if (auto ok = load_authority(native, files.ca); !ok) return ok.error();
  SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(files.ca.c_str()));  // so that a browser knows which one to offer
  SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_select_cb(native, select_alpn<&kHttpAlpnName>, nullptr);
  return context;
}

Result<TlsContext> make_https_client_context(const TlsFiles& files) {
  auto context = make(ssl::context::tls_client);
  if (!context) return context;
  SSL_CTX* native = (*context)->native_handle();
  harden(native, TLS1_2_VERSION);
  if (!files.certificate.empty()) {
    if (auto ok = load_own(native, files); !ok) return ok.error();
  }
  if (auto ok = load_authority(native, files.ca); !ok) return ok.error();
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  return context;
}

namespace {

const char* verify_sentence(long result) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return "the peer's certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "the peer's certificate is not valid yet";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return "the peer's certificate is not signed by our authority";
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return "the peer's certificate chain is too long";
    case X509_V_ERR_INVALID_PURPOSE: return "the peer's certificate is for another purpose";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "the peer's certificate is for another server name";
    default: return nullptr;
  }
}

// Alerts and refusals, by OpenSSL's reason. nullptr: none of those that people can act on.
const char* reason_sentence(int reason) {
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the peer sent no certificate";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE: return "the peer's certificate chain is too large";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return "the peer rejected our certificate: it has expired or is not valid yet";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: return "the peer rejected our certificate: it is not signed by its authority";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN: return "the peer rejected our certificate";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return "the peer wants a certificate";
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_WRONG_SIGNATURE_TYPE: return "the peer's certificate has a key of another kind than P-256 or Ed25519";
    default: return nullptr;
  }
}

}  // namespace

Error tls_error(const SSL* ssl, unsigned long openssl_error) {
  const int reason = ERR_GET_REASON(openssl_error);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    const long result = SSL_get_verify_result(ssl);
    const char* sentence = verify_sentence(result);
    return {Errc::permission, sentence != nullptr ? sentence : std::string("the peer's certificate: ") + X509_verify_cert_error_string(result)};
  }
  if (const char* sentence = reason_sentence(reason)) return {Errc::permission, sentence};
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return {Errc::unsupported, "the peer speaks another TLS version"};
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: return {Errc::unsupported, "the peer speaks another protocol (ALPN)"};
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return {Errc::malformed, "the peer does not speak TLS"};
    default: break;
  }
  const char* text = ERR_reason_error_string(openssl_error);
  return {Errc::io, std::string("TLS: ") + (text != nullptr ? text : "failed")};
}

}  // namespace fw::transport
