// cpu_profile: what runs, by samples of all CPUs at 99 Hz, as folded stacks "comm;outer;inner count".
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>

#include "node-agent/kernel/text.hpp"
#include "node-agent/probes/sight.hpp"
#include "node-agent/probes/symbols.hpp"

namespace fw::probes {
namespace {

constexpr std::uint64_t kHertz = 99;                 // not a divisor of what programs do each 10 ms
constexpr std::size_t kRingPages = 32;               // of one CPU: 128 KiB, half a second at the very least
constexpr int kDrainMs = 100;
constexpr std::size_t kMaxCpus = 192;
constexpr std::size_t kMaxStacks = 20'000;           // different ones
constexpr std::size_t kMaxFrames = 127;              // the kernel's own limit
constexpr std::size_t kMaxElfBytes = 256UL * 1024 * 1024;
constexpr std::size_t kMaxElfFiles = 48;
constexpr std::size_t kMaxMapsBytes = 4UL * 1024 * 1024;
constexpr std::size_t kMaxKallsymsBytes = 32UL * 1024 * 1024;
constexpr std::uint64_t kFirstMarker = static_cast<std::uint64_t>(-4095);   // PERF_CONTEXT_*

// A file or a ring in memory.
class Mapped {
 public:
  Mapped() = default;
  Mapped(int fd, std::size_t bytes, int rights, int flags) : bytes_(bytes), at_(::mmap(nullptr, bytes, rights, flags, fd, 0)) {}
  Mapped(Mapped&& other) noexcept : bytes_(other.bytes_), at_(std::exchange(other.at_, MAP_FAILED)) {}
  Mapped& operator=(Mapped&&) = delete;
  ~Mapped() {
    if (at_ != MAP_FAILED) ::munmap(at_, bytes_);
  }
  bool valid() const noexcept { return at_ != MAP_FAILED; }
  char* data() const noexcept { return static_cast<char*>(at_); }
  std::size_t size() const noexcept { return bytes_; }

 private:
  std::size_t bytes_ = 0;
  void* at_ = MAP_FAILED;
};

struct Stack {
  std::uint32_t pid = 0;
  std::vector<std::uint64_t> frames;   // innermost first, with the kernel's markers
  friend bool operator<(const Stack& a, const Stack& b) { return std::tie(a.pid, a.frames) < std::tie(b.pid, b.frames); }
};
struct Samples {
  std::map<Stack, std::uint64_t> stacks;
  std::uint64_t taken = 0, lost = 0, left_out = 0;
};

struct CpuRing {
  UniqueFd fd;
  Mapped memory;

  void drain(Samples& out) {
    auto* page = reinterpret_cast<perf_event_mmap_page*>(memory.data());
    const auto head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    auto tail = page->data_tail;
    const char* data = memory.data() + page->data_offset;
    const auto size = page->data_size;
    std::vector<char> record;
    while (tail < head) {
      perf_event_header header{};
      copy(data, size, tail, &header, sizeof header);
      if (header.size < sizeof header || header.size > head - tail) break;
      record.resize(header.size);
      copy(data, size, tail, record.data(), record.size());
      take(header, record, out);
      tail += header.size;
    }
    __atomic_store_n(&page->data_tail, head, __ATOMIC_RELEASE);
  }

 private:
  static void copy(const char* data, std::uint64_t size, std::uint64_t from, void* to, std::size_t bytes) {
    const auto begin = from % size;
    const auto first = std::min<std::uint64_t>(bytes, size - begin);
    std::memcpy(to, data + begin, first);
    std::memcpy(static_cast<char*>(to) + first, data, bytes - first);
  }

  static void take(const perf_event_header& header, const std::vector<char>& record, Samples& out) {
    if (header.type == PERF_RECORD_LOST && record.size() >= sizeof header + 16) {
      std::uint64_t count = 0;
      std::memcpy(&count, record.data() + sizeof header + 8, sizeof count);
      out.lost += count;
    }
    // PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN: u32 pid, tid; u64 nr, ips[nr].
    constexpr std::size_t kFixed = sizeof header + 16;
    if (header.type != PERF_RECORD_SAMPLE || record.size() < kFixed) return;
    Stack stack;
    std::uint64_t count = 0;
    std::memcpy(&stack.pid, record.data() + sizeof header, sizeof stack.pid);
    std::memcpy(&count, record.data() + sizeof header + 8, sizeof count);
    count = std::min<std::uint64_t>({count, kMaxFrames + 8, (record.size() - kFixed) / sizeof(std::uint64_t)});
    stack.frames.resize(count);
    if (count != 0) std::memcpy(stack.frames.data(), record.data() + kFixed, count * sizeof(std::uint64_t));
    ++out.taken;
    if (const auto known = out.stacks.find(stack); known != out.stacks.end()) {
      ++known->second;
    } else if (out.stacks.size() < kMaxStacks) {
      out.stacks.emplace(std::move(stack), 1);
    } else {
      ++out.left_out;
    }
  }
};

Result<std::vector<CpuRing>> open_rings() {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_CPU_CLOCK;
  attr.freq = 1;
  attr.sample_freq = kHertz;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN;
  attr.exclude_hv = 1;
  const auto cpus = std::min<std::size_t>(kMaxCpus, static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF))));
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<CpuRing> rings;
  for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_perf_event_open, &attr, -1, static_cast<int>(cpu), -1, PERF_FLAG_FD_CLOEXEC)));
    if (!fd.valid() && errno == ENODEV) continue;   // offline
    if (!fd.valid()) return errno_error(errno, "perf_event_open");
    Mapped memory(fd.get(), (kRingPages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (!memory.valid()) return errno_error(errno, "perf ring");
    rings.push_back({std::move(fd), std::move(memory)});
  }
  return rings;
}

// Names of one process' addresses.
class Names {
 public:
  explicit Names(const Sight& sight) : sight_(sight) {
    if (const auto text = sight.read(sight.roots().proc + "/kallsyms", kMaxKallsymsBytes)) kernel_ = parse_kallsyms(*text);
  }

  bool has_kernel() const noexcept { return kernel_.size() != 0; }

  std::string kernel(std::uint64_t address) const {
    const auto name = kernel_.find(address);
    return (name.empty() ? "[kernel]" : std::string(name)) + "_[k]";
  }

  std::string user(std::uint32_t pid, std::uint64_t address) {
    auto [maps, fresh] = maps_.try_emplace(pid);
    if (fresh) {
      if (const auto text = sight_.read(sight_.proc(pid, "maps"), kMaxMapsBytes)) maps->second = parse_maps(*text);
    }
    const auto* mapping = mapping_of(maps->second, address);
    if (mapping == nullptr) return "[unknown]";
    const auto file = mapping->path.substr(mapping->path.rfind('/') + 1);
    if (!mapping->path.starts_with('/')) return mapping->path.empty() ? "[anonymous]" : mapping->path;
    const auto name = table(pid, mapping->path).find(address - mapping->begin + mapping->offset);
    return name.empty() ? "[" + file + "]" : std::string(name);
  }

  std::string comm(std::uint32_t pid) {
    auto [comm, fresh] = comms_.try_emplace(pid);
    if (fresh) {
      const auto text = sight_.read(sight_.proc(pid, "comm"), 64);
      comm->second = pid == 0 ? "idle" : text ? std::string(kernel::trimmed(*text)) : "[gone]";
      std::replace(comm->second.begin(), comm->second.end(), ';', ':');
      std::replace(comm->second.begin(), comm->second.end(), '\n', ' ');
    }
    return comm->second;
  }

 private:
  const SymbolTable& table(std::uint32_t pid, const std::string& path) {
    // The file as the process sees it; one inode is read once, whichever container it is seen from.
    const auto seen = sight_.proc(pid, "root") + path;
    struct stat info {};
    if (::stat(seen.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return none_;
    const auto key = std::pair(info.st_dev, info.st_ino);
    if (const auto known = tables_.find(key); known != tables_.end()) return known->second;
    if (tables_.size() == kMaxElfFiles || static_cast<std::size_t>(info.st_size) > kMaxElfBytes || info.st_size == 0 || sight_.late()) return none_;
    // Read, not mapped: a file that is cut meanwhile would end this process.
    const auto file = sight_.read(seen, static_cast<std::size_t>(info.st_size));
    auto parsed = file ? parse_elf_symbols(*file) : Result<SymbolTable>(file.error());
    return tables_.emplace(key, parsed ? std::move(*parsed) : SymbolTable()).first->second;
  }

  const Sight& sight_;
  SymbolTable kernel_, none_;
  std::unordered_map<std::uint32_t, std::vector<Mapping>> maps_;
  std::unordered_map<std::uint32_t, std::string> comms_;
  std::map<std::pair<dev_t, ino_t>, SymbolTable> tables_;
};

std::string fold(const Stack& stack, Names& names) {
  std::vector<std::string> frames;
  bool in_kernel = false;
  for (const auto address : stack.frames) {
    if (address >= kFirstMarker) {
      in_kernel = address == static_cast<std::uint64_t>(PERF_CONTEXT_KERNEL);
      continue;
    }
    frames.push_back(in_kernel ? names.kernel(address) : names.user(stack.pid, address));
  }
  auto line = names.comm(stack.pid);
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    std::replace(frame->begin(), frame->end(), ';', ':');
    line += ";" + *frame;
  }
  return line;
}

}  // namespace

Result<Answer> cpu_profile(const Sight& sight, const Request& request) {
  using Clock = std::chrono::steady_clock;
  std::set<std::uint32_t> wanted;
  const bool all = request.target.cgroup_path.empty();
  const auto look = [&]() -> Result<void> {
    const auto pids = sight.pids(request.target.cgroup_path);
    if (!pids) return pids.error();
    wanted.insert(pids->begin(), pids->end());
    return {};
  };
  if (!all) {
    if (auto seen = look(); !seen) return seen.error();
  }
  auto rings = open_rings();
  if (!rings) return rings.error();
  Samples samples;
  // A third of the limit is kept for names.
  const auto begin = Clock::now();
  const auto end = std::min(begin + std::chrono::seconds(request.number("seconds")), begin + (sight.deadline() - begin) * 2 / 3);
  while (Clock::now() < end) {
    static_cast<void>(::poll(nullptr, 0, kDrainMs));
    for (auto& ring : *rings) ring.drain(samples);
  }
  const auto seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  rings->clear();
  if (!all) static_cast<void>(look());   // those that began meanwhile

  Names names(sight);
  Answer answer;
  std::map<std::string, std::uint64_t> folded;
  std::uint64_t kept = 0;
  for (const auto& [stack, count] : samples.stacks) {
    if (all ? stack.pid == 0 : !wanted.contains(stack.pid)) continue;
    if (sight.late()) {
      answer.truncated = true;
      break;
    }
    folded[fold(stack, names)] += count;
    kept += count;
  }
  std::vector<std::pair<std::uint64_t, std::string>> lines;
  for (auto& [line, count] : folded) lines.emplace_back(count, line);
  std::sort(lines.begin(), lines.end());   // the most frequent last: the end of a text is what is kept
  for (const auto& [count, line] : lines) answer.text += line + " " + std::to_string(count) + "\n";
  answer.truncated = answer.truncated || samples.left_out != 0 || samples.lost != 0;
  answer.facts["seconds"] = seconds;
  answer.facts["hertz"] = kHertz;
  answer.facts["samples"] = kept;
  answer.facts["samples_of_node"] = samples.taken;
  answer.facts["samples_lost"] = samples.lost + samples.left_out;
  if (!names.has_kernel()) answer.facts["lacking"] = "kernel symbols: /proc/kallsyms hides addresses";
  return answer;
}

}  // namespace fw::probes
