// What a probe is asked: the closed list of kinds, their arguments, and what each may take from the node. Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::probes {

enum class TargetUse : std::uint8_t { none, optional, required };   // of a cgroup

struct ArgumentInfo {
  std::string_view name;
  enum class Kind : std::uint8_t { number, path, host, endpoint } kind = Kind::number;
  std::uint32_t least = 0, most = 0, standard = 0;   // of a number
  bool required = false;
  std::string_view help;
};

// Rights of the process that runs a probe; everything else is given up before it begins.
enum Right : unsigned { kReadAll = 1, kTrace = 2, kAdmin = 4, kPerf = 8, kSyslog = 16 };

struct KindInfo {
  std::string_view name;
  TargetUse target = TargetUse::none;
  unsigned rights = 0;
  std::vector<ArgumentInfo> arguments;
  std::string_view help;
};

std::span<const KindInfo> kinds();

// The cgroup that a target stands for, as the agent's registry knows it.
struct Target {
  std::string cgroup_path;          // in the memory controller's hierarchy, "/..."; "": the node
  std::string container_id, container_name, pod_uid;
  std::string name;                 // for people
};

struct Request {
  std::uint64_t id = 0;
  const KindInfo* kind = nullptr;
  Target target;
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, std::uint32_t, std::less<>> numbers;   // each number argument, given or standard
  std::chrono::milliseconds limit{0};

  std::uint32_t number(std::string_view name) const { return numbers.find(name)->second; }
  const std::string& text(std::string_view name) const;        // "" when not given
};

// Kind and arguments. Errc::invalid_argument says what is wrong in words for the person who asked. The target is not looked at.
Result<Request> parse_request(const wire::Probe& probe);

// The entity that a target names: cgroup id, cgroup path, container id or at least 12 characters of its begin, pod/name as
// "pod", "pod/container" or "namespace/pod/container". Errc::not_found; Errc::conflict when it names several.
Result<Target> resolve_target(std::string_view target, std::span<const wire::EntityEntry> entities);

// Between the agent and its helper.
std::string to_packet(const Request& request);
Result<Request> from_packet(std::string_view packet);

}  // namespace fw::probes
