// The audit log of one fleet: entries in segment files, a Merkle tree over them, and the newest signed head. What is not under a signed
// head is not part of the log: it is cut when the log is opened, and comes again from the store, which still has it.
//
//   entries-<16 digits of first seq>.jsonl   the lines, as hashed
//   checkpoint                               the newest signed note (protocol/authority/checkpoint.hpp), written by rename
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aggregator/audit/entry.hpp"
#include "common/clock.hpp"
#include "common/disk/disk.hpp"
#include "common/units.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/merkle.hpp"

namespace fw::audit {

inline constexpr std::size_t kMaxUnsignedEntries = 4096;   // appended and not yet under a head
inline constexpr std::size_t kMaxReadEntries = 1000;       // of one entries()

// A log that went back (a restored backup) goes on under a new origin that policy roots signed: the tree grows on, the next entry
// (verb log.continued) names the newest head of the old one.
struct Continuation {
  std::string origin;
  std::string old_origin;
  std::uint64_t old_size = 0;
  authority::Digest old_root{};
};

struct LogConfig {
  std::string origin;                          // of the heads that are signed
  std::optional<Continuation> continuation;    // when its origin is config.origin and the folder is still under its old one
  std::optional<authority::PublicKey> old_key; // of the old origin, when the continuation has a new key
  std::uint64_t segment_bytes = 4_MiB;         // a Disk reads files whole
};

// Identity: one folder under one origin. Invariants: I20 (it only grows; no head is signed that does not continue the one before), I24
// (what a returned note covers survives any crash), I31 (after a failed write or sync nothing more is reported: problem() says why until
// the folder is opened anew, which keeps nothing that no signed head covers).
// Threading: one executor. Blocking: disk. Lifetime: disk and clock outlive it.
class Log {
 public:
  // Reads everything and checks it: chain, tree, head, signature. A new folder gets a signed head of size 0. Errors: Errc::io;
  // Errc::malformed: damage under the head, the context names the first bad seq; Errc::conflict: another origin, or a folder whose head
  // went missing or back; Errc::permission: the head is not signed by this key.
  static Result<std::unique_ptr<Log>> open(Disk& disk, const Clock& clock, authority::PrivateKey key, LogConfig config);

  // Places in the log, in order. Not reported to anybody before sign() has returned. A draft that the log has already (among the newest
  // kMaxUnsignedEntries) gets its old place and is not written again. Errc::overloaded: too many without sign(); Errc::io: broken.
  Result<std::vector<std::uint64_t>> append(std::span<const Draft> drafts);
  // Syncs, signs the head over all that was appended, writes it; the note. Without news: the note as it was.
  Result<std::string> sign();
  // Errc::conflict: the log is not under that old origin. What it names as the old head is written down, not compared: after a restored
  // backup ours is behind it. Appends, signs.
  Result<std::string> continue_as(const Continuation& continuation);

  const std::string& note() const noexcept { return note_; }
  const authority::Checkpoint& head() const noexcept { return head_; }
  std::uint64_t size() const noexcept { return head_.size; }              // under the signed head
  const std::string& problem() const noexcept { return problem_; }        // "" while healthy
  std::uint64_t cut_bytes() const noexcept { return cut_bytes_; }         // that open() cut: no signed head covered them

  // Only what is under the signed head. Errc::invalid_argument: there is none such; Errc::malformed: the disk has changed since.
  Result<std::string> entry(std::uint64_t seq);                           // the line, without its end
  Result<std::vector<std::string>> entries(std::uint64_t from, std::size_t limit);   // at most kMaxReadEntries; empty at the end
  Result<std::vector<authority::Digest>> inclusion(std::uint64_t seq, std::uint64_t size) const;
  Result<std::vector<authority::Digest>> consistency(std::uint64_t from, std::uint64_t to) const;
  Result<authority::Digest> root_at(std::uint64_t size) const;

 private:
  struct Segment {
    std::uint64_t first = 0, bytes = 0;
    std::vector<std::uint32_t> offsets;        // of each line
  };

  Log(Disk& disk, const Clock& clock, authority::PrivateKey key, LogConfig config);
  Result<void> start();                        // a new folder
  Result<void> restore(std::string_view note, std::vector<FileInfo> files);
  Result<void> cut(const Segment& segment, ByteView kept);
  Result<void> write_note(const authority::Checkpoint& head);
  Result<Bytes*> segment_bytes(std::size_t index, std::uint64_t needed);
  void remember(std::string_view rest, std::uint64_t seq);
  Error broken(const Error& error, std::string_view what);

  Disk& disk_;
  const Clock& clock_;
  authority::PrivateKey key_;
  LogConfig config_;
  authority::Tree tree_;                       // of everything appended
  authority::Checkpoint head_;
  std::string note_, problem_;
  std::vector<Segment> segments_;
  bool new_segment_ = false;                   // its name is not durable yet
  std::uint64_t cut_bytes_ = 0;
  std::map<authority::Digest, std::uint64_t> known_;   // hash of an entry without its place -> seq, of the newest ones
  std::deque<authority::Digest> known_order_;
  std::size_t cached_segment_ = 0;
  Bytes cached_;
};

}  // namespace fw::audit
