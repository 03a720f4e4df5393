// What cgroup paths of the common runtimes say.
#include <gtest/gtest.h>

#include "node-agent/kernel/cgroup_path.hpp"

namespace fw::kernel {
namespace {

using wire::EntityKind;

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kUid = "1f0a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8";
const std::string kSliceUid = "1f0a2b3c_4d5e_6f70_8192_a3b4c5d6e7f8";
const std::string kStaticPod = "0123456789abcdef0123456789abcdef";

struct Case {
  std::string path;
  EntityKind kind;
  std::string name, runtime, container_id, pod_uid, qos_class, pod_path;
};

TEST(CgroupPath, knows_the_forms_of_the_runtimes) {
  const std::string short_id = kId.substr(0, 12);
  const std::string burstable = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kSliceUid + ".slice";
  const std::string guaranteed = "/kubepods.slice/kubepods-pod" + kSliceUid + ".slice";
  const Case cases[] = {
      {"/kubepods/burstable/pod" + kUid + "/" + kId, EntityKind::container, short_id, "containerd", kId, kUid, "burstable",
       "/kubepods/burstable/pod" + kUid},
      {"/kubepods/pod" + kUid + "/" + kId, EntityKind::container, short_id, "containerd", kId, kUid, "guaranteed",
       "/kubepods/pod" + kUid},
      {"/kubepods/besteffort/pod" + kStaticPod + "/" + kId, EntityKind::container, short_id, "containerd", kId, kStaticPod,
       "besteffort", "/kubepods/besteffort/pod" + kStaticPod},
      {"/kubepods/burstable/pod" + kUid, EntityKind::pod, "pod" + kUid, "", "", kUid, "burstable",
       "/kubepods/burstable/pod" + kUid},
      {burstable + "/cri-containerd-" + kId + ".scope", EntityKind::container, short_id, "containerd", kId, kUid, "burstable",
       burstable},
      {guaranteed + "/crio-" + kId + ".scope", EntityKind::container, short_id, "cri-o", kId, kUid, "guaranteed", guaranteed},
      {burstable + "/docker-" + kId + ".scope", EntityKind::container, short_id, "docker", kId, kUid, "burstable", burstable},
      {burstable, EntityKind::pod, "kubepods-burstable-pod" + kSliceUid + ".slice", "", "", kUid, "burstable", burstable},
      {"/system.slice/containerd.service/kubepods-burstable-pod" + kSliceUid + ".slice:cri-containerd:" + kId,
       EntityKind::container, short_id, "containerd", kId, kUid, "burstable", ""},
      {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + kSliceUid +
           ".slice/cri-containerd-" + kId + ".scope",
       EntityKind::container, short_id, "containerd", kId, kUid, "besteffort",
       "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + kSliceUid +
           ".slice"},
      {"/docker/" + kId, EntityKind::container, short_id, "docker", kId, "", "", ""},
      {"/system.slice/docker-" + kId + ".scope", EntityKind::container, short_id, "docker", kId, "", "", ""},
      {"/machine.slice/libpod-" + kId + ".scope", EntityKind::container, short_id, "podman", kId, "", "", ""},
      {"/libpod_parent/libpod-" + kId, EntityKind::container, short_id, "podman", kId, "", "", ""},
      {"/default/" + kId, EntityKind::container, short_id, "", kId, "", "", ""},
      {"/system.slice/nginx.service", EntityKind::service, "nginx.service", "systemd", "", "", "", ""},
      {"/user.slice/user-0.slice/session-3.scope", EntityKind::cgroup, "session-3.scope", "systemd", "", "", "", ""},
      {"/shop/checkout", EntityKind::cgroup, "checkout", "", "", "", "", ""},
      {"/checkout", EntityKind::cgroup, "checkout", "", "", "", "", ""},
  };
  for (const auto& c : cases) {
    const auto identity = identify_cgroup(c.path);
    EXPECT_EQ(identity.kind, c.kind) << c.path;
    EXPECT_EQ(identity.name, c.name) << c.path;
    EXPECT_EQ(identity.runtime, c.runtime) << c.path;
    EXPECT_EQ(identity.container_id, c.container_id) << c.path;
    EXPECT_EQ(identity.pod_uid, c.pod_uid) << c.path;
    EXPECT_EQ(identity.qos_class, c.qos_class) << c.path;
    EXPECT_EQ(identity.pod_path, c.pod_path) << c.path;
  }
}

TEST(CgroupPath, a_folder_inside_a_container_is_a_plain_group_of_that_container) {
  const auto identity = identify_cgroup("/docker/" + kId + "/system.slice/inner.service");
  EXPECT_EQ(identity.kind, EntityKind::cgroup);
  EXPECT_EQ(identity.container_id, kId);
  EXPECT_EQ(identity.name, "inner.service");
}

TEST(CgroupPath, near_misses_are_plain_groups) {
  const std::string upper_id(64, 'A');
  const std::string short_of_one(63, 'a');
  for (const auto& path : {"/docker/" + upper_id, "/docker/" + short_of_one, std::string{"/kubepods/burstable/podcast"},
                           std::string{"/kubepods/burstable/pod" + kUid.substr(1)}, std::string{"/a:b"}}) {
    const auto identity = identify_cgroup(path);
    EXPECT_EQ(identity.kind, EntityKind::cgroup) << path;
    EXPECT_EQ(identity.container_id, "") << path;
    EXPECT_EQ(identity.pod_uid, "") << path;
  }
}

TEST(CgroupPath, takes_any_text) {
  for (const std::string path : {"", "/", "//", "///a", "a", "/a/", ":", ".slice:", "/-pod.slice", ".scope"}) {
    const auto identity = identify_cgroup(path);
    EXPECT_EQ(identity.container_id, "") << path;
  }
}

}  // namespace
}  // namespace fw::kernel
