// A case file of somebody else: load() and, when it accepts the bytes, a full investigation and a query that reads all tables.
// Input: 1 byte mode, then mode 0: the file's bytes; mode 1: byte changes (u32 offset, u8 value) to a good file.
#include <cstdint>
#include <cstring>
#include <string>

#include "agents/casefile/case_file.hpp"
#include "agents/investigate.hpp"

namespace {

std::string good_file() {
  fw::agents::IncidentFacts facts;
  facts.id = "INC-1", facts.subject_id = 1, facts.onset_ns = 1'790'000'000'000'000'000;
  fw::agents::EntityRow entity;
  entity.entity_id = 1, entity.kind = "container", entity.name = "a", entity.cgroup_path = "/a";
  facts.entities.push_back(entity);
  facts.symptoms.push_back({1, "oom_kill", facts.onset_ns, facts.onset_ns, 2});
  fw::agents::EventRow kill;
  kill.entity_id = 1, kill.kind = "oom_kill", kill.time_ns = facts.onset_ns, kill.limit_bytes = 1 << 26, kill.constraint_kind = "memcg";
  facts.events.push_back(kill);
  fw::agents::SeriesRow series{1, "memory_limit_bytes", "bytes", "gauge", {}};
  for (int i = 0; i < 20; ++i) series.points.push_back({facts.onset_ns - (20 - i) * 1'000'000'000LL, 1 << 28});
  facts.series.push_back(series);
  fw::agents::ChangeRow change;
  change.change_id = "c", change.source = "node", change.started_ns = facts.onset_ns, change.entity_id = 1, change.match = "observed";
  change.fields.push_back({"memory.max", "1", "2", 1 << 28, 1 << 26, "memory_limit"});
  facts.changes.push_back(change);
  return fw::agents::CaseFile::build(facts)->serialize();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string kGood = good_file();
  if (size == 0) return 0;
  std::string bytes;
  if (data[0] % 2 == 0) {
    bytes.assign(data + 1, data + size);
  } else {
    bytes = kGood;
    for (std::size_t i = 1; i + 5 <= size; i += 5) {
      std::uint32_t offset = 0;
      std::memcpy(&offset, data + i, sizeof offset);
      bytes[offset % bytes.size()] = static_cast<char>(data[i + 4]);
    }
  }
  const auto file = fw::agents::CaseFile::load(bytes);
  if (!file) return 0;
  (void)fw::agents::investigate(*file, fw::agents::Cards::builtin());
  (void)file->query("select * from events, subject, onset, limit_before order by time_ns", {}, {.max_rows = 100, .max_steps = 100'000});
  return 0;
}
