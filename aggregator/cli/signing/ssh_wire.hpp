// The primitive types of the SSH protocols (RFC 4251, section 5) that keys, signatures and the agent's messages are made of. Pure.
#pragma once
#include <optional>
#include <string_view>

#include "common/bytes.hpp"

namespace fw::cli::ssh {

// Reads forward; after the first value that is not there, everything is nothing.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}
  std::optional<std::uint8_t> byte();
  std::optional<std::uint32_t> number();
  std::optional<ByteView> string();  // of the bytes that were given
  std::optional<std::string_view> text();
  bool at_end() const noexcept { return rest_.empty() && !failed_; }

 private:
  std::optional<ByteView> take(std::size_t size);
  ByteView rest_;
  bool failed_ = false;
};

void put_byte(Bytes& out, std::uint8_t value);
void put_number(Bytes& out, std::uint32_t value);
void put_string(Bytes& out, ByteView bytes);
void put_string(Bytes& out, std::string_view text);

}  // namespace fw::cli::ssh
