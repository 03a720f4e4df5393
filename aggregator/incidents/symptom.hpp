// What makes an incident: one observation that a container (or service) suffers. Thresholds in one place; docs/incidents.md has the table.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fw::incidents {

enum class SymptomKind : std::uint8_t { oom_kill = 0, killed, crash_loop, restart_loop };
std::string_view to_string(SymptomKind kind);
std::optional<SymptomKind> symptom_kind_from(std::string_view text);

struct Thresholds {
  std::chrono::nanoseconds sigterm_excuses = std::chrono::seconds(60);   // an end after SIGTERM to the cgroup is a stop
  std::uint32_t crash_loop_ends = 3;
  std::chrono::nanoseconds crash_loop_window = std::chrono::minutes(5);
  std::uint32_t restart_loop_ends = 5;
  std::chrono::nanoseconds restart_loop_window = std::chrono::minutes(2);
  std::size_t lineages = 50'000;                                         // remembered; the one silent for longest makes room
};

}  // namespace fw::incidents
