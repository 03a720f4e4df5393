// What the governance core wants of the audit log, as values: the program does it on the log's own thread, the simulator at once. The log
// is slow (it syncs), so the core never waits for it.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "aggregator/store/governance_rows.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::audit {
class Log;
}

namespace fw::governance {

// Appends the rows in order, syncs, signs the new head. Rows that the log has already (a crash came between) are found by their id.
struct Sequence { std::vector<store::AuditRow> rows; };
// Proofs for an entry under the head of `size`, and from the head that the node saw.
struct ProveRelease { authority::Digest plan{}; std::uint64_t index = 0, size = 0, from_size = 0; };
// Proof for a node that lags behind.
struct ProveNews { Uuid node; std::uint64_t size = 0, from_size = 0; };
// Whether a head that a node saw is one of ours.
struct CompareHead { Uuid node; authority::Checkpoint seen; };
// Goes on under a new origin that policy roots signed; its first entry names the old head.
struct ContinueAs { std::string origin, old_origin; std::uint64_t old_size = 0; authority::Digest old_root{}; };
using LogWork = std::variant<Sequence, ProveRelease, ProveNews, CompareHead, ContinueAs>;

struct SequenceDone { std::vector<store::SequencedRow> rows; std::string note; std::uint64_t size = 0; };
struct ReleaseProof { authority::Digest plan{}; std::uint64_t size = 0; authority::LogProof proof; };   // note is left for the core to fill in
struct NewsProof { Uuid node; std::uint64_t size = 0, from_size = 0; std::vector<authority::Digest> consistency; };
enum class HeadCheck : std::uint8_t { ours = 0, newer_than_ours, different };
struct HeadCompared { Uuid node; authority::Checkpoint seen; HeadCheck check = HeadCheck::ours; };
struct Continued { std::string note; authority::Checkpoint head; };
struct LogFailed { std::string why; bool broken = false; authority::Digest plan{}; Uuid node; };   // broken: nothing can be appended
using LogAnswer = std::variant<SequenceDone, ReleaseProof, NewsProof, HeadCompared, Continued, LogFailed>;

LogAnswer run(audit::Log& log, const LogWork& work);

}  // namespace fw::governance
