// Both ends against a hostile peer, a hostile clock and an owner that calls in any order: never a crash, nothing after the end.
#include "protocol/session/session.hpp"
#include "tests/fuzz/protocol_input.hpp"

namespace {

using namespace fw;

wire::Events events(std::uint64_t seq) {
  wire::Events out;
  out.seq = seq;
  return out;
}

struct Agent {
  session::AgentSession session;
  explicit Agent(session::Now now) : session(hello(), now) { session.start(now); }
  static wire::Hello hello() {
    wire::Hello h;
    h.stream_id.bytes[0] = 1;
    h.features = wire::kFeatureExecutor;
    return h;
  }
  void call(fuzz::Input& input, session::Now now) {
    switch (input.number(1) % 5) {
      case 0: (void)session.send_events(events(input.number(1)), now); break;
      case 1: (void)session.send_spooled(input.piece(input.number(1)), now); break;
      case 2: (void)session.send_samples(wire::Samples{input.number(1), 0, {}, {}, {}, {}, false}, now); break;
      case 3: (void)session.send_executor(wire::ExecutorPacket{wire::Bytes(1 + input.number(1))}, now); break;
      default: session.goodbye("end", now); break;
    }
    fuzz::require(session.unacked_frames() <= limits::kMaxUnackedEventFrames);
  }
};

struct Aggregator {
  session::AggregatorSession session;
  explicit Aggregator(session::Now now) : session(now) {}
  void call(fuzz::Input& input, session::Now now) {
    switch (input.number(1) % 6) {
      case 0: (void)session.welcome(wire::Welcome{{}, input.number(1)}, now); break;
      case 1: (void)session.ack(input.number(1), now); break;
      case 2: (void)session.slow(wire::Slow{1}, now); break;
      case 3: (void)session.focus(wire::Focus{}, now); break;
      case 4: (void)session.send_executor(wire::ExecutorPacket{wire::Bytes(1 + input.number(1))}, now); break;
      default: session.goodbye("end", now); break;
    }
    fuzz::require(session.unacked_frames() <= limits::kMaxUnackedEventFrames);
  }
};

template <class End>
void drive(fuzz::Input& input) {
  session::Now now{1, 1};
  End end(now);
  bool over = false;
  const auto look = [&](const session::Output& out) {
    if (over) fuzz::require(out.write.empty() && out.messages.empty() && !out.close);
    for (const auto& message : out.messages) fuzz::require(wire::check(message).has_value());
    over = over || out.close.has_value();
  };
  while (!input.empty()) {
    switch (input.number(1) % 4) {
      case 0: look(end.session.on_bytes(input.piece(input.number(1)), now)); break;
      case 1:
        if (const auto bytes = fuzz::framed(input, input.number(2))) look(end.session.on_bytes(*bytes, now));
        break;
      case 2:
        now.mono_ns += input.number(1) << (input.number(1) % 32);
        now.wall_ns = static_cast<std::int64_t>(now.mono_ns);
        look(end.session.on_timer(now));
        fuzz::require(end.session.next_deadline_ns() > now.mono_ns);   // a timer never spins
        break;
      default:
        end.call(input, now);
        over = over || end.session.next_deadline_ns() == std::numeric_limits<std::uint64_t>::max();
        break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if ((input.number(1) & 1U) == 0) {
    drive<Agent>(input);
  } else {
    drive<Aggregator>(input);
  }
  return 0;
}
