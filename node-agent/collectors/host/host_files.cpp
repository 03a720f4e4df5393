#include "node-agent/collectors/host/host_files.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "node-agent/kernel/text.hpp"

namespace fw::collectors {
namespace {

using kernel::take_until;
using kernel::to_number;
using kernel::trimmed;

constexpr std::size_t kMaxFlags = 256;

constexpr std::array<std::string_view, 33> kWatched{
    "vm/overcommit_memory", "vm/overcommit_ratio", "vm/swappiness", "vm/max_map_count", "vm/panic_on_oom", "vm/oom_kill_allocating_task",
    "vm/min_free_kbytes", "vm/dirty_ratio", "vm/dirty_background_ratio", "vm/nr_hugepages", "kernel/pid_max", "kernel/threads-max", "kernel/panic",
    "kernel/panic_on_oops", "kernel/sched_rt_runtime_us", "fs/file-max", "fs/nr_open", "fs/aio-max-nr", "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches", "net/core/somaxconn", "net/core/netdev_max_backlog", "net/ipv4/ip_forward", "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_max_syn_backlog", "net/ipv4/tcp_tw_reuse", "net/ipv4/tcp_fin_timeout", "net/ipv4/tcp_keepalive_time",
    "net/ipv4/conf/all/rp_filter", "net/ipv4/neigh/default/gc_thresh3", "net/ipv6/conf/all/disable_ipv6", "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max"};

std::string_view take_word(std::string_view& text) {
  const auto begin = text.find_first_not_of(" \t\n");
  text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
  const auto word = text.substr(0, text.find_first_of(" \t\n"));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

MemoryInfo parse_meminfo(std::string_view text) {
  MemoryInfo info;
  while (!text.empty()) {
    auto line = kernel::take_line(text);
    const auto name = take_until(line, ':');
    const auto kib = to_number<std::uint64_t>(take_word(line));
    if (!kib || *kib > (std::uint64_t{1} << 52U)) continue;
    if (name == "MemTotal") info.total_bytes = *kib * 1024;
    if (name == "MemAvailable") info.available_bytes = *kib * 1024;
    if (name == "SwapTotal") info.swap_total_bytes = *kib * 1024;
    if (name == "SwapFree") info.swap_free_bytes = *kib * 1024;
  }
  return info;
}

std::optional<LoadInfo> parse_loadavg(std::string_view text) {
  auto load = take_word(text);
  take_word(text);
  take_word(text);
  auto threads = take_word(text);
  take_until(threads, '/');
  const auto whole = to_number<std::uint32_t>(take_until(load, '.'));
  const auto total = to_number<std::uint64_t>(threads);
  const auto hundredths = to_number<std::uint32_t>(load);
  if (!whole || !hundredths || load.size() != 2 || !total) return std::nullopt;
  return LoadInfo{std::uint64_t{*whole} * 100 + *hundredths, *total};
}

std::optional<FileNumbers> parse_file_nr(std::string_view text) {
  const auto open = to_number<std::uint64_t>(take_word(text)), free = to_number<std::uint64_t>(take_word(text)), max = to_number<std::uint64_t>(take_word(text));
  if (!open || !free || !max || *free > *open) return std::nullopt;
  return FileNumbers{*open - *free, std::min<std::uint64_t>(*max, INT64_MAX)};
}

void PackageList::take_line(std::string_view line) {
  if (line.empty()) return end_of_package();
  if (line.front() == ' ' || line.front() == '\t') return;   // goes on with a field; none of ours has a second line
  const auto field = take_until(line, ':');
  const auto value = trimmed(line).substr(0, kMaxFieldBytes);
  if (field == "Package") name_ = value;
  if (field == "Version") version_ = value;
  if (field == "Architecture") architecture_ = value;
  if (field == "Status") installed_ = value.ends_with(" installed");
}

void PackageList::end_of_package() {
  // The same package of a second architecture has a version of its own.
  if (installed_ && !name_.empty() && packages_.size() < kMaxPackages) {
    if (packages_.contains(name_)) name_ += ":" + architecture_;
    packages_.insert_or_assign(std::move(name_), std::move(version_));
  }
  name_.clear();
  version_.clear();
  architecture_.clear();
  installed_ = false;
}

Settings PackageList::finish() {
  end_of_package();
  return std::exchange(packages_, {});
}

Settings parse_flags(std::string_view cmdline) {
  Settings flags;
  std::string last;              // a flag whose value may be the next argument
  take_until(cmdline, '\0');     // the program
  while (!cmdline.empty() && flags.size() < kMaxFlags) {
    const auto argument = take_until(cmdline, '\0');
    if (!argument.starts_with('-')) {
      if (!last.empty()) flags[last] = argument;
      last.clear();
      continue;
    }
    const auto equals = argument.find('=');
    const std::string name{argument.substr(0, equals)};
    flags[name] = equals == std::string_view::npos ? "" : argument.substr(equals + 1);
    last = equals == std::string_view::npos ? name : "";
  }
  return flags;
}

std::vector<Difference> differences(const Settings& before, const Settings& after) {
  std::vector<Difference> found;
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    const bool removed = now == after.end() || (old != before.end() && old->first < now->first);
    const bool added = !removed && (old == before.end() || now->first < old->first);
    if (removed) {
      found.push_back({old->first, old->second, ""});
      ++old;
    } else if (added) {
      found.push_back({now->first, "", now->second});
      ++now;
    } else {
      if (old->second != now->second) found.push_back({now->first, old->second, now->second});
      ++old;
      ++now;
    }
  }
  return found;
}

std::span<const std::string_view> watched_sysctls() noexcept { return kWatched; }

std::string sysctl_name(std::string_view path) {
  std::string name{path};
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

}  // namespace fw::collectors
