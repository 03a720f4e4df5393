#include "aggregator/app/aggregator.hpp"

#include <boost/asio/post.hpp>
#include <fstream>


namespace fw::app {
namespace {

namespace asio = boost::asio;

struct HostPort { std::string host; std::uint16_t port = 0; };

// The configuration has checked the form "host:port" or "[v6]:port".
HostPort split(const std::string& text) {
  const auto colon = text.rfind(':');
  HostPort out{.host = text.substr(0, colon), .port = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)))};
  if (out.host.size() > 1 && out.host.front() == '[') out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}

Result<std::string> read_secret(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string secret{std::istreambuf_iterator<char>(file), {}};
  if (!file) return Error(Errc::gone, path + ": cannot be read");
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) return Error(Errc::malformed, path + ": the secret is empty");
  return secret;
}

}  // namespace

Result<std::unique_ptr<Aggregator>> Aggregator::open(const AggregatorConfig& config, const Clock& clock) {
  std::unique_ptr<Aggregator> app(new Aggregator);
  auto github = read_secret(config.github_secret_file), cloudevents = read_secret(config.cloudevents_secret_file);
  if (!github) return github.error();
  if (!cloudevents) return cloudevents.error();

  auto opened = store::open_store({.url = config.store_url,
                                   .on_commit = [&metrics = app->metrics_](double seconds) { metrics.observe(Metric::store_commit_duration, seconds); }});
  if (!opened) return opened.error();
  app->store_ = std::move(*opened);

  incidents::EngineConfig engine;
  engine.resolve_after = config.resolve_after;
  const Retention retention{.keep_events = config.keep_events, .keep_incidents = config.keep_incidents,
                            .max_bytes = static_cast<std::int64_t>(config.max_store_bytes)};
  app->coordinator_ = std::make_unique<Coordinator>(
      std::move(engine), retention,
      Coordinator::Deps{.store = *app->store_, .metrics = app->metrics_, .clock = clock, .cards = agents::Cards::builtin()});
  if (auto restored = app->coordinator_->restore(); !restored) return with_context(restored.error(), "restore");

  if (!config.governance_policy.empty()) {
    Coordinator& coordinator = *app->coordinator_;
    auto governor = Governor::open({.policy_file = config.governance_policy, .audit_folder = config.audit_folder, .key_file = config.audit_key,
                                    .cluster = config.governance_cluster},
                                   {.store = *app->store_, .clock = clock, .executor = coordinator.executor(), .wake = [&coordinator] { coordinator.pump(); }});
    if (!governor) return with_context(governor.error(), "governance");
    coordinator.govern(std::move(*governor));
    app->governance_ = std::make_unique<GovernanceBackend>(coordinator, *coordinator.governor());
  }

  const HostPort agents_at = split(config.listen_agents), people_at = split(config.listen_people), plain_at = split(config.listen_plain);
  const auto shards = config.shards > 0 ? static_cast<std::size_t>(config.shards) : std::max<std::size_t>(1, std::thread::hardware_concurrency());
  auto ingest = ingest::Ingest::open({.address = agents_at.host, .port = agents_at.port,
                                      .tls = {.certificate = config.tls_certificate, .key = config.tls_key, .ca = config.tls_node_ca},
                                      .shards = shards, .limits = {}, .sample_period = config.sample_period, .hot_period = config.sample_hot_period},
                                     {.store = *app->store_, .sink = *app->coordinator_, .metrics = app->metrics_, .clock = clock});
  if (!ingest) return ingest.error();
  app->ingest_ = std::move(*ingest);

  app->backend_ = std::make_unique<Backend>(*app->coordinator_, *app->ingest_, *app->store_, clock);
  app->live_ = std::make_unique<LiveBackend>(*app->coordinator_, *app->ingest_, clock);
  api::ServerConfig server;
  server.https_address = people_at.host;
  server.https_port = people_at.port;
  server.plain_address = plain_at.host;
  server.plain_port = plain_at.port;
  server.tls = {.certificate = config.tls_certificate, .key = config.tls_key, .ca = config.tls_people_ca};
  server.github_secret = std::move(*github);
  server.cloudevents_secret = std::move(*cloudevents);
  auto https = api::Server::open(app->api_io_.get_executor(), std::move(server), {.backend = *app->backend_, .governance = app->governance_.get(), .live = app->live_.get(), .metrics = app->metrics_, .clock = clock});
  if (!https) return https.error();
  app->server_ = std::move(*https);
  return app;
}

Aggregator::~Aggregator() { stop(); }

Ports Aggregator::ports() const { return {.agents = ingest_->port(), .people = server_->https_port(), .plain = server_->plain_port()}; }

void Aggregator::start() {
  coordinator_->start(ingest_.get());
  ingest_->start();
  api_tasks_.emplace(api_io_.get_executor());
  api_tasks_->spawn("server", server_->run());
  api_thread_ = std::thread([this] { api_io_.run(); });
}

void Aggregator::stop() {
  if (api_thread_.joinable()) {
    asio::post(api_io_, [this] { server_->stop(); });
    api_thread_.join();
  }
  if (ingest_) ingest_->stop();
  if (coordinator_) coordinator_->stop();
  store_.reset();          // writes what is queued; its completions still find the coordinator
}

}  // namespace fw::app
