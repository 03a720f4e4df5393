#include "node-agent/uplink/spool_format.hpp"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <cstring>

namespace fw::uplink {

namespace {

constexpr std::uint32_t kStateMagic = 0x54535746;    // "FWST"
constexpr std::uint32_t kSegmentMagic = 0x47535746;  // "FWSG"
constexpr std::uint32_t kRecordMagic = 0x43525746;   // "FWRC"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kStateBytes = 4 + 4 + 16 + 8 + 8 + 8 + 4;

template <class T>
void put(wire::Bytes& out, T value) {
  boost::endian::native_to_little_inplace(value);
  const auto at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}

void put(wire::Bytes& out, wire::ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

template <class T>
T get(wire::ByteView bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return boost::endian::little_to_native(value);
}

Uuid get_uuid(wire::ByteView bytes, std::size_t at) {
  Uuid id;
  std::memcpy(id.bytes.data(), bytes.data() + at, id.bytes.size());
  return id;
}

// The CRC of the last four bytes covers all before them.
bool sealed(wire::ByteView bytes) {
  return wire::crc32c(bytes.first(bytes.size() - 4)) == get<std::uint32_t>(bytes, bytes.size() - 4);
}

std::optional<Record> record_at(wire::ByteView bytes, std::size_t at) {
  const auto rest = bytes.subspan(at);
  if (rest.size() < kRecordHeaderBytes || get<std::uint32_t>(rest, 0) != kRecordMagic) return std::nullopt;
  if (!sealed(rest.first(kRecordHeaderBytes))) return std::nullopt;  // before the length is believed
  const auto length = get<std::uint32_t>(rest, 4);
  if (length > rest.size() - kRecordHeaderBytes) return std::nullopt;
  const auto frame = rest.subspan(kRecordHeaderBytes, length);
  if (wire::crc32c(frame) != get<std::uint32_t>(rest, 20)) return std::nullopt;
  return Record{.key = get<std::uint64_t>(rest, 8), .count = get<std::uint32_t>(rest, 16), .frame = frame};
}

std::size_t find_magic(wire::ByteView bytes, std::size_t from) {
  constexpr std::uint8_t kMagic[] = {'F', 'W', 'R', 'C'};
  if (from >= bytes.size()) return bytes.size();
  const auto it = std::search(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(), std::begin(kMagic), std::end(kMagic));
  return static_cast<std::size_t>(it - bytes.begin());
}

}  // namespace

wire::Bytes encode_state(const SpoolState& state) {
  wire::Bytes out;
  put(out, kStateMagic);
  put(out, kVersion);
  put(out, wire::ByteView(state.stream_id.bytes));
  put(out, state.reserved_until);
  put(out, state.acknowledged);
  put(out, state.lost_events);
  put(out, wire::crc32c(out));
  return out;
}

Result<SpoolState> decode_state(wire::ByteView bytes) {
  if (bytes.size() != kStateBytes || get<std::uint32_t>(bytes, 0) != kStateMagic || get<std::uint32_t>(bytes, 4) != kVersion ||
      !sealed(bytes)) {
    return Error{Errc::malformed, "spool state"};
  }
  return SpoolState{.stream_id = get_uuid(bytes, 8),
                    .reserved_until = get<std::uint64_t>(bytes, 24),
                    .acknowledged = get<std::uint64_t>(bytes, 32),
                    .lost_events = get<std::uint64_t>(bytes, 40)};
}

wire::Bytes encode_segment_header(const Uuid& stream_id) {
  wire::Bytes out;
  put(out, kSegmentMagic);
  put(out, kVersion);
  put(out, wire::ByteView(stream_id.bytes));
  put(out, wire::crc32c(out));
  return out;
}

void append_record(wire::Bytes& out, std::uint64_t key, std::uint32_t count, wire::ByteView frame) {
  const auto start = out.size();
  put(out, kRecordMagic);
  put(out, static_cast<std::uint32_t>(frame.size()));
  put(out, key);
  put(out, count);
  put(out, wire::crc32c(frame));
  put(out, wire::crc32c(wire::ByteView(out).subspan(start)));
  put(out, frame);
}

Result<Segment> decode_segment(wire::ByteView bytes) {
  if (bytes.size() < kSegmentHeaderBytes || get<std::uint32_t>(bytes, 0) != kSegmentMagic ||
      get<std::uint32_t>(bytes, 4) != kVersion || !sealed(bytes.first(kSegmentHeaderBytes))) {
    return Error{Errc::malformed, "spool segment header"};
  }
  Segment segment{.stream_id = get_uuid(bytes, 8), .records = {}, .skipped_bytes = 0, .missing = 0};
  std::size_t at = kSegmentHeaderBytes;
  bool damaged = false;
  while (at < bytes.size()) {
    const auto record = record_at(bytes, at);
    // A key that does not grow is an old block that came back, not a record of this place.
    if (record && (segment.records.empty() || record->key > segment.records.back().key)) {
      if (damaged) segment.missing += segment.records.empty() ? 1 : std::max<std::uint64_t>(1, record->key - segment.records.back().key - 1);
      damaged = false;
      segment.records.push_back(*record);
      at += kRecordHeaderBytes + record->frame.size();
      continue;
    }
    const auto next = find_magic(bytes, at + 1);
    segment.skipped_bytes += next - at;
    damaged = true;
    at = next;
  }
  return segment;
}

}  // namespace fw::uplink
