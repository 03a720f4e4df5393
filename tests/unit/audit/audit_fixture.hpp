// A small log on a disk in memory, and ways to look at and to harm what it wrote.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "aggregator/audit/log.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/manual_clock.hpp"

namespace fw::audit {

inline constexpr char kOrigin[] = "fleetwright/acme/audit";

inline authority::PrivateKey log_key(std::uint8_t seed = 7) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(seed);
  return authority::PrivateKey::from_seed(bytes);
}

inline Entry sample_entry(std::uint64_t number) {
  Entry entry;
  entry.time_ms = 1'790'000'000'000 + static_cast<std::int64_t>(number) * 1000;
  entry.actor = {"person", number % 2 == 0 ? "alice" : "bob", std::string(64, 'a')};
  entry.verb = number % 3 == 0 ? "plan.proposed" : number % 3 == 1 ? "plan.approved" : "plan.released";
  entry.object = {"plan", std::string(64, static_cast<char>('0' + number % 10))};
  entry.incident = "INC-" + std::to_string(number / 3);
  entry.plan = entry.object.id;
  if (number % 3 == 2) entry.release = std::string(64, 'b');
  entry.policy_version = 1;
  entry.decision = number % 3 == 1 ? "approve" : "";
  entry.detail = {{"node", std::string("node-a")}, {"value", std::int64_t{268435456}}, {"kept", true}};
  return entry;
}

inline Draft sample_draft(std::uint64_t number) { return {number, to_text(sample_entry(number))}; }

inline std::vector<Draft> sample_drafts(std::uint64_t from, std::uint64_t to) {
  std::vector<Draft> drafts;
  for (auto number = from; number < to; ++number) drafts.push_back(sample_draft(number));
  return drafts;
}

inline Result<std::unique_ptr<Log>> open_log(Disk& disk, const Clock& clock, std::uint64_t segment_bytes = 4_MiB) {
  LogConfig config;
  config.origin = kOrigin;
  config.segment_bytes = segment_bytes;
  return Log::open(disk, clock, log_key(), config);
}

// The lines of all segments, in order of their names.
inline std::string all_lines(Disk& disk) {
  const auto listed = disk.list();
  auto files = *listed;
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string out;
  for (const auto& file : files) {
    if (!file.name.starts_with("entries-")) continue;
    const auto bytes = disk.read(file.name);
    out.append(bytes->begin(), bytes->end());
  }
  return out;
}

inline std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace fw::audit
