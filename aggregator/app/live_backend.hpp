// What people may ask of the live windows, on the coordinator (names, clocks) and the shards (samples).
#pragma once
#include "aggregator/api/live.hpp"
#include "aggregator/app/coordinator.hpp"
#include "aggregator/app/top_rows.hpp"

namespace fw::app {

// Threading: methods run on the server's executor and hop to the coordinator's and the shards'.
class LiveBackend final : public api::Live {
 public:
  LiveBackend(Coordinator& coordinator, ingest::Ingest& ingest, const Clock& clock) : coordinator_(coordinator), ingest_(ingest), clock_(clock) {}

  boost::asio::awaitable<Result<api::SeriesView>> series(api::SeriesQuestion question) override;
  boost::asio::awaitable<Result<api::TopView>> top(api::TopQuestion question) override;

 private:
  // Runs `look` on the node's shard, with nullptr when nothing came from the node; resumes here.
  boost::asio::awaitable<void> visit(Uuid node, ingest::Ingest::SeriesVisit look);

  Coordinator& coordinator_;
  ingest::Ingest& ingest_;
  const Clock& clock_;
};

}  // namespace fw::app
