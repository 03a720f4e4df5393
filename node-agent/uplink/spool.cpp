#include "node-agent/uplink/spool.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "common/log.hpp"

namespace fw::uplink {

namespace {

constexpr std::string_view kState = "state";
constexpr std::string_view kTemporary = "new.tmp";
constexpr std::uint64_t kStateReserveBytes = 256;  // the state, and the one that replaces it

std::string numbered(std::string_view prefix, std::uint64_t number, std::string_view suffix) {
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(number));
  return std::string(prefix) + hex.data() + std::string(suffix);
}

// The number of "events-00000000000004d2.log".
std::optional<std::uint64_t> number_of(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() != prefix.size() + 16 + suffix.size()) return std::nullopt;
  const auto hex = name.substr(prefix.size(), 16);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
  if (error != std::errc{} || end != hex.data() + hex.size()) return std::nullopt;
  return number;
}

std::uint64_t events_after(const Segment& segment, std::uint64_t seq) {
  std::uint64_t events = 0;
  for (const auto& record : segment.records) events += record.key > seq ? record.count : 0;
  return events;
}

}  // namespace

Spool Spool::open(Disk& disk, SpoolLimits limits) {
  limits.segment_bytes = std::min(limits.segment_bytes, limits.max_bytes / 16);
  Spool spool(disk, limits);
  spool.load();
  return spool;
}

// ---- start --------------------------------------------------------------------------------------------------------

void Spool::load() {
  const auto bytes = disk_->read(kState);
  const auto found = bytes ? decode_state(*bytes) : Result<SpoolState>(bytes.error());
  state_ = found ? *found : SpoolState{.stream_id = make_uuid_v4()};
  next_seq_ = first_seq_of_run_ = state_.reserved_until;

  // Before any file is touched: without a durable range nothing may be sent under this stream. A state that is there but cannot be
  // read now may be readable at the next start, so it is not replaced.
  auto files = disk_->list();
  auto usable = files ? Result<void>() : Result<void>(files.error());
  if (usable && !bytes && bytes.error().code != Errc::gone) usable = bytes.error();
  if (usable) usable = reserve();
  if (!usable) {
    ++counters_.disk_errors_total;
    in_memory_ = usable.error().message();
    state_ = SpoolState{.stream_id = make_uuid_v4()};
    next_seq_ = first_seq_of_run_ = 1;
    return;
  }
  std::sort(files->begin(), files->end(), [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
  for (const auto& info : *files) load_file(info, state_.stream_id);
  if (!events_.empty()) before_newest_ = newest_seq_ = std::prev(events_.end())->second.last_key;
  if (newest_seq_ >= next_seq_) {  // the state is older than the files: somebody restored one of them
    next_seq_ = first_seq_of_run_ = newest_seq_ + 1;
    (void)reserve();  // on failure next_seq() tries again
  }
}

void Spool::load_file(const FileInfo& info, const Uuid& stream) {
  File file{.name = info.name, .size_bytes = info.size_bytes, .memory = std::nullopt, .closed = true};
  std::uint64_t number = 0;
  if (const auto seq = number_of(info.name, "events-", ".log")) {
    number = *seq;
  } else if (const auto thin = number_of(info.name, "samples-", ".thin")) {
    file.kind = Kind::thinned;
    number = *thin;
  } else if (const auto block = number_of(info.name, "samples-", ".log")) {
    file.kind = Kind::samples;
    number = *block;
  } else {
    if (info.name != kState && info.name != kTemporary) disk_bytes_ += info.size_bytes;  // not ours, but in our bound
    return;
  }
  disk_bytes_ += info.size_bytes;
  if (file.kind != Kind::events) next_sample_file_ = std::max(next_sample_file_, number + 1);

  auto& files = file.kind == Kind::events ? events_ : samples_;
  const auto [it, fresh] = files.try_emplace(number, std::move(file));
  if (!fresh) {  // ".log" sorts before ".thin": thinning was interrupted before it removed the file that it replaces
    std::swap(it->second, file);
    disk_bytes_ -= disk_->unlink(file.name) ? file.size_bytes : 0;
    counters_.samples_held -= file.records;
    counters_.samples_stored_total -= file.records;
  }
  auto bytes = disk_->read(it->second.name);
  auto segment = bytes ? decode_segment(*bytes) : Result<Segment>(bytes.error());
  if (!bytes) failed(it->second.name, bytes.error());
  const bool is_events = it->second.kind == Kind::events;
  const bool ours = segment && !segment->records.empty() &&
                    (!is_events || (segment->stream_id == stream && segment->records.front().key == number));
  if (!ours) {
    // A crash may leave a file without one whole record. What is of another stream or under another name cannot be sent in order.
    if (is_events && segment) lost(events_after(*segment, 0) + segment->missing);
    if (is_events && !segment && info.size_bytes > kSegmentHeaderBytes + kRecordHeaderBytes) lost(1);
    return remove(files, it);
  }
  it->second.records = segment->records.size();
  it->second.events = events_after(*segment, 0);
  it->second.last_key = segment->records.back().key;
  if (is_events) {
    lost(segment->missing);
  } else {
    counters_.samples_stored_total += segment->records.size();
    counters_.samples_held += segment->records.size();
  }
}

// ---- seq ----------------------------------------------------------------------------------------------------------

Result<void> Spool::write_state(const SpoolState& next) {
  auto done = replace_temporary(encode_state(next));
  if (done) done = disk_->sync(kTemporary);
  if (done) done = disk_->rename(kTemporary, kState);
  if (done) done = disk_->sync_folder();
  if (!done) {
    ++counters_.disk_errors_total;
    return with_context(done.error(), "spool state");
  }
  state_ = next;
  state_dirty_ = false;
  folder_unsynced_ = false;
  return {};
}

Result<void> Spool::replace_temporary(wire::ByteView bytes) {
  if (const auto removed = disk_->unlink(kTemporary); !removed && removed.error().code != Errc::gone) return removed.error();
  return disk_->append(kTemporary, bytes);
}

Result<void> Spool::reserve() {
  auto next = state_;
  next.reserved_until = next_seq_ + limits_.reserve_seqs;
  return write_state(next);
}

Result<std::uint64_t> Spool::next_seq() {
  if (in_memory_.empty() && next_seq_ >= state_.reserved_until) {
    if (const auto reserved = reserve(); !reserved) return reserved.error();
  }
  return next_seq_++;
}

// ---- events -------------------------------------------------------------------------------------------------------

void Spool::append_events(std::uint64_t seq, std::uint32_t events, wire::ByteView frame) {
  FW_ASSERT(seq > newest_seq_ && seq < next_seq_, "event frames are appended in the order of next_seq()");
  bool stored = in_memory_.empty() && append(events_, seq, Kind::events, seq, events, frame);
  if (!stored && in_memory_.empty() && !samples_.empty()) {  // a full disk: samples make place for events
    drop_samples(samples_.begin());
    stored = append(events_, seq, Kind::events, seq, events, frame);
  }
  if (!stored) append_in_memory(seq, events, frame);
  before_newest_ = newest_seq_;
  newest_seq_ = seq;
  newest_.assign(frame.begin(), frame.end());
  ++counters_.events_stored_total;
}

void Spool::append_in_memory(std::uint64_t seq, std::uint32_t events, wire::ByteView frame) {
  const auto piece_bytes = limits_.max_memory_bytes / 4;
  const auto need = kRecordHeaderBytes + frame.size();
  if (events_.empty() || !events_.rbegin()->second.memory || events_.rbegin()->second.memory->size() + need > piece_bytes) {
    events_.emplace(seq, File{.name = "", .memory = encode_segment_header(state_.stream_id)});
    memory_bytes_ += kSegmentHeaderBytes;
  }
  auto& file = events_.rbegin()->second;
  append_record(*file.memory, seq, events, frame);
  file.records += 1;
  file.events += events;
  file.last_key = seq;
  memory_bytes_ += need;
  for (auto it = events_.begin(); it != events_.end() && memory_bytes_ > limits_.max_memory_bytes;) {
    const auto next = std::next(it);
    if (it->second.memory) drop_events(it);
    it = next;
  }
}

void Spool::lost(std::uint64_t events) noexcept {
  state_.lost_events += events;
  counters_.events_lost_total += events;
  state_dirty_ = state_dirty_ || events != 0;
}

std::uint64_t Spool::take_lost() noexcept {
  state_dirty_ = state_dirty_ || state_.lost_events != 0;
  return std::exchange(state_.lost_events, 0);
}

void Spool::rewind(std::uint64_t acknowledged_seq) {
  if (acknowledged_seq >= next_seq_) {
    // The folder went back in time (a restored disk image): the aggregator has seen these numbers before, so what this run put under
    // them would pass for repetition.
    for (const auto& [first, file] : events_) {
      if (first >= first_seq_of_run_) lost(file.events);
    }
    next_seq_ = acknowledged_seq + 1;
    if (in_memory_.empty()) (void)reserve();  // on failure next_seq() tries again
  }
  acknowledged(acknowledged_seq);
  cursor_ = acknowledged_seq;
}

void Spool::acknowledged(std::uint64_t seq) {
  state_.acknowledged = seq;
  for (auto it = events_.begin(); it != events_.end() && it->second.last_key <= seq;) {
    const auto next = std::next(it);
    // The file that grows stays until it is full: one file per acknowledged event would be more work than its place is worth.
    if (it->second.closed || it->second.memory) remove(events_, it);
    it = next;
  }
}

std::optional<Stored> Spool::next_event() {
  if (newest_seq_ > cursor_ && before_newest_ <= cursor_ && !newest_.empty()) {
    offered_ = newest_seq_;
    return Stored{newest_seq_, newest_};
  }
  for (auto it = events_.begin(); it != events_.end();) {
    auto& [first, file] = *it;
    const auto next = std::next(it);
    if (file.last_key > cursor_) {
      if (read(event_reader_, first, file)) {
        const auto& records = event_reader_.segment.records;
        const auto record = std::upper_bound(records.begin(), records.end(), cursor_,
                                             [](std::uint64_t seq, const Record& r) { return seq < r.key; });
        if (record != records.end()) {
          offered_ = record->key;
          return Stored{record->key, record->frame};
        }
      }
      drop_events(it);
    }
    it = next;
  }
  return std::nullopt;
}

void Spool::advance() noexcept { cursor_ = offered_; }

bool Spool::has_unacknowledged() const noexcept {
  return !events_.empty() && events_.rbegin()->second.last_key > state_.acknowledged;
}

// ---- samples ------------------------------------------------------------------------------------------------------

void Spool::append_samples(std::uint64_t tick, wire::ByteView frame) {
  ++counters_.samples_stored_total;
  const bool open = !samples_.empty() && !samples_.rbegin()->second.closed && samples_.rbegin()->second.last_key < tick;
  if (!open && !samples_.empty()) samples_.rbegin()->second.closed = true;
  const auto number = open ? samples_.rbegin()->first : next_sample_file_++;
  if (in_memory_.empty() && append(samples_, number, Kind::samples, tick, 1, frame)) {
    ++counters_.samples_held;
  } else {
    ++counters_.samples_dropped_total;
  }
}

std::optional<Stored> Spool::take_samples() {
  while (!samples_.empty()) {
    const auto it = samples_.begin();
    auto& [number, file] = *it;
    if (!read(sample_reader_, number, file)) {
      drop_samples(it);
      continue;
    }
    const auto& records = sample_reader_.segment.records;
    if (file.taken < std::min<std::size_t>(records.size(), file.records)) {
      const auto& record = records[file.taken++];
      ++counters_.samples_taken_total;
      --counters_.samples_held;
      return Stored{record.key, record.frame};
    }
    drop_samples(it);  // nothing is left, unless the disk lost some
  }
  return std::nullopt;
}

// ---- files --------------------------------------------------------------------------------------------------------

// Puts a record at the end of the newest file, or of a new one. False: the disk or the bound refused it.
bool Spool::append(Files& files, std::uint64_t first_key, Kind kind, std::uint64_t key, std::uint32_t count, wire::ByteView frame) {
  const auto need = kSegmentHeaderBytes + kRecordHeaderBytes + frame.size();
  if (!make_room(need)) return false;
  auto last = files.empty() ? files.end() : std::prev(files.end());
  if (last != files.end() && !last->second.memory && last->second.size_bytes + need > limits_.segment_bytes) last->second.closed = true;
  const bool fresh = last == files.end() || last->second.closed || last->second.memory;
  if (fresh) {
    const auto number = kind == Kind::events ? first_key : std::max(first_key, last == files.end() ? first_key : last->first + 1);
    next_sample_file_ = kind == Kind::events ? next_sample_file_ : std::max(next_sample_file_, number + 1);
    last = files.emplace(number, File{.name = numbered(kind == Kind::events ? "events-" : "samples-", number, ".log"), .kind = kind,
                                      .memory = std::nullopt}).first;
  }
  auto& file = last->second;
  wire::Bytes bytes;
  if (fresh) {
    (void)disk_->unlink(file.name);  // a rest of an append that failed
    bytes = encode_segment_header(state_.stream_id);
  }
  append_record(bytes, key, count, frame);
  const auto done = disk_->append(file.name, bytes);
  file.size_bytes += bytes.size();
  disk_bytes_ += bytes.size();
  if (!done) {
    file.closed = true;
    failed(file.name, done.error());
    if (fresh) remove(files, last);
    return false;
  }
  file.records += 1;
  file.events += count;
  file.last_key = key;
  unsynced_.insert(file.name);
  folder_unsynced_ = folder_unsynced_ || fresh;
  return true;
}

// One segment of the bound stays free for the file that thinning writes before it removes the one that it replaces.
bool Spool::make_room(std::uint64_t bytes) {
  const auto budget = limits_.max_bytes - limits_.segment_bytes - kStateReserveBytes;
  while (disk_bytes_ + bytes > budget) {
    const auto before = disk_bytes_;
    const auto full = std::find_if(samples_.begin(), samples_.end(), [](const auto& f) { return f.second.kind == Kind::samples; });
    if (full != samples_.end()) {
      thin(full);
    } else if (!samples_.empty()) {
      drop_samples(samples_.begin());
    } else if (!events_.empty()) {
      const auto oldest = std::find_if(events_.begin(), events_.end(), [](const auto& f) { return !f.second.memory; });
      if (oldest == events_.end()) return false;
      drop_events(oldest);
    } else {
      return false;
    }
    if (disk_bytes_ >= before && full == samples_.end()) return false;  // the disk does not give anything back
  }
  return true;
}

void Spool::thin(Files::iterator it) {
  const auto number = it->first;
  auto& file = it->second;
  const auto taken = file.taken;
  if (file.records - taken <= 1) {
    file.kind = Kind::thinned;
    file.closed = true;
    return;
  }
  if (!read(sample_reader_, number, file)) return drop_samples(it);
  const auto& records = sample_reader_.segment.records;
  wire::Bytes kept = encode_segment_header(state_.stream_id);
  File thinned{.name = numbered("samples-", number, ".thin"), .kind = Kind::thinned, .memory = std::nullopt, .closed = true};
  for (std::size_t i = taken; i < records.size(); ++i) {
    if ((i - taken) % limits_.keep_every != 0) continue;
    append_record(kept, records[i].key, 1, records[i].frame);
    thinned.records += 1;
    thinned.last_key = records[i].key;
  }
  thinned.size_bytes = kept.size();
  const auto gone = file.records - taken - thinned.records;
  auto done = replace_temporary(kept);
  if (done) done = disk_->rename(kTemporary, thinned.name);
  if (!done) {  // a disk that is full: dropping needs no place
    failed(thinned.name, done.error());
    (void)disk_->unlink(kTemporary);
    return drop_samples(it);
  }
  disk_bytes_ += thinned.size_bytes;
  counters_.samples_thinned_total += gone;
  counters_.samples_held -= gone;
  remove(samples_, it);
  unsynced_.insert(thinned.name);
  folder_unsynced_ = true;
  samples_.emplace(number, std::move(thinned));
}

void Spool::drop_samples(Files::iterator it) {
  const auto left = it->second.records - it->second.taken;
  counters_.samples_dropped_total += left;
  counters_.samples_held -= left;
  remove(samples_, it);
}

void Spool::drop_events(Files::iterator it) {
  auto& [first, file] = *it;
  const auto settled = state_.acknowledged;
  if (file.last_key > settled) {
    const bool partly = first <= settled;
    lost(partly && read(event_reader_, first, file) ? events_after(event_reader_.segment, settled) : file.events);
    if (in_memory_.empty() && !file.memory) (void)write_state(state_);  // the count is durable before what it counts is gone
  }
  remove(events_, it);
}

void Spool::remove(Files& files, Files::iterator it) {
  auto& reader = &files == &events_ ? event_reader_ : sample_reader_;
  if (reader.file == it->first) reader = Reader{};
  const auto& file = it->second;
  if (file.memory) {
    memory_bytes_ -= file.memory->size();
  } else if (const auto done = disk_->unlink(file.name); done || done.error().code == Errc::gone) {
    disk_bytes_ -= file.size_bytes;
  } else {
    failed(file.name, done.error());  // its bytes stay in the bound
  }
  unsynced_.erase(file.name);
  files.erase(it);
}

// The file's records, as long as the reader has them all; false when it cannot be read.
bool Spool::read(Reader& reader, std::uint64_t key, File& file) {
  const auto size = file.memory ? file.memory->size() : file.size_bytes;
  if (reader.file == key && reader.loaded_bytes == size) return true;
  reader.file.reset();
  auto bytes = file.memory ? Result<wire::Bytes>(*file.memory) : disk_->read(file.name);
  if (!bytes) {
    failed(file.name, bytes.error());
    return false;
  }
  reader.bytes = std::move(*bytes);
  auto segment = decode_segment(reader.bytes);
  if (!segment) {
    failed(file.name, segment.error());
    return false;
  }
  if (file.kind == Kind::events && segment->records.size() < file.records) {
    lost(file.records - segment->records.size());
    file.records = segment->records.size();
    file.events = events_after(*segment, 0);
    file.last_key = segment->records.empty() ? 0 : segment->records.back().key;
  }
  reader.segment = std::move(*segment);
  reader.file = key;
  reader.loaded_bytes = size;
  return true;
}

void Spool::sync() {
  for (const auto& name : std::exchange(unsynced_, {})) {
    if (const auto done = disk_->sync(name); !done) {
      failed(name, done.error());
      for (auto* files : {&events_, &samples_}) {  // nothing more goes into a file whose state is unknown
        for (auto& [key, file] : *files) file.closed = file.closed || file.name == name;
      }
    }
  }
  if (std::exchange(folder_unsynced_, false)) {
    if (const auto done = disk_->sync_folder(); !done) failed("folder", done.error());
  }
  if (!in_memory_.empty()) {
    state_dirty_ = false;
  } else if (next_seq_ + limits_.reserve_seqs / 2 > state_.reserved_until) {
    if (const auto done = reserve(); !done) failed(kState, done.error());
  } else if (state_dirty_) {
    state_dirty_ = false;  // a refused write is tried again with the next change, not every second
    if (const auto done = write_state(state_); !done) failed(kState, done.error());
  }
}

void Spool::failed(std::string_view what, const Error& error) {
  ++counters_.disk_errors_total;
  log::debug("spool disk error", {{"file", what}, {"error", error.message()}});
}

SpoolCounters Spool::counters() const {
  auto counters = counters_;
  counters.bytes = disk_bytes_;
  counters.memory_bytes = memory_bytes_;
  return counters;
}

}  // namespace fw::uplink
