#include "agents/casefile/anomalies.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <string_view>

namespace fw::agents {
namespace {

struct Sample { std::int64_t t_ns = 0; double value = 0; };

enum class Sign : std::uint8_t { up, both };
struct Watched {
  std::string_view metric;
  Sign sign;      // which direction can be a fault: memory and load only upwards, a limit both ways
  bool trend;
};
constexpr std::array kWatched{
    Watched{"memory_current_bytes", Sign::up, true},   Watched{"memory_working_set_bytes", Sign::up, true},
    Watched{"memory_anon_bytes", Sign::up, true},      Watched{"memory_limit_bytes", Sign::both, false},
    Watched{"pids_current", Sign::up, true},           Watched{"cpu_usage_us", Sign::up, true},
    Watched{"psi_memory_some_us", Sign::up, false},    Watched{"memory_available_bytes", Sign::both, false},
};

constexpr std::size_t kMaxSamples = 240;      // of one life after thinning; bounds the pairwise work below
constexpr std::size_t kMinSegment = 3;        // samples on each side of a step
constexpr std::size_t kWindow = 30;           // samples on each side that a step is judged by
constexpr double kMinStepScore = 5;
constexpr double kMinStepRatio = 1.2;
constexpr double kMinTau = 0.7;               // Kendall: share of rising minus share of falling pairs
constexpr double kMinTrendZ = 2.5;
constexpr double kMinTrendGrowth = 0.25;      // over the life, relative to its start
constexpr std::int64_t kMinTrendNs = 10'000'000'000;
constexpr std::size_t kMaxLives = 12;         // newest ones; a crash loop has hundreds that say the same

double quantile(std::span<const double> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

struct Summary { double median = 0, iqr = 0; };

Summary summarize(std::span<const Sample> samples) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const auto& s : samples) values.push_back(s.value);
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.5), quantile(values, 0.75) - quantile(values, 0.25)};
}

std::vector<Sample> thin(std::span<const Sample> samples) {
  if (samples.size() <= kMaxSamples) return {samples.begin(), samples.end()};
  std::vector<Sample> out;
  const std::size_t per = (samples.size() + kMaxSamples - 1) / kMaxSamples;
  for (std::size_t i = 0; i < samples.size(); i += per) {
    const auto group = samples.subspan(i, std::min(per, samples.size() - i));
    out.push_back({group[group.size() / 2].t_ns, summarize(group).median});
  }
  return out;
}

// A counter becomes its rate per second; a fall is a restart of the counter and gives no sample.
std::vector<Sample> samples_of(const SeriesRow& row) {
  std::vector<Sample> out;
  if (row.kind != "counter") {
    for (const auto& p : row.points) out.push_back({p.t_ns, static_cast<double>(p.value)});
    return out;
  }
  for (std::size_t i = 1; i < row.points.size(); ++i) {
    const double dt = static_cast<double>(row.points[i].t_ns - row.points[i - 1].t_ns) / 1e9;
    const double dv = static_cast<double>(row.points[i].value) - static_cast<double>(row.points[i - 1].value);
    if (dt > 0 && dv >= 0) out.push_back({row.points[i].t_ns, dv / dt});
  }
  return out;
}

double mean_deviation(std::span<const Sample> samples, double from) {
  double sum = 0;
  for (const auto& s : samples) sum += std::abs(s.value - from);
  return sum / static_cast<double>(samples.size());
}

// Of all splits that are a step, the one whose two sides are the most level: medians alone do not tell where it is.
std::optional<AnomalyRow> find_step(std::span<const Sample> samples, Sign sign) {
  std::optional<AnomalyRow> best;
  double best_deviation = 0;
  for (std::size_t k = kMinSegment; k + kMinSegment <= samples.size(); ++k) {
    const std::size_t from = k > kWindow ? k - kWindow : 0;
    const auto left = samples.subspan(from, k - from), right = samples.subspan(k, std::min(kWindow, samples.size() - k));
    const Summary before = summarize(left), after = summarize(right);
    const bool up = after.median > before.median;
    if (!up && sign == Sign::up) continue;
    const double larger = std::max(std::abs(before.median), std::abs(after.median));
    const double smaller = std::min(std::abs(before.median), std::abs(after.median));
    if (larger <= 0 || larger < kMinStepRatio * smaller) continue;
    const double spread = std::max({before.iqr, after.iqr, 0.01 * larger});
    const double score = std::abs(after.median - before.median) / spread;
    if (score < kMinStepScore) continue;
    const double deviation = mean_deviation(left, before.median) + mean_deviation(right, after.median);
    if (best && deviation >= best_deviation) continue;
    best_deviation = deviation;
    const double ratio = after.median / (before.median == 0 ? larger / 100 : before.median);
    best = AnomalyRow{0, {}, up ? "step_up" : "step_down", samples[k].t_ns, ratio, score};
  }
  return best;
}

double slope_per_second(std::span<const Sample> samples) {   // Theil-Sen: the median of all pairwise slopes
  std::vector<double> slopes;
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (std::size_t j = i + 1; j < samples.size(); ++j)
      if (samples[j].t_ns > samples[i].t_ns)
        slopes.push_back((samples[j].value - samples[i].value) / (static_cast<double>(samples[j].t_ns - samples[i].t_ns) / 1e9));
  if (slopes.empty()) return 0;
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::nth_element(slopes.begin(), middle, slopes.end());
  return *middle;
}

// A service that was started and then got its first request is no growing load: the idle beginning of a rate is left out, unless
// it was idle for most of its life.
std::span<const Sample> without_idle_start(std::span<const Sample> rates) {
  const double usual = summarize(rates).median;
  while (!rates.empty() && rates.front().value < 0.1 * usual) rates = rates.subspan(1);
  return rates;
}

// Most series do nothing; they cost one pass.
bool may_move(std::span<const Sample> samples) {
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.value < b.value; });
  return samples.size() >= 2 * kMinSegment && high->value - low->value > (kMinStepRatio - 1) * std::abs(low->value);
}

// Growth that goes on until the end of the life. What rises and then stays level is a step or a warm-up, not a trend.
std::optional<AnomalyRow> find_trend(std::span<const Sample> samples) {
  const auto n = static_cast<double>(samples.size());
  if (samples.size() < 6 || samples.back().t_ns - samples.front().t_ns < kMinTrendNs) return std::nullopt;
  double rising = 0;
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (std::size_t j = i + 1; j < samples.size(); ++j)
      rising += samples[j].value > samples[i].value ? 1 : samples[j].value < samples[i].value ? -1 : 0;
  const double tau = rising / (n * (n - 1) / 2);
  const double z = rising / std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  if (tau < kMinTau || z < kMinTrendZ) return std::nullopt;
  const double seconds = static_cast<double>(samples.back().t_ns - samples.front().t_ns) / 1e9;
  const double slope = slope_per_second(samples);
  const double start = std::max(std::abs(summarize(samples.first(3)).median), 1.0);
  if (slope * seconds < kMinTrendGrowth * start) return std::nullopt;
  const std::size_t last = std::max<std::size_t>(samples.size() / 3, 3);
  if (slope_per_second(samples.last(last)) < 0.3 * slope) return std::nullopt;
  return AnomalyRow{0, {}, "trend_up", samples.front().t_ns, slope * 3600 / start, z};
}

}  // namespace

std::vector<AnomalyRow> find_anomalies(const IncidentFacts& facts) {
  std::map<std::int64_t, std::vector<std::int64_t>> ends;   // by entity
  for (const auto& e : facts.events) {
    const bool main = e.container_main.value_or(0) == 1;
    if ((e.kind == "process_exit" && main) || (e.kind == "oom_kill" && e.container_main.value_or(1) == 1))
      ends[e.entity_id].push_back(e.time_ns);
  }
  for (auto& [id, times] : ends) std::sort(times.begin(), times.end());

  std::vector<AnomalyRow> out;
  for (const auto& row : facts.series) {
    const auto watched = std::find_if(kWatched.begin(), kWatched.end(), [&](const Watched& w) { return w.metric == row.metric; });
    if (watched == kWatched.end()) continue;
    const std::vector<Sample> all = samples_of(row);
    const bool is_limit = watched->sign == Sign::both;   // a limit outlives the processes under it
    std::vector<std::span<const Sample>> lives;
    std::size_t start = 0;
    if (const auto at = ends.find(row.entity_id); at != ends.end() && !is_limit)
      for (const auto end : at->second) {
        const auto to = static_cast<std::size_t>(
            std::partition_point(all.begin(), all.end(), [&](const Sample& s) { return s.t_ns <= end; }) - all.begin());
        if (to > start) lives.emplace_back(all.data() + start, to - start);
        start = std::max(start, to);
      }
    if (all.size() > start) lives.emplace_back(all.data() + start, all.size() - start);
    // The first life is the one before the symptoms: always looked at.
    if (lives.size() > kMaxLives) lives.erase(lives.begin() + 1, lives.end() - (kMaxLives - 1));
    for (const auto life : lives) {
      const std::vector<Sample> samples = thin(row.kind == "counter" ? without_idle_start(life) : life);
      if (!may_move(samples)) continue;
      auto add = [&](std::optional<AnomalyRow> found) {
        if (!found) return;
        found->entity_id = row.entity_id;
        found->metric = row.metric;
        out.push_back(std::move(*found));
      };
      add(find_step(samples, watched->sign));
      if (watched->trend) add(find_trend(samples));
    }
  }
  return out;
}

}  // namespace fw::agents
