// Opens, grows, resolves and closes incidents, and says when to investigate. Pure: events and the time go in; rows to save, nodes to focus
// on and investigations that are due come out.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "aggregator/fleet/node_event.hpp"
#include "aggregator/incidents/detector.hpp"
#include "aggregator/incidents/incident.hpp"
#include "aggregator/store/store.hpp"
#include "common/clock.hpp"

namespace fw::incidents {

struct EngineConfig {
  Thresholds thresholds;
  std::chrono::nanoseconds resolve_after = std::chrono::minutes(5);
  std::chrono::nanoseconds investigate_spacing = std::chrono::milliseconds(300);
  std::chrono::nanoseconds investigate_spacing_later = std::chrono::seconds(60);   // after investigations_at_full_pace
  std::size_t investigations_at_full_pace = 60;
  // Evidence that is late: hot samples, the deploy's webhook.
  std::vector<std::chrono::nanoseconds> investigate_again = {std::chrono::seconds(2), std::chrono::seconds(15)};
  std::chrono::nanoseconds keep_resolved = std::chrono::hours(24);   // then symptoms open a new incident
  // An old incident that a person acts on stays live for this long, longer than any request: another request may have read it from the
  // store before, and must not bring back what it was.
  std::chrono::nanoseconds keep_adopted = std::chrono::minutes(2);
  std::chrono::nanoseconds focus_for = std::chrono::minutes(2);
  std::size_t live = 10'000;
  std::size_t symptom_rows = 5'000;   // of one incident; more are counted, not kept
};

struct FocusRequest { fleet::EntityKey entity; std::chrono::nanoseconds duration{0}; };

struct EngineStats {
  std::uint64_t opened_total = 0, symptoms_total = 0, investigations_total = 0, refused_total = 0, unsaved_symptoms_total = 0, put_away_total = 0;
};

// Invariant: at most one incident per lineage that is neither closed nor put away. An incident is visible once the store gave it its number,
// so that nobody sees one that a crash could take back.
// Threading: one executor.
class Engine {
 public:
  Engine(EngineConfig config, const Clock& clock);

  // After a start: incidents that are not closed, and the refs of symptoms that are stored already. Then on_event with the recent events,
  // oldest first, finds again what a crash cut off.
  void restore(std::vector<Incident> incidents, std::vector<std::string> known_refs);
  void end_replay() { known_refs_.clear(); }

  void on_event(const fleet::NodeEventPtr& event);
  using NodeName = std::function<std::string(const Uuid&)>;
  void on_change(const changes::Change& change, const NodeName& node_name);
  void on_tick();                                            // resolves what is quiet, puts away what is old

  // Investigations that are due now; each is answered by on_explained or on_investigation_failed.
  std::vector<Uuid> take_due();
  void on_explained(const Uuid& uid, Explained explained, store::CaseFileRow case_file);
  void on_investigation_failed(const Uuid& uid);

  // Errc::not_found for what is not live (adopt it from the store first), Errc::conflict when it is closed.
  Result<void> take(std::int64_t number, std::string person);
  Result<void> note(std::int64_t number, std::string person, std::string text);
  Result<void> close(std::int64_t number, std::string person, std::string reason, std::string confirmed_cause);
  void resolve(const Uuid& uid, std::string by);             // mended: does not wait for resolve_after
  void adopt(Incident incident);                             // an older one, so that people can act on it

  // What the store lacks, one write per incident; each is answered by on_saved. A failed write comes again at the next call.
  std::vector<store::WriteIncident> take_unsaved();
  void on_saved(const Uuid& uid, const Result<store::Written>& written);

  std::vector<FocusRequest> take_focus() { return std::exchange(focus_, {}); }
  // Our wall time at which on_tick or take_due has something to do. A step of the wall clock moves it: ask again now and then.
  std::optional<std::int64_t> next_deadline_ns() const;

  const Incident* find(const Uuid& uid) const;
  const Incident* find(std::int64_t number) const;
  std::vector<const Incident*> visible() const;              // live ones with a number, newest first
  // The newest case file while the store does not hold it yet.
  std::shared_ptr<const store::CaseFileRow> unsaved_case(std::int64_t number) const;
  bool all_saved() const;
  bool is_saved(const Uuid& uid) const;                       // every event is durable, also when it is not live any more
  const EngineStats& stats() const noexcept { return stats_; }

 private:
  struct Live {
    Incident incident;
    std::deque<store::IncidentEventRow> unsaved;
    std::shared_ptr<const store::CaseFileRow> unsaved_case;
    std::vector<store::Outcome> unsaved_outcomes;
    std::size_t saving = 0, saving_outcomes = 0;             // in flight
    std::shared_ptr<const store::CaseFileRow> saving_case;
    bool in_flight = false;
    std::set<std::int64_t> due_ns;                           // monotonic, like investigated_ns: a step of the wall clock delays nothing
    std::int64_t investigated_ns = 0;
    std::size_t investigations = 0, symptom_rows = 0;
    bool investigating = false;
    bool change_due = false;                                 // a change came since the last investigation: it does not wait for the late pace
    std::int64_t keep_until_ns = 0;                          // monotonic
  };
  Live* live(std::int64_t number);
  void record(Live& live, IncidentEvent event);
  void on_symptom(const Symptom& symptom);
  Live* incident_for(const fleet::NodeEvent& event);
  void schedule(Live& live, bool also_later);
  std::int64_t earliest_ns(const Live& live) const;
  std::int64_t mono_ns() const { return static_cast<std::int64_t>(clock_.mono_ns()); }
  bool make_room();
  using LiveMap = std::unordered_map<Uuid, Live>;
  LiveMap::iterator put_away(LiveMap::iterator at);

  const EngineConfig config_;
  const Clock& clock_;
  Detector detector_;
  std::unordered_map<Uuid, Live> live_;
  std::unordered_map<std::string, Uuid> by_lineage_;
  std::unordered_map<std::int64_t, Uuid> by_number_;
  std::unordered_set<std::string> known_refs_;
  std::vector<FocusRequest> focus_;
  EngineStats stats_;
};

}  // namespace fw::incidents
