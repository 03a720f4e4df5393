#include "protocol/wire/schema_io.hpp"

namespace fw::wire {
namespace {

void write_uuid(const Uuid& uuid, schema::Uuid::Builder to) {
  std::uint64_t words[2] = {0, 0};
  for (std::size_t i = 0; i < 16; ++i) words[i / 8] = words[i / 8] << 8U | uuid.bytes[i];
  to.setHigh(words[0]);
  to.setLow(words[1]);
}

Uuid read_uuid(schema::Uuid::Reader from) {
  const std::uint64_t words[2] = {from.getHigh(), from.getLow()};
  Uuid uuid;
  for (std::size_t i = 0; i < 16; ++i) uuid.bytes[i] = static_cast<std::uint8_t>(words[i / 8] >> (8 * (7 - i % 8)));
  return uuid;
}

void write_one(const Hello& m, schema::Control::Builder root) {
  auto to = root.initHello();
  to.setAgentVersion(to_text(m.agent_version));
  to.setNodeName(to_text(m.node_name));
  write_uuid(m.boot_id, to.initBootId());
  write_uuid(m.stream_id, to.initStreamId());
  to.setFeatures(m.features);
  to.setAcknowledgedSeq(m.acknowledged_seq);
  to.setWallTimeNs(m.wall_time_ns);
  to.setMonoNs(m.mono_ns);
  to.setKernelRelease(to_text(m.kernel_release));
  to.setCgroupMode(to_text(m.cgroup_mode));
  auto lacking = to.initLacking(static_cast<unsigned>(m.lacking.size()));
  for (unsigned i = 0; i < lacking.size(); ++i) lacking.set(i, to_text(m.lacking[i]));
}

Result<Message> read_one(schema::Hello::Reader from) {
  Hello m;
  m.agent_version = to_string(from.getAgentVersion());
  m.node_name = to_string(from.getNodeName());
  m.boot_id = read_uuid(from.getBootId());
  m.stream_id = read_uuid(from.getStreamId());
  m.features = from.getFeatures();
  m.acknowledged_seq = from.getAcknowledgedSeq();
  m.wall_time_ns = from.getWallTimeNs();
  m.mono_ns = from.getMonoNs();
  m.kernel_release = to_string(from.getKernelRelease());
  m.cgroup_mode = to_string(from.getCgroupMode());
  const auto lacking = from.getLacking();
  if (lacking.size() > limits::kMaxLacking) return Error(Errc::too_large, "hello: lacking: " + std::to_string(lacking.size()) + " entries");
  for (const auto line : lacking) m.lacking.push_back(to_string(line));
  return Message(std::move(m));
}

void write_one(const Welcome& m, schema::Control::Builder root) {
  auto to = root.initWelcome();
  write_uuid(m.session_id, to.initSessionId());
  to.setAcknowledgedSeq(m.acknowledged_seq);
  to.setSamplePeriodMs(m.sample_period_ms);
  to.setHotPeriodMs(m.hot_period_ms);
  to.setWallTimeNs(m.wall_time_ns);
}

Result<Message> read_one(schema::Welcome::Reader from) {
  Welcome m;
  m.session_id = read_uuid(from.getSessionId());
  m.acknowledged_seq = from.getAcknowledgedSeq();
  m.sample_period_ms = from.getSamplePeriodMs();
  m.hot_period_ms = from.getHotPeriodMs();
  m.wall_time_ns = from.getWallTimeNs();
  return Message(m);
}

void write_one(const Ack& m, schema::Control::Builder root) { root.initAck().setSeq(m.seq); }
void write_one(const Ping& m, schema::Control::Builder root) { root.initPing().setToken(m.token); }
void write_one(const Pong& m, schema::Control::Builder root) {
  auto to = root.initPong();
  to.setToken(m.token);
  to.setWallTimeNs(m.wall_time_ns);
}
void write_one(const Goodbye& m, schema::Control::Builder root) { root.initGoodbye().setReason(to_text(m.reason)); }
void write_one(const Slow& m, schema::Control::Builder root) { root.initSlow().setPauseMs(m.pause_ms); }

void write_one(const Focus& m, schema::Control::Builder root) {
  auto to = root.initFocus();
  auto ids = to.initCgroupIds(static_cast<unsigned>(m.cgroup_ids.size()));
  for (unsigned i = 0; i < ids.size(); ++i) ids.set(i, m.cgroup_ids[i]);
  to.setDurationMs(m.duration_ms);
}

Result<Message> read_one(schema::Focus::Reader from) {
  Focus m;
  const auto ids = from.getCgroupIds();
  if (ids.size() > limits::kMaxEntitiesPerNode) return Error(Errc::too_large, "focus: cgroup_ids: " + std::to_string(ids.size()) + " entries");
  m.cgroup_ids = to_vector<std::uint64_t>(ids);
  m.duration_ms = from.getDurationMs();
  return Message(std::move(m));
}

void write_one(const ExecutorPacket& m, schema::Control::Builder root) {
  root.initExecutor().setBytes(capnp::Data::Reader(m.bytes.data(), m.bytes.size()));
}

Result<Message> read_one(schema::ExecutorPacket::Reader from) {
  const auto bytes = from.getBytes();
  if (bytes.size() > limits::kMaxExecutorPacketBytes) return Error(Errc::too_large, "executor: bytes: " + std::to_string(bytes.size()));
  return Message(ExecutorPacket{Bytes(bytes.begin(), bytes.end())});
}

void write_one(const Probe& m, schema::Control::Builder root) {
  auto to = root.initProbe();
  to.setId(m.id);
  to.setKind(to_text(m.kind));
  to.setTarget(to_text(m.target));
  auto arguments = to.initArguments(static_cast<unsigned>(m.arguments.size()));
  for (unsigned i = 0; i < arguments.size(); ++i) {
    arguments[i].setName(to_text(m.arguments[i].name));
    arguments[i].setValue(to_text(m.arguments[i].value));
  }
  to.setDeadlineMs(m.deadline_ms);
}

Result<Message> read_one(schema::Probe::Reader from) {
  Probe m{.id = from.getId(), .kind = to_string(from.getKind()), .target = to_string(from.getTarget()), .arguments = {}, .deadline_ms = from.getDeadlineMs()};
  const auto arguments = from.getArguments();
  if (arguments.size() > limits::kMaxProbeArguments) return Error(Errc::too_large, "probe: arguments: " + std::to_string(arguments.size()) + " entries");
  for (const auto argument : arguments) m.arguments.push_back({to_string(argument.getName()), to_string(argument.getValue())});
  return Message(std::move(m));
}

void write_one(const ProbeResult& m, schema::Control::Builder root) {
  auto to = root.initProbeResult();
  to.setId(m.id);
  to.setStatus(static_cast<schema::ProbeResult::Status>(m.status));
  to.setText(to_text(m.text));
}

Result<Message> read_one(schema::ProbeResult::Reader from) {
  auto status = read_enum("probe_result: status", from.getStatus(), ProbeStatus::timeout);
  if (!status) return status.error();
  if (from.getText().size() > limits::kMaxProbeResultBytes) return Error(Errc::too_large, "probe_result: text: " + std::to_string(from.getText().size()) + " bytes");
  return Message(ProbeResult{.id = from.getId(), .status = *status, .text = to_string(from.getText())});
}

void write_one(const Samples&, schema::Control::Builder) { FW_ASSERT(false, "samples are no control message"); }
void write_one(const Events&, schema::Control::Builder) { FW_ASSERT(false, "events are no control message"); }

}  // namespace

void write(const Message& control, schema::Control::Builder to) {
  std::visit([&](const auto& one) { write_one(one, to); }, control);
}

Result<Message> read(schema::Control::Reader from) {
  switch (from.which()) {
    case schema::Control::UNSET: return Error(Errc::malformed, "control: no message");
    case schema::Control::HELLO: return read_one(from.getHello());
    case schema::Control::WELCOME: return read_one(from.getWelcome());
    case schema::Control::ACK: return Message(Ack{from.getAck().getSeq()});
    case schema::Control::PING: return Message(Ping{from.getPing().getToken()});
    case schema::Control::PONG: return Message(Pong{from.getPong().getToken(), from.getPong().getWallTimeNs()});
    case schema::Control::GOODBYE: return Message(Goodbye{to_string(from.getGoodbye().getReason())});
    case schema::Control::SLOW: return Message(Slow{from.getSlow().getPauseMs()});
    case schema::Control::FOCUS: return read_one(from.getFocus());
    case schema::Control::EXECUTOR: return read_one(from.getExecutor());
    case schema::Control::PROBE: return read_one(from.getProbe());
    case schema::Control::PROBE_RESULT: return read_one(from.getProbeResult());
  }
  return Error(Errc::unsupported, "control: message " + std::to_string(static_cast<unsigned>(from.which())));
}

}  // namespace fw::wire
