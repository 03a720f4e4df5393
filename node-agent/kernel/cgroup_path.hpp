// What a cgroup path says about its owner: container, pod, service or plain group.
#pragma once
#include <string>
#include <string_view>

#include "protocol/wire/messages.hpp"

namespace fw::kernel {

struct CgroupIdentity {
  wire::EntityKind kind = wire::EntityKind::cgroup;
  std::string name;            // unit name, last path component, or the first 12 digits of a container id
  std::string runtime;         // "containerd", "cri-o", "docker", "podman", "systemd" or ""
  std::string container_id;    // 64 hex digits, or ""
  std::string pod_uid;         // dashes restored, or ""
  std::string qos_class;       // "guaranteed", "burstable", "besteffort", or ""
  std::string_view pod_path;   // part of the path given: the pod's folder; "" when there is none
};

// Pure; any bytes are accepted. path starts with "/". Known forms:
//   cgroupfs driver   /kubepods/burstable/pod<uid>/<id>
//   systemd driver    /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice/cri-containerd-<id>.scope
//   nested            /system.slice/containerd.service/kubepods-...:cri-containerd:<id>   (containerd without systemd driver)
//   docker, podman    /docker/<id>, /system.slice/docker-<id>.scope, /machine.slice/libpod-<id>.scope
//   services          /system.slice/foo.service, /user.slice/.../bar.service
// A folder below a container's (an inner systemd, a nested runtime) belongs to that container and is a plain group.
CgroupIdentity identify_cgroup(std::string_view path);

}  // namespace fw::kernel
