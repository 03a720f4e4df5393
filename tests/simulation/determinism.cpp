// Link-time doubles of what would make a schedule depend on more than its seed, or slow. The product code is as it is; CMakeLists.txt names the
// symbols (--wrap). Random bytes of the kernel and of OpenSSL come from the schedule. A signature is the ideal one: what the
// schedule's keys signed is remembered and good, and has the right length; every other one goes through the real check. New keys come from a pool of kPool, whose PEM text is read by OpenSSL once.
#include "tests/simulation/determinism.hpp"

#include <sys/types.h>

#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>

#include "protocol/authority/crypto.hpp"

namespace fw::sim {
namespace {

Rng* source = nullptr;
SignatureCount count;

std::string memo_key(const authority::PublicKey& key, ByteView message, ByteView signature) {
  const auto digest = authority::sha256(message);
  std::string out(1, static_cast<char>(key.algorithm));
  out.append(key.bytes.begin(), key.bytes.end());
  out.append(digest.begin(), digest.end());
  out.append(signature.begin(), signature.end());
  return out;
}

constexpr std::uint64_t kPool = 4096;
using Seed = std::array<std::uint8_t, 32>;
struct ReadOnce {
  std::unordered_map<std::string, Seed> pem_seed;            // of keys from the pool
  std::unordered_map<std::string, std::string> key_pem;      // by public key
  std::unordered_map<std::string, Seed> key_seed;
  std::unordered_map<std::string, bool> good_keys;
};
ReadOnce& once() {
  static ReadOnce memo;
  return memo;
}
std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

std::unordered_map<std::string, bool>& checked() {
  static std::unordered_map<std::string, bool> memo;
  return memo;
}

}  // namespace

Rng* random_from(Rng* rng) { return std::exchange(source, rng); }
void forget_signatures() { checked().clear(); }
const SignatureCount& signature_count() { return count; }

}  // namespace fw::sim

using fw::ByteView;
using fw::Bytes;
using fw::Result;
using fw::authority::Domain;
using fw::authority::PrivateKey;
using fw::authority::PublicKey;
using fw::authority::Signature;

extern "C" {

ssize_t __real_getrandom(void* buffer, size_t length, unsigned flags);
ssize_t __wrap_getrandom(void* buffer, size_t length, unsigned flags);
ssize_t __wrap_getrandom(void* buffer, size_t length, unsigned flags) {
  if (fw::sim::source == nullptr) return __real_getrandom(buffer, length, flags);
  fw::sim::source->fill({static_cast<std::uint8_t*>(buffer), length});
  return static_cast<ssize_t>(length);
}

PrivateKey __real__ZN2fw9authority10PrivateKey8generateEv();
PrivateKey __wrap__ZN2fw9authority10PrivateKey8generateEv();
PrivateKey __wrap__ZN2fw9authority10PrivateKey8generateEv() {
  if (fw::sim::source == nullptr) return __real__ZN2fw9authority10PrivateKey8generateEv();
  fw::sim::Rng rng(fw::sim::source->below(fw::sim::kPool));
  fw::sim::Seed seed{};
  rng.fill(seed);
  auto key = PrivateKey::from_seed(seed);
  fw::sim::once().key_seed.emplace(fw::sim::text_of(key.public_key().bytes), seed);
  return key;
}

std::string __real__ZNK2fw9authority10PrivateKey6to_pemB5cxx11Ev(const PrivateKey* self);
std::string __wrap__ZNK2fw9authority10PrivateKey6to_pemB5cxx11Ev(const PrivateKey* self);
std::string __wrap__ZNK2fw9authority10PrivateKey6to_pemB5cxx11Ev(const PrivateKey* self) {
  const auto key = fw::sim::text_of(self->public_key().bytes);
  auto& pem = fw::sim::once().key_pem[key];
  if (pem.empty()) pem = __real__ZNK2fw9authority10PrivateKey6to_pemB5cxx11Ev(self);
  if (const auto seed = fw::sim::once().key_seed.find(key); seed != fw::sim::once().key_seed.end()) fw::sim::once().pem_seed.emplace(pem, seed->second);
  return pem;
}

Result<PrivateKey> __real__ZN2fw9authority10PrivateKey8from_pemESt17basic_string_viewIcSt11char_traitsIcEE(std::string_view pem);
Result<PrivateKey> __wrap__ZN2fw9authority10PrivateKey8from_pemESt17basic_string_viewIcSt11char_traitsIcEE(std::string_view pem);
Result<PrivateKey> __wrap__ZN2fw9authority10PrivateKey8from_pemESt17basic_string_viewIcSt11char_traitsIcEE(std::string_view pem) {
  const auto known = fw::sim::once().pem_seed.find(std::string(pem));
  if (known != fw::sim::once().pem_seed.end()) return PrivateKey::from_seed(known->second);
  return __real__ZN2fw9authority10PrivateKey8from_pemESt17basic_string_viewIcSt11char_traitsIcEE(pem);
}

Result<void> __real__ZN2fw9authority9check_keyERKNS0_9PublicKeyE(const PublicKey& key);
Result<void> __wrap__ZN2fw9authority9check_keyERKNS0_9PublicKeyE(const PublicKey& key);
Result<void> __wrap__ZN2fw9authority9check_keyERKNS0_9PublicKeyE(const PublicKey& key) {
  const auto name = static_cast<char>(key.algorithm) + fw::sim::text_of(key.bytes);
  if (fw::sim::once().good_keys.contains(name)) return {};
  auto answer = __real__ZN2fw9authority9check_keyERKNS0_9PublicKeyE(key);
  if (answer) fw::sim::once().good_keys.emplace(name, true);
  return answer;
}

Bytes __wrap__ZNK2fw9authority10PrivateKey4signESt4spanIKhLm18446744073709551615EE(const PrivateKey* self, ByteView message);
Bytes __wrap__ZNK2fw9authority10PrivateKey4signESt4spanIKhLm18446744073709551615EE(const PrivateKey* self, ByteView message) {
  const auto key = self->public_key();
  const auto half = fw::authority::sha256(fw::authority::signing_input(Domain::result, message));
  Bytes signature(half.begin(), half.end());
  signature.insert(signature.end(), key.bytes.begin(), key.bytes.end());   // 64 bytes, another one for each key and message
  ++fw::sim::count.made;
  fw::sim::checked()[fw::sim::memo_key(key, message, signature)] = true;
  return signature;
}

Signature __wrap__ZNK2fw9authority10PrivateKey4signENS0_6DomainESt4spanIKhLm18446744073709551615EE(const PrivateKey* self, Domain domain, ByteView document);
Signature __wrap__ZNK2fw9authority10PrivateKey4signENS0_6DomainESt4spanIKhLm18446744073709551615EE(const PrivateKey* self, Domain domain, ByteView document) {
  const auto key = self->public_key();
  return {fw::authority::key_id(key), key.algorithm, self->sign(fw::authority::signing_input(domain, document))};
}

Result<void> __real__ZN2fw9authority16verify_signatureERKNS0_9PublicKeyESt4spanIKhLm18446744073709551615EES6_(const PublicKey& key, ByteView message,
                                                                                                              ByteView signature);
Result<void> __wrap__ZN2fw9authority16verify_signatureERKNS0_9PublicKeyESt4spanIKhLm18446744073709551615EES6_(const PublicKey& key, ByteView message,
                                                                                                              ByteView signature);
Result<void> __wrap__ZN2fw9authority16verify_signatureERKNS0_9PublicKeyESt4spanIKhLm18446744073709551615EES6_(const PublicKey& key, ByteView message,
                                                                                                              ByteView signature) {
  const auto memo = fw::sim::memo_key(key, message, signature);
  if (const auto known = fw::sim::checked().find(memo); known != fw::sim::checked().end() && known->second) return {};
  ++fw::sim::count.checked;
  auto answer = __real__ZN2fw9authority16verify_signatureERKNS0_9PublicKeyESt4spanIKhLm18446744073709551615EES6_(key, message, signature);
  if (answer) fw::sim::checked()[memo] = true;
  return answer;
}

}  // extern "C"
