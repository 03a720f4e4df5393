// One entry of the audit log: who did what to which object, and how it ended. It is written once, as one line of JSON, and hashed as
// stored; nobody ever writes it again from its parts.
//
//   {"schema":1,"seq":41,"prev":"<64 hex>","id":7,"time":"2026-11-24T15:04:05.123Z","actor":{"kind":"person","name":"alice","key":"<hex>"},
//    "verb":"plan.released","object":{"type":"plan","id":"<digest>"},"incident":"INC-7","plan":"<64 hex>","release":"<64 hex>",
//    "policyVersion":1,"decision":"approve","code":"too-few-people","detail":{"node":"node-a"}}          (one line; absent ones left out)
//
// prev is the leaf hash of the entry before it, 64 zeros for the first: so the chain also says what each leaf of the tree was.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/authority/crypto.hpp"

namespace fw::audit {

inline constexpr std::size_t kMaxLineBytes = 16 * 1024;   // as authority::kMaxEntryBytes; without the line's end
inline constexpr std::size_t kMaxTextBytes = 1024;        // of one text as written; longer ones are cut and end with an ellipsis

struct Actor { std::string kind, name, key; };            // kind: person, engine, node, server, anonymous
struct Object { std::string type, id; };                  // type: plan, policy, statement, standing, incident, node, log, session, ...
using Value = std::variant<std::string, std::int64_t, bool, std::vector<std::string>>;

struct Entry {
  std::int64_t time_ms = 0;
  Actor actor;
  std::string verb;                                       // "plan.released": docs/governance.md lists them
  Object object;
  std::string incident, plan, release;                    // "": absent. release: authority::release_digest in hex
  std::uint64_t policy_version = 0;                       // 0: absent
  std::string decision, code;                             // "": absent
  std::vector<std::pair<std::string, Value>> detail;      // names as in code: letters and digits, each once, not "release"
};

// The entry as a JSON object without its place. Bytes that are not UTF-8 are replaced, texts are cut to kMaxTextBytes; an entry that is
// still too long loses its detail and says so ("detailCut":true). Pure.
std::string to_text(const Entry& entry);

// What waits for its place. id: of its row in the store; the same id with the same text is the same entry, and gets one place only.
struct Draft { std::uint64_t id = 0; std::string text; };

// Whether it can stand in the log: a text of to_text(), whole.
bool good_draft(const Draft& draft);
// What follows the place in its line.
std::string rest_of(const Draft& draft);
// The line, without its end.
std::string to_line(const Draft& draft, std::uint64_t seq, const authority::Digest& prev);

// Place of a line of outside bytes. Errc::malformed: not this form, not JSON, too long. `rest`: what follows prev, into `line`.
struct Place { std::uint64_t seq = 0; authority::Digest prev{}; std::string_view rest; };
Result<Place> parse_place(std::string_view line);
// All of a line. Errc::malformed.
struct Stored { std::uint64_t seq = 0, id = 0; authority::Digest prev{}; Entry entry; };
Result<Stored> parse_line(std::string_view line);

}  // namespace fw::audit
