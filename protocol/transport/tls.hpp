// TLS contexts of every port of ours, and who the peer is. OpenSSL stays behind this door.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/id.hpp"
#include "common/result.hpp"

typedef struct ssl_st SSL;
typedef struct x509_st X509;
namespace boost::asio::ssl {
class context;
}

namespace fw::transport {

inline constexpr const char* kAgentAlpn = "fleetwright/1";
inline constexpr const char* kNodeUriPrefix = "spiffe://fleetwright/node/";      // + uuid
inline constexpr const char* kPersonUriPrefix = "spiffe://fleetwright/person/";  // + name, the same as the common name

// Paths of PEM files. `ca` is what the peer's certificate must chain to: each purpose has its own authority.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string ca;
};

// Who the peer is, from its certificate and nothing else.
struct PeerIdentity {
  enum class Kind : std::uint8_t { none, node, person, server };
  Kind kind = Kind::none;          // none: no certificate was given (HTTPS port only)
  Uuid node_uid;                   // kind node
  std::string name;                // kind person: the person; node and server: the common name
  std::int64_t not_after_ns = 0;   // a session may end when it is over
};

// Immutable once made; copies share it. A reload makes a new one and leaves old connections alone. Thread-safe.
using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// Errors of all four: Errc::gone or Errc::permission (a file), Errc::malformed (not PEM, or key and certificate do not belong together);
// the context names the file.

// Port for agents: TLS 1.3 only, ALPN fleetwright/1, client certificate of the node authority required, chain depth <= 3,
// P-256 or Ed25519 keys.
Result<TlsContext> make_agent_port_context(const TlsFiles& files);
// The agent's side of that port. The server's name is checked per connection (Connection::connect).
Result<TlsContext> make_agent_client_context(const TlsFiles& files);
// Port for people and webhooks: TLS >= 1.2, ALPN http/1.1, client certificate asked for but optional; one that is given must be valid
// and of the people authority. The server then reads peer_identity() and decides by path.
Result<TlsContext> make_https_port_context(const TlsFiles& files);
// A person's side of that port, for clients on Asio (tests, benchmarks). certificate and key may be empty.
Result<TlsContext> make_https_client_context(const TlsFiles& files);

// Of a finished handshake. Kind none without a certificate. Errc::permission when the certificate is valid but names nobody of ours (no
// or several fleetwright URIs, a URI that disagrees with the common name, wrong key usage, a key of another kind than P-256 or Ed25519).
Result<PeerIdentity> peer_identity(const SSL* ssl);
// The same rules on one certificate; pure.
Result<PeerIdentity> identity_of(const X509* certificate);

// One sentence for the failure of a handshake or a read, from OpenSSL's error queue, the verify result and the alert received:
// "the peer's certificate has expired", "the peer's certificate is not signed by our authority", "the peer speaks an older TLS
// version", "the peer sent no certificate", "the peer rejected our certificate: it has expired".
Error tls_error(const SSL* ssl, unsigned long openssl_error);

}  // namespace fw::transport
