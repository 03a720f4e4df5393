// Ticks of one connection: what the decoder accepts, tick after tick, another connection can carry and give back unchanged.
#include "tests/fuzz/protocol_input.hpp"

using namespace fw;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  wire::Codec peer, from, to;
  while (!input.empty()) {
    const auto payload = input.piece(input.number(2));
    const auto frame = wire::Frame{fuzz::header_for(wire::FrameKind::samples, false, 0, payload), payload};
    if (payload.empty()) continue;
    const auto message = peer.decode(frame);
    if (!message) return 0;
    fuzz::require(wire::check(*message).has_value());
    const auto bytes = from.encode(*message);
    fuzz::require(bytes.has_value());
    const auto back = to.decode(wire::parse_frame(*bytes).value());
    fuzz::require(back.has_value() && *back == *message);
  }
  return 0;
}
