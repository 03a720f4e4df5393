// Any bytes as a file of the journal and as its records: damage is named, a torn tail is left behind, what is read is what was written.
#include <cstdlib>

#include "protocol/authority/executor_records.hpp"
#include "protocol/authority/journal.hpp"
#include "tests/support/fake_disk.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw;
  using namespace fw::authority;
  if (size == 0) return 0;
  const ByteView bytes(data, size);
  if (const auto record = parse_record(data[0], bytes.subspan(1))) {
    if (record_type(*record) != data[0] || !std::ranges::equal(to_bytes(*record), bytes.subspan(1))) std::abort();
  }
  if (const auto file = parse_journal(bytes)) {
    if (file->records.empty() || file->good_bytes > size) std::abort();
  }
  test::FakeDisk disk;
  if (!disk.append("journal-0000000000000001", bytes)) std::abort();
  auto journal = Journal::open(disk);
  if (!journal) return 0;
  const auto seq = (*journal)->seq();
  const auto restored = (*journal)->restored();
  if (!(*journal)->compact(restored) || !(*journal)->append(1, bytes.first(1)) || (*journal)->seq() != seq + restored.size() + 2) std::abort();
  const auto again = Journal::open(disk);
  if (!again || (*again)->restored().size() != restored.size() + 1) std::abort();
  return 0;
}
