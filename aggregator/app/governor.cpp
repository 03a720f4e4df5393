#include "aggregator/app/governor.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <algorithm>
#include <fstream>

#include "aggregator/governance/signatures.hpp"
#include "common/base64.hpp"

namespace fw::app {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPlansRestored = 4'000;
constexpr std::chrono::seconds kReopen{5}, kPatience{10};
constexpr std::size_t kMaxPolicyFileBytes = 512 * 1024;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file && !file.eof()) return Error(Errc::gone, path + ": cannot be read");
  if (text.empty()) return Error(Errc::malformed, path + ": is empty or cannot be read");
  if (text.size() > kMaxPolicyFileBytes) return Error(Errc::too_large, path + ": is too large");
  return text;
}

struct SignedPolicy { Bytes document; std::vector<authority::Signature> signatures; };

// {"kind": "SignedPolicy", "document": base64, "signatures": [{"key": hex, "algorithm", "bytes": base64}]}, as `fleetwright policy sign` writes it.
Result<SignedPolicy> read_policy(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  const Error bad(Errc::malformed, path + ": is not a signed policy (fleetwright policy sign writes one)");
  boost::system::error_code ec;
  const auto value = boost::json::parse(*text, ec);
  if (ec || !value.is_object()) return bad;
  const auto field = [](const boost::json::object& o, const char* name) -> std::string {
    const auto* found = o.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  const auto& root = value.get_object();
  const auto* list = root.if_contains("signatures");
  auto document = decode_base64(field(root, "document"));
  if (field(root, "kind") != "SignedPolicy" || !document || list == nullptr || !list->is_array()) return bad;
  SignedPolicy policy{.document = std::move(*document), .signatures = {}};
  for (const auto& item : list->get_array()) {
    if (!item.is_object()) return bad;
    const auto key = authority::parse_digest(field(item.get_object(), "key"));
    auto bytes = decode_base64(field(item.get_object(), "bytes"));
    const auto algorithm = governance::parse_algorithm(field(item.get_object(), "algorithm"));
    if (!key || !bytes || !algorithm) return bad;
    policy.signatures.push_back({*key, *algorithm, std::move(*bytes)});
  }
  return policy;
}

}  // namespace

Governor::Governor(GovernorConfig config, Deps deps)
    : config_(std::move(config)), deps_(std::move(deps)), core_({.cluster = config_.cluster}, deps_.clock), timer_(deps_.executor),
      reopen_(deps_.executor), limiter_(deps_.clock) {}

Governor::~Governor() { stop(); }

void Governor::stop() {
  log_thread_.stop();
  log_thread_.join();
}

Result<std::unique_ptr<Governor>> Governor::open(GovernorConfig config, Deps deps) {
  if (config.audit_folder.empty() || config.key_file.empty()) {
    return Error(Errc::invalid_argument, "governance.policy also needs audit.folder and audit.key");
  }
  std::unique_ptr<Governor> governor(new Governor(std::move(config), std::move(deps)));
  auto rows = governor->deps_.store.governance(kPlansRestored);
  if (!rows) return rows.error();
  if (auto restored = governor->core_.restore(*rows); !restored) return restored.error();
  auto policy = read_policy(governor->config_.policy_file);
  if (!policy) return policy.error();
  if (auto taken = governor->core_.configure_policy(policy->document, policy->signatures); !taken) {
    return with_context(taken.error(), governor->config_.policy_file);
  }
  const OpenLog opened = governor->open_log(governor->core_.log_origin(), governor->core_.log_continuation());
  if (opened.problem.empty()) {
    governor->core_.on_log_opened(opened.note, opened.size);
    log::info("the audit log is open", {{"origin", governor->core_.log_origin()}, {"entries", opened.size}});
  } else {
    log::error("the audit log cannot be opened; nothing is approved until it can", {{"error", opened.problem}});
  }
  governor->set_problem(opened.problem);
  return governor;
}

Governor::OpenLog Governor::open_log(std::string origin, std::optional<governance::ContinueAs> continuation) {
  log_.reset();
  disk_.reset();
  auto pem = read_file(config_.key_file);
  if (!pem) return {.problem = pem.error().message()};
  auto key = authority::PrivateKey::from_pem(*pem);
  if (!key) return {.problem = with_context(key.error(), config_.key_file).message()};
  auto disk = RealDisk::open(config_.audit_folder);
  if (!disk) return {.problem = disk.error().message()};
  disk_ = std::move(*disk);
  audit::LogConfig config{.origin = std::move(origin), .continuation = std::nullopt, .old_key = std::nullopt};
  if (continuation) {
    config.continuation = audit::Continuation{.origin = continuation->origin, .old_origin = continuation->old_origin, .old_size = continuation->old_size,
                                              .old_root = continuation->old_root};
  }
  auto log = audit::Log::open(*disk_, deps_.clock, std::move(*key), std::move(config));
  if (!log) return {.problem = log.error().message()};
  log_ = std::move(*log);
  return {.problem = {}, .note = log_->note(), .size = log_->size()};
}

// The folder may be full or away for a while. Everything that waits for the log is still in the store.
void Governor::reopen_later() {
  if (std::exchange(reopening_, true)) return;
  reopen_.expires_after(kReopen);
  reopen_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    asio::post(log_thread_, [this, origin = core_.log_origin(), continuation = core_.log_continuation()] {
      OpenLog opened = open_log(origin, continuation);
      asio::post(deps_.executor, [this, opened = std::move(opened)] {
        reopening_ = false;
        set_problem(opened.problem);
        if (opened.problem.empty()) {
          log::info("the audit log is open again", {{"entries", opened.size}});
          core_.on_log_opened(opened.note, opened.size);
        }
        deps_.wake();
      });
    });
  });
}

void Governor::set_problem(std::string problem) {
  const std::lock_guard lock(problem_mutex_);
  problem_ = std::move(problem);
}

std::string Governor::problem() const {
  const std::lock_guard lock(problem_mutex_);
  return problem_;
}

void Governor::pump(incidents::Engine& engine, ingest::Ingest* ingest) {
  const auto mono_ns = static_cast<std::int64_t>(deps_.clock.mono_ns());
  constexpr std::int64_t kTickNs = 100 * kNsPerMs;       // it looks at every plan
  if (mono_ns - ticked_ns_ >= kTickNs) {
    ticked_ns_ = mono_ns;
    core_.on_tick();
  }
  if (auto write = core_.take_write()) submit(std::move(*write));
  for (governance::LogWork& work : core_.take_log_work()) {
    asio::post(log_thread_, [this, work = std::move(work)] {
      governance::LogAnswer answer = log_ ? governance::run(*log_, work) : governance::LogFailed{.why = "not open", .broken = true, .plan = {}, .node = {}};
      asio::post(deps_.executor, [this, answer = std::move(answer)] {
        core_.on_log(answer);
        deps_.wake();
      });
    });
  }
  for (governance::ToNode& packet : core_.take_packets()) {
    if (ingest != nullptr) ingest->send_executor(packet.node, std::move(packet.packet));
  }
  for (governance::IncidentWord& word : core_.take_incident_words()) {
    const incidents::Incident* incident = engine.find(word.incident);
    if (incident == nullptr) continue;
    static_cast<void>(engine.note(incident->number, "fleetwright", word.text));
    if (word.kind == governance::IncidentWord::Kind::fixed) engine.resolve(word.incident, word.text);
  }
  const std::string now = core_.problem();
  if (now != problem()) {
    if (!now.empty()) log::write(limiter_, log::Level::error, "nothing is approved or released", {{"problem", now}});
    set_problem(now);
  }
  if (core_.needs_log()) reopen_later();
  set_timer();
}

void Governor::set_timer() {
  const auto next = core_.next_deadline_ns();
  if (!next) return;
  constexpr std::int64_t kLeastNs = 5 * kNsPerMs;
  const std::int64_t wait = std::max(kLeastNs, *next - static_cast<std::int64_t>(deps_.clock.mono_ns()));
  timer_.expires_after(std::chrono::nanoseconds(wait));
  timer_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    ticked_ns_ = 0;
    deps_.wake();
  });
}

void Governor::submit(store::WriteGovernance write) {
  deps_.store.submit(std::move(write), [this](Result<store::Written> written) {
    asio::post(deps_.executor, [this, written = std::move(written)] { on_written(written); });
  });
}

void Governor::on_written(Result<store::Written> written) {
  core_.on_written(written);
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    Waiter& waiter = **at;
    if (written && !core_.durable(waiter.ticket)) {
      ++at;
      continue;
    }
    waiter.result = written ? Result<void>{} : Result<void>(written.error());
    waiter.timer.cancel();
    at = waiters_.erase(at);
  }
  deps_.wake();
}

asio::awaitable<Result<void>> Governor::durable(std::uint64_t ticket) {
  if (core_.durable(ticket)) co_return Result<void>{};
  auto waiter = std::make_shared<Waiter>(Waiter{.ticket = ticket, .timer = asio::steady_timer(deps_.executor, kPatience), .result = std::nullopt});
  waiters_.push_back(waiter);
  co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  std::erase(waiters_, waiter);
  co_return waiter->result ? *waiter->result : Result<void>(Error(Errc::overloaded, "store: no answer in 10 s"));
}

}  // namespace fw::app
