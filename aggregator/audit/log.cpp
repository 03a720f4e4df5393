#include "aggregator/audit/log.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "aggregator/audit/chain.hpp"

namespace fw::audit {
namespace {

constexpr std::string_view kNoteName = "checkpoint", kNoteDraft = "checkpoint.tmp", kCutDraft = "cut.tmp";
constexpr std::string_view kSegmentStart = "entries-", kSegmentEnd = ".jsonl";
constexpr std::size_t kSegmentDigits = 16;

std::string segment_name(std::uint64_t first) { return fmt::format("{}{:016}{}", kSegmentStart, first, kSegmentEnd); }

std::optional<std::uint64_t> first_of(std::string_view name) {
  if (name.size() != kSegmentStart.size() + kSegmentDigits + kSegmentEnd.size() || !name.starts_with(kSegmentStart) || !name.ends_with(kSegmentEnd))
    return std::nullopt;
  const auto digits = name.substr(kSegmentStart.size(), kSegmentDigits);
  std::uint64_t first = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), first);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return first;
}

ByteView view(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
authority::Digest hash_of(std::string_view rest) { return authority::sha256(view(rest)); }

Error conflict(std::string why) { return Error{Errc::conflict, std::move(why)}; }

Error damaged(const Damage& damage) { return Error{Errc::malformed, fmt::format("first bad entry {}: {}", damage.seq, damage.why)}; }

}  // namespace

Log::Log(Disk& disk, const Clock& clock, authority::PrivateKey key, LogConfig config)
    : disk_(disk), clock_(clock), key_(std::move(key)), config_(std::move(config)) {}

Result<std::unique_ptr<Log>> Log::open(Disk& disk, const Clock& clock, authority::PrivateKey key, LogConfig config) {
  std::unique_ptr<Log> log(new Log(disk, clock, std::move(key), std::move(config)));
  auto files = disk.list();
  if (!files) return with_context(files.error(), "audit log");
  bool has_note = false;
  for (const auto& file : *files) {
    has_note = has_note || file.name == kNoteName;
    if (file.name != kNoteDraft && file.name != kCutDraft) continue;   // what a crash left half written
    if (const auto removed = disk.unlink(file.name); !removed) return with_context(removed.error(), "audit log");
  }
  std::erase_if(*files, [](const FileInfo& file) { return !first_of(file.name); });
  std::sort(files->begin(), files->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (!has_note) {
    if (!files->empty()) return conflict("audit log: the checkpoint is missing: without it nobody can say what was signed");
    if (const auto started = log->start(); !started) return with_context(started.error(), "audit log");
    return log;
  }
  const auto note = disk.read(kNoteName);
  if (!note) return with_context(note.error(), "audit log");
  if (const auto restored = log->restore(text_of(*note), std::move(*files)); !restored) return with_context(restored.error(), "audit log");
  return log;
}

Result<void> Log::start() { return write_note({config_.origin, 0, authority::empty_root()}); }

Result<void> Log::restore(std::string_view text, std::vector<FileInfo> files) {
  const auto note = authority::parse_note(text);
  if (!note) return note.error();
  const auto& origin = note->checkpoint.origin;
  const bool continues = origin != config_.origin;
  if (continues && (!config_.continuation || config_.continuation->old_origin != origin || config_.continuation->origin != config_.origin))
    return conflict(fmt::format("the folder is the log {}, not {}", origin, config_.origin));
  const auto signer = continues && config_.old_key ? *config_.old_key : key_.public_key();
  if (const auto verified = authority::verify_note(*note, origin, signer); !verified) return verified.error();

  Chain chain;
  const auto& head = note->checkpoint;
  std::uint64_t unsigned_lines = 0;
  for (const auto& file : files) {
    const auto bytes = disk_.read(file.name);
    if (!bytes) return bytes.error();
    Segment segment{*first_of(file.name), 0, {}};
    if (segment.first != chain.size() && chain.size() < head.size)
      return damaged({chain.size(), fmt::format("the file {} begins with entry {}", file.name, segment.first), false});
    auto rest = text_of(*bytes);
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      if (chain.size() >= head.size) {   // not signed: cut below
        unsigned_lines += static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
        break;
      }
      if (end == std::string_view::npos) return damaged({chain.size(), fmt::format("entry {} has no end", chain.size()), false});
      const auto line = rest.substr(0, end);
      chain.add(line);
      segment.offsets.push_back(static_cast<std::uint32_t>(segment.bytes));
      segment.bytes += end + 1;
      if (const auto place = parse_place(line); place && chain.size() + kMaxUnsignedEntries > head.size) remember(place->rest, chain.size() - 1);
      rest.remove_prefix(end + 1);
    }
    if (unsigned_lines > kMaxUnsignedEntries)
      return conflict(fmt::format("the checkpoint has {} entries and more than {} follow: an older one was put back", head.size, kMaxUnsignedEntries));
    if (!rest.empty()) {
      cut_bytes_ += rest.size();
      if (const auto done = cut(segment, ByteView(*bytes).first(segment.bytes)); !done) return done.error();
    }
    if (segment.bytes != 0) segments_.push_back(std::move(segment));
  }
  if (const auto damage = chain.check(head)) return damaged(*damage);
  tree_ = chain.take_tree();
  head_ = head;
  note_ = text;
  // Written once more: whoever reads this note from us must find it again after a power loss, too.
  if (const auto done = disk_.append(kNoteDraft, view(text)); !done) return done.error();
  if (const auto done = disk_.sync(kNoteDraft); !done) return done.error();
  if (const auto done = disk_.rename(kNoteDraft, kNoteName); !done) return done.error();
  if (const auto done = disk_.sync_folder(); !done) return done.error();
  if (!continues) return {};
  if (const auto done = continue_as(*config_.continuation); !done) return done.error();
  return {};
}

// Leaves `kept` of a segment, in a new file: after a failed sync nobody knows what the old one holds.
Result<void> Log::cut(const Segment& segment, ByteView kept) {
  const auto name = segment_name(segment.first);
  if (kept.empty()) {
    if (const auto done = disk_.unlink(name); !done) return done.error();
    return disk_.sync_folder();
  }
  if (const auto done = disk_.append(kCutDraft, kept); !done) return done.error();
  if (const auto done = disk_.sync(kCutDraft); !done) return done.error();
  if (const auto done = disk_.rename(kCutDraft, name); !done) return done.error();
  return disk_.sync_folder();
}

Result<void> Log::write_note(const authority::Checkpoint& head) {
  const auto note = authority::sign_note(head, key_);
  if (const auto done = disk_.append(kNoteDraft, view(note)); !done) return done.error();
  if (const auto done = disk_.sync(kNoteDraft); !done) return done.error();
  if (const auto done = disk_.rename(kNoteDraft, kNoteName); !done) return done.error();
  if (const auto done = disk_.sync_folder(); !done) return done.error();
  head_ = head;
  note_ = note;
  return {};
}

Error Log::broken(const Error& error, std::string_view what) {
  problem_ = fmt::format("the audit log cannot be written: {}: {}", what, error.message());
  return Error{Errc::io, problem_};
}

void Log::remember(std::string_view rest, std::uint64_t seq) {
  const auto hash = hash_of(rest);
  if (!known_.emplace(hash, seq).second) return;
  known_order_.push_back(hash);
  if (known_order_.size() <= kMaxUnsignedEntries) return;
  known_.erase(known_order_.front());
  known_order_.pop_front();
}

Result<std::vector<std::uint64_t>> Log::append(std::span<const Draft> drafts) {
  if (!problem_.empty()) return Error{Errc::io, problem_};
  if (tree_.size() - head_.size + drafts.size() > kMaxUnsignedEntries) return Error{Errc::overloaded, "audit log: too many entries before a signed head"};
  for (const auto& draft : drafts)
    if (!good_draft(draft)) return Error{Errc::invalid_argument, fmt::format("audit log: the draft {} is not an entry", draft.id)};
  std::vector<std::uint64_t> seqs;
  std::string lines;
  const auto flush = [&]() -> Result<void> {
    if (lines.empty()) return {};
    const auto done = disk_.append(segment_name(segments_.back().first), view(lines));
    lines.clear();
    return done;
  };
  for (const auto& draft : drafts) {
    const auto rest = rest_of(draft);
    if (const auto known = known_.find(hash_of(rest)); known != known_.end()) {
      seqs.push_back(known->second);
      continue;
    }
    if (segments_.empty() || segments_.back().bytes >= config_.segment_bytes) {
      if (const auto done = flush(); !done) return broken(done.error(), "append");
      if (!segments_.empty())   // sign() syncs the newest segment only
        if (const auto done = disk_.sync(segment_name(segments_.back().first)); !done) return broken(done.error(), "sync");
      segments_.push_back({tree_.size(), 0, {}});
      new_segment_ = true;
    }
    const auto prev = tree_.size() == 0 ? authority::Digest{} : tree_.leaf(tree_.size() - 1);
    const auto line = to_line(draft, tree_.size(), prev);
    auto& segment = segments_.back();
    segment.offsets.push_back(static_cast<std::uint32_t>(segment.bytes));
    segment.bytes += line.size() + 1;
    lines += line;
    lines += '\n';
    remember(rest, tree_.size());
    seqs.push_back(tree_.size());
    tree_.append(authority::leaf_hash(line));
  }
  if (const auto done = flush(); !done) return broken(done.error(), "append");
  return seqs;
}

Result<std::string> Log::sign() {
  if (!problem_.empty()) return Error{Errc::io, problem_};
  if (tree_.size() == head_.size && head_.origin == config_.origin) return note_;
  if (tree_.size() != head_.size) {
    if (const auto done = disk_.sync(segment_name(segments_.back().first)); !done) return broken(done.error(), "sync");
    if (new_segment_)
      if (const auto done = disk_.sync_folder(); !done) return broken(done.error(), "sync");
  }
  if (const auto done = write_note({config_.origin, tree_.size(), tree_.root()}); !done) return broken(done.error(), "checkpoint");
  new_segment_ = false;
  return note_;
}

Result<std::string> Log::continue_as(const Continuation& continuation) {
  if (head_.origin == continuation.origin) return note_;
  if (head_.origin != continuation.old_origin) return conflict(fmt::format("the log is {}, not {}", head_.origin, continuation.old_origin));
  Entry entry;
  entry.time_ms = clock_.wall_ns() / kNsPerMs;
  entry.actor = {"server", "audit log", ""};
  entry.verb = "log.continued";
  entry.object = {"log", continuation.origin};
  entry.detail = {{"oldOrigin", continuation.old_origin},
                  {"oldSize", static_cast<std::int64_t>(continuation.old_size)},
                  {"oldRoot", authority::to_text(continuation.old_root)}};
  const Draft draft{0, to_text(entry)};
  if (const auto appended = append({&draft, 1}); !appended) return appended.error();
  config_.origin = continuation.origin;
  return sign();
}

// The bytes of a segment, at least `needed` of them; the last one read is kept.
Result<Bytes*> Log::segment_bytes(std::size_t index, std::uint64_t needed) {
  if (cached_segment_ != index || cached_.size() < needed) {
    auto bytes = disk_.read(segment_name(segments_[index].first));
    if (!bytes) return bytes.error();
    cached_ = std::move(*bytes);
    cached_segment_ = index;
  }
  if (cached_.size() < needed) return Error{Errc::malformed, "audit log: a file became shorter"};
  return &cached_;
}

Result<std::vector<std::string>> Log::entries(std::uint64_t from, std::size_t limit) {
  std::vector<std::string> lines;
  const auto end = std::min(size(), from + std::min(limit, kMaxReadEntries));
  for (auto seq = from; seq < end; ++seq) {
    auto line = entry(seq);
    if (!line) return line.error();
    lines.push_back(std::move(*line));
  }
  return lines;
}

Result<std::string> Log::entry(std::uint64_t seq) {
  if (seq >= size()) return Error{Errc::invalid_argument, fmt::format("the log has {} entries", size())};
  const auto next = std::upper_bound(segments_.begin(), segments_.end(), seq, [](std::uint64_t value, const Segment& segment) { return value < segment.first; });
  const auto index = static_cast<std::size_t>(next - segments_.begin()) - 1;
  const auto& segment = segments_[index];
  const auto place = static_cast<std::size_t>(seq - segment.first);
  const auto begin = segment.offsets[place];
  const auto end = place + 1 < segment.offsets.size() ? segment.offsets[place + 1] : segment.bytes;
  const auto bytes = segment_bytes(index, end);
  if (!bytes) return bytes.error();
  std::string line(text_of(ByteView(**bytes).subspan(begin, end - begin - 1)));
  if (authority::leaf_hash(line) != tree_.leaf(seq)) return Error{Errc::malformed, fmt::format("audit log: entry {} is not what was signed", seq)};
  return line;
}

Result<std::vector<authority::Digest>> Log::inclusion(std::uint64_t seq, std::uint64_t size) const {
  if (size > this->size()) return Error{Errc::invalid_argument, fmt::format("the log has {} entries", this->size())};
  return tree_.inclusion(seq, size);
}

Result<std::vector<authority::Digest>> Log::consistency(std::uint64_t from, std::uint64_t to) const {
  if (to > size()) return Error{Errc::invalid_argument, fmt::format("the log has {} entries", size())};
  return tree_.consistency(from, to);
}

Result<authority::Digest> Log::root_at(std::uint64_t size) const {
  if (size > this->size()) return Error{Errc::invalid_argument, fmt::format("the log has {} entries", this->size())};
  return tree_.root_at(size);
}

}  // namespace fw::audit
