// The words of events that the container runtime's link says (docs/metrics.md, "Events").
#pragma once
#include <array>

#include "node-agent/collectors/collector.hpp"

namespace fw::cri {

inline constexpr std::array<collectors::ObservedDesc, 4> kObservedWords{{
    {"container_exited", "container's name", "the runtime's own: OOMKilled, Error, Completed",
     "a container ended; `after` is its exit code, `text` the last lines that it wrote, redacted",
     "CriRuntimeTest.container_that_is_oom_killed_says_so_with_its_last_words"},
    {"container_restarted", "container's name", "why it ended before", "a container of the same name and pod began again; `before` and `after` are attempts",
     "CriRuntimeTest.crash_loop_is_every_exit_and_every_restart"},
    {"pod_sandbox_not_ready", "pod's name", "", "a pod's sandbox ended below containers that still run; `count` of them",
     "CriRuntimeTest.sandbox_that_dies_below_its_container_is_told"},
    {"container_runtime_unreachable", "the runtime's socket", "why", "the container runtime stopped answering; names and exits are missing meanwhile",
     "CriRuntimeTest.restart_of_the_runtime_loses_no_exit"},
}};

}  // namespace fw::cri
