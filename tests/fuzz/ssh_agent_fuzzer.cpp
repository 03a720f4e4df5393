// What an SSH agent answers, and keys as people paste them: any bytes. Nothing of it may pass for a signature.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/signing/ssh_agent.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw;
  const ByteView bytes(data, size);
  if (const auto list = cli::ssh::parse_identities(bytes)) {
    for (const auto& identity : *list) {
      const auto again = cli::key_of_ssh_blob(cli::ssh_blob_of(identity.key));
      if (!again || *again != identity.key) std::abort();
      const auto text = cli::parse_key_text(cli::key_text(identity.key));
      if (!text || *text != identity.key) std::abort();
      if (const auto signature = cli::ssh::signature_of_blob(identity.key, bytes)) {
        if (authority::verify_signature(identity.key, cli::bytes_of("a message that nobody signed"), *signature)) std::abort();
      }
    }
  }
  (void)cli::ssh::parse_signature(bytes);
  if (const auto key = cli::key_of_ssh_blob(bytes); key && cli::ssh_blob_of(*key).size() != size) std::abort();
  (void)cli::parse_key_text(cli::text_of(bytes));
  if (const auto decoded = decode_base64(cli::text_of(bytes)); decoded && encode_base64(*decoded) != cli::text_of(bytes)) std::abort();
  return 0;
}
