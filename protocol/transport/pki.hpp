// Certificates for a trial set-up and for tests: one authority per purpose, P-256 keys, files that only their owner reads.
// `fleetwright init` and `doctor` use it; a real fleet brings its own authority.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/id.hpp"
#include "common/result.hpp"
#include "protocol/transport/tls.hpp"

namespace fw::transport {

struct PemPair {
  std::string certificate;   // PEM text
  std::string key;           // PEM text, PKCS#8, not encrypted
};

struct Validity {
  std::int64_t not_before_ns = 0;   // Unix; certificates keep whole seconds
  std::int64_t not_after_ns = 0;
  static Validity from(std::int64_t wall_ns, std::chrono::hours length);   // begins 5 minutes earlier, for clocks that differ
};

struct CertificateRequest {
  PeerIdentity::Kind role = PeerIdentity::Kind::none;   // node, person or server
  std::string name;                                     // common name; for a person, the person: [A-Za-z0-9._@-]{1,64}
  Uuid node_uid;                                        // role node
  std::vector<std::string> server_names;                // role server: DNS names and IP addresses
  Validity validity;
};

// Errc::invalid_argument for a name that cannot be in a certificate, an empty validity, a missing node uid or server name.
Result<PemPair> make_ca(const std::string& name, Validity validity);
Result<PemPair> issue_certificate(const PemPair& ca, const CertificateRequest& request);

// Each file is written beside its place with mode 0600 (certificates 0644), synced and renamed: a reader sees the old or the new
// one. Errors of the operating system; existing files are replaced.
Result<void> write_pem_pair(const PemPair& pair, const std::string& certificate_path, const std::string& key_path);
Result<PemPair> read_pem_pair(const std::string& certificate_path, const std::string& key_path);

struct CertificateInfo {
  PeerIdentity identity;         // kind none for an authority
  bool is_ca = false;
  std::string subject;           // common name
  std::string issuer;
  std::vector<std::string> server_names;
  std::int64_t not_before_ns = 0;
  std::int64_t not_after_ns = 0;
};

// The first certificate of PEM text or of a file. For `doctor`: expiry, whose it is.
Result<CertificateInfo> certificate_info(const std::string& pem);
Result<CertificateInfo> certificate_info_of_file(const std::string& path);

}  // namespace fw::transport
