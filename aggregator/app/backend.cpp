#include "aggregator/app/backend.hpp"

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_set>

#include "aggregator/app/views.hpp"
#include "aggregator/store/async.hpp"
#include "protocol/wire/codec.hpp"

namespace fw::app {
namespace {

namespace asio = boost::asio;

template <class F>
asio::awaitable<std::invoke_result_t<F&>> call(F f) {
  co_return f();
}

// Runs f there and resumes here with its answer.
template <class Where, class F>
asio::awaitable<std::invoke_result_t<F&>> run_on(Where& where, F f) {
  auto task = call(std::move(f));
  co_return co_await asio::co_spawn(where, std::move(task), asio::use_awaitable);
}

}  // namespace

api::IncidentView Backend::view_of(const incidents::Incident& incident) const {
  api::IncidentView view = to_view(incident, node_of(incident));
  const Governor* governor = coordinator_.governor();
  const governance::PlanRecord* plan = governor == nullptr ? nullptr : governor->core().newest_plan(incident.uid);
  if (plan != nullptr) {
    view.plan = authority::to_text(plan->digest);
    view.plan_state = governance::to_string(plan->state);
    view.plan_class = plan->action_class;
  }
  return view;
}

asio::awaitable<Result<std::vector<api::NodeView>>> Backend::nodes() {
  const auto executor = coordinator_.executor();
  co_return co_await run_on(executor, [this]() -> Result<std::vector<api::NodeView>> {
    std::vector<api::NodeView> views;
    for (const fleet::NodeState* node : coordinator_.fleet().nodes()) views.push_back(to_view(*node, coordinator_.fleet().live_entities(node->uid)));
    return views;
  });
}

asio::awaitable<Result<std::vector<changes::Change>>> Backend::changes(api::ChangeFilter filter) {
  co_return co_await run_on(coordinator_.reads(), [this, filter] { return store_.changes(filter.since_ns.value_or(0), filter.limit); });
}

asio::awaitable<Result<std::vector<api::IncidentView>>> Backend::incidents(api::IncidentFilter filter) {
  bool store_has_more = filter.include_closed;
  const auto executor = coordinator_.executor();
  auto views = co_await run_on(executor, [&] {
    std::vector<api::IncidentView> live;
    for (const incidents::Incident* incident : coordinator_.engine().visible()) {
      if (incident->state != incidents::State::closed || filter.include_closed) live.push_back(view_of(*incident));
    }
    store_has_more = store_has_more || coordinator_.engine().stats().put_away_total > 0;
    return live;
  });
  if (store_has_more) {
    auto rows = co_await run_on(coordinator_.reads(), [this, filter] { return store_.incidents(filter.include_closed, filter.limit); });
    if (!rows) co_return rows.error();
    auto added = co_await run_on(executor, [&]() -> Result<void> {
      std::unordered_set<std::string> known;
      for (const api::IncidentView& view : views) known.insert(view.uid);
      for (const store::StoredIncident& row : *rows) {
        if (known.contains(row.row.uid.str())) continue;
        auto incident = fold(row);
        if (!incident) return incident.error();
        views.push_back(view_of(*incident));
      }
      return {};
    });
    if (!added) co_return added.error();
  }
  const auto finished = [](const api::IncidentView& view) { return view.state == "closed" || view.state == "resolved"; };
  std::sort(views.begin(), views.end(), [&](const api::IncidentView& a, const api::IncidentView& b) {
    return finished(a) != finished(b) ? finished(b) : a.number > b.number;
  });
  if (views.size() > filter.limit) views.resize(filter.limit);
  co_return views;
}

asio::awaitable<Result<incidents::Incident>> Backend::stored(std::int64_t number) {
  auto row = co_await run_on(coordinator_.reads(), [this, number] { return store_.incident(number); });
  if (!row) co_return row.error();
  co_return fold(*row);
}

asio::awaitable<Result<api::IncidentView>> Backend::incident(std::int64_t number) {
  const auto executor = coordinator_.executor();
  auto live = co_await run_on(executor, [this, number]() -> std::optional<api::IncidentView> {
    const incidents::Incident* incident = coordinator_.engine().find(number);
    return incident == nullptr ? std::nullopt : std::optional(view_of(*incident));
  });
  if (live) co_return std::move(*live);
  auto incident = co_await stored(number);
  if (!incident) co_return incident.error();
  co_return co_await run_on(executor, [&]() -> Result<api::IncidentView> { return view_of(*incident); });
}

asio::awaitable<Result<store::CaseFileRow>> Backend::newest_case(std::int64_t number) {
  Uuid uid;
  const auto executor = coordinator_.executor();
  const auto unsaved = co_await run_on(executor, [&]() -> std::shared_ptr<const store::CaseFileRow> {
    if (const incidents::Incident* incident = coordinator_.engine().find(number)) uid = incident->uid;
    return coordinator_.engine().unsaved_case(number);
  });
  if (unsaved) co_return *unsaved;
  if (uid.is_nil()) {
    auto incident = co_await stored(number);
    if (!incident) co_return incident.error();
    uid = incident->uid;
  }
  auto row = co_await run_on(coordinator_.reads(), [this, uid] { return store_.case_file(uid); });
  if (!row && row.error().code == Errc::not_found) co_return Error(Errc::conflict, "INC-" + std::to_string(number) + " is not explained yet");
  co_return row;
}

asio::awaitable<Result<std::string>> Backend::explanation(std::int64_t number) {
  auto row = co_await newest_case(number);
  if (!row) co_return row.error();
  co_return std::move(row->findings);
}

asio::awaitable<Result<std::string>> Backend::case_file(std::int64_t number) {
  auto row = co_await newest_case(number);
  if (!row) co_return row.error();
  co_return std::move(row->bytes);
}

// On the live incident, or on an old one that is brought back for it. Answers when it is durable.
asio::awaitable<Result<api::IncidentView>> Backend::act(std::int64_t number, Action action) {
  const auto executor = coordinator_.executor();
  const bool live = co_await run_on(executor, [this, number] { return coordinator_.engine().find(number) != nullptr; });
  std::optional<incidents::Incident> old;
  if (!live) {
    auto incident = co_await stored(number);
    if (!incident) co_return incident.error();
    old = std::move(*incident);
  }
  Uuid uid;
  auto done = co_await run_on(executor, [&]() -> Result<void> {
    incidents::Engine& engine = coordinator_.engine();
    if (engine.find(number) == nullptr && old) engine.adopt(std::move(*old));
    auto result = action(engine);
    if (const incidents::Incident* incident = engine.find(number)) uid = incident->uid;
    coordinator_.pump();
    return result;
  });
  if (!done) co_return done.error();
  auto saved = coordinator_.saved(uid);
  auto durable = co_await asio::co_spawn(executor, std::move(saved), asio::use_awaitable);
  if (!durable) co_return durable.error();
  co_return co_await incident(number);
}

// Not coroutines themselves: what an Action holds must not live in a co_await expression (g++ 12, see store/async.cpp).
asio::awaitable<Result<api::IncidentView>> Backend::take(std::int64_t number, std::string person) {
  return act(number, [number, person](incidents::Engine& engine) { return engine.take(number, person); });
}

asio::awaitable<Result<api::IncidentView>> Backend::add_note(std::int64_t number, std::string person, std::string text) {
  return act(number, [number, person, text](incidents::Engine& engine) { return engine.note(number, person, text); });
}

asio::awaitable<Result<api::IncidentView>> Backend::close(std::int64_t number, std::string person, std::string reason, std::string confirmed_cause) {
  return act(number, [number, person, reason, confirmed_cause](incidents::Engine& engine) {
    return engine.close(number, person, reason, confirmed_cause);
  });
}

asio::awaitable<Result<api::Backend::Stored>> Backend::store_change(changes::Change change, std::string delivery_id) {
  if (change.id.is_nil()) change.id = make_uuid_v7(clock_.wall_ns());
  if (change.received_ns == 0) change.received_ns = clock_.wall_ns();
  if (change.started_ns == 0) change.started_ns = change.received_ns;
  store::Write write = store::WriteChange{.change = std::move(change), .delivery_id = std::move(delivery_id)};
  auto written = co_await store::write(store_, std::move(write));
  if (!written) co_return written.error();
  if (written->effect == store::Effect::duplicate || !written->change) co_return Stored::duplicate;
  // Not awaited: when the request has run out of its time meanwhile, the change is durable all the same and a redelivery a duplicate.
  auto learn = [&coordinator = coordinator_, stored = std::move(*written->change)] { coordinator.add_change(stored); };
  asio::post(coordinator_.executor(), std::move(learn));
  co_return written->effect == store::Effect::created ? Stored::created : Stored::updated;
}

// As store/async.cpp does it: named objects, for g++ 12.
asio::awaitable<Result<wire::ProbeResult>> Backend::ask_node(Uuid node, wire::Probe probe) {
  auto result = std::make_shared<std::optional<Result<wire::ProbeResult>>>();
  auto value = std::make_shared<wire::Probe>(std::move(probe));
  auto initiation = [this, node, result, value](auto handler) {
    auto executor = asio::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    ingest_.probe(node, std::move(*value), [result, executor, shared, guard = asio::make_work_guard(executor)](Result<wire::ProbeResult> answer) {
      result->emplace(std::move(answer));
      asio::post(executor, [shared] { std::move (*shared)(); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation), asio::use_awaitable);
  co_return std::move(**result);
}

asio::awaitable<Result<std::string>> Backend::probe(std::string node, api::ProbeQuestion question) {
  const auto executor = coordinator_.executor();
  const auto uid = co_await run_on(executor, [&]() -> Result<Uuid> {
    std::optional<Uuid> found;
    for (const fleet::NodeState* known : coordinator_.fleet().nodes()) {
      if (known->uid.str() == node) return known->uid;
      if (known->name != node) continue;
      if (found) return Error(Errc::conflict, "several nodes are called " + node + ": give the uid");
      found = known->uid;
    }
    if (!found) return Error(Errc::not_found, "no node is called " + node);
    return *found;
  });
  if (!uid) co_return uid.error();
  wire::Probe probe{.id = 1, .kind = std::move(question.kind), .target = std::move(question.target), .arguments = {}, .deadline_ms = question.limit_ms};
  for (auto& [name, value] : question.arguments) probe.arguments.push_back({std::move(name), std::move(value)});
  if (auto ok = wire::check(probe); !ok) co_return Error(Errc::invalid_argument, ok.error().context);
  auto task = ask_node(*uid, std::move(probe));
  auto answer = co_await std::move(task);
  if (!answer) co_return answer.error();
  switch (answer->status) {
    case wire::ProbeStatus::done: co_return std::move(answer->text);
    case wire::ProbeStatus::busy: co_return Error(Errc::overloaded, std::move(answer->text));
    case wire::ProbeStatus::invalid: co_return Error(Errc::invalid_argument, std::move(answer->text));
    case wire::ProbeStatus::not_found: co_return Error(Errc::not_found, std::move(answer->text));
    case wire::ProbeStatus::timeout: co_return Error(Errc::timeout, std::move(answer->text));
    case wire::ProbeStatus::failed: break;
  }
  co_return Error(Errc::io, std::move(answer->text));
}

std::vector<api::Backend::Check> Backend::readiness() {
  const auto failure = store_.failure();
  const std::string not_accepting = ingest_.not_accepting();
  const bool alive = coordinator_.alive();
  std::vector<Check> checks = {{.name = "store", .ok = !failure, .detail = failure.value_or("")},
          {.name = "agents", .ok = not_accepting.empty(), .detail = not_accepting.empty() ? "listening" : not_accepting},
          {.name = "incidents", .ok = alive, .detail = alive ? "" : "the incident engine has not answered for 10 s"}};
  if (const Governor* governor = coordinator_.governor()) {
    const std::string problem = governor->problem();
    checks.push_back({.name = "audit", .ok = problem.empty(), .detail = problem});
  }
  return checks;
}

}  // namespace fw::app
