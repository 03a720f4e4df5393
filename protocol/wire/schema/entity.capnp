@0xe29ae0550343bb43;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fw::wire::schema");

# Things that signals are about. Written by the agent, read by the aggregator and by the agent's own spool.
# Every Text of all schemas: valid UTF-8, no NUL byte, at most 4 KiB. Rules of growth: docs/protocol.md.

enum EntityKind {
  unknown @0;
  node @1;
  pod @2;
  container @3;
  service @4;
  cgroup @5;
  filesystem @6;
  device @7;
  interface @8;
}

struct EntityEntry {
  # One entry of the dictionary: sent before its first use, and again when an attribute changed.

  id @0 :UInt32;
  # Unique within one agent run, never 0.

  kind @1 :EntityKind;

  parentId @2 :UInt32;
  # Entry of the pod or node that holds it. 0 for the node itself.

  cgroupId @3 :UInt64;
  # Inode of the memory controller's cgroup folder. Unique while the node is up, not across reboots (see Hello.bootId). 0 for the node.
  # filesystem, device, interface: bit 63 set, the kind in bits 56 to 62, below them st_dev, dev_t or the interface's index.

  cgroupPath @4 :Text;
  # As in /proc/PID/cgroup.

  name @5 :Text;
  # The best name for people.

  runtime @6 :Text;
  # "containerd", "cri-o", "docker", "systemd", or empty: plain cgroup.

  containerId @7 :Text;
  # 64 hexadecimal digits, or empty.

  podUid @8 :Text;
  # With dashes, or empty.

  qosClass @9 :Text;
  # "guaranteed", "burstable", "besteffort", or empty.

  containerName @10 :Text;
  podName @11 :Text;
  podNamespace @12 :Text;
  image @13 :Text;
  # Of CRI, empty when it is not asked or does not say.
}

struct Uuid {
  # 128 bits in network order: high holds the first eight bytes.

  high @0 :UInt64;
  low @1 :UInt64;
}
