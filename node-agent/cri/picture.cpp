#include "node-agent/cri/picture.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

namespace fw::cri {

namespace {

// What ended before what runs, and each name's attempts in their order.
template <class Item>
bool in_order(const Item& a, const Item& b) {
  const bool a_lives = a.state != State::exited;
  const bool b_lives = b.state != State::exited;
  return std::tie(a_lives, a.attempt, a.id) < std::tie(b_lives, b.attempt, b.id);
}

}  // namespace

std::vector<std::string> Picture::on_list(const std::vector<Sandbox>& sandboxes, const std::vector<Container>& containers) {
  drop_what_is_gone(sandboxes, containers);
  for (const auto& sandbox : sandboxes) take_sandbox(sandbox);

  std::vector<const Container*> wanted;
  std::unordered_map<std::string_view, std::int64_t> running;   // by sandbox
  for (const auto& container : containers) {
    if (container.state == State::running) ++running[container.sandbox_id];
    auto found = containers_.find(container.id);
    auto* known = found == containers_.end() ? add(container.id, container.sandbox_id) : &found->second;
    if (known == nullptr) continue;
    if (!known->described) {
      known->name = container.name;
      known->image = container.image;
      known->attempt = container.attempt;
      describe(container.id, *known);
    }
    if (known->state != State::exited && container.state != known->state) {
      known->settled = known->settled && container.state != State::exited;
      known->state = container.state;
    }
    if (first_list_ && container.state == State::exited) known->exit_told = known->settled = true;
    if (first_list_) introduce(container.id, *known);
    if (!known->settled) wanted.push_back(&container);
  }
  for (auto& [id, known] : sandboxes_) check_sandbox(known, running[id]);
  first_list_ = false;
  std::sort(wanted.begin(), wanted.end(), [](const auto* a, const auto* b) { return in_order(*a, *b); });
  std::vector<std::string> ids;
  for (const auto* const container : wanted) ids.push_back(container->id);
  return ids;
}

void Picture::on_status(const Status& status) {
  const auto found = containers_.find(status.id);
  if (found == containers_.end()) return;
  auto& known = found->second;
  known.settled = true;
  if (known.state == State::exited && status.state != State::exited) return;
  known.state = status.state;
  if (!known.described || (known.image != status.image && !status.image.empty())) {
    known.name = status.name;
    known.attempt = status.attempt;
    known.image = status.image;
    describe(status.id, known);
  }
  introduce(status.id, known);
  if (status.state == State::exited && !known.exit_told) tell_exit(status.id, known, status);
}

void Picture::on_event(const PodEvent& event) {
  if (!event.sandbox.id.empty()) take_sandbox(event.sandbox);
  auto statuses = event.containers;
  std::sort(statuses.begin(), statuses.end(), in_order<Status>);
  std::int64_t running = 0;
  for (const auto& status : statuses) {
    if (!containers_.contains(status.id)) {
      if (event.sandbox.id.empty()) continue;   // nobody would know whose it is; the next list will tell
      if (add(status.id, event.sandbox.id) == nullptr) continue;
    }
    on_status(status);
    if (status.state == State::running) ++running;
  }
  if (const auto sandbox = sandboxes_.find(event.sandbox.id); sandbox != sandboxes_.end()) check_sandbox(sandbox->second, running);
}

void Picture::drop_what_is_gone(const std::vector<Sandbox>& sandboxes, const std::vector<Container>& containers) {
  std::set<std::string_view> ids, uids;
  for (const auto& container : containers) ids.insert(container.id);
  std::erase_if(containers_, [&](const auto& entry) { return !ids.contains(entry.first); });
  ids.clear();
  for (const auto& sandbox : sandboxes) {
    ids.insert(sandbox.id);
    uids.insert(sandbox.uid);
  }
  std::erase_if(sandboxes_, [&](const auto& entry) { return !ids.contains(entry.first); });
  std::erase_if(lives_, [&](const auto& entry) { return !uids.contains(entry.first.first); });
}

void Picture::take_sandbox(const Sandbox& sandbox) {
  auto found = sandboxes_.find(sandbox.id);
  if (found == sandboxes_.end()) {
    if (sandboxes_.size() >= kMaxContainers) {
      ++ignored_total_;
      return;
    }
    found = sandboxes_.emplace(sandbox.id, KnownSandbox{sandbox, !sandbox.ready}).first;   // one that was stopped before it was seen is no news
    listener_.describe(sandbox.id, {.container_name = "", .pod_name = sandbox.name, .pod_namespace = sandbox.pod_namespace, .pod_uid = sandbox.uid, .image = ""});
  }
  found->second.sandbox.ready = sandbox.ready;
}

// With its containers gone first a pod was stopped in order; a sandbox that ends below containers that still run was not.
void Picture::check_sandbox(KnownSandbox& known, std::int64_t running) {
  if (known.sandbox.ready || known.not_ready_told || running == 0) return;
  known.not_ready_told = true;
  listener_.observe(known.sandbox.id, {.what = "pod_sandbox_not_ready", .object = known.sandbox.name, .reason = "", .before = "", .after = "", .text = "",
                                       .count = static_cast<std::uint64_t>(running)}, 0);
}

Picture::Known* Picture::add(const std::string& id, std::string sandbox_id) {
  if (containers_.size() >= kMaxContainers) {
    ++ignored_total_;
    return nullptr;
  }
  auto& known = containers_[id];
  known.sandbox_id = std::move(sandbox_id);
  return &known;
}

const Sandbox* Picture::sandbox_of(const Known& known) const {
  const auto found = sandboxes_.find(known.sandbox_id);
  return found == sandboxes_.end() ? nullptr : &found->second.sandbox;
}

Picture::Life* Picture::life_of(const Known& known) {
  const auto* const sandbox = sandbox_of(known);
  if (sandbox == nullptr) return nullptr;
  const auto found = lives_.find({sandbox->uid, known.name});
  return found == lives_.end() ? nullptr : &found->second;
}

void Picture::describe(const std::string& id, Known& known) {
  known.described = true;
  const auto* const sandbox = sandbox_of(known);
  collectors::ContainerFacts facts{.container_name = known.name, .pod_name = "", .pod_namespace = "", .pod_uid = "", .image = known.image};
  if (sandbox != nullptr) {
    facts.pod_name = sandbox->name;
    facts.pod_namespace = sandbox->pod_namespace;
    facts.pod_uid = sandbox->uid;
  }
  listener_.describe(id, facts);
}

void Picture::introduce(const std::string& id, Known& known) {
  if (known.introduced) return;
  known.introduced = true;
  const auto* const sandbox = sandbox_of(known);
  if (sandbox == nullptr) return;
  const auto [at, is_new] = lives_.try_emplace(LifeKey{sandbox->uid, known.name}, Life{known.attempt, ""});
  auto& life = at->second;
  if (is_new || known.attempt <= life.attempt) return;
  const auto before = std::exchange(life.attempt, known.attempt);
  if (first_list_) return;
  listener_.observe(id, {.what = "container_restarted", .object = known.name, .reason = life.last_reason, .before = std::to_string(before),
                         .after = std::to_string(known.attempt), .text = "", .count = known.attempt - before}, 0);
}

void Picture::tell_exit(const std::string& id, Known& known, const Status& status) {
  known.exit_told = true;
  auto reason = status.reason;
  if (reason.empty()) reason = status.exit_code == 0 ? "Completed" : "Error";
  if (auto* const life = life_of(known)) life->last_reason = reason;
  std::string text;
  if (status.exit_code != 0 && !status.log_path.empty() && log_tail_) text = log_tail_(status.log_path);
  listener_.observe(id, {.what = "container_exited", .object = known.name, .reason = std::move(reason), .before = "",
                         .after = std::to_string(status.exit_code), .text = std::move(text), .count = 1}, status.finished_ns);
}

}  // namespace fw::cri
