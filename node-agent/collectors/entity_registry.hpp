// The cgroups of this node that signals are about, and their dictionary.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "node-agent/collectors/container_facts.hpp"
#include "node-agent/collectors/waiting_folders.hpp"
#include "node-agent/kernel/cgroup_reader.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::collectors {

// Identity: (cgroup id, one life). A cgroup that is made again under the same path has another inode and is another entity.
struct Entity {
  wire::EntityEntry entry;
  std::optional<kernel::CgroupReader> reader;   // absent for the node, for pods, and when the cgroup was gone before it was opened
  std::uint64_t hot_until_ns = 0;
  std::uint64_t removed_ns = 0;                 // 0: alive. Kept for a while so that late events still find their entity
};

// What changed since the last call of take_changes().
struct DictionaryChanges {
  std::vector<wire::EntityEntry> entries;       // new
  std::vector<std::uint32_t> removed;
};

// Which folders are entities: containers, pods above them, and every service or plain cgroup that holds processes or has a
// memory limit. Pods have an entry, but no samples: their containers have.
//
// Threading: one thread. Blocking: scan() reads the cgroup folders. Limits: max_entities, refused ones are counted.
class EntityRegistry {
 public:
  EntityRegistry(const kernel::CgroupLayout& layout, std::string node_name, std::size_t max_entities, std::size_t max_open_files,
                 std::size_t max_waiting_folders);

  // Walks the memory hierarchy: new entities appear, those whose folder is gone are removed, empty ones wait.
  void scan(std::uint64_t mono_ns);
  // A folder was made: it is looked at by each check_candidates() of its first minute until it holds something, then it waits.
  void note_folder(std::uint64_t cgroup_id, std::string path, std::uint64_t mono_ns);
  void check_candidates(std::uint64_t mono_ns);
  bool has_new_folders() const noexcept { return !new_folders_.empty(); }
  // Waiting folders that were written into since the last call and hold something now: the new entities.
  std::vector<std::uint32_t> take_filled(std::uint64_t mono_ns);
  const WaitingFolders& waiting() const noexcept { return waiting_; }

  // The entity of an event; made when its folder is known or path is given. The root and what cannot be found is the node.
  // References stay valid until the next scan() or mark_removed().
  Entity& of_event(std::uint64_t cgroup_id, std::string_view path, std::uint64_t mono_ns);
  Entity* find(std::uint32_t id);
  Entity* find_path(std::string_view path);
  void mark_removed(std::uint32_t id, std::uint64_t mono_ns);

  // "" when not known; looks at the folders again, at most every 200 ms, for one it does not know.
  std::string path_of(std::uint64_t cgroup_id, std::uint64_t mono_ns);
  bool known(std::uint64_t cgroup_id) const { return paths_.contains(cgroup_id); }

  // A filesystem, device or interface of the node; made when it is new, renamed when its name changed. 0: one entity too many.
  std::uint32_t part(wire::EntityKind kind, std::uint64_t number, std::string_view name);
  // The entity of a cgroup that lives, without looking at folders.
  std::optional<std::uint32_t> entity_of(std::uint64_t cgroup_id) const;
  // What the container runtime knows of a container, and of its pod. false: no living entity has that id (yet).
  bool describe(std::string_view container_id, const ContainerFacts& facts);
  // The newest entity of a container, also a removed one that is kept; nullptr: none.
  Entity* of_container(std::string_view container_id);
  Entity* of_pod(std::string_view pod_uid);   // nullptr: none that lives

  DictionaryChanges take_changes();
  // The entry and those above it, parents first.
  void append_with_parents(std::uint32_t id, std::vector<wire::EntityEntry>& out) const;

  std::map<std::uint32_t, Entity>& entities() noexcept { return entities_; }   // ascending ids
  const std::map<std::uint32_t, Entity>& entities() const noexcept { return entities_; }
  std::uint32_t node_id() const noexcept { return node_id_; }
  std::uint64_t root_cgroup_id() const noexcept { return root_cgroup_id_; }
  const kernel::FdBudget& budget() const noexcept { return budget_; }
  std::size_t alive() const noexcept { return alive_; }
  std::uint64_t refused_total() const noexcept { return refused_total_; }

 private:
  void walk(int folder, const std::string& path, std::unordered_map<std::uint64_t, std::string>& found) const;
  bool holds_something(kernel::CgroupReader& reader) const;
  // nullopt: nothing in it; nullptr: one entity too many.
  std::optional<Entity*> add_if_worthy(std::uint64_t cgroup_id, const std::string& path);
  bool settle(std::uint64_t cgroup_id, std::uint64_t mono_ns);   // false: still nothing in it
  Entity* add(std::uint64_t cgroup_id, const std::string& path, std::optional<kernel::CgroupReader> reader);
  std::uint32_t pod_entity(std::string_view pod_path);
  void change(Entity& entity, wire::EntityEntry entry);

  const kernel::CgroupLayout& layout_;
  std::size_t max_entities_;
  kernel::FdBudget budget_;
  std::map<std::uint32_t, Entity> entities_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_cgroup_;       // cgroup id -> entity, also removed ones that are kept
  std::map<std::string, std::uint32_t, std::less<>> by_container_;   // container id -> its newest entity
  std::unordered_map<std::uint64_t, std::string> paths_;             // every folder seen by the last scan or made since
  std::unordered_map<std::uint64_t, std::uint64_t> new_folders_;     // cgroup id -> until when it counts as new
  WaitingFolders waiting_;
  DictionaryChanges changes_;
  std::uint32_t node_id_ = 0;
  std::uint32_t next_id_ = 1;
  std::uint64_t root_cgroup_id_ = 0;
  std::uint64_t last_search_ns_ = 0;
  std::size_t alive_ = 0;
  std::uint64_t refused_total_ = 0;
};

}  // namespace fw::collectors
