#include "protocol/transport/hmac.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/result.hpp"

namespace fw::transport {

Digest hmac_sha256(std::string_view secret, std::string_view bytes) {
  Digest digest{};
  std::size_t length = 0;
  // A key pointer of null means "no key" to OpenSSL and fails; an empty secret is a valid HMAC key.
  const void* key = secret.empty() ? "" : secret.data();
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.empty() ? "" : bytes.data());
  const auto* out = EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key, secret.size(), data, bytes.size(), digest.data(),
                              digest.size(), &length);
  FW_ASSERT(out != nullptr && length == digest.size(), "OpenSSL offers no HMAC-SHA256");
  return digest;
}

bool equal_constant_time(const Digest& a, const Digest& b) noexcept { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace fw::transport
