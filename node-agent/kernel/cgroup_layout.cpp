#include "node-agent/kernel/cgroup_layout.hpp"

#include "node-agent/kernel/text.hpp"

namespace fw::kernel {
namespace {

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (take_until(list, ',') == word) return true;
  }
  return false;
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out += static_cast<char>(((text[i + 1] - '0') << 6) | ((text[i + 2] - '0') << 3) | (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

void keep_first(std::string& field, const std::string& value) {
  if (field.empty()) field = value;
}

}  // namespace

std::string_view mode_text(CgroupMode mode) noexcept {
  switch (mode) {
    case CgroupMode::v1: return "v1";
    case CgroupMode::hybrid: return "hybrid";
    case CgroupMode::v2: return "v2";
  }
  return "v2";
}

Result<CgroupLayout> parse_cgroup_mounts(std::string_view text) {
  CgroupLayout layout;
  while (!text.empty()) {
    auto line = take_line(text);
    // id parent major:minor ROOT MOUNT-POINT options [tags...] - TYPE source SUPER-OPTIONS
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    auto right = line.substr(dash + 3);
    const auto type = take_until(right, ' ');
    if (type != "cgroup" && type != "cgroup2") continue;
    for (int skipped = 0; skipped < 4; ++skipped) take_until(line, ' ');
    const auto folder = unescaped(take_until(line, ' '));
    take_until(right, ' ');
    if (type == "cgroup2") {
      keep_first(layout.unified, folder);
      continue;
    }
    if (has_word(right, "memory")) keep_first(layout.memory, folder);
    if (has_word(right, "cpu")) keep_first(layout.cpu, folder);
    if (has_word(right, "cpuacct")) keep_first(layout.cpuacct, folder);
    if (has_word(right, "pids")) keep_first(layout.pids, folder);
  }
  if (!layout.memory.empty()) {
    layout.mode = layout.unified.empty() ? CgroupMode::v1 : CgroupMode::hybrid;
    return layout;
  }
  if (layout.unified.empty()) return Error{Errc::unsupported, "no cgroup hierarchy with the memory controller is mounted"};
  layout.mode = CgroupMode::v2;
  layout.memory = layout.unified;
  keep_first(layout.cpu, layout.unified);
  keep_first(layout.pids, layout.unified);
  return layout;
}

}  // namespace fw::kernel
