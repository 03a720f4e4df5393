#include "tests/simulation/audit_checker.hpp"

#include <algorithm>

#include "aggregator/audit/chain.hpp"

namespace fw::sim {

using namespace authority;

namespace {

std::string quoted(std::string_view name, std::string_view value) { return "\"" + std::string(name) + "\":\"" + std::string(value) + "\""; }

// "id":7 of a line; entries are written by one writer, whose form the golden files hold.
std::int64_t id_of(const std::string& line) {
  const auto at = line.find("\"id\":");
  return at == std::string::npos ? -1 : std::strtoll(line.c_str() + at + 5, nullptr, 10);
}

}  // namespace

// The next lines of the log's files, read past the log itself.
void AuditChecker::read_on(const SimDisk& disk, std::uint64_t size) {
  for (const auto& name : disk.names()) {
    if (!name.starts_with("entries-") || name < file_) continue;
    if (name != file_) file_ = name, offset_ = 0;
    const auto& bytes = *disk.peek(name);
    while (lines_->size() < size) {
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(offset_, bytes.size()));
      const auto end = std::find(begin, bytes.end(), '\n');
      if (end == bytes.end()) break;
      lines_->emplace_back(begin, end);
      frontier_.append(lines_->back());
      offset_ += static_cast<std::size_t>(end - begin) + 1;
    }
    if (lines_->size() == size) return;
  }
}

// I20: what a head covers stays, and the head is of exactly these lines.
void AuditChecker::on_head(const audit::Log& log, const SimDisk& disk) {
  const auto size = log.size();
  const auto had = lines_->size();
  if (size < had) return checker_.broken("I20", "the log went from " + std::to_string(had) + " entries back to " + std::to_string(size));
  read_on(disk, size);
  if (lines_->size() < size) {
    return checker_.broken("I24", "the head has " + std::to_string(size) + " entries, the files " + std::to_string(lines_->size()));
  }
  const auto& head = log.head();
  if (frontier_.root() != head.root) checker_.broken("I20", "the head of size " + std::to_string(size) + " is not the root of the entries that were there");
  heads_.signed_now({head.origin, head.size, head.root}, lines_);
  marks_.reach("head");
}

void AuditChecker::on_log_lost(const Error& error) {
  if (error.code == make_error_code(Errc::io)) return;
  checker_.broken("I24", "the log cannot be opened after a crash: " + error.message());
}

// I25, I19: what leaves for a node stands in the log, under the head that goes with it. I24: what is acknowledged stands there too.
void AuditChecker::on_released(const Uuid&, const Packet& packet) {
  if (const auto* plan = std::get_if<DeliverPlan>(&packet)) {
    const auto envelope = decode_envelope(plan->envelope);
    if (!envelope) return checker_.broken("I25", "an envelope leaves that cannot be read");
    const auto head = head_of(envelope->proof.note);
    const auto* leaves = head ? heads_.leaves(*head) : nullptr;
    const auto release = ",\"release\":\"" + to_text(release_digest(*envelope)) + "\"";
    const bool there = leaves != nullptr && std::any_of(leaves->begin(), leaves->begin() + static_cast<std::ptrdiff_t>(head->size),
                                                        [&](const auto& line) { return line.find(release) != std::string::npos; });
    if (!there && envelope->action_class >= 1) checker_.broken("I25", "a plan leaves for a node, and its release is not in the log");
    marks_.reach("released");
  }
  if (const auto* ack = std::get_if<AckOutcome>(&packet)) {
    const auto index = ack->log_index;
    if (index >= lines().size() || lines()[index].find(quoted("plan", to_text(ack->plan))) == std::string::npos) {
      checker_.broken("I24", "an outcome is acknowledged with entry " + std::to_string(index) + ", which is not about it");
    }
    acknowledged_.emplace(ack->plan, index);
    marks_.reach("acknowledged");
  }
}

// I25: nothing is accepted while the log is known not to work.
void AuditChecker::on_taken(std::string_view what, bool log_works) {
  if (!log_works && what != "pause") checker_.broken("I25", "the audit log cannot be written, and a " + std::string(what) + " was accepted");
  if (what == "forged policy") checker_.broken("I9", "the aggregator took a policy that no root signed");
}

void AuditChecker::on_durable(const governance::Reply& reply, std::string_view what) {
  marks_.reach("taken " + std::string(what));
  if (what == "vote") taken_.insert(reply.subject);
}

void AuditChecker::at_end(Aggregator& aggregator, const std::vector<std::unique_ptr<Node>>& nodes, Rng& rng) {
  auto* core = aggregator.core();
  auto* log = aggregator.log();
  if (core == nullptr || log == nullptr || !core->problem().empty()) return checker_.broken("I33", "the aggregator does not come back");
  if (!aggregator.store().rows().audit.empty()) checker_.broken("I33", "audit entries wait for ever");
  // The log as it is on the disk is the log that was seen.
  for (std::size_t i = 0; i < lines().size(); ++i) {
    const auto line = log->entry(i);
    if (!line || *line != lines()[i]) return checker_.broken("I20", "entry " + std::to_string(i) + " is not what it was");
  }
  each_change_once(aggregator.store().rows());
  acknowledged_is_there(aggregator.store().rows());
  finished(*core);
  forks_are_known(*core, nodes);
  any_change_is_seen(aggregator, rng);
}

// I21.
void AuditChecker::each_change_once(const store::GovernanceRows& rows) {
  std::map<std::int64_t, std::uint64_t> places;
  for (std::size_t i = 0; i < lines().size(); ++i) {
    const auto id = id_of(lines()[i]);
    if (id > 0 && !places.emplace(id, i).second) return checker_.broken("I21", "entry " + std::to_string(id) + " stands in the log twice");
  }
  std::map<std::string, std::size_t> events;
  for (const auto& event : rows.events) {
    ++events[event.plan];
    const auto place = places.find(event.audit_id);
    if (place == places.end()) return checker_.broken("I21", "a change of a plan (" + event.kind + ") has no entry");
    if (lines()[place->second].find(quoted("plan", event.plan)) == std::string::npos) return checker_.broken("I21", "the entry of a change is about another plan");
    if (event.log_index && static_cast<std::uint64_t>(*event.log_index) != place->second) {
      return checker_.broken("I21", "the store has another place for an entry than the log");
    }
  }
  for (const auto& [plan, many] : events) {
    const auto entries = std::count_if(lines().begin(), lines().end(), [&](const auto& line) {
      return line.find(quoted("type", "plan") + "," + quoted("id", plan)) != std::string::npos && line.find("\"verb\":\"plan.") != std::string::npos &&
             line.find("plan.vote_refused") == std::string::npos;
    });
    if (static_cast<std::size_t>(entries) != many) {
      return checker_.broken("I21", "plan " + plan.substr(0, 8) + " has " + std::to_string(many) + " changes and " + std::to_string(entries) + " entries");
    }
  }
}

// I24.
void AuditChecker::acknowledged_is_there(const store::GovernanceRows& rows) {
  for (const auto& plan : taken_) {
    const auto text = to_text(plan);
    const bool voted = std::any_of(lines().begin(), lines().end(), [&](const auto& line) {
      return line.find("\"verb\":\"plan.vote\"") != std::string::npos && line.find(quoted("plan", text)) != std::string::npos;
    });
    const bool stored = std::any_of(rows.votes.begin(), rows.votes.end(), [&](const auto& row) { return row.plan == text; });
    if (!voted || !stored) checker_.broken("I24", "a vote was durable, and is gone");
  }
  for (const auto& [plan, index] : acknowledged_) {
    if (index >= lines().size() || lines()[index].find(quoted("plan", to_text(plan))) == std::string::npos) {
      checker_.broken("I24", "an acknowledged outcome is gone from the log");
    }
  }
}

// I33.
void AuditChecker::finished(governance::Core& core) {
  for (const auto* plan : core.plans(Uuid{})) {
    const auto state = std::string(to_string(plan->state));
    marks_.reach("plan " + state);
    const bool over = plan->plan.not_after_ms + 600'000 < timeline_.now_ms();
    const bool under_way = plan->state == governance::PlanState::approved || plan->state == governance::PlanState::released ||
                           plan->state == governance::PlanState::verified || plan->state == governance::PlanState::claimed ||
                           plan->state == governance::PlanState::proposed;
    if (over && under_way) checker_.broken("I33", "plan " + to_text(plan->digest).substr(0, 8) + " is " + state + " for ever");
  }
}

// I23: a node that was shown another history is known to have seen one.
void AuditChecker::forks_are_known(governance::Core& core, const std::vector<std::unique_ptr<Node>>& nodes) {
  for (const auto& node : nodes) {
    if (node->executor() == nullptr) continue;
    const auto head = head_of(node->executor()->status().checkpoint);
    if (!head || head->size == 0) continue;
    Frontier ours;
    for (std::size_t i = 0; i < std::min<std::size_t>(head->size, lines().size()); ++i) ours.append(lines()[i]);
    if (head->size <= lines().size() && ours.root() == head->root) continue;
    marks_.reach("fork seen");
    const auto uid = node->config().node.str();
    const bool known = std::any_of(lines().begin(), lines().end(), [&](const auto& line) {
      return line.find("\"verb\":\"executor.alarm\"") != std::string::npos && line.find(uid) != std::string::npos;
    });
    if (known) continue;
    std::string told = "it never spoke";
    for (const auto* one : core.executors()) {
      if (one->node != node->config().node) continue;
      told = one->seen ? "its last known head is of size " + std::to_string(one->seen->size) : "no head of it is known";
    }
    checker_.broken("I23", "node " + std::to_string(node->number()) + " holds a head of another history, of size " + std::to_string(head->size) + " (ours: " +
                               std::to_string(lines().size()) + "), and nobody says so: " + told);
  }
}

// I22: any change of what is stored is found, at the right place.
void AuditChecker::any_change_is_seen(Aggregator& aggregator, Rng& rng) {
  if (lines().size() < 2) return;
  auto changed = lines();
  const auto at = rng.below(changed.size());
  const auto kind = rng.below(4);
  switch (kind) {
    case 0: changed[at][rng.below(changed[at].size())] ^= static_cast<char>(1U << rng.below(7)); break;
    case 1: changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(at)); break;
    case 2: std::swap(changed[at], changed[at == 0 ? 1 : at - 1]); break;
    default: changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(at), changed[rng.below(changed.size())]); break;
  }
  audit::Chain chain;
  for (const auto& line : changed) chain.add(line);
  const auto damage = chain.check(aggregator.log()->head());
  const auto first = std::mismatch(lines().begin(), lines().end(), changed.begin(), changed.end()).first - lines().begin();
  const char* const names[] = {"flipped bit", "lost entry", "swapped entries", "added entry"};
  if (first >= static_cast<std::ptrdiff_t>(lines().size())) return;   // one more line after the head: no part of the log
  marks_.reach(std::string("tampered ") + names[kind]);
  if (!damage) return checker_.broken("I22", std::string("a ") + names[kind] + " at " + std::to_string(at) + " was not seen");
  if (damage->seq != static_cast<std::uint64_t>(first)) {
    checker_.broken("I22", std::string("a ") + names[kind] + " at " + std::to_string(first) + " was seen at " + std::to_string(damage->seq));
  }
}

}  // namespace fw::sim
