// The only translation unit that sees libbpf.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include "common/unique_fd.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/capabilities.hpp"
// The skeletons name types of bpf/events.h.
#include "node-agent/bpf/dns.h"
#include "node-agent/bpf/http.h"
#include "node-agent/bpf/io.h"
#include "node-agent/bpf/network.h"
#include "node-agent/bpf/scheduler.h"
#include "fw_dns.skel.h"
#include "fw_http_signals.skel.h"
#include "fw_memory.skel.h"
#include "fw_io.skel.h"
#include "fw_network.skel.h"
#include "fw_process.skel.h"
#include "fw_scheduler.skel.h"

namespace fw::kernel {
namespace {

// One program of ours. Programs of one purpose stand or fall together, but for alternatives: the first that works is used.
struct ProgramSpec {
  const char* name;
  const char* purpose;
  const char* tracepoint;   // the BTF-enabled tracepoint that it needs; nullptr: it needs none, loading it tells
};

constexpr std::array kPrograms{
    ProgramSpec{"mark_victim", "oom_kill", "mark_victim"},
    ProgramSpec{"memcg_reclaim_begin", "memcg_reclaim", "mm_vmscan_memcg_reclaim_begin"},
    ProgramSpec{"memcg_reclaim_end", "memcg_reclaim", "mm_vmscan_memcg_reclaim_end"},
    ProgramSpec{"direct_reclaim_begin", "node_reclaim", "mm_vmscan_direct_reclaim_begin"},
    ProgramSpec{"process_exit", "process_exit", "sched_process_exit"},
    ProgramSpec{"process_exec", "process_exec", "sched_process_exec"},
    ProgramSpec{"signal_generate", "signal", "signal_generate"},
    ProgramSpec{"process_fork", "process_birth", "sched_process_fork"},
    ProgramSpec{"cgroup_mkdir", "cgroup_new", "cgroup_mkdir"},
    ProgramSpec{"socket_state", "connects", "inet_sock_set_state"},
    ProgramSpec{"socket_retransmit", "retransmits", "tcp_retransmit_skb"},
    ProgramSpec{"socket_reset_sent", "resets", "tcp_send_reset"},
    ProgramSpec{"socket_reset_received", "resets", "tcp_receive_reset"},
    ProgramSpec{"dns_query", "dns", "net_dev_queue"},
    ProgramSpec{"dns_answer", "dns", "netif_receive_skb"},
    ProgramSpec{"run_queue_wait", "run_queue", "sched_switch"},
    ProgramSpec{"io_end", "disk_requests", "block_rq_complete"},
    ProgramSpec{"http_egress", "http", nullptr},
    ProgramSpec{"http_accept", "http_latency", "inet_sock_set_state"},
    ProgramSpec{"http_receive", "http_latency", "tcp_probe"},
    ProgramSpec{"http_tls_write", "http_tls", nullptr},
};
constexpr std::string_view kOomByPid = "mark_victim_pid";   // classic tracepoint, used when mark_victim cannot be

struct PurposeSpec {
  const char* purpose;
  const char* fallback;
};

constexpr std::array kPurposes{
    PurposeSpec{"oom_kill", "kernel log, then counters of the cgroup (who was killed is not known from these)"},
    PurposeSpec{"memcg_reclaim", "kernel log tells why an OOM kill happened; reclaim stalls are not seen"},
    PurposeSpec{"node_reclaim", "kernel log tells why an OOM kill happened"},
    PurposeSpec{"process_exit", ""},
    PurposeSpec{"process_exec", ""},
    PurposeSpec{"signal", ""},
    PurposeSpec{"process_birth", "parent of the process tells whether it is a container's main process"},
    PurposeSpec{"cgroup_new", "scan of the cgroup folders"},
    PurposeSpec{"connects", ""},
    PurposeSpec{"retransmits", "counters of the network namespace"},
    PurposeSpec{"resets", "counters of the network namespace"},
    PurposeSpec{"dns", ""},
    PurposeSpec{"run_queue", ""},
    PurposeSpec{"disk_requests", "counters of /proc/diskstats: no latency, no errors, no cgroups"},
    PurposeSpec{"http", ""},
    PurposeSpec{"http_latency", "requests are counted without their time"},
    PurposeSpec{"http_tls", "HTTP inside TLS is not seen"},
};

// Made by the first object, used by all. Other maps belong to one object.
constexpr const char* kSharedMaps[] = {"events", "drops", "cgroup_counters", "birth"};

// libbpf prints through one global function; what it says during our calls ends here, bounded.
std::string g_libbpf_text;

int keep_text(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG || g_libbpf_text.size() > 16'384) return 0;
  char line[512];
  const int size = std::vsnprintf(line, sizeof(line), format, args);
  if (size > 0) g_libbpf_text.append(line, std::min(static_cast<std::size_t>(size), sizeof(line) - 1));
  return size;
}

class PrintCapture {
 public:
  PrintCapture() : previous_(libbpf_set_print(&keep_text)) { g_libbpf_text.clear(); }
  ~PrintCapture() { libbpf_set_print(previous_); }
  PrintCapture(const PrintCapture&) = delete;
  PrintCapture& operator=(const PrintCapture&) = delete;

 private:
  libbpf_print_fn_t previous_;
};

// libbpf explains EPERM with `ulimit -l`, which is not the cause on any kernel that has ring buffers with memcg accounting.
std::string reason_for(int error, std::string_view program) {
  std::string reason;
  if (error == EPERM || error == EACCES) {
    const auto rights = read_capabilities();
    if (!rights || !rights->can_load_bpf()) {
      return "the capabilities CAP_BPF and CAP_PERFMON are missing; run as root or give the container these two";
    }
    reason = "the kernel refuses it though CAP_BPF is there: kernel lockdown, or a security module";
  } else if (error == ENOENT || error == ESRCH) {
    reason = "this kernel has no such tracepoint, or tracefs is not mounted on /sys/kernel/tracing";
  } else {
    reason = "the kernel refuses it: " + std::string{std::strerror(error)};
  }
  const auto at = g_libbpf_text.find("prog '" + std::string{program} + "'");
  if (error != EPERM && at != std::string::npos) {
    reason += " (" + g_libbpf_text.substr(at, std::min<std::size_t>(g_libbpf_text.find('\n', at) - at, 160)) + ")";
  }
  return reason;
}

template <auto Destroy>
struct Deleter {
  template <class T>
  void operator()(T* object) const noexcept { Destroy(object); }
};
using ObjectPtr = std::unique_ptr<bpf_object, Deleter<bpf_object__close>>;
using LinkPtr = std::unique_ptr<bpf_link, Deleter<bpf_link__destroy>>;
using RingPtr = std::unique_ptr<ring_buffer, Deleter<ring_buffer__free>>;
using BtfPtr = std::unique_ptr<btf, Deleter<btf__free>>;

class Link final : public UserProbe {
 public:
  explicit Link(LinkPtr link) : link_(std::move(link)) {}

 private:
  LinkPtr link_;
};

// The second argument of a BTF-enabled tracepoint (the first after its context); nullptr: no such tracepoint.
const btf_type* first_argument(const btf* kernel, std::string_view tracepoint) {
  const auto name = "btf_trace_" + std::string{tracepoint};
  const auto id = btf__find_by_name_kind(kernel, name.c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) return nullptr;
  const auto* type = btf__type_by_id(kernel, static_cast<__u32>(id));
  type = btf__type_by_id(kernel, type->type);            // pointer
  if (type != nullptr) type = btf__type_by_id(kernel, type->type);   // function
  if (type == nullptr || !btf_is_func_proto(type) || btf_vlen(type) < 2) return nullptr;
  return btf__type_by_id(kernel, btf_params(type)[1].type);
}

class Objects final : public BpfSensors {
 public:
  explicit Objects(const BpfOptions& options) : options_(options) {}

  std::vector<ProbeStatus> open() {
    const PrintCapture capture;
    check_features();
    load("memory", &fw_memory_bpf__elf_bytes);
    load("process", &fw_process_bpf__elf_bytes);
    load("network", &fw_network_bpf__elf_bytes);
    load("dns", &fw_dns_bpf__elf_bytes);
    load("scheduler", &fw_scheduler_bpf__elf_bytes);
    load("io", &fw_io_bpf__elf_bytes);
    load("http", &fw_http_signals_bpf__elf_bytes);
    if (!objects_.empty()) attach_all();
    ::malloc_trim(0);   // libbpf has had the kernel's whole BTF in memory, more than all the agent needs afterwards
    return statuses();
  }

  bool working() const { return ring_ != nullptr && !links_.empty(); }

  int fd() const noexcept override { return ring_buffer__epoll_fd(ring_.get()); }

  std::size_t drain(std::size_t budget, const std::function<void(const BpfEvent&)>& use) override {
    budget_ = budget;
    drained_ = 0;
    use_ = &use;
    if (budget > 0) ring_buffer__consume(ring_.get());
    return drained_;
  }

  std::optional<BpfMap> map(const char* name) const override {
    for (const auto& object : objects_) {
      const auto* found = bpf_object__find_map_by_name(object.get(), name);
      if (found == nullptr || bpf_map__fd(found) < 0) continue;
      const auto type = bpf_map__type(found);
      const bool per_cpu = type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
      return BpfMap(bpf_map__fd(found), bpf_map__key_size(found), bpf_map__value_size(found),
                    per_cpu ? static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus())) : 1);
    }
    return std::nullopt;
  }

  Result<std::unique_ptr<UserProbe>> attach_user(const char* name, const std::string& path, std::uint64_t offset, std::uint64_t cookie) override {
    for (const auto& object : objects_) {
      const auto* const program = bpf_object__find_program_by_name(object.get(), name);
      if (program == nullptr || refused_.contains(name)) continue;
      const PrintCapture capture;
      bpf_uprobe_opts opts{};
      opts.sz = sizeof(opts);
      opts.bpf_cookie = cookie;
      LinkPtr link{bpf_program__attach_uprobe_opts(program, -1, path.c_str(), offset, &opts)};
      if (!link) return Error{Errc::io, path + ": " + reason_for(errno, name)};
      return std::unique_ptr<UserProbe>{std::make_unique<Link>(std::move(link))};
    }
    return Error{Errc::unsupported, std::string{name} + " is not loaded"};
  }

  std::optional<fw_cgroup_counters> counters(std::uint64_t cgroup_id) const override {
    fw_cgroup_counters value{};
    if (bpf_map_lookup_elem(map_fd("cgroup_counters"), &cgroup_id, &value) != 0) return std::nullopt;
    return value;
  }

  void sweep(const std::function<bool(std::uint64_t)>& keep) override {
    const int fd = map_fd("cgroup_counters");
    std::vector<std::uint64_t> stale;
    std::uint64_t key = 0, next = 0;
    for (const std::uint64_t* at = nullptr; bpf_map_get_next_key(fd, at, &next) == 0; at = &key) {
      key = next;
      if (!keep(key)) stale.push_back(key);
    }
    for (const auto id : stale) bpf_map_delete_elem(fd, &id);
  }

  std::array<std::uint64_t, FW_DROP_KINDS> drops() const override {
    std::array<std::uint64_t, FW_DROP_KINDS> totals{};
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus())));
    for (std::uint32_t kind = 0; kind < FW_DROP_KINDS; ++kind) {
      if (bpf_map_lookup_elem(map_fd("drops"), &kind, per_cpu.data()) != 0) continue;
      for (const auto count : per_cpu) totals[kind] += count;
    }
    return totals;
  }

  std::uint64_t malformed_total() const noexcept override { return malformed_total_; }

 private:
  static int on_record(void* self, void* data, std::size_t size) {
    auto& objects = *static_cast<Objects*>(self);
    const auto event = decode_bpf_event(data, size);
    if (event) {
      (*objects.use_)(*event);
    } else {
      ++objects.malformed_total_;
    }
    // A negative value ends this round; libbpf has taken the record off the ring by then.
    return ++objects.drained_ >= objects.budget_ ? -EAGAIN : 0;
  }

  void refuse(std::string_view program, std::string reason) { refused_.emplace(program, std::move(reason)); }

  void check_features() {
    const auto rights = read_capabilities();
    const BtfPtr kernel{btf__load_vmlinux_btf()};
    for (const auto& program : kPrograms) {
      if (options_.without.contains(program.name)) {
        refuse(program.name, "switched off");
      } else if (rights && !rights->can_load_bpf()) {
        refuse(program.name, reason_for(EPERM, program.name));
      } else if (!kernel) {
        refuse(program.name, "this kernel has no BTF (/sys/kernel/btf/vmlinux)");
      } else if (program.tracepoint == nullptr) {
        continue;
      } else if (const auto* argument = first_argument(kernel.get(), program.tracepoint); argument == nullptr) {
        refuse(program.name, "this kernel has no tracepoint " + std::string{program.tracepoint});
      } else if (std::string_view{program.name} == "mark_victim" && !btf_is_ptr(argument)) {
        refuse(program.name, "this kernel's mark_victim names only a pid");
      }
    }
    if (!refused_.contains("mark_victim")) {
      refuse(kOomByPid, "mark_victim is used");
    } else if (options_.without.contains(std::string{kOomByPid})) {
      refuse(kOomByPid, "switched off");
    } else if (rights && !rights->can_load_bpf()) {
      refuse(kOomByPid, reason_for(EPERM, kOomByPid));
    }
    use_birth_ = !refused_.contains("process_fork");
  }

  // Tries until it loads: takes out what the kernel refuses, one cause after the other.
  void load(const char* name, const void* (*elf)(std::size_t*)) {
    for (std::size_t attempt = 0; attempt <= kPrograms.size() + 1; ++attempt) {
      std::size_t size = 0;
      const void* bytes = elf(&size);
      bpf_object_open_opts open_options{};
      open_options.sz = sizeof(open_options);
      open_options.object_name = name;
      ObjectPtr object{bpf_object__open_mem(bytes, size, &open_options)};
      if (!object || !configure(*object)) return;
      g_libbpf_text.clear();
      const int error = -bpf_object__load(object.get());
      if (error == 0) {
        objects_.push_back(std::move(object));
        return;
      }
      if (use_birth_ && error != EPERM) {   // task storage in tracing programs came with 5.11
        use_birth_ = false;
        refuse("process_fork", reason_for(error, "process_fork"));
        continue;
      }
      if (!refuse_failed(*object, error)) return;
    }
  }

  // Sets what is fixed before loading. false: nothing of this object is wanted.
  bool configure(bpf_object& object) {
    bool any = false;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, &object) {
      const bool wanted = !refused_.contains(bpf_program__name(program));
      bpf_program__set_autoload(program, wanted);
      any = any || wanted;
    }
    if (!any) return false;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, &object) {
      std::size_t size = 0;
      if (bpf_map__initial_value(map, &size) != nullptr && size == sizeof(fw_settings)) {
        const fw_settings settings{options_.root_cgroup_id, options_.events_per_second, use_birth_ ? 1U : 0U};
        bpf_map__set_initial_value(map, &settings, sizeof(settings));
      }
      const std::string_view map_name = bpf_map__name(map);
      if (map_name == "birth" && !use_birth_) {
        bpf_map__set_autocreate(map, false);
      } else if (!objects_.empty() && std::find(std::begin(kSharedMaps), std::end(kSharedMaps), map_name) != std::end(kSharedMaps)) {
        bpf_map__reuse_fd(map, map_fd(map_name.data()));
      } else if (map_name == "http") {
        bpf_map__set_max_entries(map, options_.max_http_cgroups);
      }
    }
    return true;
  }

  // Refuses the program that libbpf named; all of the object when it named none.
  bool refuse_failed(bpf_object& object, int error) {
    bpf_program* program = nullptr;
    bool any_left = false, found = false;
    bpf_object__for_each_program(program, &object) {
      const std::string name = bpf_program__name(program);
      if (refused_.contains(name)) continue;
      if (!found && g_libbpf_text.find("prog '" + name + "'") != std::string::npos) {
        refuse(name, reason_for(error, name));
        found = true;
      } else {
        any_left = true;
      }
    }
    if (found) return any_left;
    bpf_object__for_each_program(program, &object) refuse(bpf_program__name(program), reason_for(error, ""));
    return false;
  }

  void attach_all() {
    ring_.reset(ring_buffer__new(map_fd("events"), &Objects::on_record, this, nullptr));
    if (!ring_) return;
    for (const auto& object : objects_) {
      bpf_program* program = nullptr;
      bpf_object__for_each_program(program, object.get()) {
        const std::string name = bpf_program__name(program);
        if (refused_.contains(name)) continue;
        if (is_user_probe(program)) {
          attached_[name] = bpf_program__section_name(program);   // where, attach_user() is told
          continue;
        }
        LinkPtr link{attach(program)};
        if (link) {
          attached_[name] = bpf_program__section_name(program);
          links_.push_back(std::move(link));
        } else {
          refuse(name, options_.unified_folder.empty() && is_cgroup_hook(program) ? "no cgroup v2 hierarchy is mounted" : reason_for(errno, name));
        }
      }
    }
  }

  static bool is_user_probe(const bpf_program* program) { return std::string_view{bpf_program__section_name(program)} == "uprobe"; }

  static bool is_cgroup_hook(const bpf_program* program) { return bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SKB; }

  bpf_link* attach(const bpf_program* program) const {
    if (!is_cgroup_hook(program)) return bpf_program__attach(program);
    // The root of cgroup v2 holds every process, also on nodes that limit them by v1.
    const UniqueFd root{::open(options_.unified_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!root.valid()) return nullptr;
    return bpf_program__attach_cgroup(program, root.get());
  }

  std::vector<ProbeStatus> statuses() const {
    std::vector<ProbeStatus> result;
    for (const auto& purpose : kPurposes) {
      ProbeStatus status;
      status.name = purpose.purpose;
      status.active = true;
      for (const auto& program : kPrograms) {
        if (std::string_view{program.purpose} != purpose.purpose) continue;
        const auto attached = attached_.find(program.name);
        if (attached != attached_.end()) {
          if (!status.attach.empty()) status.attach += ", ";
          status.attach += attached->second;
        } else {
          status.active = false;
          const auto why = refused_.find(program.name);
          status.reason = why == refused_.end() ? "it could not be loaded" : why->second;
        }
      }
      if (const auto by_pid = attached_.find(kOomByPid); by_pid != attached_.end() && status.name == "oom_kill") {
        status.active = true;
        status.attach = by_pid->second;
        status.reason.clear();
      }
      if (!status.active) status.fallback = purpose.fallback;
      result.push_back(std::move(status));
    }
    return result;
  }

  int map_fd(const char* name) const {
    return bpf_object__find_map_fd_by_name(objects_.front().get(), name);
  }

  BpfOptions options_;
  std::map<std::string, std::string, std::less<>> refused_;    // program -> reason
  std::map<std::string, std::string, std::less<>> attached_;   // program -> attach point
  bool use_birth_ = true;
  // Destroyed in reverse order: ring, links, objects.
  std::vector<ObjectPtr> objects_;
  std::vector<LinkPtr> links_;
  RingPtr ring_;
  const std::function<void(const BpfEvent&)>* use_ = nullptr;
  std::size_t budget_ = 0, drained_ = 0;
  std::uint64_t malformed_total_ = 0;
};

}  // namespace

BpfOpened open_bpf(const BpfOptions& options) {
  auto objects = std::make_unique<Objects>(options);
  auto probes = objects->open();
  if (!objects->working()) return {nullptr, std::move(probes)};
  return {std::move(objects), std::move(probes)};
}

}  // namespace fw::kernel
