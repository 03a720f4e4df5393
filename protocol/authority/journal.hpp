// The executor's memory: an append-only chain of records on a Disk. Whatever the power does, what was reported durable is there again.
//
//   One file journal-<16 hex digits of its first seq>, big endian records: u32 length of what follows the checksum | u32 CRC32C of it |
//   u64 seq | u8 type | [32] hash of the record before | payload. A record's hash is the SHA-256 of what follows its checksum.
//   A file begins with records that say everything that still matters. A new one is written under another name, synced, renamed, its
//   folder synced; then the old one goes. That is also how a torn tail is left behind, and how what was only read back becomes durable.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/disk/disk.hpp"
#include "protocol/authority/crypto.hpp"

namespace fw::authority {

inline constexpr std::size_t kMaxRecordBytes = 128 * 1024;       // of one payload

struct JournalRecord {
  std::uint64_t seq = 0;
  std::uint8_t type = 0;
  Bytes payload;
  Digest hash{};       // of the record: the chain up to and with it
};

// Pure. The records of one file and how many of its bytes they are; what follows them is a torn tail. Errc::malformed with the place when
// good records follow bad bytes, or the chain does not hold.
struct JournalFile { std::vector<JournalRecord> records; std::size_t good_bytes = 0; };
Result<JournalFile> parse_journal(ByteView bytes);

// Identity: one folder. Invariant: append() and compact() with a value mean durable, also under power loss.
// A failed sync (or rename) breaks the journal until the program starts again: broken(). A failed write does not (the disk was full): the
// next file heals it, needs_compaction(). problem() is "" again after that.
// Threading: one executor. Blocking: disk. Errors: Errc::io, Errc::too_large (the record; nothing happened).
class Journal {
 public:
  // Reads the newest file. Damage in it makes open() fail with where: the folder must be replaced, which is a new incarnation.
  // Nothing is written: the first append is preceded by compact().
  static Result<std::unique_ptr<Journal>> open(Disk& disk);
  virtual ~Journal() = default;

  virtual const std::vector<JournalRecord>& restored() const = 0;   // until forget_restored()
  virtual void forget_restored() = 0;
  virtual bool needs_compaction() const = 0;                        // append() fails until compact()
  virtual Result<JournalRecord> append(std::uint8_t type, ByteView payload) = 0;   // durable; the payload is left out of the answer
  // Writes `state` as a new file (its type and payload; sequence and chain go on) and removes the others.
  virtual Result<void> compact(const std::vector<JournalRecord>& state) = 0;
  virtual std::uint64_t seq() const = 0;                            // of the newest record, 0 before the first
  virtual Digest head() const = 0;                                  // hash of the newest record
  virtual const std::string& problem() const = 0;                   // why the last append or compact() failed
  virtual bool broken() const = 0;
  virtual std::uint64_t bytes() const = 0;                          // of the newest file
};

}  // namespace fw::authority
