#include <algorithm>
#include <iterator>
#include <utility>

#include "node-agent/collectors/sensors.hpp"

namespace fw::collectors {
namespace {

constexpr std::size_t kMaxWaitingContainers = 1'024;
constexpr std::size_t kMaxWaitingWords = 8;                                          // of one container
constexpr std::uint64_t kFactsWaitNs = 60 * std::uint64_t{kNsPerSecond};
constexpr std::uint64_t kWordsWaitNs = 10 * std::uint64_t{kNsPerSecond};
constexpr std::int64_t kOldestWordNs = 24 * 3'600 * kNsPerSecond;                    // a runtime's clock is believed so far back

}  // namespace

void Sensors::describe(std::string_view container_id, const ContainerFacts& facts) {
  if (registry_.describe(container_id, facts)) return;
  auto found = waiting_containers_.find(container_id);
  if (found == waiting_containers_.end()) {
    if (waiting_containers_.size() >= kMaxWaitingContainers) return;   // names only; its words go to the node
    found = waiting_containers_.emplace(container_id, WaitingContainer{}).first;
  }
  found->second.facts = facts;
  found->second.since_ns = clock_.mono_ns();
}

void Sensors::observe(std::string_view container_id, wire::Observed what, std::int64_t wall_ns) {
  if (++runtime_words_in_tick_ > kMaxObservedPerTick) {
    ++observed_dropped_;
    return;
  }
  const auto now = clock_.mono_ns();
  offset_ns_ = clock_.wall_ns() - static_cast<std::int64_t>(now);
  const auto age_ns = wall_ns == 0 ? 0 : std::clamp<std::int64_t>(clock_.wall_ns() - std::max<std::int64_t>(wall_ns, 0), 0, kOldestWordNs);
  RuntimeWord word{std::move(what), now - std::min(static_cast<std::uint64_t>(age_ns), now)};
  if (auto* const entity = registry_.of_container(container_id)) return push_word(*entity, std::move(word), now);
  const auto waiting = waiting_containers_.find(container_id);
  if (waiting != waiting_containers_.end() && waiting->second.words.size() < kMaxWaitingWords) {
    if (waiting->second.words.empty()) waiting->second.since_ns = now;
    waiting->second.words.push_back(std::move(word));
    return;
  }
  push_word(*registry_.find(registry_.node_id()), std::move(word), now);
}

void Sensors::settle_containers(std::uint64_t now) {
  for (auto at = waiting_containers_.begin(); at != waiting_containers_.end();) {
    auto& [container_id, waiting] = *at;
    (void)registry_.describe(container_id, waiting.facts);
    auto* entity = registry_.of_container(container_id);
    const bool there = entity != nullptr;
    const auto waited_ns = now - waiting.since_ns;
    if (!there && waited_ns >= kWordsWaitNs) {
      entity = registry_.of_pod(waiting.facts.pod_uid);
      if (entity == nullptr) entity = registry_.find(registry_.node_id());
    }
    if (entity != nullptr) {
      for (auto& word : std::exchange(waiting.words, {})) push_word(*entity, std::move(word), now);
    }
    at = there || waited_ns >= kFactsWaitNs ? waiting_containers_.erase(at) : std::next(at);
  }
}

void Sensors::push_word(Entity& entity, RuntimeWord word, std::uint64_t now) {
  make_hot(entity, now + kSymptomIsHotNs);
  push(entity.entry.id, word.mono_ns, std::move(word.what));
}

}  // namespace fw::collectors
