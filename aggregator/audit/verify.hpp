// Verification of a log by somebody who does not trust the server: what must be known before is in Trust, everything else is looked at.
// Sans I/O: lines and notes go in, a report comes out. Used by `fleetwright audit` and by the tests; tools/verify has a second one that
// shares no code with it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/audit/chain.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::audit {

// Never taken from the log itself.
struct Trust {
  std::string origin;
  authority::PublicKey log_key;
  std::vector<authority::Witness> witnesses;
  std::uint32_t witness_quorum = 0;
};
Trust trust_of(const authority::Policy& policy);

// An Ed25519 public key as PEM (`openssl pkey -pubout`), as the line of log.pub (ed25519:BASE64 and a comment), as 64 hex digits, or as a
// verifier key of signed-note (NAME+HASH+BASE64).
// Errc::malformed.
Result<authority::PublicKey> parse_log_key(std::string_view text);

enum class Verdict : std::uint8_t {
  valid = 0,
  tampered,         // an entry or the head is not what was signed
  forked,           // the log has shown two histories
  quorum_missing,   // fewer witnesses have signed the head than the policy wants
  stale,            // somebody has seen a newer head than the log shows
};
std::string_view to_string(Verdict verdict);

struct Witnessed { std::string name; std::uint64_t size = 0; std::int64_t time_s = 0; };
struct Continued { std::uint64_t seq = 0; std::string line; };

struct LogReport {
  Verdict verdict = Verdict::valid;
  std::string why;                          // a sentence; "" when valid
  authority::Checkpoint head;               // the signed one; its size is what was looked at
  std::optional<std::uint64_t> first_bad;   // entry
  bool others_good = false;                 // every other entry was shown to be as signed
  std::uint64_t trusted_entries = 0;        // so many from the start agree with a signed head
  std::vector<Witnessed> witnesses;         // of the policy, on the head
  std::vector<Continued> continued;         // entries by which the log went on under a new origin
};

// Threading: one executor. Memory: 64 bytes for each line.
class LogVerifier {
 public:
  explicit LogVerifier(Trust trust) : trust_(std::move(trust)) {}
  void set_head(std::string_view note);                          // the newest checkpoint of the log
  void add(std::string_view line);                               // all lines, in order, without their ends
  // A head that somebody else kept (a node, a file). It may be older or newer.
  void add_seen(std::string_view who, std::string_view note);
  std::uint64_t lines() const noexcept { return chain_.size(); }
  LogReport report() const;

 private:
  struct Seen { std::string who; Result<authority::Note> note; };
  bool good(const authority::Note& note) const;
  void check_entries(LogReport& report) const;
  void compare_seen(LogReport& report) const;
  void count_witnesses(LogReport& report) const;

  Trust trust_;
  Result<authority::Note> head_ = Error{Errc::not_found, "there is no checkpoint"};
  Chain chain_;
  std::vector<Seen> seen_;
  std::vector<Continued> continued_;
};

}  // namespace fw::audit
