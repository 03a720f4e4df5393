#include "node-agent/cri/messages.hpp"

#include <runtime.pb.h>

#include "protocol/wire/text.hpp"

namespace fw::cri {

namespace pb = ::runtime::v1;

namespace {

std::string text_of(const std::string& text) { return wire::to_wire_text(std::string_view(text).substr(0, kMaxTextBytes)); }

bool is_id(const std::string& id) { return !id.empty() && id.size() <= kMaxTextBytes && wire::is_wire_text(id); }

State state_of(pb::ContainerState state) {
  switch (state) {
    case pb::CONTAINER_CREATED: return State::created;
    case pb::CONTAINER_RUNNING: return State::running;
    case pb::CONTAINER_EXITED: return State::exited;
    default: return State::unknown;
  }
}

std::string image_of(const pb::ImageSpec& image) {
  return text_of(image.user_specified_image().empty() ? image.image() : image.user_specified_image());
}

template <class Item>   // PodSandbox and PodSandboxStatus share these fields
Sandbox sandbox_of(const Item& item) {
  return {.id = item.id(), .name = text_of(item.metadata().name()), .uid = text_of(item.metadata().uid()),
          .pod_namespace = text_of(item.metadata().namespace_()), .ready = item.state() == pb::SANDBOX_READY};
}

Status status_of(const pb::ContainerStatus& status) {
  return {.id = status.id(), .name = text_of(status.metadata().name()), .image = image_of(status.image()), .attempt = status.metadata().attempt(),
          .state = state_of(status.state()), .exit_code = status.exit_code(), .finished_ns = status.finished_at(), .reason = text_of(status.reason()),
          .log_path = text_of(status.log_path())};
}

template <class Message>
Result<Message> parse(ByteView bytes, const char* what) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Error(Errc::malformed, std::string(what) + ": not the message of the CRI");
  return message;
}

}  // namespace

Bytes encode_empty() { return {}; }

Bytes encode_status_request(std::string_view container_id) {
  pb::ContainerStatusRequest request;
  request.set_container_id(std::string(container_id));
  Bytes bytes(request.ByteSizeLong());
  request.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

Result<Version> decode_version(ByteView bytes) {
  const auto message = parse<pb::VersionResponse>(bytes, "Version");
  if (!message) return message.error();
  return Version{text_of(message->runtime_name()), text_of(message->runtime_version())};
}

Result<std::vector<Sandbox>> decode_sandboxes(ByteView bytes) {
  const auto message = parse<pb::ListPodSandboxResponse>(bytes, "ListPodSandbox");
  if (!message) return message.error();
  std::vector<Sandbox> sandboxes;
  for (const auto& item : message->items()) {
    if (is_id(item.id())) sandboxes.push_back(sandbox_of(item));
  }
  return sandboxes;
}

Result<std::vector<Container>> decode_containers(ByteView bytes) {
  const auto message = parse<pb::ListContainersResponse>(bytes, "ListContainers");
  if (!message) return message.error();
  std::vector<Container> containers;
  for (const auto& item : message->containers()) {
    if (!is_id(item.id())) continue;
    containers.push_back({.id = item.id(), .sandbox_id = text_of(item.pod_sandbox_id()), .name = text_of(item.metadata().name()),
                          .image = image_of(item.image()), .attempt = item.metadata().attempt(), .state = state_of(item.state())});
  }
  return containers;
}

Result<Status> decode_status(ByteView bytes) {
  const auto message = parse<pb::ContainerStatusResponse>(bytes, "ContainerStatus");
  if (!message) return message.error();
  if (!is_id(message->status().id())) return Error(Errc::malformed, "ContainerStatus: no container in it");
  return status_of(message->status());
}

Result<PodEvent> decode_event(ByteView bytes) {
  const auto message = parse<pb::ContainerEventResponse>(bytes, "GetContainerEvents");
  if (!message) return message.error();
  PodEvent event;
  if (is_id(message->pod_sandbox_status().id())) event.sandbox = sandbox_of(message->pod_sandbox_status());
  for (const auto& status : message->containers_statuses()) {
    if (is_id(status.id())) event.containers.push_back(status_of(status));
  }
  return event;
}

}  // namespace fw::cri
