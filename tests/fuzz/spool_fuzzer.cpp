// Any bytes as the files of a spool: it opens, counts, and hands out only records whose checksum is right.
#include <cstdlib>

#include "node-agent/uplink/spool.hpp"
#include "tests/support/fake_disk.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw;
  const wire::ByteView bytes(data, size);
  (void)uplink::decode_state(bytes);
  if (const auto segment = uplink::decode_segment(bytes)) {
    std::uint64_t last = 0;
    for (const auto& record : segment->records) {
      if (last != 0 && record.key <= last) std::abort();
      last = record.key;
    }
  }
  // The first byte says where the rest lies.
  if (size == 0) return 0;
  test::FakeDisk disk;
  const char* const names[] = {"state", "events-0000000000000001.log", "samples-0000000000000001.log", "samples-0000000000000001.thin"};
  if (!disk.append(names[data[0] % 4], bytes.subspan(1))) std::abort();
  auto spool = uplink::Spool::open(disk, {.max_bytes = 64_KiB, .segment_bytes = 4_KiB});
  while (spool.next_event()) spool.advance();
  while (spool.take_samples()) {
  }
  const auto seq = spool.next_seq();
  if (!seq) return 0;
  const std::uint8_t frame[] = {1};
  spool.append_events(*seq, 1, frame);
  spool.sync();
  return 0;
}
