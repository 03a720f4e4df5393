#include "aggregator/api/webhooks.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <algorithm>
#include <memory>
#include <variant>

#include "aggregator/api/render.hpp"
#include "aggregator/changes/cloudevents/cloudevents.hpp"
#include "aggregator/changes/github/github.hpp"
#include "aggregator/changes/signature.hpp"
#include "common/log.hpp"

namespace fw::api {
namespace asio = boost::asio;
namespace {

std::string_view word_of(Backend::Stored stored) {
  switch (stored) {
    case Backend::Stored::created: return "created";
    case Backend::Stored::updated: return "updated";
    case Backend::Stored::duplicate: return "duplicate";
  }
  return "duplicate";
}

// Of a batch: what the strongest of its events did.
std::string_view strongest(const std::vector<std::string_view>& words) {
  for (const std::string_view word : {"created", "updated", "duplicate"}) {
    if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  }
  return "ignored";
}

Response accepted(const std::vector<std::string_view>& words) {
  boost::json::object body{{"apiVersion", kApiVersion}, {"kind", "Accepted"}, {"status", strongest(words)}};
  if (words.size() > 1) body["statuses"] = boost::json::array(words.begin(), words.end());
  Response response;
  response.status = 202;
  response.body = boost::json::serialize(body) + "\n";
  return response;
}

std::string hint_for(changes::SignatureCheck check, std::string_view header) {
  const std::string name(header);
  switch (check) {
    case changes::SignatureCheck::missing: return "Send " + name + ": sha256=<hex HMAC-SHA256 of the raw body>; in GitHub, set the webhook's secret.";
    case changes::SignatureCheck::malformed: return name + " must be sha256= and 64 hex digits.";
    default: return "Check that the secret is the same on both sides, and that nothing between them changes the body.";
  }
}

class Webhooks {
 public:
  Webhooks(WebhookDeps deps, WebhookSecrets secrets)
      : deps_(deps), secrets_(std::move(secrets)), refusals_(deps.clock), failures_(deps.clock) {}

  asio::awaitable<Response> github(const Request& request, std::string) {
    if (auto refused = refuse(request, "github", secrets_.github, "X-Hub-Signature-256", "x-hub-signature-256")) co_return std::move(*refused);
    if (request.media_type() != "application/json") {
      count("github", "invalid");
      co_return problem(415, "Content-Type: must be application/json", "In GitHub, set the webhook's content type to application/json.");
    }
    const std::string event(request.header("x-github-event").value_or(""));
    auto received = changes::github::parse(event, request.header("x-github-delivery").value_or(""), request.body, deps_.clock.wall_ns());
    if (received.has_error()) co_return invalid("github", received.error());
    std::vector<changes::Received> list;
    list.push_back(std::move(*received));
    co_return co_await store("github", std::move(list));
  }

  asio::awaitable<Response> cloudevents(const Request& request, std::string) {
    if (auto refused = refuse(request, "cloudevents", secrets_.cloudevents, "X-Fleetwright-Signature-256", "x-fleetwright-signature-256")) {
      co_return std::move(*refused);
    }
    changes::cloudevents::Message message;
    message.content_type = std::string(request.header("content-type").value_or(""));
    message.body = request.body;
    for (const auto& [name, value] : request.headers) {
      if (name.starts_with("ce-")) message.attributes.emplace_back(name.substr(3), value);
    }
    auto received = changes::cloudevents::parse(message, deps_.clock.wall_ns());
    if (received.has_error()) co_return invalid("cloudevents", received.error());
    co_return co_await store("cloudevents", std::move(*received));
  }

 private:
  void count(std::string_view source, std::string_view result) { deps_.metrics.add(Metric::changes_received, 1, {source, result}); }

  std::optional<Response> refuse(const Request& request, std::string_view source, const std::string& secret, std::string_view shown_header,
                                 std::string_view header) {
    if (secret.empty()) return problem(404, "this webhook has no secret, so it is closed", "Set webhook." + std::string(source) + "_secret_file.");
    const auto check = changes::check_signature(secret, request.header(header), request.body);
    if (check == changes::SignatureCheck::ok) return std::nullopt;
    deps_.limiter.failed(request.peer_address, deps_.clock.mono_ns());
    deps_.metrics.add(Metric::webhook_signature_failures, 1, {source, changes::to_string(check)});
    log::write(refusals_, log::Level::warn, "webhook refused by its signature",
               {{"source", source}, {"peer", request.peer_address}, {"signature", changes::to_string(check)}});
    return problem(401, "signature " + std::string(check == changes::SignatureCheck::mismatch ? "does not match the body" : changes::to_string(check)),
                   hint_for(check, shown_header));
  }

  Response invalid(std::string_view source, const Error& error) {
    count(source, "invalid");
    log::write(refusals_, log::Level::warn, "webhook delivery is not valid", {{"source", source}, {"error", error.message()}});
    return problem(error);
  }

  // In order; a failure in the middle answers 503, and a redelivery finds the first ones as duplicates.
  asio::awaitable<Response> store(std::string_view source, std::vector<changes::Received> list) {
    std::vector<std::string_view> words;
    for (auto& received : list) {
      auto* change = std::get_if<changes::Change>(&received.what);
      if (change == nullptr) {
        count(source, "ignored");
        words.push_back("ignored");
        continue;
      }
      change->id = make_uuid_v7(change->received_ns);
      const auto stored = co_await deps_.backend.store_change(std::move(*change), std::move(received.delivery_id));
      if (stored.has_error()) {
        count(source, "failed");
        log::write(failures_, log::Level::error, "a change could not be stored", {{"source", source}, {"error", stored.error().message()}});
        co_return problem(stored.error());
      }
      count(source, word_of(*stored));
      words.push_back(word_of(*stored));
    }
    co_return accepted(words);
  }

  WebhookDeps deps_;
  WebhookSecrets secrets_;
  log::Limiter refusals_;
  log::Limiter failures_;
};

}  // namespace

void add_webhook_routes(Router& router, WebhookDeps deps, WebhookSecrets secrets, std::size_t max_body_bytes) {
  const auto webhooks = std::make_shared<Webhooks>(deps, std::move(secrets));
  router.add({Method::post, "/webhooks/github", Access::signature, max_body_bytes,
              [webhooks](const Request& request, std::string id) { return webhooks->github(request, std::move(id)); }});
  router.add({Method::post, "/webhooks/cloudevents", Access::signature, max_body_bytes,
              [webhooks](const Request& request, std::string id) { return webhooks->cloudevents(request, std::move(id)); }});
}

}  // namespace fw::api
