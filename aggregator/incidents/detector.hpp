// From events to symptoms: pure rules over the recent past of each lineage.
#pragma once
#include <deque>
#include <unordered_map>
#include <vector>

#include "aggregator/fleet/node_event.hpp"
#include "aggregator/incidents/symptom.hpp"

namespace fw::incidents {

struct Symptom {
  SymptomKind kind = SymptomKind::oom_kill;
  fleet::NodeEventPtr event;         // the one that completed it
  bool node_level = false;           // oom_kill because the node (or cpuset) ran out
};

// Event times are compared within one node only, by that node's clock. The same events in the same order give the same symptoms.
// Threading: one executor. Memory: bounded by Thresholds::lineages and the windows.
class Detector {
 public:
  explicit Detector(Thresholds thresholds = {}) : thresholds_(thresholds) {}

  std::vector<Symptom> on_event(const fleet::NodeEventPtr& event);
  std::size_t lineages() const noexcept { return past_.size(); }

 private:
  struct End { std::int64_t time_ns = 0; bool abnormal = false, after_sigterm = false; };
  struct Past {
    std::deque<End> ends;                        // of container_main processes, newest last, inside the longest window
    std::int64_t last_event_ns = 0;
    std::optional<std::int64_t> sigterm_ns;      // newest SIGTERM to any process of the lineage
    std::optional<std::uint32_t> oom_victim;     // pid of the newest
  };
  Past& past_of(const fleet::NodeEvent& event);
  bool excused(const Past& past, std::int64_t time_ns) const;
  void forget_oldest();

  Thresholds thresholds_;
  std::unordered_map<std::string, Past> past_;
};

}  // namespace fw::incidents
