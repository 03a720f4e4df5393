// Names of a container as its runtime tells them.
#pragma once
#include <string>

namespace fw::collectors {

// Each "" when the runtime does not tell it. Of a pod's sandbox, container_name and image are "".
struct ContainerFacts {
  std::string container_name, pod_name, pod_namespace, pod_uid, image;
  friend bool operator==(const ContainerFacts&, const ContainerFacts&) = default;
};

}  // namespace fw::collectors
