@0xb0148a973357b287;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fw::wire::schema");

using Entity = import "entity.capnp";

struct Samples {
  # Root of a frame of kind samples: one tick, by columns. Written by the agent, read by the aggregator. Never acknowledged.
  #
  # Values are 64 bit integers. A column names its entities and which of their values differ from the last ones sent; only differences
  # travel, in the narrowest list that holds all of the column. A value that the kernel does not offer has no entity in the column.

  tick @0 :UInt64;
  # Grows; a gap is a lost tick.

  timeNs @1 :Int64;
  # ns since the Unix epoch.

  form @2 :Form;

  baseTick @3 :UInt64;
  # Form difference: the tick that this one continues, which must be the last one received.

  entities @4 :List(Entity.EntityEntry);
  # Forms absolute and difference: new or changed on this connection. Form selfContained: all that columns refer to.

  metrics @5 :List(MetricEntry);
  # Likewise.

  removedEntityIds @6 :List(UInt32);
  # They leave every column's last known set before the columns below are read. Ascending.

  entitySets @7 :List(EntitySet);

  columns @8 :List(Column);
  # Ascending metric ids.
}

enum Form {
  unknown @0;
  absolute @1;
  # First tick of a connection: every set is given, differences are against 0.

  difference @2;

  selfContained @3;
  # Against 0, uses no state, changes none. Ids mean nothing outside of this frame.
}

enum MetricKind {
  unknown @0;
  gauge @1;
  counter @2;
}

struct MetricEntry {
  id @0 :UInt32;
  # Unique within one agent run.

  kind @1 :MetricKind;
  name @2 :Text;
  # "memory_current_bytes"

  unit @3 :Text;
  # "bytes", "us", "1"
}

struct EntitySet {
  # One or more entity ids, strictly ascending: the first, then each one's distance to the one before, never 0.

  first @0 :UInt32;

  gaps :union {
    unset @1 :Void;
    # Never valid.

    bits8 @2 :List(UInt8);
    bits16 @3 :List(UInt16);
    bits32 @4 :List(UInt32);
  }
}

struct Column {
  metricId @0 :UInt32;

  entitySet @1 :UInt16;
  # 0: the entities that the last column of this metric on this connection had. n: entitySets[n - 1].

  changed @2 :Data;
  # Bit i (least significant first) is set when entity i's value differs. Empty: none does. Bits after the last entity are 0.

  differences :union {
    # One per set bit, never 0: new value minus old one, modulo 2^64. The old value is 0 for an entity new in this column.

    unset @3 :Void;
    # Valid with an empty changed only.

    bits8 @4 :List(Int8);
    bits16 @5 :List(Int16);
    bits32 @6 :List(Int32);
    bits64 @7 :List(Int64);
  }
}
