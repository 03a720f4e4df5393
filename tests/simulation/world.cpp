#include "tests/simulation/world.hpp"

#include <algorithm>
#include <cstdio>

#include "tests/simulation/determinism.hpp"

namespace fw::sim {

using namespace authority;

std::string_view to_string(Role role) {
  static constexpr std::string_view kNames[] = {"none", "aggregator", "node", "network", "approver"};
  return kNames[static_cast<std::size_t>(role)];
}

namespace {

Role role_of(const Options& options) {
  if (options.role) return *options.role;
  Rng rng = Rng(options.seed).split("role");
  if (!rng.chance(options.attack_ratio)) return Role::none;
  return rng.chance(0.5) ? Role::aggregator : static_cast<Role>(2 + rng.below(3));
}

}  // namespace

World::World(const Options& options)
    : options_(options),
      rng_(Rng(options.seed).split("world")),
      role_(role_of(options)),
      faults_(Rng(options.seed).split("faults")),
      network_(timeline_, faults_, Rng(options.seed).split("network")),
      checker_(timeline_, truth_, heads_, marks_),
      pens_(truth_, Keys::get(), Rng(options.seed).split("pens")) {
  faults_.switch_off(options.faults_off, options.last_fault.value_or(std::numeric_limits<std::uint64_t>::max()));
  if (options.trace) {
    network_.trace([this](int from, int to, const Bytes& packet) {
      static constexpr const char* kTypes[] = {"DeliverPlan", "DeliverDenial", "DeliverPolicy", "DeliverStatement", "DeliverCheckpoint", "AckOutcome", "AskStatus",
                                               "ExecutorStatus", "OutcomeReport", "Notice"};
      const auto parsed = parse_packet(packet);
      std::string more;
      if (parsed) {
        if (const auto* notice = std::get_if<Notice>(&*parsed)) more = notice->code + ": " + notice->sentence;
      }
      std::printf("%10.3f  %d -> %d  %s %s\n", static_cast<double>(timeline_.now_ns() - kStartNs) / 1e9, from, to, parsed ? kTypes[parsed->index()] : "(cannot be read)",
                  more.c_str());
    });
  }
  set_odds();
  make_policy_mix();
  make_nodes();
}

World::~World() = default;

// Swarm: a schedule has about half of the faults, each with odds of its own.
void World::set_odds() {
  const auto some = [&](Fault fault, double least, double most) {
    if (rng_.chance(0.5)) faults_.odds(fault, least + (most - least) * static_cast<double>(rng_.below(1000)) / 1000.0);
  };
  some(Fault::drop, 0.01, 0.3);
  some(Fault::duplicate, 0.01, 0.3);
  some(Fault::delay, 0.01, 0.3);
  some(Fault::partition, 0.001, 0.02);
  some(Fault::disk_eio, 0.0005, 0.01);
  some(Fault::disk_enospc, 0.0005, 0.01);
  some(Fault::disk_short, 0.001, 0.02);
  some(Fault::disk_crash, 0.001, 0.02);
  some(Fault::kill, 0.02, 0.1);
  some(Fault::reboot, 0.01, 0.05);
  some(Fault::wipe, 0.002, 0.02);
  some(Fault::reconnect, 0.02, 0.2);
  some(Fault::clock_back, 0.005, 0.03);
  some(Fault::clock_ahead, 0.002, 0.02);
  some(Fault::world, 0.02, 0.3);
  some(Fault::act_error, 0.01, 0.1);
  some(Fault::act_crash, 0.05, 0.4);
}

void World::make_policy_mix() {
  owns_whole_aggregator_ = role_ == Role::aggregator && rng_.chance(0.8);
  mix_.seniors = rng_.chance(0.2);
  mix_.group = rng_.chance(0.3);
  mix_.short_life = rng_.chance(0.1);
  mix_.solo = rng_.chance(0.15);
  mix_.low_budget = rng_.chance(0.2);
  mix_.narrow = rng_.chance(0.15);
  mix_.paused = rng_.chance(0.05);
  mix_.erin_leaves = rng_.chance(0.3);
  if (owns_whole_aggregator_) mix_.witness_quorum = static_cast<std::uint32_t>(rng_.below(3));
  if (role_ == Role::approver || (owns_whole_aggregator_ && rng_.chance(0.7))) stolen_ = rng_.below(5);
  const auto policy = make_policy(mix_, timeline_.now_ms());
  policy_ = to_bytes(policy);
  for (std::size_t root = 0; root < 2; ++root) policy_signatures_.push_back(pens_.root_sign_policy(root, policy, policy_));
}

void World::make_nodes() {
  const auto many = rng_.between(3, rng_.chance(0.2) ? 6 : 3);
  for (int number = 1; number <= many; ++number) {
    ExecutorConfig config;
    rng_.fill(config.node.bytes);
    config.cluster = "prod";
    config.labels = {"zone=a"};
    config.observe_only = rng_.chance(0.05);
    config.first_policy = policy_;
    config.first_policy_digest = sha256(policy_);
    config.version = "simulated";
    auto node = std::make_unique<Node>(number, std::move(config), NodeDeps{timeline_, faults_, network_, checker_, marks_},
                                       rng_.split("node-" + std::to_string(number)));
    auto* raw = node.get();
    network_.listen(number, [raw](int from, const Bytes& packet) { raw->deliver(from, packet); });
    node->clock().error_ns(rng_.between(-50, 50) * kSecond);
    timeline_.in(rng_.between(0, 5 * kSecond), [raw] { raw->start(); });
    nodes_.push_back(std::move(node));
  }
}

void World::trouble() {
  for (auto& node : nodes_) trouble_node(*node);
  if (aggregator_) trouble_aggregator();
  timeline_.in(rng_.between(15 * kSecond, 60 * kSecond), [this] {
    if (!faults_.stopped()) trouble();
  });
}

void World::trouble_node(Node& node) {
  if (faults_.strikes(Fault::world)) node.machine().stir();
  if (faults_.strikes(Fault::reconnect)) {
    if (aggregator_) aggregator_->connect(node.number());
    else node.connect();
  }
  if (faults_.strikes(Fault::clock_back)) {
    const std::int64_t back[] = {10 * kMinute, 3 * kHour, 24 * kHour * 3650};
    node.clock_error_ns(-back[rng_.below(3)]);
  }
  if (faults_.strikes(Fault::clock_ahead)) {
    const std::int64_t ahead[] = {10 * kMinute, 3 * kHour, 48 * kHour};
    node.clock_error_ns(ahead[rng_.below(3)]);
  }
  if (faults_.strikes(Fault::disk_enospc, faults_.odds(Fault::disk_enospc) * 2)) node.trouble(Fault::disk_enospc);
  if (faults_.strikes(Fault::disk_eio, faults_.odds(Fault::disk_eio))) node.trouble(Fault::disk_eio);
  if (faults_.strikes(Fault::kill) && node.executor() != nullptr) node.die(Death::process, "kill");
  if (faults_.strikes(Fault::reboot)) node.die(Death::power, "reboot");
  if (faults_.strikes(Fault::wipe)) node.wipe();
}

void World::trouble_aggregator() {
  if (faults_.strikes(Fault::kill)) aggregator_->die("kill");
  if (faults_.strikes(Fault::disk_enospc, faults_.odds(Fault::disk_enospc) * 2)) aggregator_->disk().full(true);
  if (faults_.strikes(Fault::disk_eio, faults_.odds(Fault::disk_eio) * 2)) aggregator_->disk().broken(true);
  if (faults_.strikes(Fault::disk_eio, faults_.odds(Fault::disk_eio) * 2)) aggregator_->store_broken(true);
  if (rng_.chance(0.2)) aggregator_->calm();
}

// An attacker on the wire changes bits, swallows, and sends what was sent before, to whom it likes.
void World::own_network() {
  auto kept = std::make_shared<std::vector<Bytes>>();
  auto rng = std::make_shared<Rng>(rng_.split("wire"));
  network_.tamper([this, kept, rng](int from, int to, Bytes packet) {
    if (kept->size() < 64) kept->push_back(packet);
    else (*kept)[rng->below(64)] = packet;
    if (!faults_.strikes(Fault::attack, 0.2)) return packet;
    switch (rng->below(4)) {
      case 0:
        marks_.reach("attack wire.flips");
        packet[rng->below(packet.size())] ^= static_cast<std::uint8_t>(1U << rng->below(8));
        return packet;
      case 1: marks_.reach("attack wire.swallows"); return Bytes();
      case 2: marks_.reach("attack wire.cuts"); packet.resize(rng->below(packet.size()) + 1); return packet;
      default: {
        marks_.reach("attack wire.replays");
        auto old = (*kept)[rng->below(kept->size())];
        const auto where = from == 0 ? static_cast<int>(1 + rng->below(nodes_.size())) : to;
        timeline_.in(rng->between(kNsPerMs, kMinute), [this, where, old = std::move(old)] {
          if (where == 0) aggregator_->on_packet(1 + static_cast<int>(old.size() % nodes_.size()), old);
          else nodes_[static_cast<std::size_t>(where - 1)]->deliver(0, old);
        });
        return packet;
      }
    }
  });
}

// Root on node 1: it says what it likes, loses its journal on purpose and sets its clock.
void World::own_node() {
  auto rng = std::make_shared<Rng>(rng_.split("owned"));
  auto kept = std::make_shared<std::vector<Bytes>>();
  network_.tamper([this, rng, kept](int from, int, Bytes packet) {
    if (from != 1) {
      if (from != 0 && kept->size() < 32) kept->push_back(packet);   // others' words, to be said as its own
      return packet;
    }
    if (!faults_.strikes(Fault::attack, 0.2)) return packet;
    auto parsed = parse_packet(packet);
    if (!parsed) return packet;
    if (auto* status = std::get_if<ExecutorStatus>(&*parsed)) {
      marks_.reach("attack node.lies_about_itself");
      switch (rng->below(4)) {
        case 0: status->policy_version += 7; break;
        case 1: rng->fill(status->incarnation); break;
        case 2: status->checkpoint = "fleetwright/acme/audit\n9999\nAAAA\n"; break;
        default: status->key = Keys::get().humans[kStranger].keys[0].public_key(); break;
      }
      return to_bytes(*parsed);
    }
    if (auto* report = std::get_if<OutcomeReport>(&*parsed)) {
      if (rng->chance(0.5) && !kept->empty()) {
        marks_.reach("attack node.says_others_words");
        return rng->pick(*kept);
      }
      marks_.reach("attack node.false_outcome");
      auto outcome = parse_outcome(report->outcome);
      if (!outcome) return packet;
      outcome->state = rng->chance(0.5) ? State::done : State::failed;
      report->outcome = to_bytes(*outcome);
      if (rng->chance(0.5)) report->signature = Keys::get().humans[kStranger].keys[0].sign(Domain::result, report->outcome);
      return to_bytes(*parsed);
    }
    return packet;
  });
  auto act = std::make_shared<std::function<void()>>();
  *act = [this, rng, again = std::weak_ptr(act)] {
    if (faults_.stopped()) return;
    if (faults_.strikes(Fault::attack, 0.3)) {
      if (rng->chance(0.3)) {
        marks_.reach("attack node.wipes_its_journal");
        nodes_[0]->wipe();
      } else {
        marks_.reach("attack node.sets_its_clock");
        nodes_[0]->clock_error_ns(-rng->between(0, 48) * kHour);
      }
    }
    if (auto self = again.lock()) timeline_.in(2 * kMinute, [self] { (*self)(); });
  };
  timeline_.in(kMinute, [act] { (*act)(); });
}

// For a moment somebody has the log's key: one node is shown how the log went on, which it never did.
void World::fork_once() {
  auto& node = *nodes_[rng_.below(nodes_.size())];
  if (node.executor() == nullptr) return;
  const auto head = head_of(node.executor()->status().checkpoint);
  const auto* leaves = head ? heads_.leaves(*head) : nullptr;
  if (leaves == nullptr) return;
  std::vector<std::string> lines(leaves->begin(), leaves->begin() + static_cast<std::ptrdiff_t>(head->size));
  Tree tree;
  lines.push_back("{\"verb\":\"what never happened\"}");
  for (const auto& line : lines) tree.append(leaf_hash(line));
  DeliverCheckpoint packet;
  packet.note = sign_note({head->origin, lines.size(), tree.root()}, Keys::get().log);
  packet.from_size = head->size;
  packet.consistency = *tree.consistency(head->size, lines.size());
  heads_.signed_now({head->origin, tree.size(), tree.root()}, std::make_shared<const std::vector<std::string>>(std::move(lines)));
  marks_.reach("attack log.forks_for_one_node");
  network_.send(0, node.number(), to_bytes(Packet(std::move(packet))));
}

void World::main_part() {
  trouble();
  if (owns_whole_aggregator_) {
    rogue_ = std::make_unique<Rogue>(Rogue::Deps{timeline_, faults_, network_, truth_, heads_, marks_, nodes_}, rng_.split("rogue"), mix_, stolen_,
                                     rng_.chance(0.5) ? 0.1 : 0.6);
    network_.listen(0, [this](int from, const Bytes& packet) { rogue_->on_packet(from, packet); });
  } else {
    audit_checker_ = std::make_unique<AuditChecker>(timeline_, checker_, heads_, marks_);
    aggregator_ = std::make_unique<Aggregator>(Aggregator::Deps{timeline_, faults_, network_, *audit_checker_, marks_, nodes_}, rng_.split("aggregator"),
                                               policy_, policy_signatures_);
    honest_ = std::make_unique<Honest>(Honest::Deps{timeline_, faults_, marks_, truth_, pens_, *aggregator_, nodes_}, rng_.split("people"), stolen_);
    network_.listen(0, [this](int from, const Bytes& packet) { aggregator_->on_packet(from, packet); });
    honest_->start();
    aggregator_->start();
    if (role_ == Role::network) own_network();
    if (role_ == Role::node) own_node();
    if (role_ == Role::aggregator) timeline_.in(rng_.between(kMinute, 10 * kMinute), [this] { fork_once(); });
  }
  // Most are short: the more seeds, the more orders are tried. A long one is for what takes many plans, as budgets do.
  const bool is_long = rng_.chance(0.15);
  const auto steps = is_long ? rng_.between(15, 40) : rogue_ ? rng_.between(8, 16) : rng_.between(3, 7);
  std::int64_t at = 6 * kSecond;
  for (std::int64_t i = 0; i < steps; ++i) {
    at += rng_.between(200 * kNsPerMs, rng_.chance(0.05) ? 15 * kMinute : 40 * kSecond);
    timeline_.in(at, [this] {
      if (rogue_) return rogue_->step();
      honest_->step();
      if (role_ == Role::approver && faults_.strikes(Fault::attack, 0.6)) honest_->attack();
    });
  }
  const auto end = timeline_.now_ns() + at + kMinute;
  while (timeline_.now_ns() < end && checker_.violations().empty() && (!options_.last_step || timeline_.steps() < *options_.last_step)) {
    if (!timeline_.step()) break;
  }
}

bool World::finished() {
  for (auto& node : nodes_) {
    if (node->executor() == nullptr || !checker_.unfinished(*node).empty()) return false;
  }
  return true;
}

// Nothing fails any more: what was begun must come to an end. I33.
void World::calm_part() {
  faults_.stop();
  network_.tamper({});
  std::int64_t last_ms = timeline_.now_ms();
  for (auto& node : nodes_) node->calm();
  if (aggregator_) {
    aggregator_->calm();
    honest_->stop();
    // Sessions end and begin again: what was lost with one is said in the next.
    for (const auto& node : nodes_) {
      const auto number = node->number();
      for (const auto after : {11 * kMinute, 22 * kMinute}) timeline_.in(after, [this, number] { aggregator_->connect(number); });
    }
  }
  for (const auto& plan : truth_.plans()) last_ms = std::max(last_ms, std::min(plan->plan.not_after_ms, timeline_.now_ms() + 24 * 3'600'000));
  const auto end = last_ms * kNsPerMs + 25 * kMinute;   // the last restart may be ten minutes away
  std::uint64_t steps = 0;
  while (timeline_.now_ns() < end && checker_.violations().empty()) {
    if (!aggregator_ && ++steps % 16 == 0 && finished()) break;
    if (!timeline_.step()) break;
  }
  // What happened last gets its entry with the next head; a node that a late packet ended comes back.
  const auto at_rest = [&] {
    const bool all_up = std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->executor() != nullptr; });
    return all_up && (!aggregator_ || aggregator_->store().rows().audit.empty());
  };
  for (const auto last = timeline_.now_ns() + 5 * kMinute; !at_rest() && timeline_.now_ns() < last;) {
    if (!timeline_.step()) break;
  }
  if (!checker_.violations().empty()) return;
  for (auto& node : nodes_) {
    if (node->executor() == nullptr) {
      checker_.broken("I33", "node " + std::to_string(node->number()) + " never came back: " + node->start_problem());
      continue;
    }
    // A clock that was set back while the machine was off ends plans that much later.
    if (node->clock().error_ns() < -kMinute) continue;
    for (const auto& what : checker_.unfinished(*node)) checker_.broken("I33", "node " + std::to_string(node->number()) + ": plan " + what);
  }
  if (aggregator_) {
    auto rng = rng_.split("tamper");
    audit_checker_->at_end(*aggregator_, nodes_, rng);
  }
}

Outcome World::run() {
  main_part();
  // Whether everything comes to an end (I33) is asked of half of the schedules: it takes as long as all the rest.
  const bool asks_for_the_end = rng_.split("calm").chance(0.5);
  if (checker_.violations().empty() && asks_for_the_end) calm_part();
  Outcome out;
  out.seed = options_.seed;
  out.role = role_;
  out.deliveries = network_.deliveries();
  out.faults = faults_.struck();
  out.faults_drawn = faults_.drawn();
  out.steps = timeline_.steps();
  out.effects = checker_.effects();
  out.unapproved = checker_.unapproved();
  out.violations = checker_.violations();
  out.reached = marks_.reached();
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (faults_.struck(static_cast<Fault>(i)) > 0) out.reached.insert("fault " + std::string(to_string(static_cast<Fault>(i))));
  }
  if (role_ != Role::none) out.reached.insert("owns " + std::string(to_string(role_)));
  return out;
}

Outcome run_schedule(const Options& options) {
  plant(options.planted);
  Rng random = Rng(options.seed).split("kernel");
  RandomScope scope(random);
  forget_signatures();
  World world(options);
  return world.run();
}

}  // namespace fw::sim
