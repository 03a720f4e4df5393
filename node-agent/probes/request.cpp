#include "node-agent/probes/request.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "node-agent/kernel/text.hpp"
#include "protocol/limits.hpp"

namespace fw::probes {
namespace {

namespace json = boost::json;
using Kind = ArgumentInfo::Kind;

constexpr std::size_t kLeastIdBytes = 12;
constexpr std::uint32_t kMostLines = 1000;

const ArgumentInfo kLines{.name = "lines", .kind = Kind::number, .least = 1, .most = kMostLines, .standard = 100, .required = false, .help = "newest lines"};

const std::array<KindInfo, 12>& table() {
  static const std::array<KindInfo, 12> kinds{{
      {"log_tail", TargetUse::required, kReadAll, {kLines}, "last lines of a container's log"},
      {"process_table", TargetUse::required, kReadAll | kTrace, {}, "processes with state, memory, CPU, age and command line"},
      {"connections", TargetUse::required, kReadAll | kTrace, {}, "TCP and UDP sockets of a container's processes"},
      {"d_state_stacks", TargetUse::optional, kReadAll | kTrace | kAdmin, {}, "kernel stacks of tasks that cannot be interrupted"},
      {"directory_sizes", TargetUse::optional, kReadAll | kTrace,
       {{.name = "path", .kind = Kind::path, .required = true, .help = "folder, in the container when there is one"}}, "who fills a folder"},
      {"listening_ports", TargetUse::optional, kReadAll | kTrace, {}, "sockets that listen, with their queues"},
      {"environment_names", TargetUse::required, kReadAll | kTrace, {}, "names of environment variables, never values"},
      {"effective_limits", TargetUse::required, kReadAll, {}, "limits of a cgroup and of all above it"},
      {"dns_lookup", TargetUse::optional, kReadAll | kTrace | kAdmin, {{.name = "name", .kind = Kind::host, .required = true, .help = "name to look up"}},
       "A and AAAA by the resolvers that the target has"},
      {"tcp_connect", TargetUse::optional, kReadAll | kTrace | kAdmin,
       {{.name = "to", .kind = Kind::endpoint, .required = true, .help = "ADDRESS:PORT"}}, "one connection, opened and closed"},
      {"kernel_log", TargetUse::none, kSyslog, {kLines}, "newest records of the kernel log"},
      {"cpu_profile", TargetUse::optional, kReadAll | kTrace | kPerf | kSyslog,
       {{.name = "seconds", .kind = Kind::number, .least = 1, .most = 20, .standard = 5, .required = false, .help = "how long"}},
       "what runs on the CPUs, as folded stacks"},
  }};
  return kinds;
}

Error invalid(std::string text) { return {Errc::invalid_argument, std::move(text)}; }

bool clean_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    if (kernel::take_until(path, '/') == "..") return false;
  }
  return true;
}

bool clean_host(std::string_view host) {
  constexpr std::size_t kMaxNameBytes = 253;
  if (host.empty() || host.size() > kMaxNameBytes || host.front() == '-') return false;
  return std::all_of(host.begin(), host.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_'; });
}

bool clean_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const auto port = kernel::to_number<std::uint16_t>(text.substr(colon + 1));
  auto host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto is_address = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' || c == ':'; };
  return port && *port != 0 && !host.empty() && host.size() <= 45 && std::all_of(host.begin(), host.end(), is_address);
}

Result<void> take_argument(Request& request, const ArgumentInfo& info, const std::string& value) {
  const auto name = std::string(info.name);
  switch (info.kind) {
    case Kind::number: {
      const auto number = kernel::to_number<std::uint32_t>(value);
      if (!number || *number < info.least || *number > info.most)
        return invalid(name + ": a number from " + std::to_string(info.least) + " to " + std::to_string(info.most));
      request.numbers[name] = *number;
      return {};
    }
    case Kind::path:
      if (!clean_path(value)) return invalid(name + ": an absolute path without ..");
      break;
    case Kind::host:
      if (!clean_host(value)) return invalid(name + ": a host name");
      break;
    case Kind::endpoint:
      if (!clean_endpoint(value)) return invalid(name + ": an IP address and a port, such as 10.0.0.7:5432 or [::1]:53");
      break;
  }
  request.texts[name] = value;
  return {};
}

Target target_of(const wire::EntityEntry& entity) {
  Target target{.cgroup_path = entity.cgroup_path, .container_id = entity.container_id, .container_name = entity.container_name, .pod_uid = entity.pod_uid,
                .name = entity.name};
  if (!entity.pod_name.empty()) target.name = entity.pod_name + (entity.container_name.empty() ? "" : "/" + entity.container_name);
  return target;
}

bool names(std::string_view target, const wire::EntityEntry& entity) {
  if (target == std::to_string(entity.cgroup_id) || target == entity.cgroup_path) return true;
  if (!entity.container_id.empty() && target.size() >= kLeastIdBytes && entity.container_id.starts_with(target)) return true;
  if (entity.pod_name.empty()) return target == entity.name;
  const auto pod = entity.container_name.empty() ? entity.pod_name : entity.pod_name + "/" + entity.container_name;
  return target == pod || target == entity.pod_namespace + "/" + pod;
}

}  // namespace

std::span<const KindInfo> kinds() { return table(); }

const std::string& Request::text(std::string_view name) const {
  static const std::string kNone;
  const auto found = texts.find(name);
  return found == texts.end() ? kNone : found->second;
}

Result<Request> parse_request(const wire::Probe& probe) {
  const auto all = kinds();
  const auto kind = std::find_if(all.begin(), all.end(), [&](const KindInfo& info) { return info.name == probe.kind; });
  if (kind == all.end()) return invalid("no probe of this name: " + probe.kind);
  Request request;
  request.id = probe.id;
  request.kind = &*kind;
  request.limit = std::chrono::milliseconds(probe.deadline_ms);
  if (kind->target == TargetUse::required && probe.target.empty()) return invalid(probe.kind + " needs a container or cgroup");
  if (kind->target == TargetUse::none && !probe.target.empty()) return invalid(probe.kind + " is about the node: it takes no container");
  for (const auto& argument : probe.arguments) {
    const auto info = std::find_if(kind->arguments.begin(), kind->arguments.end(), [&](const ArgumentInfo& known) { return known.name == argument.name; });
    if (info == kind->arguments.end()) return invalid(probe.kind + " takes no argument of this name: " + argument.name);
    if (request.texts.contains(argument.name) || request.numbers.contains(argument.name)) return invalid(argument.name + " is given twice");
    if (auto taken = take_argument(request, *info, argument.value); !taken) return taken.error();
  }
  for (const auto& info : kind->arguments) {
    if (info.kind == Kind::number) {
      request.numbers.try_emplace(std::string(info.name), info.standard);
    } else if (info.required && !request.texts.contains(info.name)) {
      return invalid(probe.kind + " needs " + std::string(info.name) + ": " + std::string(info.help));
    }
  }
  return request;
}

Result<Target> resolve_target(std::string_view target, std::span<const wire::EntityEntry> entities) {
  if (target.empty()) return Target{};
  const wire::EntityEntry* found = nullptr;
  for (const auto& entity : entities) {
    const bool is_cgroup = entity.kind != wire::EntityKind::node && !entity.cgroup_path.empty();
    if (!is_cgroup || !names(target, entity)) continue;
    if (found != nullptr) return Error(Errc::conflict, "several containers are meant by " + std::string(target) + ": give the container id");
    found = &entity;
  }
  if (found == nullptr) return Error(Errc::not_found, "nothing on this node is called " + std::string(target));
  return target_of(*found);
}

std::string to_packet(const Request& request) {
  json::object texts;
  json::object numbers;
  for (const auto& [name, value] : request.texts) texts[name] = value;
  for (const auto& [name, value] : request.numbers) numbers[name] = value;
  return json::serialize(json::object{{"id", request.id}, {"kind", request.kind->name}, {"cgroup_path", request.target.cgroup_path},
                                      {"container_id", request.target.container_id}, {"container_name", request.target.container_name},
                                      {"pod_uid", request.target.pod_uid}, {"name", request.target.name}, {"texts", texts}, {"numbers", numbers},
                                      {"limit_ms", request.limit.count()}});
}

Result<Request> from_packet(std::string_view packet) {
  try {
    const auto value = json::parse(json::string_view(packet.data(), packet.size()));
    const auto& object = value.as_object();
    const auto text = [&](const char* key) { return json::value_to<std::string>(object.at(key)); };
    wire::Probe probe{.id = object.at("id").to_number<std::uint64_t>(), .kind = text("kind"), .target = text("cgroup_path"), .arguments = {},
                      .deadline_ms = object.at("limit_ms").to_number<std::uint32_t>()};
    for (const auto& [name, argument] : object.at("texts").as_object()) probe.arguments.push_back({std::string(name), json::value_to<std::string>(argument)});
    for (const auto& [name, argument] : object.at("numbers").as_object())
      probe.arguments.push_back({std::string(name), std::to_string(argument.to_number<std::uint32_t>())});
    auto request = parse_request(probe);   // the helper has more rights than who asks it: it checks again
    if (!request) return request;
    if (!probe.target.empty() && !clean_path(probe.target)) return Error(Errc::malformed, "probe: cgroup path");
    request->target = {.cgroup_path = probe.target, .container_id = text("container_id"), .container_name = text("container_name"), .pod_uid = text("pod_uid"),
                       .name = text("name")};
    const auto is_plain = [](const std::string& word) { return word.find('/') == std::string::npos && word.find("..") == std::string::npos; };
    if (!is_plain(request->target.container_id) || !is_plain(request->target.container_name) || !is_plain(request->target.pod_uid))
      return Error(Errc::malformed, "probe: target");
    return request;
  } catch (const std::exception& error) {
    return Error(Errc::malformed, std::string("probe: ") + error.what());
  }
}

}  // namespace fw::probes
