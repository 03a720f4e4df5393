#include "aggregator/app/live_backend.hpp"

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "aggregator/fleet/names.hpp"
#include "aggregator/series/derive.hpp"

namespace fw::app {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kShownMetrics = 100;

template <class F>
asio::awaitable<std::invoke_result_t<F&>> call(F f) {
  co_return f();
}

template <class Where, class F>
asio::awaitable<std::invoke_result_t<F&>> run_on(Where where, F f) {
  auto task = call(std::move(f));
  co_return co_await asio::co_spawn(where, std::move(task), asio::use_awaitable);
}

struct Meant {
  Uuid node;
  std::string node_name;
  std::int64_t clock_offset_ns = 0;
  fleet::EntityPtr entity;   // nullptr: the node itself
};

Result<Meant> meant_by(const fleet::Fleet& fleet, const api::SeriesQuestion& question) {
  const auto node = fleet::find_node(fleet, question.node);
  if (!node) return node.error();
  Meant meant{.node = (*node)->uid, .node_name = (*node)->name, .clock_offset_ns = (*node)->clock_offset_ns, .entity = nullptr};
  if (question.entity.empty()) return meant;
  const auto entity = fleet::find_entity(fleet.entities_of((*node)->uid), question.entity);
  if (!entity) return with_context(entity.error(), "on " + (*node)->name);
  meant.entity = *entity;
  return meant;
}

// The metrics to read; the entity's own when none of them is what was asked.
std::vector<std::string> wanted_metrics(const std::vector<std::string>& known, const api::SeriesQuestion& question) {
  std::vector<std::string> wanted;
  for (const std::string& name : known) {
    const bool part = series::bound_of(question.metric, name) || series::counts_all(question.metric, name);
    if (question.quantile ? part : name == question.metric) wanted.push_back(name);
  }
  return wanted;
}

Error no_such_metric(const api::SeriesQuestion& question, const std::vector<std::string>& known) {
  const std::string whose = question.entity.empty() ? question.node : question.entity;
  if (known.empty()) return {Errc::not_found, "no sample of " + whose + " is known"};
  std::string text = whose + (question.quantile ? " has no histogram " : " has no metric ") + question.metric + "; it has ";
  std::size_t shown = 0;
  for (const std::string& name : known) {
    if (name.find("_le_") != std::string::npos) continue;   // parts of a histogram, which is asked for by its own name
    if (++shown > kShownMetrics) return {Errc::not_found, text + ", ..."};
    text += (shown == 1 ? "" : ", ") + name;
  }
  return {Errc::not_found, text};
}

void fill_points(api::SeriesView& view, const std::vector<series::Series>& found, const api::SeriesQuestion& question) {
  if (question.quantile) {
    view.unit = "us";
    for (const auto& [t_ns, quantile] : series::quantiles(question.metric, found, *question.quantile)) {
      view.points.push_back({.t_ns = t_ns, .value = quantile.value, .low = quantile.low, .high = quantile.high});
    }
    return;
  }
  const series::Series& one = found.front();
  view.unit = one.unit == "1" ? "" : one.unit;
  view.counter = one.kind == wire::MetricKind::counter;
  view.per_second = view.counter && !question.raw;
  if (view.per_second) {
    for (const auto& [t_ns, value] : series::rates(one.points)) view.points.push_back({.t_ns = t_ns, .value = value, .low = {}, .high = {}});
  } else {
    for (const auto& [t_ns, value] : one.points) view.points.push_back({.t_ns = t_ns, .value = static_cast<double>(value), .low = {}, .high = {}});
  }
}

// What stays when the runtime makes a container again.
std::string role_of(const fleet::Entity& entity) { return entity.pod_uid + "/" + fleet::display_name(entity); }

// Restarts that the container runtime told in the last hour, by the cgroup that is there now.
std::unordered_map<std::uint64_t, std::int64_t> restarts_of(const std::deque<fleet::NodeEventPtr>& events, const std::vector<fleet::EntityPtr>& entities) {
  std::map<std::string, std::int64_t> by_role;
  for (const auto& event : events) {
    const auto* observed = std::get_if<wire::Observed>(&event->body);
    if (observed == nullptr || observed->what != "container_restarted" || event->entity == nullptr) continue;
    by_role[role_of(*event->entity)] += static_cast<std::int64_t>(observed->count);
  }
  std::unordered_map<std::uint64_t, std::int64_t> out;
  for (const auto& entity : entities) {
    const auto found = by_role.find(role_of(*entity));
    if (found != by_role.end()) out[entity->key.cgroup_id] = found->second;
  }
  return out;
}

}  // namespace

// As Backend::ask_node does it: named objects, for g++ 12.
asio::awaitable<void> LiveBackend::visit(Uuid node, ingest::Ingest::SeriesVisit look) {
  auto initiation = [this, node, look = std::move(look)](auto handler) {
    auto executor = asio::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    ingest_.visit_series(node, [look, executor, shared, guard = asio::make_work_guard(executor)](const series::NodeSeries* series) {
      look(series);
      asio::post(executor, [shared] { std::move (*shared)(); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation), asio::use_awaitable);
}

asio::awaitable<Result<api::SeriesView>> LiveBackend::series(api::SeriesQuestion question) {
  const auto executor = coordinator_.executor();
  const auto meant = co_await run_on(executor, [&] { return meant_by(coordinator_.fleet(), question); });
  if (!meant) co_return meant.error();

  const std::int64_t to_ns = clock_.wall_ns(), from_ns = to_ns - question.since.count();
  const std::int64_t offset_ns = meant->clock_offset_ns;
  const std::uint64_t cgroup_id = meant->entity ? meant->entity->key.cgroup_id : 0;
  struct Read {
    std::vector<std::string> known;
    bool matches = false;
    std::vector<series::Series> series;
  };
  const auto read = std::make_shared<Read>();   // of the shard's thread until it has answered
  ingest::Ingest::SeriesVisit look = [read, question, cgroup_id, from_ns, offset_ns](const series::NodeSeries* node) {
    if (node == nullptr) return;
    read->known = node->metrics_of(cgroup_id);
    auto wanted = wanted_metrics(read->known, question);
    read->matches = !wanted.empty();
    // Samples come a little early or late: a step of 10 s takes each of them.
    if (read->matches) read->series = node->read({{.cgroup_id = cgroup_id, .metrics = std::move(wanted), .spacing = question.step * 95 / 100}}, from_ns + offset_ns, INT64_MAX);
  };
  auto visited = visit(meant->node, std::move(look));
  co_await std::move(visited);
  if (!read->matches) co_return no_such_metric(question, read->known);

  api::SeriesView view{.node = meant->node_name, .entity = meant->node_name, .entity_kind = "node", .cgroup_path = "", .metric = question.metric, .unit = "",
                       .quantile = question.quantile, .from_ns = from_ns, .to_ns = to_ns, .unknown_before_ns = std::nullopt, .points = {}};
  if (meant->entity) {
    view.entity = fleet::display_name(*meant->entity);
    view.entity_kind = fleet::to_string(meant->entity->kind);
    view.cgroup_path = meant->entity->cgroup_path;
  }
  std::int64_t first_ns = INT64_MAX;
  for (const auto& one : read->series) first_ns = std::min(first_ns, one.points.front().t_ns - offset_ns);
  const std::int64_t usual_gap_ns = std::max<std::int64_t>(2 * series::kCoarse.spacing.count(), question.step.count());
  if (first_ns > from_ns + usual_gap_ns) view.unknown_before_ns = std::min(first_ns, to_ns);
  if (!read->series.empty()) fill_points(view, read->series, question);
  for (auto& point : view.points) point.t_ns -= offset_ns;
  co_return view;
}

asio::awaitable<Result<api::TopView>> LiveBackend::top(api::TopQuestion question) {
  struct Asked { Uuid uid; TopNode node; };
  const auto executor = coordinator_.executor();
  auto nodes = co_await run_on(executor, [&]() -> Result<std::vector<Asked>> {
    const fleet::Fleet& fleet = coordinator_.fleet();
    std::vector<const fleet::NodeState*> wanted = fleet.nodes();
    if (!question.node.empty()) {
      const auto node = fleet::find_node(fleet, question.node);
      if (!node) return node.error();
      wanted = {*node};
    }
    std::vector<Asked> out;
    for (const fleet::NodeState* node : wanted) {
      TopNode top{.name = node->name, .connected = node->connected, .clock_offset_ns = node->clock_offset_ns, .entities = {}, .restarts = {}};
      for (const fleet::EntityState* state : fleet.entities_of(node->uid)) {
        if (!state->gone_ns) top.entities.push_back(state->entity);
      }
      top.restarts = restarts_of(coordinator_.history().of(node->uid), top.entities);
      out.push_back({node->uid, std::move(top)});
    }
    return out;
  });
  if (!nodes) co_return nodes.error();

  api::TopView view{.taken_ns = clock_.wall_ns(), .of = 0, .rows = {}};
  for (const Asked& asked : *nodes) {
    const auto latest = std::make_shared<std::vector<series::Latest>>();   // of the shard's thread until it has answered
    ingest::Ingest::SeriesVisit look = [latest](const series::NodeSeries* node) {
      if (node != nullptr) *latest = node->latest(top_metrics());
    };
    auto visited = visit(asked.uid, std::move(look));
    co_await std::move(visited);
    if (question.of == api::TopOf::nodes) {
      view.rows.push_back(node_row(asked.node, *latest));
    } else {
      auto rows = container_rows(asked.node, *latest);
      std::move(rows.begin(), rows.end(), std::back_inserter(view.rows));
    }
  }
  view.of = view.rows.size();
  sort_rows(view.rows, question.sort, question.limit);
  co_return view;
}

}  // namespace fw::app
