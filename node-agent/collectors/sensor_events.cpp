#include <algorithm>
#include <utility>
#include <variant>

#include "common/units.hpp"
#include "node-agent/collectors/event_builder.hpp"
#include "node-agent/collectors/sensors.hpp"
#include "node-agent/kernel/cgroup_files.hpp"

namespace fw::collectors {

std::vector<int> Sensors::poll_fds() const {
  std::vector<int> fds;
  if (bpf_) fds.push_back(bpf_->fd());
  if (log_ && !bpf_tells_oom_) fds.push_back(log_->fd());
  if (watch_) fds.push_back(watch_->fd());
  if (const int fd = registry_.waiting().fd(); fd >= 0) fds.push_back(fd);
  return fds;
}

EventBatch Sensors::drain(std::size_t budget) {
  const auto now = clock_.mono_ns();
  take_filled_folders(now);
  take_written_limits(now);
  take_kernel_events(budget, now);
  settle_containers(now);
  EventBatch batch;
  while (!pending_.empty() && batch.events.size() < budget) {
    registry_.append_with_parents(pending_.front().entity_id, batch.entities);
    batch.events.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  batch.more = !pending_.empty() || ring_was_full_;
  return batch;
}

void Sensors::take_kernel_events(std::size_t budget, std::uint64_t now) {
  offset_ns_ = clock_.wall_ns() - static_cast<std::int64_t>(now);
  ring_was_full_ = false;
  if (bpf_) {
    const auto taken = bpf_->drain(budget, [this](const kernel::BpfEvent& event) {
      std::visit([this](const auto& record) { on_event(record); }, event);
    });
    ring_was_full_ = taken >= budget;
  }
  if (log_ && !bpf_tells_oom_) {
    log_->drain();
    for (const auto& line : log_->take_all()) on_oom_line(line, now);
  }
}

void Sensors::on_event(const fw_oom_event& record) {
  const auto at = record.hdr.mono_ns;
  std::optional<kernel::OomLine> line;
  if (log_) {
    // The kernel prints its line before it marks the victim, so it is in the log by now if it is at all.
    log_->drain();
    line = log_->take(record.victim_thread);
    if (!line) line = log_->take(record.victim.pid);
  }
  auto path = line ? line->task_memcg : std::string{};
  auto cgroup_id = record.hdr.cgroup_id;
  std::optional<kernel::ProcStat> process;
  if (cgroup_id == 0) {   // a kernel that names only the pid: the rest is still in /proc while the victim is dying
    if (auto found = proc_.cgroup_path(record.victim.pid, layout_.memory_v2()); path.empty() && found) path = *found;
    if (auto stat = proc_.stat(record.victim.pid)) process = std::move(*stat);
  }
  auto kill = to_oom_kill(record, page_bytes_, line, registry_.path_of(record.limit_cgroup_id, at));
  if (process) {
    kill.victim.comm = process->comm;
    kill.victim.parent_pid = process->parent_pid;
  }
  push_oom_kill(cgroup_id, path, at, std::move(kill));
}

void Sensors::on_oom_line(const kernel::OomLine& line, std::uint64_t now) {
  push_oom_kill(0, line.task_memcg, now, to_oom_kill(line));
}

void Sensors::push_oom_kill(std::uint64_t cgroup_id, std::string_view path, std::uint64_t at, wire::OomKill kill) {
  auto& entity = registry_.of_event(cgroup_id, path, at);
  const auto id = entity.entry.id;
  make_hot(entity, at + kSymptomIsHotNs);
  if (entity.reader) {
    read_limits(id, *entity.reader);   // a change of the limit comes before the kill that it caused
    if (const auto text = entity.reader->processes(64_KiB)) {
      kill.top_processes = proc_.largest(kernel::parse_pids(*text, 4096), limits::kMaxTopProcesses, kernel::boot_time_ns());
    }
  }
  reconciler_.reported(id);
  push(id, at, std::move(kill));
}

void Sensors::on_event(const fw_exit_event& record) {
  push(registry_.of_event(record.hdr.cgroup_id, {}, record.hdr.mono_ns).entry.id, record.hdr.mono_ns, to_process_exit(record));
}

void Sensors::on_event(const fw_signal_event& record) {
  push(registry_.of_event(record.hdr.cgroup_id, {}, record.hdr.mono_ns).entry.id, record.hdr.mono_ns, to_process_signal(record));
}

void Sensors::on_event(const fw_cgroup_event& record) {
  const std::string_view path{record.path};
  if (path.starts_with('/') && path.size() + 1 < FW_PATH_BYTES) {
    registry_.note_folder(record.hdr.cgroup_id, std::string{path}, record.hdr.mono_ns);
  }
}

void Sensors::push(std::uint32_t entity_id, std::uint64_t mono_ns, EventBody body) {
  if (pending_.size() >= config_.max_pending_events) {
    ++pending_dropped_;
    return;
  }
  ++counters_.events_total;
  pending_.push_back({entity_id, static_cast<std::int64_t>(mono_ns) + offset_ns_, std::move(body)});
}

void Sensors::report_drops(std::uint64_t now) {
  if (bpf_) {
    const auto totals = bpf_->drops();
    for (std::size_t kind = 0; kind < FW_DROP_KINDS; ++kind) {
      if (totals[kind] > dropped_[kind]) push_lost(kDropNames[kind], totals[kind] - dropped_[kind], now);
      dropped_[kind] = totals[kind];
    }
  }
  if (observed_dropped_ > observed_dropped_reported_) {
    push_lost("observed events", observed_dropped_ - observed_dropped_reported_, now);
    observed_dropped_reported_ = observed_dropped_;
  }
  if (pending_dropped_ > pending_dropped_reported_ && pending_.size() < config_.max_pending_events) {
    push_lost("pending events", pending_dropped_ - pending_dropped_reported_, now);
    pending_dropped_reported_ = pending_dropped_;
  }
}

void Sensors::push_lost(const char* source, std::uint64_t count, std::uint64_t now) {
  push(registry_.node_id(), now, wire::Lost{source, count});
}

void Sensors::take_filled_folders(std::uint64_t now) {
  for (const auto id : registry_.take_filled(now)) {
    auto& entity = *registry_.find(id);
    make_hot(entity, entity.hot_until_ns);
    watch_limits(entity);   // not only at the end of the next tick: the next write may be the one that kills
    if (entity.reader) read_limits(id, *entity.reader);
  }
}

void Sensors::take_written_limits(std::uint64_t now) {
  if (!watch_) return;
  offset_ns_ = clock_.wall_ns() - static_cast<std::int64_t>(now);
  auto written = watch_->drain();
  if (written.all) {
    written.owners.clear();
    for (const auto& [id, entity] : registry_.entities()) written.owners.push_back(id);
  }
  for (const auto id : written.owners) {
    auto* const entity = registry_.find(id);
    if (entity != nullptr && entity->reader) read_limits(id, *entity->reader);
  }
}

void Sensors::read_limits(std::uint32_t id, kernel::CgroupReader& reader) {
  char buffer[64];
  const auto check = [&](kernel::CgroupFile file, const char* resource) {
    const auto text = reader.read(file, buffer);
    if (!text) return;
    if (const auto value = kernel::parse_limit(*text)) limit(id, resource, *value);
  };
  check(kernel::CgroupFile::memory_max, "memory.max");
  check(kernel::CgroupFile::memory_high, "memory.high");
}

void Sensors::watch_limits(const Entity& entity) {
  if (!watch_ || !entity.reader) return;
  const auto folder = layout_.memory + entity.entry.cgroup_path;
  if (layout_.memory_v2()) {
    (void)watch_->add(folder + "/memory.max", entity.entry.id);
    (void)watch_->add(folder + "/memory.high", entity.entry.id);
  } else {
    (void)watch_->add(folder + "/memory.limit_in_bytes", entity.entry.id);
  }
}

void Sensors::limit(std::uint32_t entity_id, std::string_view resource, std::int64_t value) {
  auto& known = limits_[entity_id];
  const auto found = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == resource; });
  if (found == known.end()) {
    known.emplace_back(resource, value);
    return;
  }
  if (found->second == value) return;
  push(entity_id, clock_.mono_ns(), wire::LimitChanged{std::string{resource}, found->second, value});
  found->second = value;
}

}  // namespace fw::collectors
