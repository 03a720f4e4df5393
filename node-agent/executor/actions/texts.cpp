#include "node-agent/executor/actions/texts.hpp"

#include <algorithm>

#include "node-agent/kernel/text.hpp"

namespace fw::executor {
namespace {

using kernel::take_line;
using kernel::take_until;
using kernel::to_number;
using kernel::trimmed;

// v1 rounds "no limit" down to a page: everything above this is none.
constexpr std::int64_t kNearlyMax = (1LL << 62U);

}  // namespace

std::optional<std::int64_t> parse_keyed(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    auto line = take_line(text);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    if (line.empty() || (line.front() != ' ' && line.front() != ':' && line.front() != '\t')) continue;
    if (line.front() == ':') line.remove_prefix(1);
    line = trimmed(line);
    return to_number<std::int64_t>(take_until(line, ' '));
  }
  return std::nullopt;
}

Result<std::int64_t> parse_value(std::string_view text) {
  const auto word = trimmed(text);
  if (word == "max") return std::int64_t{-1};
  const auto number = to_number<std::uint64_t>(word);
  if (number) return *number >= static_cast<std::uint64_t>(kNearlyMax) ? std::int64_t{-1} : static_cast<std::int64_t>(*number);
  if (word == "-1") return std::int64_t{-1};
  return Error(Errc::malformed, "bad number '" + std::string(word.substr(0, 40)) + "'");
}

Result<CpuMax> parse_cpu_max(std::string_view text) {
  auto rest = trimmed(text);
  const auto quota = parse_value(take_until(rest, ' '));
  if (!quota) return quota.error();
  const auto period = to_number<std::int64_t>(rest);
  if (!period || *period <= 0) return Error(Errc::malformed, "cpu.max: bad period");
  return CpuMax{*quota, *period};
}

std::int64_t shares_of_weight(std::int64_t weight) noexcept { return std::clamp<std::int64_t>((weight * 1024 + 50) / 100, 2, 262'144); }
std::int64_t weight_of_shares(std::int64_t shares) noexcept { return std::clamp<std::int64_t>((shares * 100 + 512) / 1024, 1, 10'000); }

Result<Snapshot> Snapshot::parse(ByteView bytes) {
  Snapshot out;
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    auto line = take_line(text);
    const auto name = take_until(line, ' ');
    const auto value = to_number<std::int64_t>(line);
    const bool good = !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    if (!good || !value || out.get(name) || out.values_.size() == kMaxSnapshotEntries) return Error(Errc::malformed, "snapshot: bad line");
    out.set(name, *value);
  }
  return out;
}

Bytes Snapshot::bytes() const {
  std::string text;
  for (const auto& [name, value] : values_) text += name + " " + std::to_string(value) + "\n";
  return Bytes(text.begin(), text.end());
}

std::optional<std::int64_t> Snapshot::get(std::string_view name) const {
  const auto at = values_.find(name);
  return at == values_.end() ? std::nullopt : std::optional(at->second);
}

Result<std::int64_t> Snapshot::need(std::string_view name) const {
  if (const auto value = get(name)) return *value;
  return Error(Errc::malformed, "snapshot: no " + std::string(name));
}

std::string container_name_of(std::string_view mountinfo, std::string_view pod_uid) {
  const std::string folder = "/pods/" + std::string(pod_uid) + "/containers/";
  while (!mountinfo.empty()) {
    auto line = take_line(mountinfo);
    for (int skipped = 0; skipped < 3; ++skipped) take_until(line, ' ');
    auto root = take_until(line, ' ');
    const auto at = root.find(folder);
    if (at == std::string_view::npos) continue;
    root.remove_prefix(at + folder.size());
    return std::string(take_until(root, '/'));
  }
  return {};
}

std::string text_of(std::int64_t value) { return value < 0 ? "max" : std::to_string(value); }

}  // namespace fw::executor
