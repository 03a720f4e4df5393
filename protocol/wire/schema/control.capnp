@0xa9b8f1f872e6cdaf;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fw::wire::schema");

using Entity = import "entity.capnp";

struct Control {
  # Root of every frame of kind control. Both ends write it; the session rules say who may send what, and when (docs/protocol.md).

  union {
    unset @0 :Void;
    # Never valid.

    hello @1 :Hello;
    welcome @2 :Welcome;
    ack @3 :Ack;
    ping @4 :Ping;
    pong @5 :Pong;
    goodbye @6 :Goodbye;
    slow @7 :Slow;
    focus @8 :Focus;
    executor @9 :ExecutorPacket;
    probe @10 :Probe;
    probeResult @11 :ProbeResult;
  }
}

struct Hello {
  # First message of the agent. It does not say who the node is: the TLS certificate does.

  agentVersion @0 :Text;

  nodeName @1 :Text;
  # For people; not an identity.

  bootId @2 :Entity.Uuid;
  # /proc/sys/kernel/random/boot_id

  streamId @3 :Entity.Uuid;
  # Made with the agent's spool folder. Event sequence numbers grow within it.

  features @4 :UInt64;
  # Bit set. 1: the agent relays ExecutorPacket. 2: it answers Probe. The receiver ignores bits that it does not know.

  acknowledgedSeq @5 :UInt64;
  # Newest event frame that the agent knows to be durable at the aggregator. 0: none.

  wallTimeNs @6 :Int64;
  # ns since the Unix epoch, read together with monoNs.

  monoNs @7 :UInt64;
  # CLOCK_MONOTONIC of the node, ns.

  kernelRelease @8 :Text;
  # uname -r

  cgroupMode @9 :Text;
  # "v1", "hybrid" or "v2".

  lacking @10 :List(Text);
  # What this agent cannot see, a sentence each. At most 64.
}

struct Welcome {
  # The aggregator's answer to Hello; from here on the agent may send data.

  sessionId @0 :Entity.Uuid;

  acknowledgedSeq @1 :UInt64;
  # Newest event frame of Hello.streamId that is durable here; the agent goes on after it. 0: none.

  samplePeriodMs @2 :UInt32;
  # For containers without a symptom, ms.

  hotPeriodMs @3 :UInt32;
  # For containers with one, ms.

  wallTimeNs @4 :Int64;
  # Clock of the aggregator, ns since the Unix epoch.
}

struct Ack {
  seq @0 :UInt64;
  # Every event frame up to and including this one is durable.
}

struct Ping {
  token @0 :UInt64;
  # Given back in Pong. Grows by one per Ping of a connection.
}

struct Pong {
  token @0 :UInt64;

  wallTimeNs @1 :Int64;
  # Clock of the answering side, ns since the Unix epoch: gives the clock offset, within half of the round trip.
}

struct Goodbye {
  # Orderly end. The peer may connect again.

  reason @0 :Text;
}

struct Slow {
  # Aggregator to agent: send no sample frames for this long. Events are not affected.

  pauseMs @0 :UInt32;
}

struct Focus {
  # Aggregator to agent: these cgroups have a symptom, sample them at Welcome.hotPeriodMs for a while.

  cgroupIds @0 :List(UInt64);
  # At most 20000.

  durationMs @1 :UInt32;
}

struct ExecutorPacket {
  # Both ways: one packet to or from the node's executor. The agent relays it unread; what is in it is not this schema's matter.

  bytes @0 :Data;
  # 1 to 163840 bytes.
}

struct Probe {
  # Aggregator to agent: look at something now, read-only (docs/probes.md). Only where Hello said so.

  id @0 :UInt64;
  # Of this connection; not 0.

  kind @1 :Text;
  # [a-z_], 1 to 40 bytes.

  target @2 :Text;
  # cgroup id, cgroup path, container id or pod/name; empty: the node.

  arguments @3 :List(Argument);
  # At most 8.

  deadlineMs @4 :UInt32;
  # 1 to 60000.

  struct Argument {
    name @0 :Text;
    value @1 :Text;
    # At most 40 and 512 bytes.
  }
}

struct ProbeResult {
  # Agent to aggregator, once for each Probe.

  id @0 :UInt64;

  status @1 :Status;

  text @2 :Text;
  # done: one JSON object, redacted on the node; else a sentence. At most 131072 bytes.

  enum Status {
    failed @0;
    done @1;
    busy @2;
    invalid @3;
    notFound @4;
    timeout @5;
  }
}
