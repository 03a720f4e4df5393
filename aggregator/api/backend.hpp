// What the HTTP server asks of the rest of the aggregator. The server knows this interface only; aggregator/app implements it.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/changes/change.hpp"
#include "common/result.hpp"

namespace fw::api {

struct NodeView {
  std::string uid, name, agent_version, kernel_release, cgroup_mode, boot_id;
  bool connected = false;
  std::int64_t last_seen_ns = 0;
  std::int64_t clock_offset_ns = 0, clock_error_ns = 0;
  std::int64_t entities = 0, events_total = 0, lost_samples_total = 0, lost_events_total = 0;
  std::vector<std::string> lacking;
};

struct SymptomView { std::string kind; std::int64_t count = 0, first_ns = 0, last_ns = 0; };
struct NoteView { std::string author, text; std::int64_t time_ns = 0; };

struct IncidentView {
  std::int64_t number = 0;                 // INC-<number>
  std::string uid;
  std::string severity;                    // "critical", "major", "minor"
  std::string state;                       // "open", "explained", "resolved", "closed"
  std::string scope;                       // name of the subject for people
  std::string subject_kind, subject_key, node_name, cgroup_path;
  std::int64_t opened_ns = 0, first_symptom_ns = 0, last_symptom_ns = 0;
  std::optional<std::int64_t> explained_ns, resolved_ns, closed_ns;
  std::vector<SymptomView> symptoms;
  std::string cause_card, cause_title, confidence, verdict;   // "" until explained
  std::optional<double> cause_probability;
  std::string suspect_change_id, suspect_change_summary, suspect_change_actor, suspect_change_source;
  std::string taken_by;
  std::string closed_by, close_reason, confirmed_cause, resolved_by;
  std::string plan, plan_state;            // newest plan; "" without one
  int plan_class = 0;
  std::vector<NoteView> notes;
};

struct ChangeFilter { std::optional<std::int64_t> since_ns; std::size_t limit = 100; };
struct IncidentFilter { bool include_closed = false; std::size_t limit = 100; };

// A read-only question to one node (docs/probes.md).
struct ProbeQuestion {
  std::string kind, target;                                    // target "": the node itself
  std::vector<std::pair<std::string, std::string>> arguments;
  std::uint32_t limit_ms = 0;
};

// All methods run on the server's executor and may suspend. Errors: Errc::not_found (no such incident), Errc::conflict (already
// closed), Errc::invalid_argument, Errc::overloaded (store queue full), Errc::io (store failed).
class Backend {
 public:
  virtual ~Backend() = default;
  virtual boost::asio::awaitable<Result<std::vector<NodeView>>> nodes() = 0;
  virtual boost::asio::awaitable<Result<std::vector<changes::Change>>> changes(ChangeFilter filter) = 0;
  virtual boost::asio::awaitable<Result<std::vector<IncidentView>>> incidents(IncidentFilter filter) = 0;
  virtual boost::asio::awaitable<Result<IncidentView>> incident(std::int64_t number) = 0;
  // Findings as JSON text (agents::to_json); Errc::conflict while not yet explained.
  virtual boost::asio::awaitable<Result<std::string>> explanation(std::int64_t number) = 0;
  // The case file's bytes; Errc::conflict while there is none.
  virtual boost::asio::awaitable<Result<std::string>> case_file(std::int64_t number) = 0;

  virtual boost::asio::awaitable<Result<IncidentView>> take(std::int64_t number, std::string person) = 0;
  virtual boost::asio::awaitable<Result<IncidentView>> add_note(std::int64_t number, std::string person, std::string text) = 0;
  // confirmed_cause: a card id, or "" for "not said".
  virtual boost::asio::awaitable<Result<IncidentView>> close(std::int64_t number, std::string person, std::string reason,
                                                             std::string confirmed_cause) = 0;

  enum class Stored { created, updated, duplicate };
  // Durable when it returns. delivery_id de-duplicates redelivery per source ("" when the source has none). A row of the same
  // (source, source_key) is updated by changes::merge (aggregator/changes/received.hpp), which keeps the id of the first delivery.
  virtual boost::asio::awaitable<Result<Stored>> store_change(changes::Change change, std::string delivery_id) = 0;

  // The node's JSON object, as it sent it. `node` is a uid or a name. Errc::not_found (no such node, or no such target on it), Errc::gone (not
  // connected), Errc::unsupported (its agent answers none), Errc::overloaded, Errc::timeout, Errc::invalid_argument, Errc::io.
  virtual boost::asio::awaitable<Result<std::string>> probe(std::string node, ProbeQuestion question) = 0;

  struct Check { std::string name; bool ok = false; std::string detail; };
  virtual std::vector<Check> readiness() = 0;    // store writable, listeners up; never waits
};

}  // namespace fw::api
