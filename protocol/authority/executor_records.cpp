#include "protocol/authority/executor_records.hpp"

#include <algorithm>
#include <type_traits>

#include "protocol/authority/journal.hpp"

namespace fw::authority {
namespace {

// Both walk a record's fields in the same order, so there is one list of fields: fields() below.
class Writer {
 public:
  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void operator()(const T& value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = sizeof(T); i-- > 0;) out_.push_back(static_cast<std::uint8_t>(bits >> (8 * i)));
  }
  template <std::size_t N>
  void operator()(const std::array<std::uint8_t, N>& bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void operator()(const Bytes& bytes) { counted(bytes); }
  void operator()(const std::string& text) { counted(text); }
  template <class T>
  void list(const std::vector<T>& entries) {
    (*this)(static_cast<std::uint32_t>(entries.size()));
    for (const T& entry : entries) (*this)(entry);
  }
  Bytes take() { return std::move(out_); }

 private:
  void counted(const auto& bytes) {
    (*this)(static_cast<std::uint32_t>(bytes.size()));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  Bytes out_;
};

class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}
  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void operator()(T& value) {
    std::uint64_t bits = 0;
    for (const auto byte : take(sizeof(T))) bits = bits << 8 | byte;
    if constexpr (std::is_same_v<T, bool>) good_ &= bits <= 1;
    if constexpr (std::is_same_v<T, State>) good_ &= bits <= static_cast<std::uint64_t>(State::expired);
    if constexpr (std::is_same_v<T, Algorithm>) good_ &= bits <= static_cast<std::uint64_t>(Algorithm::sk_p256);
    value = good_ ? static_cast<T>(bits) : T{};
  }
  template <std::size_t N>
  void operator()(std::array<std::uint8_t, N>& bytes) {
    const auto from = take(N);
    std::ranges::copy(from, bytes.begin());
  }
  void operator()(Bytes& bytes) { counted(bytes); }
  void operator()(std::string& text) { counted(text); }
  template <class T>
  void list(std::vector<T>& entries) {
    std::uint32_t count = 0;
    (*this)(count);
    if (count > kMaxListEntries) good_ = false;
    for (std::uint32_t i = 0; good_ && i < count; ++i) (*this)(entries.emplace_back());
  }
  bool at_end() const { return good_ && in_.empty(); }

 private:
  ByteView take(std::size_t count) {
    if (count > in_.size()) good_ = false;
    if (!good_) return {};
    const ByteView taken = in_.first(count);
    in_ = in_.subspan(count);
    return taken;
  }
  void counted(auto& bytes) {
    std::uint32_t size = 0;
    (*this)(size);
    const auto from = take(size);
    bytes.assign(from.begin(), from.end());
  }
  ByteView in_;
  bool good_ = true;
};

template <class Io, class T>
void fields(Io& io, T& record) {
  using Body = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Body, IdentityRecord>) {
    io(record.incarnation), io(record.node.bytes), io(record.key_pem);
  } else if constexpr (std::is_same_v<Body, PolicyRecord>) {
    io(record.active), io(record.active_from_ms), io(record.document);
  } else if constexpr (std::is_same_v<Body, FactsRecord>) {
    io(record.replay_floor_ms), io(record.paused), io(record.newest_pause_ms), io(record.log_origin);
    io(record.log_key.algorithm), io(record.log_key.bytes), io(record.log_replaces), io(record.note);
  } else if constexpr (std::is_same_v<Body, PlanRecord>) {
    io(record.digest), io(record.action_class), io(record.state), io(record.acted), io(record.effect_missing), io(record.rolled_back);
    io(record.acknowledged), io(record.plan), io(record.snapshot), io(record.code), io(record.sentence), io(record.before), io(record.after);
    io.list(record.uses), io(record.boot.bytes), io(record.policy_version), io(record.not_after_ms), io(record.started_ms), io(record.ended_ms), io(record.finish_at_ms);
    io(record.effect_by_ms), io(record.restore_at_ms), io(record.outcome_seq), io(record.outcome_hash);
  } else if constexpr (std::is_same_v<Body, DenialRecord>) {
    io(record.plan), io(record.keep_until_ms);
  } else {
    static_assert(std::is_same_v<Body, StatementRecord>);
    io(record.digest), io(record.keep_until_ms);
  }
}

// The checkpoint is the only optional part of a record.
void write_checkpoint(Writer& io, const std::optional<Checkpoint>& checkpoint) {
  io(checkpoint.has_value());
  if (checkpoint) io(checkpoint->origin), io(checkpoint->size), io(checkpoint->root);
}
void read_checkpoint(Reader& io, std::optional<Checkpoint>& checkpoint) {
  bool present = false;
  io(present);
  if (!present) return;
  checkpoint.emplace();
  io(checkpoint->origin), io(checkpoint->size), io(checkpoint->root);
}

template <std::size_t I = 0>
RecordBody body_of(std::size_t index) {
  if constexpr (I == std::variant_size_v<RecordBody>) {
    return {};
  } else {
    return index == I ? RecordBody(std::in_place_index<I>) : body_of<I + 1>(index);
  }
}

}  // namespace

std::uint8_t record_type(const Record& record) { return static_cast<std::uint8_t>(record.body.index() + 1); }

Bytes to_bytes(const Record& record) {
  Writer io;
  io(record.time_ms);
  std::visit([&io](const auto& body) { fields(io, body); }, record.body);
  if (const auto* facts = std::get_if<FactsRecord>(&record.body)) write_checkpoint(io, facts->checkpoint);
  return io.take();
}

Result<Record> parse_record(std::uint8_t type, ByteView payload) {
  if (type == 0 || type > std::variant_size_v<RecordBody>) return Error(Errc::malformed, "record of type " + std::to_string(type));
  Reader io(payload);
  Record record;
  io(record.time_ms);
  record.body = body_of(type - 1U);
  std::visit([&io](auto& body) { fields(io, body); }, record.body);
  if (auto* facts = std::get_if<FactsRecord>(&record.body)) read_checkpoint(io, facts->checkpoint);
  if (!io.at_end()) return Error(Errc::malformed, "record of type " + std::to_string(type) + ": its fields do not fill it");
  return record;
}

}  // namespace fw::authority
