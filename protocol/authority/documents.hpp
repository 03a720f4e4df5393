// Everything that people and nodes sign, as plain structs, and their bytes: single-segment canonical Cap'n Proto
// (schema/authority.capnp). The signer canonicalises once; everybody else hashes the bytes received and refuses what is not canonical.
// Times are ms since the Unix epoch. Limits: kMax* below; a parser never returns a document that exceeds one.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/id.hpp"
#include "protocol/authority/crypto.hpp"

namespace fw::authority {

using Nonce = std::array<std::uint8_t, 16>;
Nonce make_nonce();

inline constexpr std::size_t kMaxPlanBytes = 64 * 1024;
inline constexpr std::size_t kMaxPolicyBytes = 96 * 1024;
inline constexpr std::size_t kMaxDocumentBytes = 16 * 1024;      // approval, statement, standing approval, result
inline constexpr std::size_t kMaxTextBytes = 1024;               // one text field
inline constexpr std::size_t kMaxListEntries = 256;              // of one list
inline constexpr std::int64_t kMaxValidityMs = 24LL * 3600 * 1000;   // of a plan
inline constexpr std::int64_t kUnlimited = -1;                   // "max" of a control file

// (issuer, subject) is one person, however many keys they have. Local keys: issuer "local".
struct Person {
  std::string issuer, subject;
  friend auto operator<=>(const Person&, const Person&) = default;
  std::string str() const;                                       // "alice" for local people, "alice@issuer" else
};

// ---- plan: one action on one target --------------------------------------------------------------------------------

enum class Proposer : std::uint8_t { engine = 0, person };

// Whose cgroup or object it is. Steadiest identity that the action allows: see docs/actions.md.
struct Target {
  std::string cluster;                 // "" outside of Kubernetes
  Uuid node;                           // node uid; must be the executor's
  Nonce incarnation{};                 // of that executor's journal
  std::optional<Uuid> boot;            // bound only by actions on a process or one cgroup incarnation
  std::string name_space, workload;    // for people and approver scopes; "" outside of Kubernetes
  std::string pod_uid, container_name, container_id;
  std::string cgroup_path;             // as in the memory controller's hierarchy: "/shop/checkout"
  std::uint64_t cgroup_inode = 0;      // 0: any incarnation of that path
  std::uint32_t pid = 0;               // kill_process
  std::uint64_t start_ticks = 0;       // of that process, /proc/PID/stat field 22
  std::string display_name;            // what people call it
  friend bool operator==(const Target&, const Target&) = default;
};

// Parameters by action. ttl_ms 0: kept (where the catalogue allows it); else the executor restores the old value by itself.
struct Diagnose { std::uint32_t max_bytes = 0; friend bool operator==(const Diagnose&, const Diagnose&) = default; };
struct SetMemoryLimit { std::int64_t limit_bytes = 0; std::uint64_t ttl_ms = 0; friend bool operator==(const SetMemoryLimit&, const SetMemoryLimit&) = default; };
struct SetMemoryHigh { std::int64_t high_bytes = 0; std::uint64_t ttl_ms = 0; friend bool operator==(const SetMemoryHigh&, const SetMemoryHigh&) = default; };
struct SetCpuMax { std::int64_t quota_us = kUnlimited, period_us = 100'000; std::uint64_t ttl_ms = 0; friend bool operator==(const SetCpuMax&, const SetCpuMax&) = default; };
struct SetCpuWeight { std::int64_t weight = 100; std::uint64_t ttl_ms = 0; friend bool operator==(const SetCpuWeight&, const SetCpuWeight&) = default; };
struct SetPidsMax { std::int64_t max = 0; std::uint64_t ttl_ms = 0; friend bool operator==(const SetPidsMax&, const SetPidsMax&) = default; };
struct Freeze { std::uint64_t ttl_ms = 0; friend bool operator==(const Freeze&, const Freeze&) = default; };
struct Thaw { friend bool operator==(const Thaw&, const Thaw&) = default; };
struct KillProcess { std::uint64_t grace_ms = 0; friend bool operator==(const KillProcess&, const KillProcess&) = default; };   // SIGTERM, then SIGKILL after grace_ms; 0: SIGKILL at once
struct KillCgroup { friend bool operator==(const KillCgroup&, const KillCgroup&) = default; };                                   // an orphan: see the catalogue
struct SetSysctl { std::string key; std::int64_t value = 0; std::uint64_t ttl_ms = 0; friend bool operator==(const SetSysctl&, const SetSysctl&) = default; };
struct RotateLog { std::string path; std::uint64_t keep_bytes = 0; friend bool operator==(const RotateLog&, const RotateLog&) = default; };
struct Undo { Digest plan{}; friend bool operator==(const Undo&, const Undo&) = default; };                    // restores what that plan recorded
struct Extend { Digest plan{}; std::uint64_t ttl_ms = 0; friend bool operator==(const Extend&, const Extend&) = default; };   // its restore comes so much later, from now

using Action = std::variant<std::monostate, Diagnose, SetMemoryLimit, SetMemoryHigh, SetCpuMax, SetCpuWeight, SetPidsMax, Freeze, Thaw, KillProcess,
                            KillCgroup, SetSysctl, RotateLog, Undo, Extend>;

// What the executor can ask of an open target (and of its node), as one number.
enum class Probe : std::uint8_t {
  unknown = 0,
  memory_limit_bytes, memory_high_bytes, memory_current_bytes, cpu_quota_us, cpu_weight, pids_max, pids_current,
  frozen,                  // 0 or 1
  populated,               // 0 or 1: the cgroup has a live process
  process_alive,           // 0 or 1
  sysctl_value,            // of the action's key
  file_bytes,              // of the action's path
  node_available_bytes,    // MemAvailable
};
enum class Comparison : std::uint8_t { equal = 0, not_equal, less, less_or_equal, greater, greater_or_equal };
struct Check {
  Probe probe = Probe::unknown;
  Comparison comparison = Comparison::equal;
  std::int64_t value = 0;
  friend bool operator==(const Check&, const Check&) = default;
};
std::string_view to_string(Probe probe);                         // "memory_limit_bytes"
bool holds(const Check& check, std::int64_t read) noexcept;
std::string to_string(const Check& check);                       // "memory_limit_bytes = 67108864"

struct Plan {
  Nonce nonce{};                       // two plans are never the same bytes
  std::string incident;                // "INC-7"
  Proposer proposer = Proposer::engine;
  Person person;                       // the proposer, when a person
  Target target;
  Action action;
  std::vector<Check> preconditions;    // name the changed field and its value; false at execution: REFUSED, nothing done
  std::optional<Check> effect;         // must hold within effect_within_ms after the action; else it is rolled back
  std::uint64_t effect_within_ms = 0;
  std::int64_t not_before_ms = 0, not_after_ms = 0;
  std::string budget;                  // key of Policy::limits; "" = the action's own name
  Digest evidence{};                   // SHA-256 of the findings that it came from
  friend bool operator==(const Plan&, const Plan&) = default;
};

// ---- approval: one person's yes or no to exactly one plan -----------------------------------------------------------

enum class Decision : std::uint8_t { deny = 0, approve };

struct Approval {
  Digest plan{};
  Decision decision = Decision::deny;
  Person person;                       // must be whose key signs
  std::uint64_t policy_version = 0;    // that the person saw
  Nonce nonce{};
  std::int64_t issued_ms = 0, expires_ms = 0;
  Digest render{};                     // SHA-256 of the text that was shown
  std::string renderer;                // program and version that showed it
  std::string reason;
  friend bool operator==(const Approval&, const Approval&) = default;
};

// ---- standing approval ----------------------------------------------------------------------------------------------

enum class Trigger : std::uint8_t { automatic = 0, one_approver };   // one_approver: a night pass

// Signed by several people by day. The executor counts its uses itself.
struct StandingApproval {
  std::string name;
  Nonce nonce{};
  Trigger trigger = Trigger::one_approver;
  std::uint64_t policy_version = 0;
  std::vector<std::uint16_t> actions;              // index of Action's alternatives; not empty
  std::vector<std::string> clusters, name_spaces, node_labels;     // empty: any. A node label is "key=value"
  std::vector<std::string> cgroup_prefixes;        // empty: any; whole path components
  std::uint8_t max_class = 1;
  std::int64_t max_value = 0;                      // upper bound of the action's main number (bytes, us, count)
  std::uint32_t max_factor_percent = 0;            // new value <= old value * percent / 100; 0: no such bound
  std::uint64_t max_ttl_ms = 0;                    // 0: kept is allowed
  std::uint32_t from_minute = 0, to_minute = 1440; // of the UTC day, [from, to); from > to: over midnight
  std::uint32_t per_hour = 1, per_day = 4;         // uses on one node
  std::int64_t not_before_ms = 0, not_after_ms = 0;
  friend bool operator==(const StandingApproval&, const StandingApproval&) = default;
};

// ---- statement: pause, resume, settle, log origin -------------------------------------------------------------------

struct Pause { std::string reason; friend bool operator==(const Pause&, const Pause&) = default; };      // any approver: no class >= 1 begins
struct Resume { std::string reason; friend bool operator==(const Resume&, const Resume&) = default; };   // Policy::resume_threshold people
struct Settle { Digest plan{}; bool happened = false; std::string reason; friend bool operator==(const Settle&, const Settle&) = default; };   // closes UNKNOWN
// A log that went back (restored backup) goes on under a new origin that names the old head. Signed by policy roots.
struct NewOrigin {
  std::string origin;
  PublicKey log_key;
  std::string old_origin;
  std::uint64_t old_size = 0;          // of the newest head that the signers know of
  Digest old_root{};
  friend bool operator==(const NewOrigin&, const NewOrigin&) = default;
};
struct Statement {
  std::variant<std::monostate, Pause, Resume, Settle, NewOrigin> body;
  Nonce nonce{};
  std::uint64_t policy_version = 0;
  std::int64_t issued_ms = 0, expires_ms = 0;
  friend bool operator==(const Statement&, const Statement&) = default;
};
// Nodes refuse one that lives longer: who keeps it back must not have it for ever. A new origin's signers are the roots, whose keys lie in safes.
inline constexpr std::int64_t kMaxStatementLifeMs = 3'600'000, kMaxNewOriginLifeMs = 24 * kMaxStatementLifeMs;
std::int64_t max_life_ms(const Statement& statement) noexcept;

// ---- trust policy ---------------------------------------------------------------------------------------------------

enum class Level : std::uint8_t { approver = 0, senior };
enum class Profile : std::uint8_t { solo = 0, team, enterprise };
std::string_view to_string(Profile profile);

struct Scope {                          // empty list: any
  std::vector<std::string> clusters, name_spaces, node_labels;
  std::uint8_t max_class = 3;
  friend bool operator==(const Scope&, const Scope&) = default;
};
struct Approver {
  Person person;
  Level level = Level::approver;
  std::vector<std::string> groups;
  std::vector<PublicKey> keys;
  Scope scope;
  std::int64_t not_after_ms = 0;        // 0: as long as the policy
  friend bool operator==(const Approver&, const Approver&) = default;
};
struct ClassRule {
  std::uint8_t action_class = 0;
  std::uint32_t threshold = 0;          // distinct people; never below minimum_threshold()
  std::uint32_t seniors = 0;            // of them
  std::vector<std::string> groups;      // not empty: at least one signer of each
  std::int64_t max_validity_ms = kMaxValidityMs;
  bool require_inclusion = true;        // in the audit log; class >= 1: always
  friend bool operator==(const ClassRule&, const ClassRule&) = default;
};
struct Limit { std::string budget; std::uint32_t per_hour = 0, per_day = 0; friend bool operator==(const Limit&, const Limit&) = default; };   // on one node
struct Bound {                          // narrows the catalogue's bounds of one action
  std::uint16_t action = 0;
  std::int64_t min_value = 0, max_value = 0;
  std::uint64_t max_ttl_ms = 0;         // 0: the catalogue's
  friend bool operator==(const Bound&, const Bound&) = default;
};
struct Enabled {                        // what nodes may do; nothing matches: observe-only
  std::vector<std::string> clusters, node_labels;   // empty: any
  std::vector<std::uint16_t> actions;               // empty: any
  std::uint8_t max_class = 3;
  friend bool operator==(const Enabled&, const Enabled&) = default;
};
struct Root { std::string name; PublicKey key; friend bool operator==(const Root&, const Root&) = default; };
struct Witness { std::string name; PublicKey key; friend bool operator==(const Witness&, const Witness&) = default; };

struct Policy {
  std::uint64_t version = 0;            // first is 1
  std::string organisation;
  Profile profile = Profile::team;
  std::int64_t issued_ms = 0, not_after_ms = 0;
  std::vector<Root> roots;
  std::uint32_t root_threshold = 0;
  std::vector<Approver> approvers;
  std::vector<ClassRule> classes;       // by class, 0..3
  std::uint32_t resume_threshold = 1;
  std::vector<Limit> limits;
  std::vector<Bound> bounds;
  std::vector<Enabled> enabled;
  std::string log_origin;               // first line of the log's checkpoints
  PublicKey log_key;
  std::vector<Witness> witnesses;
  std::uint32_t witness_quorum = 0;     // 0: inclusion only
  std::int64_t time_skew_ms = 120'000;
  bool paused = false;
  friend bool operator==(const Policy&, const Policy&) = default;
};

// Compiled in: a policy below it is refused. Class 0: 0; 1: 1; 2: 1 for solo, else 2; 3: 2.
std::uint32_t minimum_threshold(std::uint8_t action_class, Profile profile) noexcept;
// Every rule of the policy by itself, each broken one as a sentence; empty: good.
std::vector<std::string> check_policy(const Policy& policy);
// What the change loosens, a sentence each (such a version becomes active kLooseningDelayMs after a node took it); empty: only tightens.
std::vector<std::string> loosened_by(const Policy& before, const Policy& after);
inline constexpr std::int64_t kLooseningDelayMs = 3'600'000;

// ---- result: what a node says it did --------------------------------------------------------------------------------

enum class State : std::uint8_t { unset = 0, received, verified, claimed, done, failed, unknown, refused, expired };
std::string_view to_string(State state);                         // "DONE"
bool is_final(State state) noexcept;                           // UNKNOWN too: only a Settle leaves it

struct Outcome {
  Digest plan{};
  Uuid node;
  Nonce incarnation{};
  State state = State::unset;
  std::string code;                    // refusal or failure code, "" when done
  std::string sentence;                // for people
  std::int64_t started_ms = 0, ended_ms = 0;
  std::string before, after;           // what was read on the handles
  bool rolled_back = false;            // effect missing, TTL over, undone
  std::uint64_t journal_seq = 0;       // this record's place in the node's journal, and the hash up to it
  Digest journal_hash{};
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// ---- bytes ----------------------------------------------------------------------------------------------------------

Bytes to_bytes(const Plan& plan);
Bytes to_bytes(const Approval& approval);
Bytes to_bytes(const StandingApproval& standing);
Bytes to_bytes(const Statement& statement);
Bytes to_bytes(const Policy& policy);
Bytes to_bytes(const Outcome& outcome);

// Errc::malformed: not canonical, an unknown enumerator, no action or body, bad UTF-8 or a control character in a text; Errc::too_large.
Result<Plan> parse_plan(ByteView bytes);
Result<Approval> parse_approval(ByteView bytes);
Result<StandingApproval> parse_standing(ByteView bytes);
Result<Statement> parse_statement(ByteView bytes);
Result<Policy> parse_policy(ByteView bytes);
Result<Outcome> parse_outcome(ByteView bytes);

}  // namespace fw::authority
