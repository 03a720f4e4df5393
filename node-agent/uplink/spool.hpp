// What waits for the aggregator, on disk and bounded: a log of events, and samples of the time without a connection.
//
// Promises (docs/adr/0006):
// - A seq is never used twice in a stream, also after kill -9 and power loss: it comes from a range that was durably reserved before.
//   After a restart numbering continues behind the range; gaps are allowed.
// - An event frame stays until acknowledged() names it, or until the bound needs its place; then it is counted and reported.
// - The files together never exceed the bound: the oldest samples are thinned first (every 10th block stays), then dropped, events last.
// - Whatever the files contain, open() succeeds. What cannot be read is counted as lost, never interpreted.
// - When the disk refuses, events go to a small buffer in memory; after a failed sync a file gets no further record.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/id.hpp"
#include "common/units.hpp"
#include "common/disk/disk.hpp"
#include "node-agent/uplink/spool_format.hpp"

namespace fw::uplink {

struct SpoolLimits {
  std::uint64_t max_bytes = 64_MiB;          // of all files; at least 16 segments
  std::uint64_t segment_bytes = 1_MiB;       // a file is closed at this size
  std::uint64_t max_memory_bytes = 256_KiB;  // of event frames that the disk refused
  std::uint64_t reserve_seqs = 1024;         // one durable write per so many frames
  std::uint64_t keep_every = 10;             // of the blocks of a thinned file
};

struct SpoolCounters {
  std::uint64_t events_stored_total = 0;      // frames
  std::uint64_t events_lost_total = 0;        // events (not frames) dropped or unreadable
  std::uint64_t samples_stored_total = 0;     // blocks; stored = taken + thinned + dropped + held
  std::uint64_t samples_taken_total = 0;
  std::uint64_t samples_thinned_total = 0;
  std::uint64_t samples_dropped_total = 0;
  std::uint64_t samples_held = 0;
  std::uint64_t disk_errors_total = 0;
  std::uint64_t bytes = 0;                    // of all files now
  std::uint64_t memory_bytes = 0;
};

// One event frame or sample block. The bytes are valid until the next call.
struct Stored {
  std::uint64_t key = 0;                      // seq or tick
  wire::ByteView frame;
};

// Threading: one executor. Blocking: disk; a write is short, sync() may take as long as the disk needs. Lifetime: the disk outlives it.
class Spool {
 public:
  // Never fails for what the files hold. When not even the state can be written, the spool works in memory under a stream of its own
  // and leaves the files alone: see in_memory().
  static Spool open(Disk& disk, SpoolLimits limits = {});

  const Uuid& stream_id() const noexcept { return state_.stream_id; }
  std::uint64_t acknowledged_seq() const noexcept { return state_.acknowledged; }
  const std::string& in_memory() const noexcept { return in_memory_; }   // why, or ""

  // The seq of the next event frame, in a range that is durably ours. An error (the range is used up and the disk refuses a new one)
  // means: drop the frame, and count it with lost().
  Result<std::uint64_t> next_seq();
  // `frame` carries `seq` from next_seq(); `events`: how many are in it.
  void append_events(std::uint64_t seq, std::uint32_t events, wire::ByteView frame);
  // Events that were dropped before they became a frame.
  void lost(std::uint64_t events) noexcept;
  // Lost events not yet reported; the caller sends them as a Lost event. 0: nothing to report.
  std::uint64_t take_lost() noexcept;
  void give_back_lost(std::uint64_t events) noexcept { state_.lost_events += events; }   // it could not be sent

  // Sending. The cursor stands before the oldest frame that this connection has not sent.
  void rewind(std::uint64_t acknowledged_seq);     // a connection begins: Welcome's word
  void acknowledged(std::uint64_t seq);            // frees what is needless
  std::optional<Stored> next_event();              // the frame at the cursor, which stays
  void advance() noexcept;                         // that frame was sent
  bool has_unacknowledged() const noexcept;

  // Samples: self-contained blocks, oldest first.
  void append_samples(std::uint64_t tick, wire::ByteView frame);
  std::optional<Stored> take_samples();            // removes it; a crash may bring blocks of the same file back

  // Makes durable what was appended, and reserves ahead. Call it at most once a second and before the end.
  void sync();
  bool needs_sync() const noexcept { return !unsynced_.empty() || folder_unsynced_ || state_dirty_; }

  SpoolCounters counters() const;

 private:
  enum class Kind : std::uint8_t { events, samples, thinned };
  struct File {
    std::string name;
    Kind kind = Kind::events;
    std::uint64_t size_bytes = 0;       // at most; after a failed write the file may be shorter
    std::uint64_t records = 0;
    std::uint64_t events = 0;           // sum of the records' counts
    std::uint64_t last_key = 0;
    std::uint64_t taken = 0;            // of the samples: records already given back, from the front
    std::optional<wire::Bytes> memory;  // the content, when the disk refused it
    bool closed = false;                // takes no further record: full, of an earlier run, or an operation on it failed
  };
  using Files = std::map<std::uint64_t, File>;   // by first seq, or by number for samples

  // The file being read: at most one per kind is in memory.
  struct Reader {
    std::optional<std::uint64_t> file;
    std::uint64_t loaded_bytes = 0;     // File::size_bytes at that time
    wire::Bytes bytes;
    Segment segment;
  };

  Spool(Disk& disk, SpoolLimits limits) : disk_(&disk), limits_(limits) {}

  void load();
  void load_file(const FileInfo& info, const Uuid& stream);
  Result<void> write_state(const SpoolState& next);
  Result<void> replace_temporary(wire::ByteView bytes);
  Result<void> reserve();

  bool append(Files& files, std::uint64_t first_key, Kind kind, std::uint64_t key, std::uint32_t count, wire::ByteView frame);
  void append_in_memory(std::uint64_t seq, std::uint32_t events, wire::ByteView frame);
  bool make_room(std::uint64_t bytes);
  void thin(Files::iterator file);
  void drop_samples(Files::iterator file);
  void drop_events(Files::iterator file);
  void remove(Files& files, Files::iterator file);
  bool read(Reader& reader, std::uint64_t key, File& file);
  void failed(std::string_view what, const Error& error);

  Disk* disk_;
  SpoolLimits limits_;
  SpoolState state_;
  bool state_dirty_ = false;
  std::string in_memory_;
  std::uint64_t next_seq_ = 1;
  std::uint64_t first_seq_of_run_ = 1;

  Files events_;
  Files samples_;
  std::uint64_t next_sample_file_ = 1;
  std::uint64_t disk_bytes_ = 0;
  std::uint64_t memory_bytes_ = 0;
  std::set<std::string> unsynced_;
  bool folder_unsynced_ = false;

  std::uint64_t cursor_ = 0;            // newest seq sent on this connection, or acknowledged
  std::uint64_t offered_ = 0;           // by next_event()
  Reader event_reader_;
  Reader sample_reader_;
  std::uint64_t newest_seq_ = 0;        // appended last; its frame is sent without reading the disk
  std::uint64_t before_newest_ = 0;
  wire::Bytes newest_;
  SpoolCounters counters_;
};

}  // namespace fw::uplink
