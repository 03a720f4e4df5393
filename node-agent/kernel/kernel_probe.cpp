#include "node-agent/kernel/kernel_probe.hpp"

#include <linux/capability.h>

#include <charconv>

#include "common/units.hpp"
#include "node-agent/kernel/capabilities.hpp"
#include "node-agent/kernel/proc_files.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::kernel {
namespace {

std::string yes_no(bool value) { return value ? "yes" : "no"; }

}  // namespace

bool Capabilities::can_load_bpf() const noexcept {
  return has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON));
}

Result<Capabilities> parse_capabilities(std::string_view proc_status) {
  while (!proc_status.empty()) {
    auto line = take_line(proc_status);
    if (take_until(line, ':') != "CapEff") continue;
    const auto digits = trimmed(line);
    Capabilities capabilities;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), capabilities.effective, 16);
    if (error != std::errc{} || end != digits.data() + digits.size()) break;
    return capabilities;
  }
  return Error{Errc::malformed, "/proc/self/status: no CapEff"};
}

Result<Capabilities> read_capabilities() {
  const auto text = read_small_file("/proc/self/status", 64_KiB);
  if (!text) return text.error();
  return parse_capabilities(*text);
}

std::vector<std::string> KernelFeatures::lacking() const {
  std::vector<std::string> words;
  for (const auto& probe : probes) {
    if (probe.active) continue;
    auto sentence = probe.name + ": " + probe.reason;
    if (!probe.fallback.empty()) sentence += "; instead: " + probe.fallback;
    words.push_back(std::move(sentence));
  }
  return words;
}

std::string KernelFeatures::text() const {
  std::string out;
  const auto line = [&](std::string_view name, std::string_view value) {
    out += name;
    out.append(name.size() < 16 ? 16 - name.size() : 1, ' ');
    out += value;
    out += '\n';
  };
  line("kernel", release);
  line("cgroups", cgroup_mode);
  line("btf", yes_no(btf));
  line("bpf rights", yes_no(bpf_rights));
  line("pressure files", yes_no(psi));
  line("kernel log", yes_no(kernel_log));
  for (const auto& probe : probes) {
    if (probe.active) {
      line(probe.name, "ok    " + probe.attach);
      continue;
    }
    line(probe.name, "no    " + probe.reason + (probe.fallback.empty() ? "" : "; instead: " + probe.fallback));
  }
  return out;
}

}  // namespace fw::kernel
