#include "protocol/session/session.hpp"

namespace fw::session {
namespace {

Error out_of_order(const std::string& what) { return {Errc::malformed, "session: " + what}; }

}  // namespace

AggregatorSession::AggregatorSession(Now started) : link_(started) {}

Output AggregatorSession::on_bytes(wire::ByteView bytes, Now now) {
  return link_.on_bytes(bytes, now, [&](wire::Message message, Output& out) { return receive(std::move(message), now, out); });
}

Output AggregatorSession::on_timer(Now now) {
  Output out;
  link_.on_timer(now, out);
  return out;
}

std::optional<Error> AggregatorSession::receive(wire::Message message, Now now, Output& out) {
  if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    if (hello_seen_) return out_of_order("a second Hello");
    hello_seen_ = true;
    has_executor_ = (hello->features & wire::kFeatureExecutor) != 0;
    answers_probes_ = (hello->features & wire::kFeatureProbes) != 0;
  } else if (std::holds_alternative<wire::Goodbye>(message)) {
    link_.close(out, Error(Errc::gone, "session: the agent said goodbye: " + std::get<wire::Goodbye>(message).reason));
  } else if (!link_.established()) {
    return out_of_order(hello_seen_ ? "a message before Welcome" : "a message before Hello");
  } else if (auto handled = link_.handle_liveness(message, now, out); !handled) {
    return handled.error();
  } else if (*handled) {
    return {};
  } else if (const auto* events = std::get_if<wire::Events>(&message)) {
    if (events->seq <= last_seq_) return out_of_order("event frame " + std::to_string(events->seq) + " after " + std::to_string(last_seq_));
    if (unacked_.size() >= limits::kMaxUnackedEventFrames) return Error(Errc::too_large, "session: more event frames than may wait for Ack");
    last_seq_ = events->seq;
    unacked_.push_back(events->seq);
  } else if (std::holds_alternative<wire::ExecutorPacket>(message)) {
    if (!has_executor_) return out_of_order("a packet of an executor that Hello did not announce");
  } else if (std::holds_alternative<wire::ProbeResult>(message)) {
    if (!answers_probes_) return out_of_order("a result of a probe from a node that answers none");
  } else if (!std::holds_alternative<wire::Samples>(message)) {
    return out_of_order("a message that only an aggregator may send");
  }
  out.messages.push_back(std::move(message));
  return {};
}

Result<Output> AggregatorSession::send(const wire::Message& message) {
  if (!link_.open()) return Error(Errc::gone, "session: over");
  if (!link_.established()) return Error(Errc::conflict, "session: no Welcome yet");
  auto frame = link_.encode(message);
  if (!frame) return frame.error();
  return Output{std::move(*frame), {}, {}};
}

Result<Output> AggregatorSession::welcome(const wire::Welcome& welcome, Now now) {
  if (!link_.open()) return Error(Errc::gone, "session: over");
  if (!hello_seen_ || link_.established()) return Error(Errc::conflict, "session: no Hello to answer");
  auto frame = link_.encode(welcome);
  if (!frame) return frame.error();
  Output out{std::move(*frame), {}, {}};
  last_seq_ = acknowledged_seq_ = welcome.acknowledged_seq;
  link_.establish(now);
  link_.on_timer(now, out);  // the first Ping goes with it
  return out;
}

Result<Output> AggregatorSession::ack(std::uint64_t seq, Now) {
  if (seq > last_seq_) return Error(Errc::invalid_argument, "session: acknowledgement of what was not received");
  if (link_.open() && link_.established() && seq <= acknowledged_seq_) return Output{};
  auto out = send(wire::Ack{seq});
  if (!out) return out.error();
  acknowledged_seq_ = seq;
  while (!unacked_.empty() && unacked_.front() <= seq) unacked_.pop_front();
  return out;
}

Result<Output> AggregatorSession::slow(const wire::Slow& slow, Now) { return send(slow); }
Result<Output> AggregatorSession::focus(const wire::Focus& focus, Now) { return send(focus); }

Result<Output> AggregatorSession::send_executor(const wire::ExecutorPacket& packet, Now) {
  if (hello_seen_ && !has_executor_) return Error(Errc::unsupported, "session: this node has no executor");
  return send(packet);
}

Result<Output> AggregatorSession::send_probe(const wire::Probe& probe, Now) {
  if (hello_seen_ && !answers_probes_) return Error(Errc::unsupported, "session: this node answers no probes");
  return send(probe);
}

Output AggregatorSession::goodbye(std::string reason, Now) { return link_.goodbye(std::move(reason)); }

}  // namespace fw::session
