#include "aggregator/incidents/change_match.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "common/clock.hpp"

namespace fw::incidents {
namespace {

constexpr std::int64_t kNearNs = 10 * 60 * kNsPerSecond;   // a rollout takes minutes between the post and the control file
constexpr std::size_t kShortContainerId = 12;

std::string_view without_unit_suffix(std::string_view name) {
  for (const std::string_view suffix : {".service", ".scope", ".slice"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

bool same_name(std::string_view a, std::string_view b) { return !a.empty() && without_unit_suffix(a) == without_unit_suffix(b); }

bool names_path_component(std::string_view name, std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (same_name(path.substr(0, slash), name)) return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

bool is_path_or_ancestor(std::string_view ancestor, std::string_view path) {
  if (ancestor.empty() || ancestor == "/" || !path.starts_with(ancestor)) return false;
  return path.size() == ancestor.size() || path[ancestor.size()] == '/';
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool has(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

struct Suffix { std::string_view text; double factor; };
constexpr std::array kByteSuffixes{
    Suffix{"", 1.0},       Suffix{"b", 1.0},      Suffix{"k", 1e3},      Suffix{"kb", 1e3},     Suffix{"m", 1e6},       Suffix{"mb", 1e6},
    Suffix{"g", 1e9},      Suffix{"gb", 1e9},     Suffix{"t", 1e12},     Suffix{"tb", 1e12},    Suffix{"p", 1e15},      Suffix{"e", 1e18},
    Suffix{"ki", 1024.0},  Suffix{"kib", 1024.0}, Suffix{"mi", 0x1p20},  Suffix{"mib", 0x1p20}, Suffix{"gi", 0x1p30},   Suffix{"gib", 0x1p30},
    Suffix{"ti", 0x1p40},  Suffix{"tib", 0x1p40}, Suffix{"pi", 0x1p50},  Suffix{"ei", 0x1p60}};

// The number at the front; the rest stays in `text`.
std::optional<double> take_number(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::general);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return number;
}

std::optional<std::int64_t> to_integer(double value) {
  if (!(value < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(value));
}

}  // namespace

std::optional<std::string_view> match_change(const changes::Change& change, const fleet::Entity& entity, std::string_view node_name) {
  const changes::ObjectRef& object = change.object;
  if (!object.node.empty() && object.node != node_name && object.node != entity.key.node.str()) return std::nullopt;
  if (change.source == "node") {   // the agent saw the control file: the path is exact, and only on its node
    return !object.node.empty() && object.cgroup_path == entity.cgroup_path ? std::optional<std::string_view>("observed") : std::nullopt;
  }
  if (!object.uid.empty() && lower(object.uid) == entity.pod_uid) return "uid";
  if (object.container_id.size() >= kShortContainerId && entity.container_id.starts_with(object.container_id)) return "container_id";
  if (is_path_or_ancestor(object.cgroup_path, entity.cgroup_path)) return "cgroup_path";
  // A change that gives an exact identity means that one and no namesake.
  if (!object.uid.empty() || !object.container_id.empty() || !object.cgroup_path.empty()) return std::nullopt;
  if (entity.key.cgroup_id == 0) return same_name(object.name, node_name) ? std::optional<std::string_view>("name") : std::nullopt;
  if (same_name(object.name, entity.name) || names_path_component(object.name, entity.cgroup_path)) return "name";
  return std::nullopt;
}

std::string_view mechanism_of(std::string_view field_path) {
  const std::string path = lower(field_path);
  const bool memory = has(path, {"memory", "mem_limit", "memlimit", "memsw"});
  if (memory && has(path, {"limit", "memory.max", "memorymax", "memory_max", "memory.high", "memoryhigh", "memory_high"}) && !has(path, {"gomemlimit"})) {
    return "memory_limit";
  }
  if (has(path, {"gomemlimit", "heap", "xmx", "old_space", "old-space", "cache_size", "cachesize", "buffer_pool"})) return "memory_use";
  if (has(path, {"cpu"}) && has(path, {"limit", "cpu.max", "quota", "cpumax"})) return "cpu_limit";
  if (has(path, {"probe"})) return "probe";
  if (has(path, {"replicas"})) return "replicas";
  if (has(path, {"image"}) || path == "version" || path == "tag" || path.ends_with(".tag")) return "image";
  if (has(path, {"config", "env", "args", "command"})) return "config";
  return "other";
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  const std::string whole = lower(text);
  if (whole == "max" || whole == "infinity" || whole == "unlimited" || whole == "-1") return -1;
  std::string_view rest = whole;
  const auto number = take_number(rest);
  if (!number) return std::nullopt;
  if (rest == "m" && text.find('m') != std::string_view::npos) return std::nullopt;   // Kubernetes: "m" is milli; "M" is mega
  for (const Suffix& suffix : kByteSuffixes) {
    if (suffix.text == rest) return to_integer(*number * suffix.factor);
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_milli(std::string_view text) {
  if (text == "max") return -1;
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  if (text == "m") return to_integer(*number);
  return text.empty() ? to_integer(*number * 1000) : std::nullopt;
}

std::optional<std::int64_t> parse_value(std::string_view field_path, std::string_view text) {
  return mechanism_of(field_path) == "cpu_limit" ? parse_milli(text) : parse_bytes(text);
}

bool is_same_change(const changes::Change& observed, const changes::Change& posted, std::string_view node_name) {
  if (observed.source != "node" || posted.source == "node") return false;
  const std::int64_t end_ns = posted.finished_ns.value_or(posted.started_ns);
  if (observed.started_ns < posted.started_ns - kNearNs || observed.started_ns > end_ns + kNearNs) return false;
  fleet::Entity entity;
  entity.key.node = Uuid::parse(observed.object.node).has_value() ? *Uuid::parse(observed.object.node) : Uuid{};
  entity.key.cgroup_id = 1;   // any container: only the names below are compared
  entity.cgroup_path = observed.object.cgroup_path;
  entity.container_id = observed.object.container_id;
  entity.pod_uid = observed.object.uid;
  entity.name = observed.object.name;
  if (!match_change(posted, entity, node_name)) return false;
  for (const changes::Field& seen : observed.fields) {
    if (!seen.after) continue;
    const auto seen_value = parse_value(seen.path, *seen.after);
    for (const changes::Field& said : posted.fields) {
      if (said.after && seen_value && mechanism_of(said.path) == mechanism_of(seen.path) && parse_value(said.path, *said.after) == seen_value) return true;
    }
  }
  return false;
}

}  // namespace fw::incidents
