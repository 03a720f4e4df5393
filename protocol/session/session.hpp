// The rules of the conversation, without I/O and without a clock: bytes and the time go in, bytes and messages come out. Agent,
// aggregator, simulation and fuzzers drive the same code.
//
//   agent                       aggregator
//   Hello            ->
//                    <-         Welcome            then, in any order:
//   Samples, Events  ->
//                    <-         Ack, Slow, Focus, Probe
//   ProbeResult      ->
//   Ping, Pong, Goodbye, ExecutorPacket  <->
//
// How to drive a session: open the connection, make the session with the time at which the attempt began, write Output::write, feed
// received bytes to on_bytes(), call on_timer() when next_deadline_ns() has come. Whenever an Output has `close`: write what it has to
// write (with a short limit), then close the connection; the session is over.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/result.hpp"
#include "protocol/wire/codec.hpp"

namespace fw::session {

// Both clocks, read together by the caller.
struct Now {
  std::uint64_t mono_ns = 0;
  std::int64_t wall_ns = 0;
};

struct Output {
  wire::Bytes write;                       // to send, in this order, after everything returned before
  std::vector<wire::Message> messages;     // for the layer above, in the order received; Ping and Pong are not among them
  std::optional<Error> close;              // the end: Errc::gone is an orderly Goodbye, everything else names what went wrong
};

// Wall clock of the peer minus ours, from the last Ping: the true offset is within +-error_ns of it.
struct ClockEstimate {
  std::int64_t offset_ns = 0;
  std::int64_t error_ns = 0;
};

// How sessions end, beside Errc::gone (Goodbye): Errc::timeout (handshake, idle), Errc::malformed (bytes or order), Errc::too_large
// (a limit), Errc::unsupported (version, kind).

namespace detail {

// What both ends have in common: framing, codec, liveness, the end.
class Link {
 public:
  Link(Now started);

  bool open() const noexcept { return !closed_; }
  bool established() const noexcept { return established_; }
  void establish(Now now);                                          // the handshake is done: pings start
  Result<wire::Bytes> encode(const wire::Message& message) { return codec_.encode(message); }
  // Hands each message of `bytes` to receive(message, out) -> optional<Error> until one fails, then looks at the time.
  template <class Receive>
  Output on_bytes(wire::ByteView bytes, Now now, Receive receive) {
    Output out;
    if (!open()) return out;
    push(bytes, now);
    while (open()) {
      auto message = next();
      if (!message) {
        close(out, message.error());
      } else if (!*message) {
        break;
      } else if (auto error = receive(std::move(**message), out)) {
        close(out, std::move(*error));
      }
    }
    on_timer(now, out);
    return out;
  }
  // Puts the Ping that is due into `out`, or closes it.
  void on_timer(Now now, Output& out);
  // True when the message was a Ping (answered) or a Pong (taken).
  Result<bool> handle_liveness(const wire::Message& message, Now now, Output& out);
  Output goodbye(std::string reason);
  void close(Output& out, Error error);
  std::uint64_t next_deadline_ns() const noexcept;
  const std::optional<ClockEstimate>& peer_clock() const noexcept { return clock_; }

 private:
  void push(wire::ByteView bytes, Now now);
  Result<std::optional<wire::Message>> next();                      // empty: more bytes are needed
  Result<void> on_pong(const wire::Pong& pong, Now now);
  void append(const wire::Message& message, Output& out);           // of ours, always encodable

  wire::Codec codec_;
  wire::FrameReader reader_;
  bool established_ = false;
  bool closed_ = false;
  std::uint64_t handshake_deadline_ns_;
  std::uint64_t last_received_ns_;
  std::uint64_t next_ping_ns_ = 0;
  Now ping_sent_;
  std::uint64_t ping_token_ = 0;                                    // of the newest Ping
  bool ping_unanswered_ = false;
  std::optional<ClockEstimate> clock_;
};

}  // namespace detail

// Threading: one executor. Blocking: CPU only. Lifetime: one connection.
//
// Handed up: Welcome (once), Ack, Slow, Focus, ExecutorPacket, Probe, Goodbye.
class AgentSession {
 public:
  // `started`: when the connection attempt began; TLS and the handshake share limits::kHandshakeTimeout.
  AgentSession(wire::Hello hello, Now started);

  Output start(Now now);                                   // the Hello; once, first
  Output on_bytes(wire::ByteView bytes, Now now);
  Output on_timer(Now now);                                // cheap; may be called too early
  std::uint64_t next_deadline_ns() const noexcept { return link_.next_deadline_ns(); }   // on the monotonic clock

  // Errc::conflict before Welcome, Errc::gone after the end, Errc::overloaded while Slow is in force (drop the tick and count it).
  Result<Output> send_samples(const wire::Samples& samples, Now now);
  // Errc::overloaded while limits::kMaxUnackedEventFrames are not acknowledged (keep the frame, try again after an Ack),
  // Errc::conflict before Welcome and for a seq that is acknowledged already or not above the last one sent. An error sends nothing.
  Result<Output> send_events(const wire::Events& events, Now now);
  // A frame that Codec::encode made before (spool): events, or self-contained samples. Same errors and rules; Errc::malformed when
  // it is neither.
  Result<Output> send_spooled(wire::ByteView frame, Now now);
  // Errc::conflict before Welcome and when our Hello did not say that we have an executor, Errc::gone after the end, Errc::malformed,
  // Errc::too_large.
  Result<Output> send_executor(const wire::ExecutorPacket& packet, Now now);
  // Errc::conflict before Welcome and when our Hello did not say that we answer probes, else as send_executor.
  Result<Output> send_probe_result(const wire::ProbeResult& result, Now now);
  // Says goodbye and ends the session; the Output has `close` = Errc::gone.
  Output goodbye(std::string reason, Now now);

  bool ready() const noexcept { return link_.open() && link_.established(); }       // Welcome came, not over
  bool samples_paused(Now now) const noexcept { return now.mono_ns < paused_until_ns_; }
  std::uint64_t acknowledged_seq() const noexcept { return acknowledged_seq_; }
  std::size_t unacked_frames() const noexcept { return unacked_.size(); }
  std::optional<ClockEstimate> peer_clock() const { return link_.peer_clock(); }

 private:
  std::optional<Error> receive(wire::Message message, Now now, Output& out);
  Result<void> may_send() const;
  Result<void> may_send_events(std::uint64_t seq) const;

  wire::Hello hello_;
  detail::Link link_;
  std::uint64_t acknowledged_seq_ = 0;
  std::uint64_t last_seq_ = 0;                             // newest sent or acknowledged
  std::deque<std::uint64_t> unacked_;
  std::uint64_t paused_until_ns_ = 0;
};

// Threading: one executor. Blocking: CPU only. Lifetime: one connection.
//
// Handed up: Hello (once), Samples, Events, ExecutorPacket, ProbeResult, Goodbye. The peer's identity is not here: it comes from the TLS certificate.
class AggregatorSession {
 public:
  explicit AggregatorSession(Now started);

  Output on_bytes(wire::ByteView bytes, Now now);
  Output on_timer(Now now);
  std::uint64_t next_deadline_ns() const noexcept { return link_.next_deadline_ns(); }

  // The answer to Hello, as soon as the layer above knows acknowledged_seq of the stream; the handshake limit runs until then.
  // Errc::conflict when there was no Hello or it is answered already, Errc::gone after the end.
  Result<Output> welcome(const wire::Welcome& welcome, Now now);
  // Every event frame up to `seq` is durable. Errc::invalid_argument above the newest received; nothing is sent when it is not above
  // the last one acknowledged.
  Result<Output> ack(std::uint64_t seq, Now now);
  Result<Output> slow(const wire::Slow& slow, Now now);
  Result<Output> focus(const wire::Focus& focus, Now now);
  // Errc::unsupported when the node has no executor (has_executor()).
  Result<Output> send_executor(const wire::ExecutorPacket& packet, Now now);
  // Errc::unsupported when the node answers none (answers_probes()).
  Result<Output> send_probe(const wire::Probe& probe, Now now);
  Output goodbye(std::string reason, Now now);

  bool ready() const noexcept { return link_.open() && link_.established(); }       // Welcome was sent, not over
  bool has_executor() const noexcept { return has_executor_; }                      // by the agent's Hello
  bool answers_probes() const noexcept { return answers_probes_; }
  std::size_t unacked_frames() const noexcept { return unacked_.size(); }
  std::optional<ClockEstimate> peer_clock() const { return link_.peer_clock(); }

 private:
  std::optional<Error> receive(wire::Message message, Now now, Output& out);
  Result<Output> send(const wire::Message& message);

  detail::Link link_;
  bool hello_seen_ = false;
  bool has_executor_ = false;
  bool answers_probes_ = false;
  std::uint64_t acknowledged_seq_ = 0;
  std::uint64_t last_seq_ = 0;                             // newest received or acknowledged
  std::deque<std::uint64_t> unacked_;
};

}  // namespace fw::session
