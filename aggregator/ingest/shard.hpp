// One thread with its io_context: the sessions that it took and the windows of the nodes that it is home to. Inside aggregator/ingest only.
#pragma once
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "aggregator/ingest/ingest.hpp"
#include "aggregator/ingest/token_bucket.hpp"
#include "common/async/task_group.hpp"
#include "common/log.hpp"

namespace fw::ingest {

class Session;

struct Windows {
  Uuid boot;
  series::NodeSeries series;
  std::uint64_t reported_lost_values = 0;
};

struct Shard {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work = boost::asio::make_work_guard(io);
  std::unordered_map<Uuid, Windows> windows;                 // shard thread only
  std::unordered_set<std::shared_ptr<Session>> sessions;     // shard thread only
  std::optional<TaskGroup> tasks, control;                   // shard thread only; sessions, and what waits for their end
  bool stopping = false;                                     // shard thread only; no session begins any more
  std::thread thread;
};

// Which session speaks for a node: the newest. Thread-safe.
class Registry {
 public:
  struct Entry { Uuid session; boost::asio::any_io_executor executor; std::weak_ptr<Session> handle; };

  explicit Registry(const Limits& limits) : limits_(limits) {}
  std::optional<Entry> enter(const Uuid& node, Entry entry);   // the one that it replaces
  void leave(const Uuid& node, const Uuid& session);
  std::optional<Entry> find(const Uuid& node) const;
  std::shared_ptr<TokenBucket> bucket(const Uuid& node);

 private:
  const Limits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<Uuid, Entry> live_;
  std::unordered_map<Uuid, std::shared_ptr<TokenBucket>> buckets_;   // as many as nodes have certificates
};

struct Context {
  Context(Config c, Ingest::Deps d) : config(std::move(c)), deps(d), registry(config.limits), end_limiter(d.clock, std::chrono::seconds(10)) {}

  Shard& home_of(const Uuid& node) { return *shards[std::hash<Uuid>{}(node) % shards.size()]; }

  Config config;
  Ingest::Deps deps;
  transport::TlsContext tls;
  Registry registry;
  log::Limiter end_limiter;
  std::atomic<std::size_t> connections{0};
  boost::asio::thread_pool reads{1};                         // blocking store reads
  std::vector<std::unique_ptr<Shard>> shards;
};

}  // namespace fw::ingest
