#include "aggregator/app/config.hpp"

namespace fw::app {
namespace {

std::optional<std::string> check_store_url(std::string_view value) {
  constexpr std::string_view kScheme = "sqlite:///";
  if (value.starts_with(kScheme) && value.size() > kScheme.size()) return std::nullopt;
  return "expected sqlite:///absolute/path";
}

}  // namespace

config::Schema schema_of(AggregatorConfig& c) {
  using config::Key;
  const auto text = [](std::string name, std::string help, config::Check check, bool required) {
    Key key;
    key.name = std::move(name);
    key.help = std::move(help);
    key.check = std::move(check);
    key.required = required;
    return key;
  };
  const auto range = [](std::string name, std::string help, std::int64_t min, std::int64_t max) {
    Key key;
    key.name = std::move(name);
    key.help = std::move(help);
    key.min = min;
    key.max = max;
    return key;
  };
  const auto choice = [](std::string name, std::string help, std::vector<std::string> choices) {
    Key key;
    key.name = std::move(name);
    key.help = std::move(help);
    key.choices = std::move(choices);
    return key;
  };
  constexpr std::int64_t kMinute = 60'000, kDay = 24 * 60 * kMinute;
  config::Schema schema("fleetwright-aggregator");
  schema.text(text("listen.agents", "Address and port for agents (mutual TLS 1.3); port 0 takes a free one.", config::check_host_port, true), c.listen_agents);
  schema.text(text("listen.people", "Address and port for people and webhooks (HTTPS).", config::check_host_port, true), c.listen_people);
  schema.text(text("listen.plain", "Address and port of /livez, /readyz and /metrics (HTTP).", config::check_host_port, true), c.listen_plain);
  schema.path(text("tls.certificate", "Certificate of the aggregator, PEM.", config::check_readable_file, true), c.tls_certificate);
  schema.path(text("tls.key", "Key of that certificate, PEM.", config::check_readable_file, true), c.tls_key);
  schema.path(text("tls.node_ca", "Authority that signs the certificates of nodes, PEM.", config::check_readable_file, true), c.tls_node_ca);
  schema.path(text("tls.people_ca", "Authority that signs the certificates of people, PEM.", config::check_readable_file, true), c.tls_people_ca);
  schema.text(text("store.url", "Where events, changes and incidents are kept: sqlite:///absolute/path.", check_store_url, true), c.store_url);
  schema.duration(range("store.keep_events", "Events older than this are deleted.", 60 * kMinute, 3650 * kDay), c.keep_events);
  schema.duration(range("store.keep_incidents", "Resolved and closed incidents and changes older than this are deleted.", kDay, 3650 * kDay), c.keep_incidents);
  schema.bytes(range("store.max_bytes", "Above this size the oldest events are deleted before their time; those of the last hour stay.", 16 << 20, std::int64_t{1} << 50), c.max_store_bytes);
  schema.path(text("webhook.github_secret_file", "File with the secret of GitHub's webhook; without it the webhook is off.", config::check_readable_file, false),
              c.github_secret_file);
  schema.path(text("webhook.cloudevents_secret_file", "File with the secret of the CloudEvents webhook; without it the webhook is off.",
                   config::check_readable_file, false),
              c.cloudevents_secret_file);
  schema.duration(range("sample.period", "How often agents read a container without a symptom.", 1'000, 60 * kMinute), c.sample_period);
  schema.duration(range("sample.hot_period", "How often agents read a container with one.", 100, 60 * kMinute), c.sample_hot_period);
  schema.integer(range("shards", "Threads for agents' connections; 0 takes one per core.", 0, 256), c.shards);
  schema.duration(range("incident.resolve_after", "An incident without a symptom for this long is resolved.", 1'000, kDay), c.resolve_after);
  schema.path(text("governance.policy", "First signed policy (fleetwright init, fleetwright policy sign); without it plans and approvals are off.",
                   config::check_readable_file, false),
              c.governance_policy);
  schema.text(text("governance.cluster", "Cluster that plans name; empty outside of Kubernetes.", {}, false), c.governance_cluster);
  schema.path(text("audit.folder", "Folder of the audit log; made when only its last part is missing.", {}, false), c.audit_folder);
  schema.path(text("audit.key", "Key that signs the audit log's heads, PEM; the policy names its public half.", config::check_readable_file, false), c.audit_key);
  schema.text(choice("log.level", "What is logged.", {"trace", "debug", "info", "warn", "error"}), c.log_level);
  schema.text(choice("log.format", "Form of log lines.", {"text", "json"}), c.log_format);
  return schema;
}

}  // namespace fw::app
