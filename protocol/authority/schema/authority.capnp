@0xa45425e8c4791bc3;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fw::authority::schema");

# What people and nodes sign. Written by the CLI, the aggregator and the executor; read by all three. Single segment, canonical, without
# a segment table. What this version does not write it does not read: a document with a field that a reader does not know is refused,
# because nobody may act on half of what was signed. A field is therefore added only together with a policy version that every node took.
#
# Every Text: valid UTF-8 without control characters, at most 1024 bytes. Every list: at most 256 entries. Digest: Data of 32 bytes.
# Uuid and nonce: Data of 16 bytes. Times: ms since the Unix epoch. Enum value 0 is never valid.

enum Algorithm { unknown @0; ed25519 @1; skEd25519 @2; skP256 @3; }

struct PublicKey {
  algorithm @0 :Algorithm;

  bytes @1 :Data;
  # ed25519: 32 bytes. Security keys: OpenSSH's public key blob. At most 1024.
}

struct Person {
  # (issuer, subject) is one person, however many keys they have.

  issuer @0 :Text;
  # "local" for keys that no identity provider vouches for.

  subject @1 :Text;
}

# ---- plan

enum Proposer { unknown @0; engine @1; person @2; }

struct Target {
  cluster @0 :Text;
  # Empty outside of Kubernetes.

  node @1 :Data;
  # Uuid of the node.

  incarnation @2 :Data;
  # Nonce of that node's executor journal.

  boot @3 :Data;
  # Uuid of the boot; empty: any. Bound by actions on a process or on one incarnation of a cgroup.

  namespace @4 :Text;
  workload @5 :Text;
  podUid @6 :Text;
  containerName @7 :Text;
  containerId @8 :Text;

  cgroupPath @9 :Text;
  # As in the memory controller's hierarchy.

  cgroupInode @10 :UInt64;
  # 0: any incarnation of that path.

  pid @11 :UInt32;

  startTicks @12 :UInt64;
  # /proc/PID/stat field 22.

  displayName @13 :Text;
}

struct Action {
  # ttlMs: after so long the executor restores the old value by itself; 0: kept.

  union {
    unset @0 :Void;
    # Never valid.

    diagnose :group { maxBytes @1 :UInt32; }
    setMemoryLimit :group { limitBytes @2 :Int64; ttlMs @3 :UInt64; }
    setMemoryHigh :group { highBytes @4 :Int64; ttlMs @5 :UInt64; }
    setCpuMax :group { quotaUs @6 :Int64; periodUs @7 :Int64; ttlMs @8 :UInt64; }
    setCpuWeight :group { weight @9 :Int64; ttlMs @10 :UInt64; }
    setPidsMax :group { max @11 :Int64; ttlMs @12 :UInt64; }
    freeze :group { ttlMs @13 :UInt64; }
    thaw @14 :Void;

    killProcess :group { graceMs @15 :UInt64; }
    # SIGTERM, then SIGKILL after graceMs. 0: SIGKILL at once.

    killCgroup @16 :Void;
    setSysctl :group { key @17 :Text; value @18 :Int64; ttlMs @19 :UInt64; }
    rotateLog :group { path @20 :Text; keepBytes @21 :UInt64; }
    undo :group { plan @22 :Data; }

    extend :group { plan @23 :Data; ttlMs @24 :UInt64; }
    # The restore of that plan comes ttlMs from now.
  }
}

enum Probe {
  unknown @0;
  memoryLimitBytes @1;
  memoryHighBytes @2;
  memoryCurrentBytes @3;
  cpuQuotaUs @4;
  cpuWeight @5;
  pidsMax @6;
  pidsCurrent @7;
  frozen @8;
  populated @9;
  processAlive @10;
  sysctlValue @11;
  fileBytes @12;
  nodeAvailableBytes @13;
}

enum Comparison { unknown @0; equal @1; notEqual @2; less @3; lessOrEqual @4; greater @5; greaterOrEqual @6; }

struct Check {
  probe @0 :Probe;
  comparison @1 :Comparison;

  value @2 :Int64;
  # -1 for limits: none.
}

struct Plan {
  # One action on one target. Nobody signs it itself: an Approval holds its digest, which also binds the class. At most 64 KiB.

  nonce @0 :Data;
  incident @1 :Text;
  proposer @2 :Proposer;

  person @3 :Person;
  # Both fields empty when the engine proposed.

  target @4 :Target;
  action @5 :Action;

  preconditions @6 :List(Check);
  # Read on the handles right before the action; one that is false: refused, nothing done.

  effect @7 :Check;
  # Must hold within effectWithinMs after the action, else it is rolled back. Absent: nothing to wait for.

  effectWithinMs @8 :UInt64;
  notBeforeMs @9 :Int64;
  notAfterMs @10 :Int64;

  budget @11 :Text;
  # Key of Policy.limits. Empty: the action's name.

  evidence @12 :Data;
  # Digest of the findings that it came from.
}

# ---- what people sign about plans. At most 16 KiB each.

enum Decision { unknown @0; deny @1; approve @2; }

struct Approval {
  # One person's yes or no to exactly one plan.

  plan @0 :Data;
  decision @1 :Decision;
  person @2 :Person;

  policyVersion @3 :UInt64;
  # The version that the person saw.

  nonce @4 :Data;
  issuedMs @5 :Int64;
  expiresMs @6 :Int64;

  render @7 :Data;
  # Digest of the text that was shown.

  renderer @8 :Text;

  reason @9 :Text;
  # May hold line ends.
}

enum Trigger { unknown @0; automatic @1; oneApprover @2; }

struct StandingApproval {
  # Signed by several people by day; each node counts its uses.

  name @0 :Text;
  nonce @1 :Data;
  trigger @2 :Trigger;
  policyVersion @3 :UInt64;

  actions @4 :List(UInt16);
  # Discriminants of Action.

  clusters @5 :List(Text);
  # Empty: any. So for the next three.

  namespaces @6 :List(Text);
  nodeLabels @7 :List(Text);
  # "key=value"

  cgroupPrefixes @8 :List(Text);
  maxClass @9 :UInt8;
  maxValue @10 :Int64;
  maxFactorPercent @11 :UInt32;
  maxTtlMs @12 :UInt64;

  fromMinute @13 :UInt32;
  # Of the UTC day, 0..1440.

  toMinute @14 :UInt32;
  perHour @15 :UInt32;
  perDay @16 :UInt32;
  notBeforeMs @17 :Int64;
  notAfterMs @18 :Int64;
}

struct Statement {
  union {
    unset @0 :Void;
    # Never valid.

    pause :group { reason @1 :Text; }
    # Reasons may hold line ends.

    resume :group { reason @2 :Text; }
    settle :group { plan @3 :Data; happened @4 :Bool; reason @5 :Text; }

    newOrigin :group {
      # The log goes on under a new origin after it went back.

      origin @6 :Text;
      logKey @7 :PublicKey;
      oldOrigin @8 :Text;
      oldSize @9 :UInt64;
      oldRoot @10 :Data;
    }
  }
  nonce @11 :Data;
  policyVersion @12 :UInt64;
  issuedMs @13 :Int64;
  expiresMs @14 :Int64;
}

# ---- trust policy. At most 96 KiB.

enum Level { unknown @0; approver @1; senior @2; }
enum Profile { unknown @0; solo @1; team @2; enterprise @3; }

struct Scope {
  # Empty list: any.

  clusters @0 :List(Text);
  namespaces @1 :List(Text);
  nodeLabels @2 :List(Text);
  maxClass @3 :UInt8;
}

struct Approver {
  person @0 :Person;
  level @1 :Level;
  groups @2 :List(Text);
  keys @3 :List(PublicKey);
  scope @4 :Scope;

  notAfterMs @5 :Int64;
  # 0: as long as the policy.
}

struct ClassRule {
  actionClass @0 :UInt8;

  threshold @1 :UInt32;
  # Distinct people.

  seniors @2 :UInt32;
  # Of them.

  groups @3 :List(Text);
  # At least one signer of each.

  maxValidityMs @4 :Int64;
  requireInclusion @5 :Bool;
}

struct Limit {
  # Of one budget on one node.

  budget @0 :Text;
  perHour @1 :UInt32;
  perDay @2 :UInt32;
}

struct Bound {
  # Narrows what the catalogue allows for one action.

  action @0 :UInt16;
  minValue @1 :Int64;
  maxValue @2 :Int64;

  maxTtlMs @3 :UInt64;
  # 0: the catalogue's.
}

struct Enabled {
  # What nodes may do. A node that no row matches only observes. Empty list: any.

  clusters @0 :List(Text);
  nodeLabels @1 :List(Text);
  actions @2 :List(UInt16);
  maxClass @3 :UInt8;
}

struct NamedKey {
  name @0 :Text;
  key @1 :PublicKey;
}

struct Policy {
  # Whose signatures count for what. Written in YAML, compiled by the CLI, signed by the roots, pinned on every node.

  version @0 :UInt64;
  organisation @1 :Text;
  profile @2 :Profile;
  issuedMs @3 :Int64;
  notAfterMs @4 :Int64;
  roots @5 :List(NamedKey);
  rootThreshold @6 :UInt32;
  approvers @7 :List(Approver);

  classes @8 :List(ClassRule);
  # By class, 0..3.

  resumeThreshold @9 :UInt32;
  limits @10 :List(Limit);
  bounds @11 :List(Bound);
  enabled @12 :List(Enabled);

  logOrigin @13 :Text;
  # First line of the audit log's checkpoints.

  logKey @14 :PublicKey;
  witnesses @15 :List(NamedKey);

  witnessQuorum @16 :UInt32;
  # 0: inclusion only.

  timeSkewMs @17 :Int64;
  paused @18 :Bool;
}

# ---- what a node says it did. At most 16 KiB.

enum State { unknown @0; received @1; verified @2; claimed @3; done @4; failed @5; inDoubt @6; refused @7; expired @8; }

struct Outcome {
  plan @0 :Data;
  node @1 :Data;
  incarnation @2 :Data;
  state @3 :State;

  code @4 :Text;
  # Of the refusal or failure. Empty when done.

  sentence @5 :Text;
  startedMs @6 :Int64;
  endedMs @7 :Int64;

  before @8 :Text;
  # What was read on the handles. May hold line ends, as after and sentence may.

  after @9 :Text;
  rolledBack @10 :Bool;
  journalSeq @11 :UInt64;

  journalHash @12 :Data;
  # Of the node's journal up to this record.
}
