// What both ends have in common: framing, liveness, the end (session.hpp, detail::Link).
#include <algorithm>
#include <limits>

#include "protocol/session/session.hpp"
#include "protocol/wire/text.hpp"

namespace fw::session::detail {
namespace {

constexpr std::uint64_t in_ns(std::chrono::nanoseconds time) { return static_cast<std::uint64_t>(time.count()); }

}  // namespace

Link::Link(Now started)
    : handshake_deadline_ns_(started.mono_ns + in_ns(limits::kHandshakeTimeout)), last_received_ns_(started.mono_ns) {}

void Link::establish(Now now) {
  established_ = true;
  last_received_ns_ = now.mono_ns;
  next_ping_ns_ = now.mono_ns;  // the first one at once: it gives the clock offset
}

void Link::push(wire::ByteView bytes, Now now) {
  if (bytes.empty()) return;
  last_received_ns_ = now.mono_ns;
  reader_.push(bytes);
}

Result<std::optional<wire::Message>> Link::next() {
  auto frame = reader_.next();
  if (!frame) return frame.error();
  if (!*frame) return std::optional<wire::Message>();
  auto message = codec_.decode(**frame);
  if (!message) return message.error();
  return std::optional<wire::Message>(std::move(*message));
}

Result<void> Link::on_pong(const wire::Pong& pong, Now now) {
  if (!ping_unanswered_ || pong.token != ping_token_) return Error(Errc::malformed, "session: Pong without its Ping");
  ping_unanswered_ = false;
  const auto round_trip_ns = static_cast<std::int64_t>(now.mono_ns - ping_sent_.mono_ns);
  clock_ = ClockEstimate{pong.wall_time_ns - (ping_sent_.wall_ns + round_trip_ns / 2), round_trip_ns / 2};
  return {};
}

void Link::append(const wire::Message& message, Output& out) {
  const auto frame = codec_.encode(message);
  FW_ASSERT(frame.has_value(), "a message of the session itself can always be encoded");
  out.write.insert(out.write.end(), frame->begin(), frame->end());
}

Result<bool> Link::handle_liveness(const wire::Message& message, Now now, Output& out) {
  if (const auto* ping = std::get_if<wire::Ping>(&message)) {
    append(wire::Pong{ping->token, std::clamp<std::int64_t>(now.wall_ns, 0, limits::kMaxWallNs)}, out);   // a broken clock of ours
    return true;
  }
  if (const auto* pong = std::get_if<wire::Pong>(&message)) {
    if (auto ok = on_pong(*pong, now); !ok) return ok.error();
    return true;
  }
  return false;
}

Output Link::goodbye(std::string reason) {
  Output out;
  if (!open()) return out;
  append(wire::Goodbye{wire::to_wire_text(reason.substr(0, limits::kMaxLabelBytes))}, out);
  close(out, Error(Errc::gone, "session: we said goodbye"));
  return out;
}

void Link::on_timer(Now now, Output& out) {
  if (closed_) return;
  if (!established_) {
    if (now.mono_ns >= handshake_deadline_ns_) close(out, Error(Errc::timeout, "session: the handshake took too long"));
    return;
  }
  if (now.mono_ns >= last_received_ns_ + in_ns(limits::kIdleTimeout)) {
    close(out, Error(Errc::timeout, "session: nothing received for too long"));
    return;
  }
  if (now.mono_ns < next_ping_ns_) return;
  next_ping_ns_ = now.mono_ns + in_ns(limits::kPingPeriod);
  if (ping_unanswered_) return;  // the idle limit judges a peer that does not answer
  append(wire::Ping{++ping_token_}, out);
  ping_sent_ = now;
  ping_unanswered_ = true;
}

void Link::close(Output& out, Error error) {
  closed_ = true;
  out.close = std::move(error);
}

std::uint64_t Link::next_deadline_ns() const noexcept {
  if (closed_) return std::numeric_limits<std::uint64_t>::max();
  if (!established_) return handshake_deadline_ns_;
  return std::min(next_ping_ns_, last_received_ns_ + in_ns(limits::kIdleTimeout));
}

}  // namespace fw::session::detail
