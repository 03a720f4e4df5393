// A key blob and a signature blob of OpenSSH, any bytes: no crash; a good one names that key and carries the flag of a touch.
#include "protocol/authority/sshsig.hpp"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::authority;
  if (size < 2) return 0;
  const fw::ByteView rest(data + 2, size - 2);
  const auto key_bytes = std::min<std::size_t>(data[1], rest.size());
  const auto blob = rest.subspan(key_bytes);
  const auto algorithm = data[0] % 2 == 0 ? Algorithm::sk_ed25519 : Algorithm::sk_p256;
  const PublicKey key{algorithm, fw::Bytes(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(key_bytes))};
  (void)check_key(key);
  const auto signature = parse_ssh_signature(blob);
  // The message of tests/golden/authority/sk, so that the good vectors are seeds.
  static constexpr std::string_view kDocument = "hello";
  const auto message = signing_input(Domain::approval, {reinterpret_cast<const std::uint8_t*>(kDocument.data()), kDocument.size()});
  if (!verify_signature(key, message, blob)) return 0;
  const bool names_key = signature && std::equal(key.bytes.begin(), key.bytes.end(), signature->public_key.begin(), signature->public_key.end());
  if (!names_key || (signature->flags & kUserPresent) == 0 || signature->name_space != kSshNamespace) std::abort();
  return 0;
}
