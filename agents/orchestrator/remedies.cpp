#include "agents/orchestrator/remedies.hpp"

#include <algorithm>

#include "agents/casefile/rows.hpp"
#include "agents/casefile/text.hpp"
#include "agents/orchestrator/template.hpp"

namespace fw::agents {
namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;
constexpr std::int64_t kMostFactor = 4;      // of the larger of old and proposed limit, where the node's memory is not known

std::optional<std::int64_t> number(const CaseFile& file, const char* sql) {
  const auto table = file.query(sql, {}, {.max_rows = 1});
  if (!table || table->rows.empty() || table->rows[0].empty()) return std::nullopt;
  return as_int(table->rows[0][0]);
}

std::int64_t mib_up(std::int64_t bytes) { return (bytes + kMiB - 1) / kMiB * kMiB; }
std::int64_t mib_down(std::int64_t bytes) { return bytes / kMiB * kMiB; }

}  // namespace

std::optional<Remedy> memory_limit_remedy(const CaseFile& file, std::int64_t subject_id, std::int64_t value_bytes, Lasts lasts) {
  Remedy remedy;
  remedy.subject_id = subject_id;
  remedy.temporary = lasts == Lasts::a_while;
  const auto owner = file.query(
      "select cgroup_path from entities where entity_id in (select entity_id from limit_owners) order by coalesce(last_seen_ns, 0) desc, entity_id desc limit 1");
  if (!owner || owner->rows.empty()) return std::nullopt;
  remedy.cgroup_path = as_text(owner->rows[0][0]);
  if (!shell_word(remedy.cgroup_path)) return std::nullopt;   // bytes that nobody should act on, or sign
  const auto now = number(file, "select coalesce((select value from limit_readings order by t_ns desc limit 1), (select limit_bytes from limit_at_onset))");
  if (remedy.cgroup_path.empty() || remedy.cgroup_path.front() != '/' || !now || *now <= 0 || *now >= kMostBytes || value_bytes <= *now) return std::nullopt;
  remedy.value_now = *now;

  const std::int64_t peak = number(file, "select max(v) from (select peak_bytes as v from use_before union all select max(value) from subject_use "
                                         "union all select max(usage_bytes) from subject_kills)").value_or(0);
  const std::int64_t before = number(file, "select limit_bytes from limit_before where limit_bytes > 0").value_or(0);
  remedy.safe_min = mib_up(std::max(*now + 1, std::min(peak, kMostBytes) / 20 * 21));
  remedy.value = std::max(value_bytes, remedy.safe_min);
  // What the node has to give: what is available there now, a tenth of it left alone, on top of what the container may use already.
  const auto available = number(file, "select value from series where metric = 'memory_available_bytes' and entity_id in "
                                      "(select node_id from subject) order by t_ns desc limit 1");
  remedy.safe_max = mib_down(available && *available >= 0 ? *now + *available / 10 * 9 : kMostFactor * std::max(before, remedy.value));
  remedy.safe_max = std::min(remedy.safe_max, kMostBytes);
  if (remedy.value > remedy.safe_max) remedy.value = remedy.safe_max;
  if (remedy.value < remedy.safe_min) return std::nullopt;
  remedy.why = "above the most that was in use (" + size_text(peak) + "), within what " +
               (available ? "the node has left (" + size_text(*available) + ")" : "four times the limit would be");
  return remedy;
}

}  // namespace fw::agents
