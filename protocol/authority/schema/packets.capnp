@0xade2a42ac0fe3b9c;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fw::authority::schema");

using Authority = import "authority.capnp";

# Bodies of the packets between an executor and the aggregator, relayed unread by the node's agent. Both ends trust neither the other
# nor the agent. Canonical like the documents of authority.capnp, with the same rules for Text, Digest, Uuid and nonce. At most 160 KiB.

struct Signature {
  key @0 :Data;
  # Digest: id of the signer's key.

  algorithm @1 :Authority.Algorithm;

  bytes @2 :Data;
  # At most 1024.
}

struct SignedDocument {
  # Body of the packet types policy and statement; of denial and outcome with exactly one signature.

  document @0 :Data;
  # Policy, Statement, Approval or Outcome.

  signatures @1 :List(Signature);
  # At most 8.
}

struct DeliverPlan {
  envelope @0 :Data;
  # Fixed layout: envelope.hpp. At most 128 KiB.
}

struct DeliverCheckpoint {
  note @0 :Data;
  # Signed note. At most 8 KiB.

  fromSize @1 :UInt64;
  consistency @2 :List(Data);
  # Digests, at most 63: from the tree of fromSize to the note's.
}

struct AckOutcome {
  # The outcome stands in the audit log: it need not be sent again.

  plan @0 :Data;
  journalSeq @1 :UInt64;
  logIndex @2 :UInt64;
}

struct AskStatus {
  # Nothing: the answer is ExecutorStatus.
}

struct ExecutorStatus {
  version @0 :Text;
  node @1 :Data;
  incarnation @2 :Data;

  key @3 :Authority.PublicKey;
  # Signs outcomes and cosigns checkpoints; made with the journal.

  policyVersion @4 :UInt64;
  policy @5 :Data;
  # Digest.

  hasPending @6 :Bool;
  pendingPolicyVersion @7 :UInt64;
  # Accepted, not active yet; only with hasPending.

  policyNotAfterMs @8 :Int64;
  observeOnly @9 :Bool;
  paused @10 :Bool;

  journalProblem @11 :Text;
  # Empty while healthy.

  timeFloorMs @12 :Int64;

  checkpoint @13 :Data;
  # Newest note that it verified, with its own cosignature. Empty before the first; at most 8 KiB.

  journalSeq @14 :UInt64;

  pendingRestores @15 :UInt32;
  # TTLs that run.
}

struct Notice {
  # The answer to a delivery that has no outcome of its own.

  subject @0 :Data;
  # Digest of the plan or document.

  code @1 :Text;
  # Empty: taken.

  sentence @2 :Text;

  again @3 :Bool;
  # The same may be sent again, with what is missing.
}
