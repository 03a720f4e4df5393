// Any byte stream, and any payload behind a right checksum: an error or a message that keeps the rules and survives another round.
#include "tests/fuzz/protocol_input.hpp"

namespace {

using namespace fw;

void stream(fuzz::Input& input) {
  const std::size_t piece = 1 + input.number(1);
  wire::FrameReader reader;
  wire::Codec codec;
  while (!input.empty()) {
    reader.push(input.piece(piece));
    for (;;) {
      const auto frame = reader.next();
      if (!frame) return;
      if (!*frame) break;
      if (!codec.decode(**frame)) return;
    }
    fuzz::require(reader.buffered_bytes() <= limits::kFrameHeaderBytes + limits::kMaxFrameBytes + piece);
  }
}

void payload(fuzz::Input& input) {
  const auto bytes = fuzz::framed(input, limits::kMaxFrameBytes);
  if (!bytes) return;
  const auto message = wire::Codec().decode(wire::parse_frame(*bytes).value());
  if (!message) return;
  fuzz::require(wire::check(*message).has_value());
  const auto again = wire::Codec().encode(*message);
  if (!again) {
    fuzz::require(again.error().code == Errc::too_large);
    return;
  }
  const auto back = wire::Codec().decode(wire::parse_frame(*again).value());
  fuzz::require(back.has_value() && *back == *message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if ((input.number(1) & 1U) == 0) {
    stream(input);
  } else {
    payload(input);
  }
  return 0;
}
