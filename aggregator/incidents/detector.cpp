#include "aggregator/incidents/detector.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace fw::incidents {
namespace {

constexpr std::array<std::string_view, 4> kNames{"oom_kill", "killed", "crash_loop", "restart_loop"};
constexpr std::size_t kMaxEnds = 256;   // of one lineage; far above both thresholds

}  // namespace

std::string_view to_string(SymptomKind kind) { return kNames.at(static_cast<std::size_t>(kind)); }

std::optional<SymptomKind> symptom_kind_from(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == text) return static_cast<SymptomKind>(i);
  }
  return std::nullopt;
}

Detector::Past& Detector::past_of(const fleet::NodeEvent& event) {
  const std::string lineage = fleet::lineage_of(*event.entity);
  if (past_.size() >= thresholds_.lineages && !past_.contains(lineage)) forget_oldest();
  Past& past = past_[lineage];
  past.last_event_ns = std::max(past.last_event_ns, event.received_ns);
  return past;
}

// Rare and linear: a tenth goes at once.
void Detector::forget_oldest() {
  std::vector<std::int64_t> times;
  times.reserve(past_.size());
  for (const auto& [lineage, past] : past_) times.push_back(past.last_event_ns);
  const auto cut = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10);
  std::nth_element(times.begin(), cut, times.end());
  std::erase_if(past_, [&](const auto& item) { return item.second.last_event_ns <= *cut; });
}

bool Detector::excused(const Past& past, std::int64_t time_ns) const {
  return past.sigterm_ns && time_ns >= *past.sigterm_ns && time_ns - *past.sigterm_ns <= thresholds_.sigterm_excuses.count();
}

std::vector<Symptom> Detector::on_event(const fleet::NodeEventPtr& event) {
  std::vector<Symptom> symptoms;
  Past& past = past_of(*event);

  if (const auto* oom = std::get_if<wire::OomKill>(&event->body)) {
    past.oom_victim = oom->victim.pid;
    const bool node_level = oom->constraint == wire::OomConstraint::node || oom->constraint == wire::OomConstraint::cpuset;
    symptoms.push_back({SymptomKind::oom_kill, event, node_level});
  } else if (const auto* signal = std::get_if<wire::ProcessSignal>(&event->body)) {
    if (signal->signal == SIGTERM && !signal->from_kernel) past.sigterm_ns = std::max(past.sigterm_ns.value_or(event->time_ns), event->time_ns);
    const bool from_outside = !signal->from_kernel && signal->sender_cgroup_id != event->entity->key.cgroup_id;
    if (signal->signal == SIGKILL && from_outside && signal->target.container_main.value_or(false) && past.oom_victim != signal->target.pid &&
        !excused(past, event->time_ns)) {
      symptoms.push_back({SymptomKind::killed, event, false});
    }
  } else if (const auto* exit = std::get_if<wire::ProcessExit>(&event->body)) {
    if (!exit->process.container_main.value_or(false) || event->entity->key.cgroup_id == 0) return symptoms;
    const bool stopped = excused(past, event->time_ns) && !exit->oom_victim;
    const bool abnormal = !stopped && (exit->oom_victim || exit->exit_code != 0 || (exit->signal != 0 && exit->signal != SIGTERM));
    past.ends.push_back({event->time_ns, abnormal, stopped || exit->signal == SIGTERM});
    const auto longest = std::max(thresholds_.crash_loop_window, thresholds_.restart_loop_window).count();
    while (past.ends.size() > kMaxEnds || past.ends.front().time_ns < event->time_ns - longest) past.ends.pop_front();

    std::uint32_t abnormal_ends = 0, recent_ends = 0, recent_stops = 0;
    for (const End& end : past.ends) {
      if (end.abnormal && end.time_ns > event->time_ns - thresholds_.crash_loop_window.count()) ++abnormal_ends;
      if (end.time_ns > event->time_ns - thresholds_.restart_loop_window.count()) {
        ++recent_ends;
        if (end.after_sigterm) ++recent_stops;
      }
    }
    if (abnormal && abnormal_ends >= thresholds_.crash_loop_ends) {
      symptoms.push_back({SymptomKind::crash_loop, event, false});
    } else if (recent_ends >= thresholds_.restart_loop_ends && recent_stops < recent_ends) {
      symptoms.push_back({SymptomKind::restart_loop, event, false});
    }
  }
  return symptoms;
}

}  // namespace fw::incidents
