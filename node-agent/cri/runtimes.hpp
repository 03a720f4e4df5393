// Where runtimes listen, and what is known of them beyond the interface. Inside node-agent/cri and its tests only.
#pragma once
#include <string>
#include <string_view>

namespace fw::cri {

// The first known socket that exists below root_prefix; "": none.
std::string find_socket(const std::string& root_prefix);

// Pure. Whether every caller of GetContainerEvents gets every event. Older runtimes share one queue among all callers: reading there would take
// events away from the kubelet (containerd issue 7318, cri-o issue 6466), and no signal is worth that. Unknown runtimes are not trusted with it.
bool gives_events_to_everybody(std::string_view runtime_name, std::string_view runtime_version);

}  // namespace fw::cri
