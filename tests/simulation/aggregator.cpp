#include "tests/simulation/aggregator.hpp"

#include <algorithm>

#include "tests/simulation/planted.hpp"

namespace fw::sim {

using governance::Core;

void MemoryStore::commit(const store::WriteGovernance& write) {
  const auto has = [](const auto& rows, const auto& same) { return std::any_of(rows.begin(), rows.end(), same); };
  for (const auto& p : write.plans) {
    if (!has(rows_.plans, [&](const auto& row) { return row.digest == p.digest; })) rows_.plans.push_back(p);
  }
  for (const auto& e : write.events) {
    if (!has(rows_.events, [&](const auto& row) { return row.plan == e.plan && row.seq == e.seq; })) rows_.events.push_back(e);
  }
  for (const auto& v : write.votes) {
    if (planted() == Planted::vote_lost) continue;
    if (!has(rows_.votes, [&](const auto& row) { return row.plan == v.plan && row.key == v.key && row.time_ns == v.time_ns; })) rows_.votes.push_back(v);
  }
  for (const auto& d : write.documents) {
    std::erase_if(rows_.documents, [&](const auto& row) { return row.digest == d.digest; });
    rows_.documents.push_back(d);
  }
  for (const auto& e : write.executors) {
    const auto first = std::find_if(rows_.executors.begin(), rows_.executors.end(), [&](const auto& row) { return row.node == e.node; });
    if (first == rows_.executors.end()) rows_.executors.push_back(e);
    else *first = e;
  }
  for (const auto& a : write.audit) {
    if (planted() == Planted::change_without_entry && a.id % 5 == 0) continue;
    if (!has(rows_.audit, [&](const auto& row) { return row.id == a.id; })) rows_.audit.push_back(a);
    rows_.last_audit_id = std::max(rows_.last_audit_id, a.id);
  }
  for (const auto& s : write.sequenced) {
    for (auto& event : rows_.events) {
      if (event.audit_id == s.id) event.log_index = s.log_index;
    }
    std::erase_if(rows_.audit, [&](const auto& row) { return row.id == s.id; });
  }
  std::stable_sort(rows_.documents.begin(), rows_.documents.end(),
                   [](const auto& a, const auto& b) { return std::tie(a.time_ns, a.version, a.digest) < std::tie(b.time_ns, b.version, b.digest); });
  std::stable_sort(rows_.events.begin(), rows_.events.end(), [](const auto& a, const auto& b) { return std::tie(a.plan, a.seq) < std::tie(b.plan, b.seq); });
}

Aggregator::Aggregator(Deps deps, Rng rng, Bytes policy, std::vector<authority::Signature> policy_signatures)
    : deps_(deps),
      rng_(rng),
      policy_(std::move(policy)),
      policy_signatures_(std::move(policy_signatures)),
      clock_(deps.timeline),
      disk_("audit", &deps.faults, rng.split("disk")) {
  disk_.ignore_sync(planted() == Planted::log_goes_back);
}

void Aggregator::guard(const std::function<void()>& what) {
  try {
    what();
  } catch (const Crash& crash) {
    deps_.marks.reach("crash " + crash.where);
    die(crash.where);
  }
}

void Aggregator::start() {
  if (core_) return;
  guard([this] {
    governance::CoreConfig config;
    config.plan_window = std::chrono::minutes(rng_.between(4, 15));
    config.ttl = std::chrono::minutes(rng_.between(2, 8));
    config.cluster = "prod";
    config.news_every = std::chrono::seconds(rng_.chance(0.07) ? 10 : 300);   // rarely as in the program: it is most of the packets
    config.resend_first = std::chrono::seconds(rng_.chance(0.07) ? 5 : 120);
    config.resend_most = std::chrono::seconds(240);
    config.checkpoint_every = std::chrono::seconds(rng_.chance(0.07) ? 1 : 15);
    core_ = std::make_unique<Core>(config, clock_);
    // What the core wrote, the core must be able to read.
    if (const auto restored = core_->restore(store_.rows()); !restored) {
      deps_.watcher.on_log_lost(Error(Errc::malformed, "the store's rows: " + restored.error().message()));
    }
    if (const auto configured = core_->configure_policy(policy_, policy_signatures_); !configured) deps_.marks.reach("policy not configured");
    open_log();
    if (on_restored) on_restored(*core_);
    pump();
    arm();
  });
}

void Aggregator::open_log() {
  opening_ = false;
  log_.reset();
  auto opened = audit::Log::open(disk_, clock_, Keys::log_again(), {kOrigin, std::nullopt, std::nullopt, 16_KiB});
  if (!opened) {
    deps_.marks.reach("log not opened");
    deps_.watcher.on_log_lost(opened.error());
    opening_ = true;
    const auto life = life_;
    deps_.timeline.in(rng_.between(kSecond, kMinute), [this, life] {
      if (life != life_ || !core_ || !opening_) return;
      guard([this] {
        open_log();
        pump();
      });
    });
    return;
  }
  log_ = std::move(*opened);
  deps_.watcher.on_head(*log_, disk_);
  core_->on_log_opened(log_->note(), log_->size());
}

void Aggregator::die(const std::string&) {
  core_.reset();
  log_.reset();
  opening_ = false;
  to_tell_.clear();
  ++life_;
  ++armed_;
  disk_.after(rng_.chance(0.5) ? Death::power : Death::process);
  deps_.timeline.in(rng_.between(kSecond, kMinute), [this] {
    start();
    // Sessions come back one by one.
    for (const auto& node : deps_.nodes) {
      const auto number = node->number();
      deps_.timeline.in(rng_.between(10 * kNsPerMs, 20 * kSecond), [this, number] { connect(number); });
    }
  });
}

void Aggregator::connect(int number) {
  with_core([&](Core& core) { core.on_node_connected(deps_.nodes[static_cast<std::size_t>(number - 1)]->config().node); });
  deps_.nodes[static_cast<std::size_t>(number - 1)]->connect();
}

void Aggregator::on_packet(int from, const Bytes& packet) {
  with_core([&](Core& core) { core.on_packet(deps_.nodes[static_cast<std::size_t>(from - 1)]->config().node, packet); });
}

void Aggregator::with_core(const std::function<void(Core&)>& what) {
  if (!core_) return;
  guard([&] {
    what(*core_);
    pump();
    arm();
  });
}

std::optional<governance::Reply> Aggregator::call(std::string_view what, const std::function<governance::Reply(Core&)>& request) {
  if (!core_) return std::nullopt;
  std::optional<governance::Reply> reply;
  guard([&] {
    const bool works = log_ && log_->problem().empty();
    reply = request(*core_);
    if (reply->ok()) {
      deps_.watcher.on_taken(what, works);
      to_tell_.emplace_back(*reply, what);
    } else {
      deps_.marks.reach("reply " + reply->code);
    }
    pump();
    arm();
  });
  return core_ ? reply : std::nullopt;
}

// Runs what the core wants until it wants nothing more, or somebody lets it wait.
void Aggregator::pump() {
  const auto life = life_;
  for (int rounds = 0; rounds < 1000 && core_ && life == life_; ++rounds) {
    bool busy = false;
    if (auto rows = core_->take_write()) {
      busy = true;
      if (deps_.faults.strikes(Fault::delay)) {
        deps_.timeline.in(rng_.between(kNsPerMs, 2 * kSecond), [this, life, rows = std::move(*rows)] {
          if (life == life_) guard([&] { write(rows), pump(); });
        });
      } else {
        write(*rows);
      }
    }
    for (auto& wanted : core_->take_log_work()) {
      busy = true;
      if (deps_.faults.strikes(Fault::delay)) {
        deps_.timeline.in(rng_.between(kNsPerMs, 2 * kSecond), [this, life, wanted = std::move(wanted)] {
          if (life == life_) guard([&] { work(wanted), pump(); });
        });
      } else {
        work(wanted);
      }
    }
    for (auto& [node, packet] : core_->take_packets()) {
      if (const auto parsed = authority::parse_packet(packet)) deps_.watcher.on_released(node, *parsed);
      deps_.network.send(0, number_of(node), std::move(packet));
    }
    if (on_word) {
      for (const auto& word : core_->take_incident_words()) on_word(word);
    }
    std::erase_if(to_tell_, [&](const auto& waiting) {
      if (!core_->durable(waiting.first.ticket)) return false;
      deps_.watcher.on_durable(waiting.first, waiting.second);
      return true;
    });
    if (!busy) return;
  }
}

void Aggregator::write(const store::WriteGovernance& rows) {
  if (deps_.faults.strikes(Fault::disk_crash, deps_.faults.odds(Fault::disk_crash) * 5)) throw Crash{"store.before_commit"};
  if (store_broken_ || deps_.faults.strikes(Fault::disk_eio)) {
    // The answer may be lost on its way back, with the rows in place.
    if (!store_broken_ && rng_.chance(0.3)) store_.commit(rows);
    core_->on_written(Error(Errc::io, "simulated"));
    return;
  }
  store_.commit(rows);
  if (deps_.faults.strikes(Fault::disk_crash, deps_.faults.odds(Fault::disk_crash) * 5)) throw Crash{"store.after_commit"};
  core_->on_written(store::Written{});
}

void Aggregator::work(const governance::LogWork& wanted) {
  if (!log_) {
    core_->on_log(governance::LogFailed{"the log is not open", true, {}, {}});
    return;
  }
  auto result = governance::run(*log_, wanted);
  if (auto* compared = std::get_if<governance::HeadCompared>(&result); compared != nullptr && planted() == Planted::fork_unseen) {
    compared->check = governance::HeadCheck::ours;
  }
  if (log_->problem().empty()) deps_.watcher.on_head(*log_, disk_);
  if (planted() == Planted::log_failure_unsaid && std::holds_alternative<governance::LogFailed>(result)) return;
  core_->on_log(result);
  const auto* failed = std::get_if<governance::LogFailed>(&result);
  if (failed == nullptr || !failed->broken || opening_) return;
  deps_.marks.reach("log broken");
  opening_ = true;
  const auto life = life_;
  deps_.timeline.in(rng_.between(kSecond, kMinute), [this, life] {
    if (life != life_ || !core_ || !opening_) return;
    guard([this] {
      open_log();
      pump();
    });
  });
}

void Aggregator::arm() {
  if (!core_) return;
  const auto armed = ++armed_;
  std::int64_t delay = 20 * kSecond;
  if (const auto next = core_->next_deadline_ns()) delay = std::clamp(*next - static_cast<std::int64_t>(clock_.mono_ns()), kSecond, delay);
  deps_.timeline.in(delay, [this, armed] {
    if (armed == armed_) with_core([](Core& core) { core.on_tick(); });
  });
}

int Aggregator::number_of(const Uuid& node) const {
  for (const auto& one : deps_.nodes) {
    if (one->config().node == node) return one->number();
  }
  return -1;
}

void Aggregator::calm() {
  disk_.full(false);
  disk_.broken(false);
  store_broken_ = false;
}

}  // namespace fw::sim
