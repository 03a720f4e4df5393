@0xd13c77ada42c2ff4;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fw::wire::schema");

using Entity = import "entity.capnp";

struct Events {
  # Root of a frame of kind events. Written by the agent, read by the aggregator, acknowledged when durable. At most 1000 events.

  seq @0 :UInt64;
  # Grows within Hello.streamId, never 0; gaps are allowed.

  entities @1 :List(Entity.EntityEntry);
  # Every entry that events refer to, and their parents.

  events @2 :List(Event);
}

struct Event {
  entityId @0 :UInt32;
  # In Events.entities.

  timeNs @1 :Int64;
  # ns since the Unix epoch, converted on the node from CLOCK_MONOTONIC.

  union {
    unset @2 :Void;
    # An event of no kind is valid and says nothing.

    oomKill @3 :OomKill;
    processExit @4 :ProcessExit;
    processSignal @5 :ProcessSignal;
    limitChanged @6 :LimitChanged;
    lost @7 :Lost;
    observed @8 :Observed;
  }
}

enum OomConstraint {
  unknown @0;
  memcg @1;
  node @2;
  cpuset @3;
}

enum FactSource {
  # How a fact was learnt.

  unknown @0;
  kernelLog @1;
  bpf @2;
  counters @3;
}

enum Truth {
  unknown @0;
  no @1;
  yes @2;
}

struct ProcessInfo {
  pid @0 :UInt32;
  # Thread group id in the node's pid namespace.

  parentPid @1 :UInt32;

  comm @2 :Text;
  # At most 15 bytes.

  rssBytes @3 :Int64 = -9223372036854775808;
  # The smallest number: not known.

  ageNs @4 :UInt64 = 0xffffffffffffffff;
  # Since its start. The largest number: not known.

  containerMain @5 :Truth;
  # Whether its parent lives outside of the cgroup.
}

struct OomKill {
  victim @0 :ProcessInfo;
  constraint @1 :OomConstraint;
  constraintSource @2 :FactSource;

  oomScoreAdj @3 :Int32 = -2147483648;
  # -1000..1000. The smallest number: not known.

  limitBytes @4 :Int64 = -9223372036854775808;
  # Of the cgroup that was over its limit. The smallest number: not known.

  usageBytes @5 :Int64 = -9223372036854775808;
  # Of that cgroup when the victim was chosen. The smallest number: not known.

  limitCgroupPath @6 :Text;
  # Where the limit was hit; empty for constraints node and unknown.

  invokerPid @7 :UInt32;
  # The task whose allocation failed.

  invokerComm @8 :Text;

  killsTotal @9 :UInt32 = 1;
  # Above 1 only from counters: so many since the last reading. Never 0.

  topProcesses @10 :List(ProcessInfo);
  # Of the cgroup, largest rss first, as read just after the kill. At most 8.
}

struct ProcessExit {
  process @0 :ProcessInfo;

  exitCode @1 :Int32;
  # 0..255, when signal is 0.

  signal @2 :Int32;
  # The signal that ended it, 0..64.

  oomVictim @3 :Bool;
  # Marked by the OOM killer.
}

struct ProcessSignal {
  target @0 :ProcessInfo;

  signal @1 :Int32;
  # 1..64

  fromKernel @2 :Bool;
  # A fault or the OOM killer, not kill(2).

  sender @3 :ProcessInfo;
  # The task that was running; only pid, parentPid and comm are set.

  senderUid @4 :UInt32;
  senderCgroupId @5 :UInt64;
}

struct LimitChanged {
  # A control file held another value than at the last reading.

  resource @0 :Text;
  # "memory.max", "memory.high", "cpu.max": cgroup v2 names on every hierarchy.

  before @1 :Int64;
  # -1: no limit.

  after @2 :Int64;
  # -1: no limit.
}

struct Lost {
  # The agent itself lost something.

  source @0 :Text;

  count @1 :UInt64;
  # Since the last such event.
}

struct Observed {
  # What a collector noticed, from the closed list of docs/metrics.md.

  what @0 :Text;
  # [a-z_], 1 to 40 bytes.

  object @1 :Text;
  # A peer, a mount point, a file, a container; or empty.

  reason @2 :Text;
  # errno name, rcode, the runtime's reason, a rule's name; or empty.

  before @3 :Text;
  after @4 :Text;
  # Of a changed value; or empty.

  text @5 :Text;
  # The kernel's or runtime's own words, redacted, at most 1 KiB; or empty.

  count @6 :UInt64 = 1;
  # Since the last event of the same what, object and reason. Never 0.
}
