#include "node-agent/kernel/cgroup_path.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "node-agent/kernel/text.hpp"

namespace fw::kernel {
namespace {

constexpr std::size_t kContainerIdDigits = 64;

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_container_id(std::string_view text) noexcept {
  return text.size() == kContainerIdDigits && std::all_of(text.begin(), text.end(), is_hex);
}

// "0a1b2c3d-...": 8-4-4-4-12 with dashes, or with the underscores of a slice name. Static pods have 32 digits (a hash).
std::string pod_uid_of(std::string_view text) {
  if (text.size() == 32 && std::all_of(text.begin(), text.end(), is_hex)) return std::string{text};
  if (text.size() != 36) return {};
  std::string uid{text};
  std::replace(uid.begin(), uid.end(), '_', '-');
  for (std::size_t i = 0; i < uid.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? uid[i] != '-' : !is_hex(uid[i])) return {};
  }
  return uid;
}

// The pod uid of one path component: "pod<uid>", "kubepods-burstable-pod<uid_>.slice"; "" for all others.
std::string pod_of_component(std::string_view component) {
  if (component.ends_with(".slice")) {
    component.remove_suffix(6);
    const auto at = component.rfind("-pod");
    return at == std::string_view::npos ? std::string{} : pod_uid_of(component.substr(at + 4));
  }
  return component.starts_with("pod") ? pod_uid_of(component.substr(3)) : std::string{};
}

struct Prefix { std::string_view text, runtime; };
constexpr std::array kScopePrefixes{
    Prefix{"cri-containerd-", "containerd"}, Prefix{"crio-", "cri-o"}, Prefix{"docker-", "docker"},
    Prefix{"libpod-", "podman"}, Prefix{"nerdctl-", "containerd"}};

struct ContainerName { std::string id, runtime; };

// The container that one path component names, if any. parent is the component before it.
std::optional<ContainerName> container_of(std::string_view component, std::string_view parent, bool in_pod) {
  if (component.ends_with(".scope")) component.remove_suffix(6);
  for (const auto& prefix : kScopePrefixes) {
    if (component.starts_with(prefix.text) && is_container_id(component.substr(prefix.text.size()))) {
      return ContainerName{std::string{component.substr(prefix.text.size())}, std::string{prefix.runtime}};
    }
  }
  if (const auto colon = component.rfind(':'); colon != std::string_view::npos) {
    const auto id = component.substr(colon + 1);
    if (!is_container_id(id)) return std::nullopt;
    const auto runtime = component.find(":cri-containerd:") != std::string_view::npos ? "containerd" : "";
    return ContainerName{std::string{id}, runtime};
  }
  if (!is_container_id(component)) return std::nullopt;
  if (parent == "docker") return ContainerName{std::string{component}, "docker"};
  if (parent == "libpod_parent") return ContainerName{std::string{component}, "podman"};
  // The cgroupfs driver of the kubelet: containerd's and CRI-O's form are told apart only by CRI-O's prefix above.
  return ContainerName{std::string{component}, in_pod ? "containerd" : ""};
}

std::string qos_of(std::string_view path) {
  if (!path.starts_with("/kubepods") && path.find("/kubepods") == std::string_view::npos &&
      path.find("kubepods-") == std::string_view::npos) {
    return {};
  }
  if (path.find("besteffort") != std::string_view::npos) return "besteffort";
  if (path.find("burstable") != std::string_view::npos) return "burstable";
  return "guaranteed";
}

}  // namespace

CgroupIdentity identify_cgroup(std::string_view path) {
  CgroupIdentity identity;
  std::string_view rest = path.starts_with('/') ? path.substr(1) : path;
  std::string_view component, parent;
  std::optional<ContainerName> container;
  bool below_container = false;
  while (!rest.empty()) {
    parent = component;
    component = take_until(rest, '/');
    if (container) below_container = true;
    if (container || component.empty()) continue;
    if (auto uid = pod_of_component(component); !uid.empty()) {
      identity.pod_uid = std::move(uid);
      const auto end = static_cast<std::size_t>(component.data() + component.size() - path.data());
      identity.pod_path = path.substr(0, end);
      continue;
    }
    // "kubepods-burstable-pod<uid_>.slice:cri-containerd:<id>" names the pod and the container in one component.
    if (const auto colon = component.find(".slice:"); colon != std::string_view::npos) {
      identity.pod_uid = pod_of_component(component.substr(0, colon + 6));
    }
    container = container_of(component, parent, !identity.pod_uid.empty());
  }
  identity.name = std::string{component};
  if (!identity.pod_uid.empty()) identity.qos_class = qos_of(path);
  if (container) {
    identity.container_id = container->id;
    identity.runtime = container->runtime;
    if (below_container) return identity;   // belongs to that container, counts as a plain group
    identity.kind = wire::EntityKind::container;
    identity.name = container->id.substr(0, 12);
    return identity;
  }
  if (!identity.pod_path.empty() && identity.pod_path.size() == path.size()) {
    identity.kind = wire::EntityKind::pod;
    return identity;
  }
  if (component.ends_with(".service")) {
    identity.kind = wire::EntityKind::service;
    identity.runtime = "systemd";
  } else if (component.ends_with(".scope") || component.ends_with(".slice")) {
    identity.runtime = "systemd";
  }
  return identity;
}

}  // namespace fw::kernel
