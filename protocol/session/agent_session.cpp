#include "protocol/session/session.hpp"

namespace fw::session {
namespace {

Error out_of_order(const std::string& what) { return {Errc::malformed, "session: " + what}; }

}  // namespace

AgentSession::AgentSession(wire::Hello hello, Now started)
    : hello_(std::move(hello)), link_(started), acknowledged_seq_(hello_.acknowledged_seq), last_seq_(hello_.acknowledged_seq) {}

Output AgentSession::start(Now now) {
  Output out;
  auto hello = link_.encode(hello_);
  if (hello) {
    out.write = std::move(*hello);
    link_.on_timer(now, out);  // TLS may have used up the handshake limit
  } else {
    link_.close(out, hello.error());
  }
  return out;
}

Output AgentSession::on_bytes(wire::ByteView bytes, Now now) {
  return link_.on_bytes(bytes, now, [&](wire::Message message, Output& out) { return receive(std::move(message), now, out); });
}

Output AgentSession::on_timer(Now now) {
  Output out;
  link_.on_timer(now, out);
  return out;
}

std::optional<Error> AgentSession::receive(wire::Message message, Now now, Output& out) {
  if (const auto* welcome = std::get_if<wire::Welcome>(&message)) {
    if (link_.established()) return out_of_order("a second Welcome");
    if (welcome->acknowledged_seq < acknowledged_seq_) {
      // The aggregator lost what it had acknowledged (a restored backup). Nothing can be sent again: the spool is trimmed. Go on.
      last_seq_ = acknowledged_seq_;
    } else {
      last_seq_ = acknowledged_seq_ = welcome->acknowledged_seq;
    }
    link_.establish(now);
  } else if (std::holds_alternative<wire::Goodbye>(message)) {
    link_.close(out, Error(Errc::gone, "session: the aggregator said goodbye: " + std::get<wire::Goodbye>(message).reason));
  } else if (!link_.established()) {
    return out_of_order("a message before Welcome");
  } else if (auto handled = link_.handle_liveness(message, now, out); !handled) {
    return handled.error();
  } else if (*handled) {
    return {};
  } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
    if (ack->seq < acknowledged_seq_) return out_of_order("Ack " + std::to_string(ack->seq) + " after Ack " + std::to_string(acknowledged_seq_));
    if (ack->seq > last_seq_) return out_of_order("Ack " + std::to_string(ack->seq) + ", which was not sent");
    acknowledged_seq_ = ack->seq;
    while (!unacked_.empty() && unacked_.front() <= ack->seq) unacked_.pop_front();
  } else if (const auto* slow = std::get_if<wire::Slow>(&message)) {
    paused_until_ns_ = now.mono_ns + std::uint64_t{slow->pause_ms} * 1'000'000;
  } else if (std::holds_alternative<wire::ExecutorPacket>(message)) {
    if ((hello_.features & wire::kFeatureExecutor) == 0) return out_of_order("a packet for an executor that this node does not have");
  } else if (std::holds_alternative<wire::Probe>(message)) {
    if ((hello_.features & wire::kFeatureProbes) == 0) return out_of_order("a probe, which this node does not answer");
  } else if (!std::holds_alternative<wire::Focus>(message)) {
    return out_of_order("a message that only an agent may send");
  }
  out.messages.push_back(std::move(message));
  return {};
}

Result<void> AgentSession::may_send() const {
  if (!link_.open()) return Error(Errc::gone, "session: over");
  if (!link_.established()) return Error(Errc::conflict, "session: no Welcome yet");
  return {};
}

Result<void> AgentSession::may_send_events(std::uint64_t seq) const {
  if (auto ok = may_send(); !ok) return ok;
  if (unacked_.size() >= limits::kMaxUnackedEventFrames) return Error(Errc::overloaded, "session: too many event frames without Ack");
  if (seq <= last_seq_) return Error(Errc::conflict, "session: event frame " + std::to_string(seq) + " after " + std::to_string(last_seq_));
  return {};
}

Result<Output> AgentSession::send_samples(const wire::Samples& samples, Now now) {
  if (auto ok = may_send(); !ok) return ok.error();
  if (samples_paused(now)) return Error(Errc::overloaded, "session: samples are paused");
  auto frame = link_.encode(samples);
  if (!frame) return frame.error();
  return Output{std::move(*frame), {}, {}};
}

Result<Output> AgentSession::send_events(const wire::Events& events, Now) {
  if (auto ok = may_send_events(events.seq); !ok) return ok.error();
  auto frame = link_.encode(events);
  if (!frame) return frame.error();
  last_seq_ = events.seq;
  unacked_.push_back(events.seq);
  return Output{std::move(*frame), {}, {}};
}

Result<Output> AgentSession::send_spooled(wire::ByteView bytes, Now now) {
  if (auto ok = may_send(); !ok) return ok.error();
  const auto frame = wire::parse_frame(bytes);
  if (!frame) return frame.error();
  if (frame->header.kind == wire::FrameKind::samples) {
    if (samples_paused(now)) return Error(Errc::overloaded, "session: samples are paused");
  }
  // What the peer would refuse must not end the session: the disk may have rotted in a way that its own checksum does not see, or
  // another version wrote it. A codec of its own keeps the connection's sample state apart.
  auto message = wire::Codec().decode(*frame);
  if (!message) return message.error();
  if (const auto* events = std::get_if<wire::Events>(&*message)) {
    if (auto ok = may_send_events(events->seq); !ok) return ok.error();
    last_seq_ = events->seq;
    unacked_.push_back(events->seq);
  } else if (const auto* samples = std::get_if<wire::Samples>(&*message); samples == nullptr || !samples->self_contained) {
    return Error(Errc::malformed, "session: neither events nor self-contained samples");
  }
  return Output{wire::Bytes(bytes.begin(), bytes.end()), {}, {}};
}

Result<Output> AgentSession::send_executor(const wire::ExecutorPacket& packet, Now) {
  if (auto ok = may_send(); !ok) return ok.error();
  if ((hello_.features & wire::kFeatureExecutor) == 0) return Error(Errc::conflict, "session: Hello did not announce an executor");
  auto frame = link_.encode(packet);
  if (!frame) return frame.error();
  return Output{std::move(*frame), {}, {}};
}

Result<Output> AgentSession::send_probe_result(const wire::ProbeResult& result, Now) {
  if (auto ok = may_send(); !ok) return ok.error();
  if ((hello_.features & wire::kFeatureProbes) == 0) return Error(Errc::conflict, "session: Hello did not announce probes");
  auto frame = link_.encode(result);
  if (!frame) return frame.error();
  return Output{std::move(*frame), {}, {}};
}

Output AgentSession::goodbye(std::string reason, Now) { return link_.goodbye(std::move(reason)); }

}  // namespace fw::session
