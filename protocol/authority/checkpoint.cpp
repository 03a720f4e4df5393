#include "protocol/authority/checkpoint.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "common/base64.hpp"
#include "common/utf8.hpp"

namespace fw::authority {
namespace {

constexpr std::size_t kMaxNoteSize = 8 * 1024;
constexpr std::size_t kMaxSignatures = 16;
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kKeyHashBytes = 4, kSignatureBytes = 64, kTimeBytes = 8;
constexpr std::string_view kDash = "\u2014 ";

// The signature types of signed-note that this log has.
enum class NoteType : std::uint8_t { ed25519 = 1, cosignature = 4 };

Error bad(std::string why) { return Error{Errc::malformed, "checkpoint: " + std::move(why)}; }

std::array<std::uint8_t, kKeyHashBytes> key_hash(std::string_view name, NoteType type, const PublicKey& key) {
  Bytes bytes(name.begin(), name.end());
  bytes.push_back('\n');
  bytes.push_back(static_cast<std::uint8_t>(type));
  bytes.insert(bytes.end(), key.bytes.begin(), key.bytes.end());
  const auto digest = sha256(bytes);
  return {digest[0], digest[1], digest[2], digest[3]};
}

ByteView view(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

std::string signature_line(std::string_view name, const std::array<std::uint8_t, kKeyHashBytes>& hash, ByteView rest) {
  Bytes bytes(hash.begin(), hash.end());
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return fmt::format("{}{} {}\n", kDash, name, encode_base64(bytes));
}

std::string cosigned_text(std::int64_t time_s, std::string_view text) { return fmt::format("cosignature/v1\ntime {}\n{}", time_s, text); }

// A name has no space and no plus; control characters were refused for the whole note.
bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.find('+') == std::string_view::npos && !has_space(name);
}

// One line without its end; nothing when `text` does not end with one.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<Checkpoint> parse_text(std::string_view text) {
  const auto origin = take_line(text), size = take_line(text), root = take_line(text);
  if (!origin || !size || !root || !text.empty()) return bad("it must have the three lines origin, size and root");
  if (!good_name(*origin)) return bad("the origin is not a name");
  Checkpoint checkpoint;
  checkpoint.origin = *origin;
  const auto [end, error] = std::from_chars(size->data(), size->data() + size->size(), checkpoint.size);
  if (error != std::errc{} || end != size->data() + size->size() || (size->front() == '0' && size->size() > 1))
    return bad("the size is not a number");
  const auto digest = decode_base64(*root);
  if (!digest || digest->size() != checkpoint.root.size()) return bad("the root is not a hash");
  std::copy(digest->begin(), digest->end(), checkpoint.root.begin());
  return checkpoint;
}

}  // namespace

std::string note_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, encode_base64(checkpoint.root));
}

std::string sign_note(const Checkpoint& checkpoint, const PrivateKey& log_key) {
  const auto text = note_text(checkpoint);
  return text + "\n" +
         signature_line(checkpoint.origin, key_hash(checkpoint.origin, NoteType::ed25519, log_key.public_key()), log_key.sign(view(text)));
}

std::string cosign_note(const Note& note, std::string_view witness_name, const PrivateKey& witness_key, std::int64_t time_s) {
  Bytes rest;
  for (int shift = 56; shift >= 0; shift -= 8) rest.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(time_s) >> shift));
  const auto signature = witness_key.sign(view(cosigned_text(time_s, note.text)));
  rest.insert(rest.end(), signature.begin(), signature.end());
  return signature_line(witness_name, key_hash(witness_name, NoteType::cosignature, witness_key.public_key()), rest);
}

Result<Note> parse_note(std::string_view text) {
  if (text.size() > kMaxNoteSize) return Error{Errc::too_large, "checkpoint: longer than 8 KiB"};
  if (!valid_utf8(text)) return bad("not UTF-8");
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }))
    return bad("it has control characters");
  const auto blank = text.rfind("\n\n");
  if (blank == std::string_view::npos) return bad("there is no empty line before its signatures");
  Note note;
  note.text = text.substr(0, blank + 1);
  auto parsed = parse_text(note.text);
  if (!parsed) return parsed.error();
  note.checkpoint = std::move(*parsed);
  auto lines = text.substr(blank + 2);
  if (lines.empty()) return bad("it has no signature");
  while (!lines.empty()) {
    if (note.signatures.size() == kMaxSignatures) return Error{Errc::too_large, "checkpoint: more than 16 signatures"};
    auto line = take_line(lines);
    if (!line || !line->starts_with(kDash)) return bad("a signature line is not of its form");
    line->remove_prefix(kDash.size());
    const auto space = line->find(' ');
    if (space == std::string_view::npos || !good_name(line->substr(0, space))) return bad("a signature line has no name");
    const auto bytes = decode_base64(line->substr(space + 1));
    if (!bytes || bytes->size() <= kKeyHashBytes) return bad("a signature is not base64");
    note.signatures.push_back({std::string(line->substr(0, space)), *bytes});
  }
  return note;
}

namespace {

// The signatures by that key under that name. The hash is only a hint: whoever matches it must verify.
std::vector<const NoteSignature*> signatures_of(const Note& note, std::string_view name, NoteType type, const PublicKey& key) {
  const auto hash = key_hash(name, type, key);
  std::vector<const NoteSignature*> found;
  for (const auto& signature : note.signatures)
    if (signature.name == name && std::equal(hash.begin(), hash.end(), signature.bytes.begin())) found.push_back(&signature);
  return found;
}

Error refused(std::string why) { return Error{Errc::permission, std::move(why)}; }

}  // namespace

Result<void> verify_note(const Note& note, std::string_view origin, const PublicKey& log_key) {
  if (note.checkpoint.origin != origin)
    return refused(fmt::format("the checkpoint is of the log {}, not of {}", note.checkpoint.origin, origin));
  if (log_key.algorithm != Algorithm::ed25519) return refused("the key of a log must be Ed25519");
  const auto found = signatures_of(note, origin, NoteType::ed25519, log_key);
  if (found.empty()) return refused(fmt::format("the checkpoint is not signed by the key of {}", origin));
  for (const auto* signature : found)
    if (!verify_signature(log_key, view(note.text), ByteView(signature->bytes).subspan(kKeyHashBytes)))
      return refused(fmt::format("the signature of {} on the checkpoint is not good", origin));
  return {};
}

Result<std::int64_t> verify_cosignature(const Note& note, std::string_view witness_name, const PublicKey& witness_key) {
  if (witness_key.algorithm != Algorithm::ed25519) return refused("the key of a witness must be Ed25519");
  const auto found = signatures_of(note, witness_name, NoteType::cosignature, witness_key);
  if (found.empty()) return Error{Errc::not_found, fmt::format("{} has not signed the checkpoint", witness_name)};
  std::int64_t newest_s = 0;
  for (const auto* signature : found) {
    const auto bytes = ByteView(signature->bytes).subspan(kKeyHashBytes);
    const auto not_good = [&] { return refused(fmt::format("the signature of {} on the checkpoint is not good", witness_name)); };
    if (bytes.size() != kTimeBytes + kSignatureBytes || (bytes[0] & 0x80U) != 0) return not_good();
    std::uint64_t time = 0;
    for (const auto byte : bytes.first(kTimeBytes)) time = time << 8U | byte;
    const auto time_s = static_cast<std::int64_t>(time);
    if (!verify_signature(witness_key, view(cosigned_text(time_s, note.text)), bytes.subspan(kTimeBytes))) return not_good();
    newest_s = std::max(newest_s, time_s);
  }
  return newest_s;
}

}  // namespace fw::authority
