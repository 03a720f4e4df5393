#include "node-agent/collectors/entity_registry.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "common/clock.hpp"
#include "node-agent/kernel/cgroup_files.hpp"
#include "node-agent/kernel/cgroup_path.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

constexpr std::uint64_t kKeepRemovedNs = 60 * std::uint64_t{kNsPerSecond};
constexpr std::uint64_t kSearchPauseNs = 200 * std::uint64_t{kNsPerMs};
constexpr std::size_t kMaxFolders = 100'000;     // of one walk
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxNewFolders = 4096;
constexpr std::uint64_t kNewNs = 60 * std::uint64_t{kNsPerSecond};   // of a folder, and of an entity: worth a closer look

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

}  // namespace

EntityRegistry::EntityRegistry(const kernel::CgroupLayout& layout, std::string node_name, std::size_t max_entities,
                               std::size_t max_open_files, std::size_t max_waiting_folders)
    : layout_(layout), max_entities_(max_entities), budget_{max_open_files, 0}, waiting_(layout, max_waiting_folders) {
  struct stat status {};
  if (::stat(layout_.memory.c_str(), &status) == 0) root_cgroup_id_ = status.st_ino;
  Entity node;
  node_id_ = next_id_++;
  node.entry.id = node_id_;
  node.entry.kind = wire::EntityKind::node;
  node.entry.name = std::move(node_name);
  changes_.entries.push_back(node.entry);
  entities_.emplace(node_id_, std::move(node));
  ++alive_;
}

void EntityRegistry::walk(int folder, const std::string& path, std::unordered_map<std::uint64_t, std::string>& found) const {
  const std::unique_ptr<DIR, CloseDir> dir{::fdopendir(folder)};   // owns folder from here on
  if (!dir) {
    ::close(folder);
    return;
  }
  std::size_t depth = 0;
  for (const char c : path) depth += c == '/' ? 1 : 0;
  while (const dirent* child = ::readdir(dir.get())) {
    if (child->d_type != DT_DIR || child->d_name[0] == '.') continue;
    if (found.size() >= kMaxFolders || depth >= kMaxDepth) return;
    const auto child_path = path + "/" + child->d_name;
    struct stat status {};
    if (::fstatat(::dirfd(dir.get()), child->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    found.emplace(status.st_ino, child_path);
    if (status.st_nlink == 2) continue;   // no folders in it: saves reading a list of 40 files
    const int inner = ::openat(::dirfd(dir.get()), child->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (inner >= 0) walk(inner, child_path, found);
  }
}

void EntityRegistry::scan(std::uint64_t mono_ns) {
  std::unordered_map<std::uint64_t, std::string> found;
  const int root = ::open(layout_.memory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return;
  walk(root, "", found);
  paths_ = std::move(found);
  for (auto at = entities_.begin(); at != entities_.end();) {
    auto& entity = at->second;
    const auto id = at->first;
    ++at;
    if (entity.entry.cgroup_id == 0) continue;
    const bool is_part = (entity.entry.cgroup_id & wire::kNoCgroup) != 0;   // its collector says when it is gone
    if (entity.removed_ns == 0 && !is_part && !paths_.contains(entity.entry.cgroup_id)) mark_removed(id, mono_ns);
    if (entity.removed_ns != 0 && mono_ns - entity.removed_ns > kKeepRemovedNs) {
      by_cgroup_.erase(entity.entry.cgroup_id);
      if (const auto named = by_container_.find(entity.entry.container_id); named != by_container_.end() && named->second == id) by_container_.erase(named);
      entities_.erase(id);
    }
  }
  std::erase_if(new_folders_, [&](const auto& folder) { return !paths_.contains(folder.first); });
  waiting_.remove_if([&](auto id) { return !paths_.contains(id) || by_cgroup_.contains(id); });
  for (const auto& [cgroup_id, path] : paths_) {
    if (by_cgroup_.contains(cgroup_id)) continue;
    if (add_if_worthy(cgroup_id, path)) {
      waiting_.remove(cgroup_id);
    } else if (!new_folders_.contains(cgroup_id)) {
      waiting_.add(cgroup_id, path);
    }
  }
}

void EntityRegistry::note_folder(std::uint64_t cgroup_id, std::string path, std::uint64_t mono_ns) {
  if (paths_.size() >= kMaxFolders || new_folders_.size() >= kMaxNewFolders) return;
  paths_[cgroup_id] = std::move(path);
  new_folders_.emplace(cgroup_id, mono_ns + kNewNs);
}

bool EntityRegistry::settle(std::uint64_t cgroup_id, std::uint64_t mono_ns) {
  const auto path = paths_.find(cgroup_id);
  if (path == paths_.end() || by_cgroup_.contains(cgroup_id)) return true;
  const auto added = add_if_worthy(cgroup_id, path->second);
  if (added && *added != nullptr) (*added)->hot_until_ns = mono_ns + kNewNs;
  return added.has_value();
}

void EntityRegistry::check_candidates(std::uint64_t mono_ns) {
  std::erase_if(new_folders_, [&](const auto& folder) {
    const auto [id, until_ns] = folder;
    if (settle(id, mono_ns)) return true;
    if (mono_ns < until_ns) return false;
    waiting_.add(id, paths_.at(id));
    return true;
  });
  for (const auto id : waiting_.take_turn()) {
    if (settle(id, mono_ns)) waiting_.remove(id);
  }
}

std::vector<std::uint32_t> EntityRegistry::take_filled(std::uint64_t mono_ns) {
  std::vector<std::uint32_t> filled;
  for (const auto id : waiting_.take_written()) {
    if (!settle(id, mono_ns)) continue;
    waiting_.remove(id);
    if (const auto entity = by_cgroup_.find(id); entity != by_cgroup_.end()) filled.push_back(entity->second);
  }
  return filled;
}

bool EntityRegistry::holds_something(kernel::CgroupReader& reader) const {
  if (const auto pids = reader.processes(64); pids && !pids->empty()) return true;
  char buffer[64];
  const auto text = reader.read(kernel::CgroupFile::memory_max, buffer);
  if (!text) return false;
  const auto limit = kernel::parse_limit(*text);
  return limit && *limit != kernel::kNoLimit;
}

std::optional<Entity*> EntityRegistry::add_if_worthy(std::uint64_t cgroup_id, const std::string& path) {
  auto reader = kernel::CgroupReader::open(layout_, path, budget_);
  if (!reader || reader->cgroup_id() != cgroup_id) return std::nullopt;
  if (!holds_something(*reader)) return std::nullopt;
  return add(cgroup_id, path, std::move(*reader));
}

Entity* EntityRegistry::add(std::uint64_t cgroup_id, const std::string& path, std::optional<kernel::CgroupReader> reader) {
  if (alive_ >= max_entities_) {
    ++refused_total_;
    return nullptr;
  }
  auto identity = kernel::identify_cgroup(path);
  if (identity.kind == wire::EntityKind::pod) {
    if (const auto known = by_cgroup_.find(cgroup_id); known != by_cgroup_.end()) return &entities_.at(known->second);
    reader.reset();
  }
  Entity entity;
  entity.entry.parent_id = node_id_;
  if (identity.kind != wire::EntityKind::pod && !identity.pod_path.empty()) {
    entity.entry.parent_id = pod_entity(identity.pod_path);
  }
  entity.entry.id = next_id_++;
  entity.entry.kind = identity.kind;
  entity.entry.cgroup_id = cgroup_id;
  entity.entry.cgroup_path = path;
  entity.entry.name = identity.name.empty() ? "cgroup-" + std::to_string(cgroup_id) : std::move(identity.name);
  entity.entry.runtime = std::move(identity.runtime);
  entity.entry.container_id = std::move(identity.container_id);
  entity.entry.pod_uid = std::move(identity.pod_uid);
  entity.entry.qos_class = std::move(identity.qos_class);
  if (reader) entity.reader.emplace(std::move(*reader));
  const auto id = entity.entry.id;
  changes_.entries.push_back(entity.entry);
  by_cgroup_[cgroup_id] = id;
  if (entity.entry.kind == wire::EntityKind::container) by_container_[entity.entry.container_id] = id;
  ++alive_;
  return &entities_.emplace(id, std::move(entity)).first->second;
}

std::uint32_t EntityRegistry::pod_entity(std::string_view pod_path) {
  struct stat status {};
  const auto folder = layout_.memory + std::string{pod_path};
  if (::stat(folder.c_str(), &status) != 0) return node_id_;
  if (const auto known = by_cgroup_.find(status.st_ino); known != by_cgroup_.end()) return known->second;
  const auto* const pod = add(status.st_ino, std::string{pod_path}, std::nullopt);
  return pod == nullptr ? node_id_ : pod->entry.id;
}

Entity& EntityRegistry::of_event(std::uint64_t cgroup_id, std::string_view path, std::uint64_t mono_ns) {
  auto& node = entities_.at(node_id_);
  if (cgroup_id == root_cgroup_id_ || (cgroup_id == 0 && (path.empty() || path == "/"))) return node;
  if (cgroup_id != 0) {
    if (const auto known = by_cgroup_.find(cgroup_id); known != by_cgroup_.end()) return entities_.at(known->second);
  } else if (auto* const named = find_path(path)) {
    return *named;
  }
  std::string found = path.empty() ? path_of(cgroup_id, mono_ns) : std::string{path};
  if (found.empty()) return node;
  // Its process was there a moment ago: an entity, even when the folder is empty or gone by now.
  std::optional<kernel::CgroupReader> reader;
  if (auto opened = kernel::CgroupReader::open(layout_, found, budget_)) {
    if (cgroup_id == 0) cgroup_id = opened->cgroup_id();
    if (opened->cgroup_id() == cgroup_id) reader.emplace(std::move(*opened));
  }
  if (cgroup_id == 0) return node;
  auto* const entity = add(cgroup_id, found, std::move(reader));
  return entity == nullptr ? node : *entity;
}

Entity* EntityRegistry::find(std::uint32_t id) {
  const auto found = entities_.find(id);
  return found == entities_.end() ? nullptr : &found->second;
}

Entity* EntityRegistry::find_path(std::string_view path) {
  for (auto& [id, entity] : entities_) {
    if (entity.removed_ns == 0 && entity.entry.cgroup_id != 0 && entity.entry.cgroup_path == path) return &entity;
  }
  return nullptr;
}

void EntityRegistry::mark_removed(std::uint32_t id, std::uint64_t mono_ns) {
  auto* const entity = find(id);
  if (entity == nullptr || entity->removed_ns != 0) return;
  entity->removed_ns = mono_ns == 0 ? 1 : mono_ns;
  entity->reader.reset();
  changes_.removed.push_back(id);
  --alive_;
}

std::string EntityRegistry::path_of(std::uint64_t cgroup_id, std::uint64_t mono_ns) {
  if (const auto known = paths_.find(cgroup_id); known != paths_.end()) return known->second;
  if (const auto entity = by_cgroup_.find(cgroup_id); entity != by_cgroup_.end()) {
    return entities_.at(entity->second).entry.cgroup_path;
  }
  if (last_search_ns_ != 0 && mono_ns - last_search_ns_ < kSearchPauseNs) return {};
  last_search_ns_ = mono_ns;
  const int root = ::open(layout_.memory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return {};
  std::unordered_map<std::uint64_t, std::string> found;
  walk(root, "", found);
  paths_.merge(found);
  const auto now_known = paths_.find(cgroup_id);
  return now_known == paths_.end() ? std::string{} : now_known->second;
}

std::uint32_t EntityRegistry::part(wire::EntityKind kind, std::uint64_t number, std::string_view name) {
  const auto key = wire::key_of(kind, number);
  if (const auto known = by_cgroup_.find(key); known != by_cgroup_.end()) {
    auto& entity = entities_.at(known->second);
    if (entity.removed_ns == 0) {
      if (entity.entry.name != name) {
        entity.entry.name = name;
        changes_.entries.push_back(entity.entry);
      }
      return known->second;
    }
  }
  if (alive_ >= max_entities_) {
    ++refused_total_;
    return 0;
  }
  Entity entity;
  entity.entry.id = next_id_++;
  entity.entry.kind = kind;
  entity.entry.parent_id = node_id_;
  entity.entry.cgroup_id = key;
  entity.entry.name = name;
  const auto id = entity.entry.id;
  changes_.entries.push_back(entity.entry);
  by_cgroup_[key] = id;
  ++alive_;
  entities_.emplace(id, std::move(entity));
  return id;
}

std::optional<std::uint32_t> EntityRegistry::entity_of(std::uint64_t cgroup_id) const {
  if (cgroup_id == root_cgroup_id_) return node_id_;
  const auto known = by_cgroup_.find(cgroup_id);
  if (known == by_cgroup_.end() || entities_.at(known->second).removed_ns != 0) return std::nullopt;
  return known->second;
}

bool EntityRegistry::describe(std::string_view container_id, const ContainerFacts& facts) {
  auto* const entity = of_container(container_id);
  if (entity == nullptr || entity->removed_ns != 0) return false;
  auto entry = entity->entry;
  entry.container_name = facts.container_name;
  entry.pod_name = facts.pod_name;
  entry.pod_namespace = facts.pod_namespace;
  entry.image = facts.image;
  if (entry.pod_uid.empty()) entry.pod_uid = facts.pod_uid;
  change(*entity, std::move(entry));
  if (auto* const pod = find(entity->entry.parent_id); pod != nullptr && pod->entry.kind == wire::EntityKind::pod) {
    auto pod_entry = pod->entry;
    pod_entry.pod_name = facts.pod_name;
    pod_entry.pod_namespace = facts.pod_namespace;
    change(*pod, std::move(pod_entry));
  }
  return true;
}

void EntityRegistry::change(Entity& entity, wire::EntityEntry entry) {
  if (entry == entity.entry) return;
  entity.entry = std::move(entry);
  changes_.entries.push_back(entity.entry);
}

Entity* EntityRegistry::of_container(std::string_view container_id) {
  const auto found = by_container_.find(container_id);
  return found == by_container_.end() ? nullptr : find(found->second);
}

Entity* EntityRegistry::of_pod(std::string_view pod_uid) {
  if (pod_uid.empty()) return nullptr;
  for (auto& [id, entity] : entities_) {
    if (entity.removed_ns == 0 && entity.entry.kind == wire::EntityKind::pod && entity.entry.pod_uid == pod_uid) return &entity;
  }
  return nullptr;
}

DictionaryChanges EntityRegistry::take_changes() { return std::exchange(changes_, {}); }

void EntityRegistry::append_with_parents(std::uint32_t id, std::vector<wire::EntityEntry>& out) const {
  const auto found = entities_.find(id);
  if (found == entities_.end()) return;
  const auto& entry = found->second.entry;
  if (entry.parent_id != 0 && entry.parent_id != id) append_with_parents(entry.parent_id, out);
  for (const auto& there : out) {
    if (there.id == id) return;
  }
  out.push_back(entry);
}

}  // namespace fw::collectors
