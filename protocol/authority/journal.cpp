#include "protocol/authority/journal.hpp"

#include <algorithm>
#include <boost/crc.hpp>
#include <fmt/format.h>

namespace fw::authority {
namespace {

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kNewName = "new-journal";
constexpr std::size_t kNameBytes = kPrefix.size() + 16;
constexpr std::size_t kFrameBytes = 4 + 4;             // length, checksum
constexpr std::size_t kHeadBytes = 8 + 1 + 32;         // seq, type, hash of the record before
constexpr std::uint8_t kEndOfState = 0xFF;             // the type of the record that compact() writes last

void put(Bytes& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
std::uint64_t get(ByteView in, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | in[at + i];
  return value;
}
std::uint32_t crc32c(ByteView bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

// What follows the checksum of the record that begins at `at`; empty when no whole, good record begins there.
ByteView record_body(ByteView bytes, std::size_t at) {
  if (bytes.size() - at < kFrameBytes) return {};
  const std::uint64_t length = get(bytes, at, 4);
  if (length < kHeadBytes || length > kHeadBytes + kMaxRecordBytes || length > bytes.size() - at - kFrameBytes) return {};
  const ByteView body = bytes.subspan(at + kFrameBytes, static_cast<std::size_t>(length));
  return crc32c(body) == get(bytes, at + 4, 4) ? body : ByteView{};
}

void encode(Bytes& out, JournalRecord& record, const Digest& before) {
  Bytes body;
  body.reserve(kHeadBytes + record.payload.size());
  put(body, record.seq, 8);
  body.push_back(record.type);
  body.insert(body.end(), before.begin(), before.end());
  body.insert(body.end(), record.payload.begin(), record.payload.end());
  record.hash = sha256(body);
  put(out, body.size(), 4);
  put(out, crc32c(body), 4);
  out.insert(out.end(), body.begin(), body.end());
}

std::string file_name(std::uint64_t first_seq) { return fmt::format("{}{:016x}", kPrefix, first_seq); }
bool is_journal(std::string_view name) {
  return name.size() == kNameBytes && name.starts_with(kPrefix) && name.find_first_not_of("0123456789abcdef", kPrefix.size()) == name.npos;
}

class DiskJournal final : public Journal {
 public:
  explicit DiskJournal(Disk& disk) : disk_(disk) {}

  Result<void> read_back() {
    auto files = disk_.list();
    if (!files) return with_context(files.error(), "journal");
    std::string newest;
    for (const auto& file : *files) {
      if (is_journal(file.name)) newest = std::max(newest, file.name);   // of one length: the order of the names is that of the numbers
    }
    if (newest.empty()) return {};
    auto bytes = disk_.read(newest);
    if (!bytes) return with_context(bytes.error(), "journal: " + newest);
    auto file = parse_journal(*bytes);
    if (!file) return with_context(file.error(), "journal: " + newest);
    if (file_name(file->records.front().seq) != newest) return Error(Errc::malformed, "journal: " + newest + ": begins with another record");
    seq_ = file->records.back().seq;
    head_ = file->records.back().hash;
    bytes_ = file->good_bytes;
    restored_ = std::move(file->records);
    std::erase_if(restored_, [](const JournalRecord& record) { return record.type == kEndOfState; });
    return {};
  }

  const std::vector<JournalRecord>& restored() const override { return restored_; }
  void forget_restored() override { std::vector<JournalRecord>().swap(restored_); }
  bool needs_compaction() const override { return needs_compaction_; }
  std::uint64_t seq() const override { return seq_; }
  Digest head() const override { return head_; }
  const std::string& problem() const override { return problem_; }
  bool broken() const override { return broken_; }
  std::uint64_t bytes() const override { return bytes_; }

  Result<JournalRecord> append(std::uint8_t type, ByteView payload) override {
    if (broken_ || needs_compaction_) return Error(Errc::io, "journal: " + (problem_.empty() ? std::string("not compacted yet") : problem_));
    if (payload.size() > kMaxRecordBytes || type == kEndOfState) return Error(Errc::too_large, "journal: record");
    JournalRecord record{seq_ + 1, type, Bytes(payload.begin(), payload.end()), {}};
    Bytes bytes;
    encode(bytes, record, head_);
    if (auto written = disk_.append(name_, bytes); !written) return write_failed(written.error());
    if (auto synced = disk_.sync(name_); !synced) return sync_failed(synced.error());
    seq_ = record.seq;
    head_ = record.hash;
    bytes_ += bytes.size();
    record.payload.clear();
    return record;
  }

  Result<void> compact(const std::vector<JournalRecord>& state) override {
    if (broken_) return Error(Errc::io, "journal: " + problem_);
    Bytes bytes;
    std::uint64_t seq = seq_;
    Digest head = head_;
    for (const auto& kept : state) {
      if (kept.payload.size() > kMaxRecordBytes || kept.type == kEndOfState) return Error(Errc::too_large, "journal: record");
    }
    const auto add = [&](std::uint8_t type, const Bytes& payload) {
      JournalRecord record{++seq, type, payload, {}};
      encode(bytes, record, head);
      head = record.hash;
    };
    for (const auto& kept : state) add(kept.type, kept.payload);
    add(kEndOfState, {});

    // Until the rename nothing that counts is touched: a failure here is tried again with a file that was never synced before.
    if (auto removed = disk_.unlink(kNewName); !removed && removed.error().code != make_error_code(Errc::gone)) return write_failed(removed.error());
    if (auto written = disk_.append(kNewName, bytes); !written) {
      // What was written of it would keep a full disk full.
      if (auto removed = disk_.unlink(kNewName); !removed) needs_compaction_ = true;
      return write_failed(written.error());
    }
    if (auto synced = disk_.sync(kNewName); !synced) return sync_failed(synced.error());
    const std::string name = file_name(seq_ + 1);
    if (auto renamed = disk_.rename(kNewName, name); !renamed) return sync_failed(renamed.error());
    if (auto synced = disk_.sync_folder(); !synced) return sync_failed(synced.error());
    name_ = name;
    seq_ = seq;
    head_ = head;
    bytes_ = bytes.size();
    needs_compaction_ = false;
    problem_.clear();
    remove_old_files();
    return {};
  }

 private:
  Error write_failed(const Error& error) {
    needs_compaction_ = true;
    problem_ = error.message();
    return with_context(error, "journal");
  }
  Error sync_failed(const Error& error) {
    broken_ = true;
    problem_ = error.message();
    return with_context(error, "journal");
  }
  // One that stays (or comes back after a power loss) does no harm: the newest is read. It goes at the next compaction.
  void remove_old_files() {
    const auto files = disk_.list();
    if (!files) return;
    for (const auto& file : *files) {
      if (is_journal(file.name) && file.name != name_) (void)disk_.unlink(file.name);
    }
  }

  Disk& disk_;
  std::string name_;                   // of the file that is appended to
  std::uint64_t seq_ = 0;
  Digest head_{};
  std::uint64_t bytes_ = 0;
  bool needs_compaction_ = true;       // what was read back may be in the page cache only, of a sync that failed
  bool broken_ = false;
  std::string problem_;
  std::vector<JournalRecord> restored_;
};

}  // namespace

Result<JournalFile> parse_journal(ByteView bytes) {
  JournalFile file;
  bool state_ended = false;
  std::size_t at = 0;
  for (ByteView body; !(body = record_body(bytes, at)).empty(); at += kFrameBytes + body.size()) {
    JournalRecord record{get(body, 0, 8), body[8], Bytes(body.begin() + kHeadBytes, body.end()), sha256(body)};
    const ByteView before = body.subspan(9, 32);
    if (!file.records.empty() && (record.seq != file.records.back().seq + 1 || !std::ranges::equal(before, file.records.back().hash))) {
      return Error(Errc::malformed, fmt::format("record {} at byte {} does not continue record {}", record.seq, at, file.records.back().seq));
    }
    state_ended |= record.type == kEndOfState;
    file.records.push_back(std::move(record));
  }
  file.good_bytes = at;
  if (!state_ended) return Error(Errc::malformed, fmt::format("damaged at byte {}, in what was made durable as a whole", at));
  // A write that was cut off is the last thing in a file.
  for (std::size_t later = at + 1; later < bytes.size(); ++later) {
    const ByteView body = record_body(bytes, later);
    if (!body.empty() && get(body, 0, 8) > file.records.back().seq) {
      return Error(Errc::malformed, fmt::format("damaged at byte {}: record {} follows at byte {}", at, get(body, 0, 8), later));
    }
  }
  return file;
}

Result<std::unique_ptr<Journal>> Journal::open(Disk& disk) {
  auto journal = std::make_unique<DiskJournal>(disk);
  if (auto read = journal->read_back(); !read) return read.error();
  return std::unique_ptr<Journal>(std::move(journal));
}

}  // namespace fw::authority
