// Joins cgroups and touches and gives back memory at a steady rate: one of the many quiet containers of a loaded node.
// Without libraries, so that 500 of them cost little.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

// toucher HZ PAGES CGROUP_FOLDER...
int main(int argc, char** argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (int i = 3; i < argc; ++i) {
    char path[4096];
    if (std::strlen(argv[i]) + 16 > sizeof path) return 2;
    std::strcpy(path, argv[i]);
    std::strcat(path, "/cgroup.procs");
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) return 1;
    close(fd);
  }
  const double hz = std::atof(argv[1]);
  const auto size = static_cast<std::size_t>(std::atoi(argv[2])) * 4096;
  if (hz <= 0) {
    for (;;) pause();
  }
  const auto period_ns = static_cast<long>(1e9 / hz);
  for (unsigned round = 0;; ++round) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    // A different amount each time, so that values really change.
    for (std::size_t at = 0; at < size - (round % 7) * (size / 8); at += 4096) static_cast<volatile char*>(memory)[at] = 1;
    const timespec pause_time{period_ns / 1'000'000'000, period_ns % 1'000'000'000};
    nanosleep(&pause_time, nullptr);
    munmap(memory, size);
  }
}
