// Builds node events as an agent would send them.
#pragma once
#include <csignal>

#include "aggregator/fleet/node_event.hpp"
#include "common/clock.hpp"
#include "tests/support/manual_clock.hpp"

namespace fw::test {

inline Uuid uuid_of(std::uint8_t n) {
  Uuid id;
  id.bytes.fill(n);
  return id;
}

struct Node {
  ManualClock& clock;
  Uuid uid = uuid_of(1), boot = uuid_of(2), stream = uuid_of(3);
  std::uint64_t seq = 0;

  fleet::EntityPtr container(const std::string& path, std::uint64_t cgroup_id, const std::string& pod_uid = "") const {
    const auto slash = path.rfind('/');
    return std::make_shared<const fleet::Entity>(fleet::Entity{.key = {.node = uid, .boot = boot, .cgroup_id = cgroup_id},
                                                               .kind = wire::EntityKind::container,
                                                               .parent_cgroup_id = 0,
                                                               .cgroup_path = path,
                                                               .name = path.substr(slash + 1),
                                                               .runtime = "",
                                                               .container_id = "",
                                                               .pod_uid = pod_uid,
                                                               .qos_class = ""});
  }
  template <class Body>
  fleet::NodeEventPtr event(const fleet::EntityPtr& entity, Body body) {
    return std::make_shared<const fleet::NodeEvent>(fleet::NodeEvent{.ref = {.stream = stream, .seq = ++seq, .index = 0},
                                                                     .entity = entity,
                                                                     .time_ns = clock.wall_ns(),
                                                                     .received_ns = clock.wall_ns(),
                                                                     .clock_offset_ns = 0,
                                                                     .clock_error_ns = 1'000,
                                                                     .body = std::move(body)});
  }
};

inline wire::OomKill oom(std::uint32_t pid, wire::OomConstraint constraint = wire::OomConstraint::memcg) {
  wire::OomKill kill;
  kill.victim.pid = pid;
  kill.victim.comm = "worker";
  kill.constraint = constraint;
  kill.constraint_source = wire::FactSource::bpf;
  kill.limit_bytes = 64 << 20;
  return kill;
}

inline wire::ProcessExit exit_of(std::uint32_t pid, std::int32_t code, std::int32_t signal = 0, bool main = true, bool oom_victim = false) {
  wire::ProcessExit exit;
  exit.process.pid = pid;
  exit.process.comm = "worker";
  exit.process.container_main = main;
  exit.exit_code = code;
  exit.signal = signal;
  exit.oom_victim = oom_victim;
  return exit;
}

inline wire::ProcessSignal signal_to(std::uint32_t pid, std::int32_t signal, std::uint64_t sender_cgroup, bool main = true, bool from_kernel = false) {
  wire::ProcessSignal sent;
  sent.target.pid = pid;
  sent.target.container_main = main;
  sent.signal = signal;
  sent.sender_cgroup_id = sender_cgroup;
  sent.sender.comm = "bash";
  sent.from_kernel = from_kernel;
  return sent;
}

}  // namespace fw::test
