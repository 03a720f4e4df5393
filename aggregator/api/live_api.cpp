#include "aggregator/api/live_api.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <map>

#include "aggregator/api/body.hpp"
#include "aggregator/api/render.hpp"

namespace fw::api {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

constexpr std::chrono::seconds kLongestSince{3600};   // the live windows
constexpr std::size_t kMaxName = 1'024;

// 30s, 15m, 1h.
Result<std::chrono::nanoseconds> length_of(const std::string& name, const std::string& value, std::chrono::seconds most) {
  const Error wrong(Errc::invalid_argument, name + ": must be a length of time from 1s to " + std::to_string(most.count()) + "s, such as 30s, 15m or 1h");
  static const std::map<char, std::int64_t> kUnits{{'s', 1}, {'m', 60}, {'h', 3600}};
  const auto unit = value.empty() ? kUnits.end() : kUnits.find(value.back());
  if (unit == kUnits.end()) return wrong;
  const auto number = parse_number<std::int64_t>(std::string_view(value).substr(0, value.size() - 1));
  if (!number || *number < 1 || *number > most.count() / unit->second) return wrong;
  return std::chrono::nanoseconds(std::chrono::seconds(*number * unit->second));
}

// Whole numbers as such: most readers show them better than 1.5E1.
json::value number(double value) {
  constexpr double kExact = 9'007'199'254'740'992.0;
  if (std::trunc(value) == value && std::abs(value) <= kExact) return static_cast<std::int64_t>(value);
  return value;
}

template <class T>
void put(json::object& out, std::string_view name, const std::optional<T>& value) {
  if constexpr (std::is_same_v<T, double>) {
    if (value) out[name] = number(*value);
  } else {
    if (value) out[name] = *value;
  }
}

void put(json::object& out, std::string_view name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

json::object to_json(const TopRow& row) {
  json::object out{{"node", row.node}, {"name", row.name}, {"kind", row.kind}};
  put(out, "cgroupPath", row.cgroup_path);
  put(out, "cpuCores", row.cpu_cores);
  put(out, "cpuThrottledRatio", row.cpu_throttled_ratio);
  put(out, "memoryBytes", row.memory_bytes);
  put(out, "memoryLimitBytes", row.memory_limit_bytes);
  put(out, "restarts", row.restarts);
  put(out, "oomKills", row.oom_kills);
  put(out, "http5xxPerSecond", row.http_5xx_per_s);
  put(out, "connectsFailedPerSecond", row.connects_failed_per_s);
  put(out, "newestNs", row.newest_ns);
  out["connected"] = row.connected;
  return out;
}

Response ok(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

asio::awaitable<Response> series(Live& live, const Request& request) {
  auto question = series_question(request.query);
  if (question.has_error()) co_return problem(question.error());
  const auto view = co_await live.series(std::move(*question));
  if (view.has_error()) co_return problem(view.error());
  co_return ok(render_series(*view));
}

asio::awaitable<Response> top(Live& live, const Request& request) {
  auto question = top_question(request.query);
  if (question.has_error()) co_return problem(question.error());
  const auto view = co_await live.top(std::move(*question));
  if (view.has_error()) co_return problem(view.error());
  co_return ok(render_top(*view));
}

}  // namespace

std::string render_series(const SeriesView& view) {
  json::object out{{"apiVersion", kApiVersion}, {"kind", "Series"}, {"node", view.node}};
  json::object entity{{"name", view.entity}, {"kind", view.entity_kind}};
  put(entity, "cgroupPath", view.cgroup_path);
  out["entity"] = std::move(entity);
  out["metric"] = view.metric;
  put(out, "unit", view.unit);
  out["counter"] = view.counter;
  out["perSecond"] = view.per_second;
  put(out, "quantile", view.quantile);
  out["fromNs"] = view.from_ns;
  out["toNs"] = view.to_ns;
  put(out, "unknownBeforeNs", view.unknown_before_ns);
  json::array points;
  points.reserve(view.points.size());
  for (const SeriesPoint& point : view.points) {
    json::object entry{{"tNs", point.t_ns}, {"value", number(point.value)}};
    put(entry, "low", point.low);
    put(entry, "high", point.high);
    points.push_back(std::move(entry));
  }
  out["points"] = std::move(points);
  return json::serialize(out) + "\n";
}

std::string render_top(const TopView& view) {
  json::array items;
  for (const TopRow& row : view.rows) items.push_back(to_json(row));
  return json::serialize(json::object{{"apiVersion", kApiVersion}, {"kind", "Top"}, {"takenNs", view.taken_ns}, {"of", view.of}, {"items", std::move(items)}}) + "\n";
}

Result<SeriesQuestion> series_question(const std::string& query) {
  const auto parameters = parse_query(query, {"entity", "metric", "node", "quantile", "raw", "since", "step"});
  if (parameters.has_error()) return parameters.error();
  SeriesQuestion question;
  for (const auto& [name, value] : *parameters) {
    if (name == "quantile") {
      const auto quantile = parse_number<double>(value);
      if (!quantile || !(*quantile >= 0 && *quantile <= 1)) return Error(Errc::invalid_argument, "quantile: must be a number from 0 to 1, such as 0.99");
      question.quantile = *quantile;
    } else if (name == "raw") {
      const auto raw = flag_of(name, value);
      if (raw.has_error()) return raw.error();
      question.raw = *raw;
    } else if (name == "since" || name == "step") {
      const auto length = length_of(name, value, kLongestSince);
      if (length.has_error()) return length.error();
      (name == "since" ? question.since : question.step) = *length;
    } else {
      if (value.size() > kMaxName) return Error(Errc::invalid_argument, name + ": too long");
      (name == "node" ? question.node : name == "entity" ? question.entity : question.metric) = value;
    }
  }
  if (question.node.empty()) return Error(Errc::invalid_argument, "node: is missing");
  if (question.metric.empty()) return Error(Errc::invalid_argument, "metric: is missing");
  if (question.raw && question.quantile) return Error(Errc::invalid_argument, "raw: a quantile has no total");
  return question;
}

Result<TopQuestion> top_question(const std::string& query) {
  const auto parameters = parse_query(query, {"limit", "node", "of", "sort"});
  if (parameters.has_error()) return parameters.error();
  static const std::map<std::string, TopSort> kSorts{{"5xx", TopSort::errors}, {"cpu", TopSort::cpu}, {"memory", TopSort::memory}, {"restarts", TopSort::restarts}};
  TopQuestion question;
  for (const auto& [name, value] : *parameters) {
    if (name == "limit") {
      const auto limit = limit_of(value);
      if (limit.has_error()) return limit.error();
      question.limit = *limit;
    } else if (name == "sort") {
      const auto sort = kSorts.find(value);
      if (sort == kSorts.end()) return Error(Errc::invalid_argument, "sort: must be cpu, memory, restarts or 5xx");
      question.sort = sort->second;
    } else if (name == "of") {
      if (value != "nodes" && value != "containers") return Error(Errc::invalid_argument, "of: must be nodes or containers");
      question.of = value == "nodes" ? TopOf::nodes : TopOf::containers;
    } else {
      if (value.size() > kMaxName) return Error(Errc::invalid_argument, "node: too long");
      question.node = value;
    }
  }
  return question;
}

void add_live_routes(Router& router, Live& live, std::size_t max_body_bytes) {
  router.add({Method::get, "/api/v1/series", Access::person, max_body_bytes, [&live](const Request& request, const std::string&) { return series(live, request); }});
  router.add({Method::get, "/api/v1/top", Access::person, max_body_bytes, [&live](const Request& request, const std::string&) { return top(live, request); }});
}

}  // namespace fw::api
