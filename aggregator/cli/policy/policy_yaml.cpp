#include "aggregator/cli/policy/policy_yaml.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "aggregator/cli/signing/key_text.hpp"
#include "common/config/values.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

using namespace authority;

constexpr std::uint8_t kHighestClass = 3;
constexpr std::int64_t kMaxCount = 1'000'000;
constexpr std::array kProfiles{Profile::solo, Profile::team, Profile::enterprise};

Result<Profile> profile_of(std::string_view word) {
  for (const auto profile : kProfiles) {
    if (to_string(profile) == word) return profile;
  }
  return Error(Errc::malformed, "it can be solo, team or enterprise");
}

Result<Level> level_of(std::string_view word) {
  if (word == "approver") return Level::approver;
  if (word == "senior") return Level::senior;
  return Error(Errc::malformed, "it can be approver or senior");
}

PublicKey read_key(YamlMap& map, std::string_view key) {
  const auto text = map.required_text(key);
  if (text.empty()) return {};
  auto parsed = parse_key_text(text);
  if (parsed) return std::move(*parsed);
  map.problem(key, parsed.error().context);
  return {};
}

std::uint8_t read_class(YamlMap& map, std::string_view key, std::uint8_t fallback) {
  return static_cast<std::uint8_t>(map.integer(key, fallback, 0, kHighestClass));
}

std::uint32_t read_count(YamlMap& map, std::string_view key, std::uint32_t fallback) {
  return static_cast<std::uint32_t>(map.integer(key, fallback, 0, kMaxCount));
}

void require(YamlMap& map, std::string_view key) {
  if (!map.has(key)) map.problem(key, "is missing");
}

Approver read_approver(YamlMap& map) {
  Approver out;
  out.person = {map.text("issuer", "local"), map.required_text("person")};
  out.level = map.value<Level>("level", Level::approver, level_of);
  out.groups = map.texts("groups");
  for (const auto& text : map.texts("keys")) {
    auto key = parse_key_text(text);
    if (key) out.keys.push_back(std::move(*key));
    else map.problem("keys", key.error().context);
  }
  out.scope = {map.texts("clusters"), map.texts("namespaces"), map.texts("node_labels"), read_class(map, "max_class", kHighestClass)};
  out.not_after_ms = map.time_ms("not_after", 0);
  map.finish();
  return out;
}

ClassRule read_rule(YamlMap& map) {
  ClassRule out;
  require(map, "class");
  require(map, "people");
  out.action_class = read_class(map, "class", 0);
  out.threshold = read_count(map, "people", 0);
  out.seniors = read_count(map, "seniors", 0);
  out.groups = map.texts("groups");
  out.max_validity_ms = static_cast<std::int64_t>(map.duration_ms("valid_for", static_cast<std::uint64_t>(kMaxValidityMs)));
  out.require_inclusion = map.boolean("require_inclusion", true);
  map.finish();
  return out;
}

Bound read_bound(YamlMap& map) {
  Bound out;
  out.action = map.value<std::uint16_t>("action", 0, parse_action_name);
  for (const auto key : {"action", "min", "max"}) require(map, key);
  const auto unit = unit_of(out.action);
  const auto number = [&](std::string_view word) { return parse_action_value(unit, word); };
  out.min_value = map.value<std::int64_t>("min", 0, number);
  out.max_value = map.value<std::int64_t>("max", 0, number);
  out.max_ttl_ms = map.duration_ms("max_ttl", 0);
  map.finish();
  return out;
}

Enabled read_enabled(YamlMap& map) {
  Enabled out{map.texts("clusters"), map.texts("node_labels"), read_actions(map, "actions"), 0};
  require(map, "max_class");
  out.max_class = read_class(map, "max_class", 0);
  map.finish();
  return out;
}

void read_roots(YamlMap& root, Policy& out) {
  auto roots = root.map("roots");
  if (!roots) return require(root, "roots");
  require(*roots, "threshold");
  out.root_threshold = read_count(*roots, "threshold", 0);
  for (auto& entry : roots->maps("keys")) {
    out.roots.push_back({entry.required_text("name"), read_key(entry, "key")});
    entry.finish();
  }
  roots->finish();
}

void read_audit(YamlMap& root, Policy& out) {
  auto audit = root.map("audit");
  if (!audit) return require(root, "audit");
  out.log_origin = audit->required_text("origin");
  out.log_key = read_key(*audit, "key");
  audit->finish();
  auto witnesses = root.map("witnesses");
  if (!witnesses) return;
  out.witness_quorum = read_count(*witnesses, "quorum", 0);
  for (auto& entry : witnesses->maps("keys")) {
    out.witnesses.push_back({entry.required_text("name"), read_key(entry, "key")});
    entry.finish();
  }
  witnesses->finish();
}

}  // namespace

Result<std::uint16_t> parse_action_name(std::string_view name) {
  if (const auto* info = find_action(name)) return info->index;
  std::vector<std::string_view> names;
  for (const auto& info : catalogue()) names.push_back(info.name);
  const auto guess = config::nearest(name, names);
  return Error(Errc::malformed, guess.empty() ? fmt::format("'{}' is no action; there are {}", name, fmt::join(names, ", "))
                                              : fmt::format("'{}' is no action; did you mean {}?", name, guess));
}

std::string action_name(std::uint16_t index) {
  for (const auto& info : catalogue()) {
    if (info.index == index) return std::string(info.name);
  }
  return fmt::format("action-{}", index);
}

std::string_view unit_of(std::uint16_t action) {
  for (const auto& info : catalogue()) {
    if (info.index == action) return info.unit;
  }
  return {};
}

Result<std::int64_t> parse_action_value(std::string_view unit, std::string_view text) {
  if (text == "max") return kUnlimited;
  if (unit != "bytes") return config::parse_integer(text);
  std::string spelled(text);   // Kubernetes writes 300Mi
  if (spelled.size() > 1 && spelled.back() == 'i') spelled += 'B';
  const auto bytes = config::parse_bytes(spelled);
  if (!bytes) return bytes.error();
  if (*bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return Error(Errc::malformed, "is too large");
  return static_cast<std::int64_t>(*bytes);
}

std::string action_value_text(std::string_view unit, std::int64_t value) {
  if (value == kUnlimited) return "max";
  return unit == "bytes" && value >= 0 ? config::print_bytes(static_cast<std::uint64_t>(value)) : std::to_string(value);
}

std::vector<std::uint16_t> read_actions(YamlMap& map, std::string_view key) {
  std::vector<std::uint16_t> out;
  for (const auto& name : map.texts(key)) {
    const auto index = parse_action_name(name);
    if (index) out.push_back(*index);
    else map.problem(key, index.error().context);
  }
  return out;
}

std::optional<Policy> parse_policy_yaml(std::string_view text, std::vector<YamlProblem>& problems) {
  auto root = YamlMap::parse(text, problems);
  if (!problems.empty()) return std::nullopt;
  Policy out;
  for (const auto key : {"version", "profile", "issued", "not_after", "resume_people", "approvers", "classes"}) require(root, key);
  out.version = static_cast<std::uint64_t>(root.integer("version", 0, 1, std::numeric_limits<std::int64_t>::max()));
  out.organisation = root.required_text("organisation");
  out.profile = root.value<Profile>("profile", Profile::team, profile_of);
  out.issued_ms = root.time_ms("issued", 0);
  out.not_after_ms = root.time_ms("not_after", 0);
  read_roots(root, out);
  for (auto& entry : root.maps("approvers")) out.approvers.push_back(read_approver(entry));
  for (auto& entry : root.maps("classes")) out.classes.push_back(read_rule(entry));
  std::stable_sort(out.classes.begin(), out.classes.end(), [](const auto& a, const auto& b) { return a.action_class < b.action_class; });
  out.resume_threshold = read_count(root, "resume_people", 0);
  for (auto& entry : root.maps("limits")) {
    for (const auto key : {"per_hour", "per_day"}) require(entry, key);
    out.limits.push_back({entry.required_text("budget"), read_count(entry, "per_hour", 0), read_count(entry, "per_day", 0)});
    entry.finish();
  }
  for (auto& entry : root.maps("bounds")) out.bounds.push_back(read_bound(entry));
  for (auto& entry : root.maps("enabled")) out.enabled.push_back(read_enabled(entry));
  read_audit(root, out);
  out.time_skew_ms = static_cast<std::int64_t>(root.duration_ms("time_skew", static_cast<std::uint64_t>(Policy{}.time_skew_ms)));
  out.paused = root.boolean("paused", false);
  root.finish();
  if (problems.empty()) {
    for (auto& sentence : check_policy(out)) problems.push_back({0, std::move(sentence)});
  }
  if (!problems.empty()) return std::nullopt;
  return out;
}

}  // namespace fw::cli
