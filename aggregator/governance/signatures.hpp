// A list of signatures as bytes, for the store: u8 count | each { key[32] | u8 algorithm | u16 length | signature }, big endian.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "protocol/authority/crypto.hpp"

namespace fw::governance {

std::string encode_signatures(const std::vector<authority::Signature>& signatures);
Result<std::vector<authority::Signature>> decode_signatures(std::string_view bytes);   // Errc::malformed

std::optional<authority::Algorithm> parse_algorithm(std::string_view text);            // as to_string writes it

}  // namespace fw::governance
