// Joins a cgroup and touches memory until the kernel kills it, with the wall time of the last touch kept in a file:
// the zero point of the latency benchmark.
// oom_once TOUCH_FILE BYTES CGROUP_FOLDER...
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>

#include "memory.hpp"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  try {
    const fw::workload::TouchClock clock{argv[1]};
    for (int i = 3; i < argc; ++i) {
      const fw::UniqueFd procs{open((std::string{argv[i]} + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC)};
      if (!procs.valid() || write(procs.get(), "0", 1) != 1) return 3;
    }
    const fw::workload::Block block{std::strtoull(argv[2], nullptr, 10), clock};
    return 4;   // nobody killed it
  } catch (const std::exception& error) {
    std::fprintf(stderr, "oom_once: %s\n", error.what());
    return 1;
  }
}
