// What the spool's files look like. Pure. All integers little endian.
//
//   state           magic "FWST", version u32, stream id 16, reserved_until u64, acknowledged u64, lost_events u64, CRC32C u32
//   *.log, *.thin   segment header: magic "FWSG", version u32, stream id 16, CRC32C u32; then records:
//                   magic "FWRC", length u32, key u64, count u32, frame CRC32C u32, header CRC32C u32 (of the 24 before), frame
//
// key: the seq of an event frame, the tick of a sample block; count: events in the frame, 1 for a block.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "common/id.hpp"
#include "common/result.hpp"
#include "protocol/wire/frame.hpp"

namespace fw::uplink {

struct SpoolState {
  Uuid stream_id;
  std::uint64_t reserved_until = 1;   // no seq at or above was ever used; a restart continues here
  std::uint64_t acknowledged = 0;     // a hint: the aggregator's Welcome is the truth
  std::uint64_t lost_events = 0;      // dropped, and not yet reported
};

wire::Bytes encode_state(const SpoolState& state);
Result<SpoolState> decode_state(wire::ByteView bytes);   // Errc::malformed

inline constexpr std::size_t kSegmentHeaderBytes = 28;
inline constexpr std::size_t kRecordHeaderBytes = 28;

struct Record {
  std::uint64_t key = 0;
  std::uint32_t count = 0;
  wire::ByteView frame;      // into the segment's bytes
};

wire::Bytes encode_segment_header(const Uuid& stream_id);
void append_record(wire::Bytes& out, std::uint64_t key, std::uint32_t count, wire::ByteView frame);

struct Segment {
  Uuid stream_id;
  std::vector<Record> records;       // every whole record, in file order
  std::uint64_t skipped_bytes = 0;   // damaged or torn
  std::uint64_t missing = 0;         // records in damage that has a whole record after it, at least; a torn tail counts none
};

// Finds every whole record, also behind damage. Errc::malformed when the header is not one of ours.
Result<Segment> decode_segment(wire::ByteView bytes);

}  // namespace fw::uplink
