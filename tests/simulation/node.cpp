#include "tests/simulation/node.hpp"

#include "tests/simulation/determinism.hpp"
#include "tests/simulation/planted.hpp"

namespace fw::sim {

using namespace authority;

Node::Node(int number, ExecutorConfig config, NodeDeps deps, Rng rng)
    : number_(number),
      config_(std::move(config)),
      deps_(deps),
      rng_(rng),
      machine_(deps.faults, rng.split("machine")),
      clock_(deps.timeline),
      disk_("node", &deps.faults, rng.split("disk")) {
  disk_.ignore_sync(planted() == Planted::sync_lies);
  disk_.lose_synced(planted() == Planted::journal_loses);
  machine_.apply_twice = planted() == Planted::twice;
  machine_.lie = planted() == Planted::probes_lie;
  machine_.before = [this](const Plan& plan) { deps_.watcher.before_effect(*this, plan); };
  machine_.failed = [this](const Plan& plan) { deps_.watcher.on_failed(*this, plan); };
  machine_.after = [this](const Act& act) { deps_.watcher.after_effect(*this, act); };
}

void Node::guard(const std::function<void()>& what) {
  try {
    what();
  } catch (const Crash& crash) {
    deps_.marks.reach("crash " + crash.where);
    die(rng_.chance(0.5) ? Death::power : Death::process, crash.where);
  }
}

void Node::start() {
  if (executor_) return;
  guard([this] {
    config_.boot = machine_.boot();
    starting_ = true;
    auto opened = Executor::open(config_, {disk_, clock_, machine_});
    starting_ = false;
    if (!opened) {
      start_problem_ = opened.error().message();
      deps_.watcher.on_start_failed(*this, opened.error());
      restart_in(rng_.between(5 * kSecond, 2 * kMinute));
      return;
    }
    executor_ = std::move(*opened);
    deps_.watcher.on_started(*this);
    deps_.watcher.on_step(*this);
    connect();
    arm();
  });
}

void Node::deliver(int, const Bytes& packet) {
  if (!executor_) return;
  deps_.watcher.on_delivered(*this, packet);
  guard([&] {
    auto answer = executor_->on_packet(packet);
    if (!answer) {   // the program ends and is started again
      deps_.marks.reach("executor left");
      die(Death::process, "");
      return;
    }
    deps_.watcher.on_step(*this);
    send(*answer);
    arm();
  });
}

void Node::connect() {
  if (!executor_) return;
  guard([&] {
    const auto packets = executor_->on_connected();
    deps_.watcher.on_step(*this);
    send(packets);
    arm();
  });
}

void Node::send(const std::vector<Bytes>& packets) {
  for (const auto& bytes : packets) {
    auto packet = parse_packet(bytes);
    if (packet) deps_.watcher.on_sent(*this, *packet);
    deps_.network.send(number_, 0, bytes);
  }
}

void Node::arm() {
  if (!executor_) return;   // it died on the way here
  const auto armed = ++armed_;   // only the newest timer of this life does something
  std::int64_t delay = 2 * kMinute;
  if (planted() == Planted::no_timers) return;
  if (const auto next = executor_->next_deadline_mono_ns()) {
    const auto mono = clock_.mono_ns();
    delay = std::min(delay, *next > mono ? static_cast<std::int64_t>(*next - mono) : 50 * kNsPerMs);
  }
  deps_.timeline.in(delay, [this, armed] {
    if (armed != armed_ || !executor_) return;
    guard([&] {
      const auto packets = executor_->on_timer();
      deps_.watcher.on_step(*this);
      send(packets);
      if (executor_->broken()) {   // as the program's loop does
        deps_.marks.reach("executor left");
        return die(Death::process, "");
      }
      arm();
    });
  });
}

void Node::die(Death death, const std::string&) {
  executor_.reset();
  starting_ = false;
  ++armed_;
  disk_.after(death);
  if (death == Death::power) {
    machine_.reboot();
    clock_.boot();
  }
  restart_in(rng_.between(100 * kNsPerMs, deps_.faults.stopped() ? kSecond : rng_.chance(0.1) ? 10 * kMinute : 30 * kSecond));
}

void Node::restart_in(std::int64_t delay_ns) {
  deps_.timeline.in(delay_ns, [this] { start(); });
}

void Node::wipe() {
  if (executor_) die(Death::process, "wipe");
  disk_.wipe();
  deps_.watcher.on_wiped(*this);
}

void Node::clock_error_ns(std::int64_t error) { clock_.error_ns(error); }

void Node::trouble(Fault fault) {
  if (fault == Fault::disk_enospc) disk_.full(true);
  if (fault == Fault::disk_eio) disk_.broken(true);
  deps_.timeline.in(rng_.between(kSecond, 5 * kMinute), [this] { calm(); });
}

void Node::calm() {
  disk_.full(false);
  disk_.broken(false);
}

namespace {

// Answers nothing and does nothing: for looking into a journal.
class NoActuator final : public Actuator {
 public:
  Result<std::unique_ptr<OpenTarget>> open(const Plan&) override { return Error(Errc::io, "only looking"); }
};

}  // namespace

std::optional<std::vector<Outcome>> Node::outcomes_after_power_cut() const {
  Rng apart(7);
  RandomScope scope(apart);
  auto copy = disk_.worst_case();
  NoActuator nobody;
  auto opened = Executor::open(config_, {copy, clock_, nobody});
  if (!opened) return std::nullopt;
  return (*opened)->outcomes();
}

}  // namespace fw::sim
