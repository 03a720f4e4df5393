// Storm of process ends inside cgroups, each told apart by its exit code and pid, with the truth about each written to a
// file as soon as the kernel gave it. Used to prove that no acknowledged event is lost and none is doubled.
// storm TRUTH_FILE COUNT PER_SECOND CGROUP_FOLDER...: every child goes to all folders of its turn: the folders are taken
// in groups separated by "--", one group per cgroup.
#include <fcntl.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "net.hpp"

int main(int argc, char** argv) {
  using namespace fw::workload;
  if (argc < 5) return 2;
  std::FILE* truth = std::fopen(argv[1], "we");
  if (truth == nullptr) return 1;
  const int count = std::atoi(argv[2]);
  const double per_second = std::atof(argv[3]);
  std::vector<std::vector<std::string>> groups(1);
  for (int i = 4; i < argc; ++i) {
    const std::string folder = argv[i];
    if (folder == "--") groups.emplace_back();
    else groups.back().push_back(folder);
  }
  auto due = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const std::size_t group = static_cast<std::size_t>(i) % groups.size();
    const int code = 1 + i % 250;
    const std::int64_t before_ns = realtime_ns();
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) {
      for (const std::string& folder : groups[group]) {
        const int fd = open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1) _exit(255);
      }
      _exit(code);
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != code) return 3;
    std::fprintf(truth, "%lld %lld %zu %d %d\n", static_cast<long long>(before_ns), static_cast<long long>(realtime_ns()), group, pid, code);
    std::fflush(truth);
    due += std::chrono::microseconds{static_cast<long>(1e6 / per_second)};
    std::this_thread::sleep_until(due);
  }
  return std::fclose(truth) == 0 ? 0 : 1;
}
