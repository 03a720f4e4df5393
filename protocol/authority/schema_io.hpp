// Plain structs <-> canonical Cap'n Proto. Private to protocol/authority: the only header of ours that sees capnp.
#pragma once
#include <capnp/message.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "protocol/authority/documents.hpp"
#include "protocol/authority/text.hpp"
#include "schema/authority.capnp.h"

namespace fw::authority {

inline constexpr std::size_t kMaxKeyBytes = 1024;

// Collects the first thing that is wrong while a document is read; every read gives a value, so that reading is one line per field.
// Nothing is allocated before its size was checked.
class Reading {
 public:
  void fail(Errc errc, const char* field, const char* why) {
    if (!error_) error_ = Error(errc, std::string(field) + ": " + why);
  }
  const std::optional<Error>& error() const { return error_; }

  std::string text(const char* field, capnp::Text::Reader in, TextKind kind = TextKind::name) {
    if (in.size() > kMaxTextBytes) return fail(Errc::too_large, field, "text too long"), std::string();
    std::string out(in.begin(), in.size());
    if (!is_document_text(out, kind)) fail(Errc::malformed, field, "not clean UTF-8 text");
    return out;
  }
  Bytes data(const char* field, capnp::Data::Reader in, std::size_t max_bytes) {
    if (in.size() > max_bytes) return fail(Errc::too_large, field, "too many bytes"), Bytes();
    return {in.begin(), in.end()};
  }
  // Digests, uuids and nonces.
  template <class Array>
  Array fixed(const char* field, capnp::Data::Reader in) {
    Array out{};
    if (in.size() == out.size()) {
      std::copy(in.begin(), in.end(), out.begin());
    } else {
      fail(Errc::malformed, field, "not of its length");
    }
    return out;
  }
  Uuid uuid(const char* field, capnp::Data::Reader in) { return {fixed<decltype(Uuid::bytes)>(field, in)}; }
  // Enums of the schema have `unknown` at 0, which is never valid; ours begin at `First`.
  template <class Ours, class Theirs>
  Ours enumerator(const char* field, Theirs in, Ours last, Ours first = Ours{}) {
    const auto number = static_cast<unsigned>(in);
    const auto shift = first == Ours{} ? 1U : 0U;
    if (number == 0 || number > static_cast<unsigned>(last) + shift) return fail(Errc::malformed, field, "unknown value"), first;
    return static_cast<Ours>(number - shift);
  }
  template <class List, class Read>
  auto list(const char* field, List in, Read read, std::size_t max_entries = kMaxListEntries) {
    std::vector<decltype(read(in[0]))> out;
    if (in.size() > max_entries) return fail(Errc::too_large, field, "list too long"), out;
    out.reserve(in.size());
    for (const auto entry : in) out.push_back(read(entry));
    return out;
  }
  std::vector<std::string> texts(const char* field, capnp::List<capnp::Text>::Reader in) {
    return list(field, in, [&](capnp::Text::Reader entry) { return text(field, entry); });
  }
  std::vector<std::uint16_t> numbers(const char* field, capnp::List<std::uint16_t>::Reader in) {
    return list(field, in, [](std::uint16_t number) { return number; });
  }

 private:
  std::optional<Error> error_;
};

inline capnp::Text::Reader to_text(const std::string& text) { return {text.c_str(), text.size()}; }
inline capnp::Data::Reader to_data(ByteView bytes) { return {bytes.data(), bytes.size()}; }
template <class Theirs, class Ours>
Theirs to_enum(Ours ours, Ours first = Ours{}) {
  return static_cast<Theirs>(static_cast<unsigned>(ours) + (first == Ours{} ? 1U : 0U));
}
template <class Entries, class List, class Write>
void write_list(const Entries& entries, List to, Write write) {
  for (unsigned i = 0; i < to.size(); ++i) write(entries[i], to[i]);
}
inline void write_texts(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, to_text(texts[i]));
}
inline void write_numbers(const std::vector<std::uint16_t>& numbers, capnp::List<std::uint16_t>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, numbers[i]);
}
template <class T>
unsigned count(const std::vector<T>& entries) { return static_cast<unsigned>(entries.size()); }

void write(const PublicKey& key, schema::PublicKey::Builder to);
PublicKey read(Reading& in, const char* field, schema::PublicKey::Reader from);
void write(const Person& person, schema::Person::Builder to);
Person read(Reading& in, schema::Person::Reader from);

// The canonical bytes of what write(value, builder) wrote.
template <class Schema, class T>
Bytes canonical_bytes(const T& value) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<Schema>();
  write(value, root);
  const auto words = capnp::canonicalize(root.asReader());
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

// The one value whose canonical bytes these are. Writing it again must give the same bytes: so there is no second form of a document, and
// none with fields that this version does not know. kj exceptions end here.
template <class Schema, class T>
Result<T> from_canonical_bytes(const char* what, ByteView bytes, std::size_t max_bytes) {
  constexpr std::size_t kWordBytes = sizeof(capnp::word);
  if (bytes.size() > max_bytes) return Error(Errc::too_large, std::string(what) + ": " + std::to_string(bytes.size()) + " bytes");
  if (bytes.empty() || bytes.size() % kWordBytes != 0) return Error(Errc::malformed, std::string(what) + ": not whole words");
  try {
    auto words = kj::heapArray<capnp::word>(bytes.size() / kWordBytes);
    std::memcpy(words.asBytes().begin(), bytes.data(), bytes.size());
    const kj::ArrayPtr<const capnp::word> segment = words;
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 4 * words.size();   // isCanonical() and read() each walk it once
    options.nestingLimit = 16;
    capnp::SegmentArrayMessageReader message(kj::arrayPtr(&segment, 1), options);
    if (!message.isCanonical()) return Error(Errc::malformed, std::string(what) + ": not canonical");
    Reading in;
    T out;
    read(in, message.getRoot<Schema>(), out);
    if (in.error()) return Error(in.error()->code, std::string(what) + ": " + in.error()->context);
    const Bytes again = canonical_bytes<Schema>(out);
    if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()))
      return Error(Errc::malformed, std::string(what) + ": not canonical, or with fields of a newer version");
    return out;
  } catch (const kj::Exception& exception) {
    return Error(Errc::malformed, std::string(what) + ": " + exception.getDescription().cStr());
  }
}

}  // namespace fw::authority
