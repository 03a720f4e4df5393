// What people and webhooks may ask and do: the HTTP server's Backend on the coordinator and the store.
#pragma once
#include "aggregator/api/backend.hpp"
#include "aggregator/app/coordinator.hpp"

namespace fw::app {

// Threading: methods run on the server's executor and hop to the coordinator's and to a thread for blocking reads.
class Backend final : public api::Backend {
 public:
  Backend(Coordinator& coordinator, ingest::Ingest& ingest, store::Store& store, const Clock& clock)
      : coordinator_(coordinator), ingest_(ingest), store_(store), clock_(clock) {}

  boost::asio::awaitable<Result<std::vector<api::NodeView>>> nodes() override;
  boost::asio::awaitable<Result<std::vector<changes::Change>>> changes(api::ChangeFilter filter) override;
  boost::asio::awaitable<Result<std::vector<api::IncidentView>>> incidents(api::IncidentFilter filter) override;
  boost::asio::awaitable<Result<api::IncidentView>> incident(std::int64_t number) override;
  boost::asio::awaitable<Result<std::string>> explanation(std::int64_t number) override;
  boost::asio::awaitable<Result<std::string>> case_file(std::int64_t number) override;
  boost::asio::awaitable<Result<api::IncidentView>> take(std::int64_t number, std::string person) override;
  boost::asio::awaitable<Result<api::IncidentView>> add_note(std::int64_t number, std::string person, std::string text) override;
  boost::asio::awaitable<Result<api::IncidentView>> close(std::int64_t number, std::string person, std::string reason,
                                                          std::string confirmed_cause) override;
  boost::asio::awaitable<Result<Stored>> store_change(changes::Change change, std::string delivery_id) override;
  boost::asio::awaitable<Result<std::string>> probe(std::string node, api::ProbeQuestion question) override;
  std::vector<Check> readiness() override;

 private:
  boost::asio::awaitable<Result<wire::ProbeResult>> ask_node(Uuid node, wire::Probe probe);
  using Action = std::function<Result<void>(incidents::Engine&)>;
  boost::asio::awaitable<Result<api::IncidentView>> act(std::int64_t number, Action action);
  boost::asio::awaitable<Result<incidents::Incident>> stored(std::int64_t number);
  boost::asio::awaitable<Result<store::CaseFileRow>> newest_case(std::int64_t number);
  api::IncidentView view_of(const incidents::Incident& incident) const;   // with its plan; on the coordinator's executor
  const fleet::NodeState* node_of(const incidents::Incident& incident) const { return coordinator_.fleet().find_node(incident.subject.key.node); }

  Coordinator& coordinator_;
  ingest::Ingest& ingest_;
  store::Store& store_;
  const Clock& clock_;
};

}  // namespace fw::app
