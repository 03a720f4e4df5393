// Reading parts of certificates. Private to protocol/transport.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/transport/openssl.hpp"
#include "protocol/transport/tls.hpp"

namespace fw::transport {

struct AlternativeNames {
  std::vector<std::string> uris;
  std::vector<std::string> servers;   // DNS names and IP addresses
};

AlternativeNames alternative_names(const X509* certificate);
std::optional<std::string> common_name(const X509_NAME* name);   // the only one, as text of 1..64 bytes
std::int64_t time_ns(const ASN1_TIME* time);
std::string ip_text(const std::string& bytes);                   // 4 or 16 bytes in network order; "" otherwise

}  // namespace fw::transport
