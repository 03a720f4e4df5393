// Owners of OpenSSL objects, and its error queue as text. Private to protocol/transport.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "common/result.hpp"

namespace fw::transport {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const noexcept { Free(object); }
};

inline void free_stack_of_names(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
inline void free_openssl_text(unsigned char* text) { OPENSSL_free(text); }

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<free_stack_of_names>>;
using TextPtr = std::unique_ptr<unsigned char, Deleter<free_openssl_text>>;

// The newest entry of this thread's error queue, which is then empty.
inline std::string openssl_text() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

inline Error openssl_error(Errc errc, const std::string& what) { return {errc, what + ": " + openssl_text()}; }

}  // namespace fw::transport
