// The executor's memory: an append-only chain of records on a Disk. Whatever the power does, what was reported durable is there again.
//
//   segment files journal-<16 hex of first seq>; record: u32 length | u32 CRC32C | u64 seq | u8 type | [32] hash of the record before | payload
//   A new segment is written, synced, renamed, its folder synced. After a failed sync the file is never again reported durable: the
//   journal is broken until the program starts again.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/disk/disk.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::authority {

struct JournalRecord { std::uint64_t seq = 0; std::uint8_t type = 0; Bytes payload; };

// Identity: one folder. Invariant: append() with a value means durable.
// Threading: one executor. Blocking: disk. Errors: Errc::io; after one, problem() says why and every append fails.
class Journal {
 public:
  // Reads every record back in order. A torn tail is cut; damage before it makes open() fail with where (the folder must be replaced: a
  // new incarnation).
  static Result<std::unique_ptr<Journal>> open(Disk& disk);
  virtual ~Journal() = default;

  virtual const std::vector<JournalRecord>& restored() const = 0;   // until forget_restored()
  virtual void forget_restored() = 0;
  virtual Result<std::uint64_t> append(std::uint8_t type, ByteView payload) = 0;   // its seq, durable
  virtual std::uint64_t seq() const = 0;
  virtual Digest head() const = 0;                                  // hash of the newest record
  virtual const std::string& problem() const = 0;
  // Writes `state` (records that together say everything that still matters) as a new first segment and removes the others.
  virtual Result<void> compact(const std::vector<JournalRecord>& state) = 0;
  virtual std::uint64_t bytes() const = 0;
};

}  // namespace fw::authority
