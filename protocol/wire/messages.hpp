// Plain structs of every message between agent and aggregator. The codec (codec.hpp) turns them into Cap'n Proto bytes and
// back; no capnp type leaves protocol/. Schemas: protocol/wire/schema/*.capnp.
//
// Times: *_time_ns is int64 ns Unix (converted on the node from CLOCK_MONOTONIC); mono_ns is the node's CLOCK_MONOTONIC.
// Absent values are std::optional, never 0.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/bytes.hpp"
#include "common/id.hpp"

namespace fw::wire {

// ---- session ------------------------------------------------------------------------------------------------------

// Bits of Hello::features.
inline constexpr std::uint64_t kFeatureExecutor = 1;   // the agent relays ExecutorPacket
inline constexpr std::uint64_t kFeatureProbes = 2;     // the agent answers Probe

// Agent -> aggregator, first message. The node's identity is the TLS certificate, never this message.
struct Hello {
  std::string agent_version;
  std::string node_name;              // an attribute for people
  Uuid boot_id;                       // /proc/sys/kernel/random/boot_id
  Uuid stream_id;                     // made with the spool folder; a new folder is a new stream
  std::uint64_t features = 0;         // bit set of kFeature*; unknown bits are ignored
  std::uint64_t acknowledged_seq = 0; // newest event frame that the agent knows to be durable
  std::int64_t wall_time_ns = 0;      // the two clocks, read together
  std::uint64_t mono_ns = 0;
  std::string kernel_release;         // uname -r
  std::string cgroup_mode;            // "v1", "hybrid", "v2"
  std::vector<std::string> lacking;   // what this agent cannot see, in words ("BPF: permission denied")
  friend bool operator==(const Hello&, const Hello&) = default;
};

// Aggregator -> agent, the answer to Hello.
struct Welcome {
  Uuid session_id;
  std::uint64_t acknowledged_seq = 0;      // newest event frame of this stream that the aggregator holds durably
  std::uint32_t sample_period_ms = 10'000; // containers without a symptom
  std::uint32_t hot_period_ms = 1'000;     // containers with one
  std::int64_t wall_time_ns = 0;           // the aggregator's clock, for the offset estimate
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

// Every event frame up to and including seq is durable.
struct Ack {
  std::uint64_t seq = 0;
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct Ping {
  std::uint64_t token = 0;
  friend bool operator==(const Ping&, const Ping&) = default;
};

struct Pong {
  std::uint64_t token = 0;
  std::int64_t wall_time_ns = 0;
  friend bool operator==(const Pong&, const Pong&) = default;
};

// Orderly end; the peer may connect again.
struct Goodbye {
  std::string reason;
  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

// Back-pressure: send no sample frames for this long. Events are not affected (they wait for Ack anyway).
struct Slow {
  std::uint32_t pause_ms = 0;
  friend bool operator==(const Slow&, const Slow&) = default;
};

// Aggregator -> agent: these entities have a symptom, sample them each hot_period_ms until the time given is over.
struct Focus {
  std::vector<std::uint64_t> cgroup_ids;
  std::uint32_t duration_ms = 0;
  friend bool operator==(const Focus&, const Focus&) = default;
};

// Both ways, to and from the node's executor (protocol/authority/packets.hpp); the agent relays it unread. Not acknowledged: the
// executor sends again what the aggregator has not answered.
struct ExecutorPacket {
  Bytes bytes;                      // 1 to limits::kMaxExecutorPacketBytes
  friend bool operator==(const ExecutorPacket&, const ExecutorPacket&) = default;
};

struct ProbeArgument {
  std::string name, value;          // at most limits::kMaxProbeKindBytes and kMaxProbeValueBytes
  friend bool operator==(const ProbeArgument&, const ProbeArgument&) = default;
};

// Aggregator -> agent: look at something now, read-only. Which kinds there are: docs/probes.md.
struct Probe {
  std::uint64_t id = 0;             // of this session; not 0
  std::string kind;                 // "process_table": [a-z_], 1 to limits::kMaxProbeKindBytes bytes
  std::string target;               // cgroup id, cgroup path, container id, or pod/name; "": the node
  std::vector<ProbeArgument> arguments;
  std::uint32_t deadline_ms = 0;    // 1 to limits::kMaxProbeTime
  friend bool operator==(const Probe&, const Probe&) = default;
};

enum class ProbeStatus : std::uint8_t {
  failed = 0,    // the system refused or broke
  done,
  busy,          // as many probes run, or ran in this minute, as the node allows
  invalid,       // no such kind, or arguments that it does not take
  not_found,     // no such target on this node
  timeout,
};

// Agent -> aggregator, once for each Probe of this session.
struct ProbeResult {
  std::uint64_t id = 0;
  ProbeStatus status = ProbeStatus::failed;
  std::string text;                 // done: one JSON object, redacted; else a sentence. At most limits::kMaxProbeResultBytes
  friend bool operator==(const ProbeResult&, const ProbeResult&) = default;
};

// ---- dictionary ---------------------------------------------------------------------------------------------------

// The last three are parts of a node that have values of their own; their parent is the node.
enum class EntityKind : std::uint8_t { unknown = 0, node, pod, container, service, cgroup, filesystem, device, interface };

// Bit of EntityEntry::cgroup_id of what is no cgroup, so that one number names every entity of a boot. The other bits: st_dev of a filesystem,
// dev_t of a block device, index of a network interface, each with its EntityKind in bits 56 to 62.
inline constexpr std::uint64_t kNoCgroup = std::uint64_t{1} << 63U;
constexpr std::uint64_t key_of(EntityKind kind, std::uint64_t number) {
  return kNoCgroup | (static_cast<std::uint64_t>(kind) << 56U) | (number & ((std::uint64_t{1} << 56U) - 1));
}

// One thing that signals are about. Sent once per connection before its first use, again when an attribute changed.
// Spooled blocks and event frames carry the entries they use, so that they can be read alone.
struct EntityEntry {
  std::uint32_t id = 0;             // dictionary id: unique within one agent run, never 0
  EntityKind kind = EntityKind::unknown;
  std::uint32_t parent_id = 0;      // dictionary id of the pod or node that holds it; 0 for the node
  std::uint64_t cgroup_id = 0;      // inode of the memory controller's cgroup folder; 0 for the node; key_of() for filesystem, device, interface
  std::string cgroup_path;          // as in /proc/PID/cgroup, "/kubepods/burstable/pod.../..."
  std::string name;                 // best name for people: unit name, last path component, short container id, mount point, device
  std::string runtime;              // "containerd", "cri-o", "docker", "systemd" or "" (plain)
  std::string container_id;         // 64 hex digits, or ""
  std::string pod_uid;              // dashes restored, or ""
  std::string qos_class;            // "guaranteed", "burstable", "besteffort", or ""
  // As the container runtime tells them (CRI), each "" when it does not.
  std::string container_name{}, pod_name{}, pod_namespace{};
  std::string image{};              // as the pod asks for it
  friend bool operator==(const EntityEntry&, const EntityEntry&) = default;
};

enum class MetricKind : std::uint8_t { unknown = 0, gauge, counter };

// Meaning of one metric id; ids are unique within one agent run.
struct MetricEntry {
  std::uint32_t id = 0;
  std::string name;                 // "memory_current_bytes"
  std::string unit;                 // "bytes", "us", "1"
  MetricKind kind = MetricKind::unknown;
  friend bool operator==(const MetricEntry&, const MetricEntry&) = default;
};

// ---- samples ------------------------------------------------------------------------------------------------------

// All values of one metric in one tick. entity_ids ascend; values[i] belongs to entity_ids[i].
struct SampleColumn {
  std::uint32_t metric_id = 0;
  std::vector<std::uint32_t> entity_ids;
  std::vector<std::int64_t> values;
  friend bool operator==(const SampleColumn&, const SampleColumn&) = default;
};

// One tick. Not acknowledged: on a broken connection at most the live window is lost, and counted. Values are absolute here;
// the codec sends differences to the previous tick of the connection, or self-contained blocks for the spool.
struct Samples {
  std::uint64_t tick = 0;           // grows by one per tick of this agent run; a gap is a lost tick
  std::int64_t time_ns = 0;
  std::vector<EntityEntry> entities;   // new or changed
  std::vector<MetricEntry> metrics;    // new
  std::vector<std::uint32_t> removed_entity_ids;
  std::vector<SampleColumn> columns;   // metric ids ascend
  // true: a block that can be read alone (spool). entities and metrics hold every entry that columns refer to, and ids mean nothing
  // outside of the block. false: ids are those of the connection, entities and metrics hold what is new or changed on it.
  bool self_contained = false;
  friend bool operator==(const Samples&, const Samples&) = default;
};

// ---- events -------------------------------------------------------------------------------------------------------

enum class OomConstraint : std::uint8_t { unknown = 0, memcg, node, cpuset };
// How the constraint was learnt, strongest first: the kernel log's own word, the reclaim that the allocating task had just
// done, counters of memory.events.
enum class FactSource : std::uint8_t { unknown = 0, kernel_log, bpf, counters };

struct ProcessInfo {
  std::uint32_t pid = 0;            // thread group id in the node's pid namespace
  std::uint32_t parent_pid = 0;
  std::string comm;                 // 15 bytes at most, as the kernel keeps it
  std::optional<std::int64_t> rss_bytes;
  std::optional<std::uint64_t> age_ns;        // since its start
  std::optional<bool> container_main;         // true: its parent lives outside the cgroup
  friend bool operator==(const ProcessInfo&, const ProcessInfo&) = default;
};

struct OomKill {
  ProcessInfo victim;
  OomConstraint constraint = OomConstraint::unknown;
  FactSource constraint_source = FactSource::unknown;
  std::optional<std::int32_t> oom_score_adj;
  std::optional<std::int64_t> limit_bytes;     // of the cgroup that was over its limit (or of the victim's own)
  std::optional<std::int64_t> usage_bytes;     // of that cgroup when the victim was chosen
  std::string limit_cgroup_path;               // where the limit was hit; "" for node and unknown
  std::uint32_t invoker_pid = 0;               // the task whose allocation failed
  std::string invoker_comm;
  std::uint32_t kills_total = 1;               // > 1 only from counters: so many since the last reading
  std::vector<ProcessInfo> top_processes;      // of the cgroup, largest rss first, as read just after the kill
  friend bool operator==(const OomKill&, const OomKill&) = default;
};

struct ProcessExit {
  ProcessInfo process;
  std::int32_t exit_code = 0;       // 0..255, when signal is 0
  std::int32_t signal = 0;          // the signal that ended it
  bool oom_victim = false;          // marked by the OOM killer
  friend bool operator==(const ProcessExit&, const ProcessExit&) = default;
};

struct ProcessSignal {              // only SIGKILL, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE to a process
  ProcessInfo target;
  std::int32_t signal = 0;
  bool from_kernel = false;         // fault or OOM killer; false: kill(2) by sender
  ProcessInfo sender;               // the task that was running; only pid, parent_pid and comm are set
  std::uint32_t sender_uid = 0;
  std::uint64_t sender_cgroup_id = 0;
  friend bool operator==(const ProcessSignal&, const ProcessSignal&) = default;
};

// A control file's value was another one than at the last reading. -1: no limit ("max").
struct LimitChanged {
  std::string resource;             // "memory.max", "memory.high", "cpu.max" (cgroup v2 names on every hierarchy)
  std::int64_t before = 0;
  std::int64_t after = 0;
  friend bool operator==(const LimitChanged&, const LimitChanged&) = default;
};

// What a collector noticed, from a closed list of words (docs/metrics.md, "Events"): one fact that counters alone would not tell.
struct Observed {
  std::string what{};                // "connect_failed", "dns_failed", "filesystem_read_only": [a-z_], at most 40 bytes; the kind in case files
  std::string object{};              // what it happened to: a peer "10.0.0.7:5432", a mount point, a file, a container; redacted; or ""
  std::string reason{};              // errno name, rcode, runtime's reason, rule name; or ""
  std::string before{}, after{};       // of a changed value; or ""
  std::string text{};                // the kernel's or runtime's own words, redacted, at most 1 KiB; or ""
  std::uint64_t count = 1;          // so many since the last event of the same what, object and reason
  friend bool operator==(const Observed&, const Observed&) = default;
};

// The agent itself lost something: counted, per source, since the last such event.
struct Lost {
  std::string source;
  std::uint64_t count = 0;
  friend bool operator==(const Lost&, const Lost&) = default;
};

struct Event {
  std::uint32_t entity_id = 0;      // in Events::entities of the same frame; 0 for Lost, which is about the agent itself
  std::int64_t time_ns = 0;
  std::variant<std::monostate, OomKill, ProcessExit, ProcessSignal, LimitChanged, Lost, Observed> body;
  friend bool operator==(const Event&, const Event&) = default;
};

// Acknowledged when durable. Self-contained: entities holds every entry that events refer to, and their parents.
struct Events {
  std::uint64_t seq = 0;            // grows within the stream; gaps are allowed, reuse is not
  std::vector<EntityEntry> entities;
  std::vector<Event> events;
  friend bool operator==(const Events&, const Events&) = default;
};

using Message = std::variant<Hello, Welcome, Ack, Ping, Pong, Goodbye, Slow, Focus, Samples, Events, ExecutorPacket, Probe, ProbeResult>;

}  // namespace fw::wire
