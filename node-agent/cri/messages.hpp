// Messages of the Container Runtime Interface as plain values, and their bytes. Inside node-agent/cri and its tests only.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.hpp"
#include "common/result.hpp"

namespace fw::cri {

// Method paths of runtime.v1.RuntimeService.
inline constexpr std::string_view kVersion = "/runtime.v1.RuntimeService/Version";
inline constexpr std::string_view kListPodSandbox = "/runtime.v1.RuntimeService/ListPodSandbox";
inline constexpr std::string_view kListContainers = "/runtime.v1.RuntimeService/ListContainers";
inline constexpr std::string_view kContainerStatus = "/runtime.v1.RuntimeService/ContainerStatus";
inline constexpr std::string_view kGetContainerEvents = "/runtime.v1.RuntimeService/GetContainerEvents";

inline constexpr std::size_t kMaxTextBytes = 1024;   // of any one text; a longer one is cut, an entry with a longer id left out

struct Version {
  std::string runtime_name, runtime_version;
};

struct Sandbox {
  std::string id, name, uid, pod_namespace;
  bool ready = false;
};

enum class State : std::uint8_t { created, running, exited, unknown };

struct Container {
  std::string id, sandbox_id, name, image;
  std::uint32_t attempt = 0;         // the kubelet's restart count
  State state = State::unknown;
};

struct Status {
  std::string id, name, image;       // image as the pod asks for it, where the runtime knows
  std::uint32_t attempt = 0;
  State state = State::unknown;
  std::int32_t exit_code = 0;
  std::int64_t finished_ns = 0;      // wall clock; 0 while it runs
  std::string reason;                // "OOMKilled", "Error", "Completed", or the runtime's own
  std::string log_path;
};

// A pod after something happened to one of its containers.
struct PodEvent {
  Sandbox sandbox;                   // id "": the runtime did not say
  std::vector<Status> containers;
};

Bytes encode_empty();                // of the requests without fields
Bytes encode_status_request(std::string_view container_id);

// Errc::malformed: not a message of that type. Entries without an id are left out.
Result<Version> decode_version(ByteView bytes);
Result<std::vector<Sandbox>> decode_sandboxes(ByteView bytes);
Result<std::vector<Container>> decode_containers(ByteView bytes);
Result<Status> decode_status(ByteView bytes);      // also malformed when there is no container in it
Result<PodEvent> decode_event(ByteView bytes);

}  // namespace fw::cri
