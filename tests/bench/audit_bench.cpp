// How many audit entries one core takes: drafts into the log in batches, each batch synced and covered by a signed head, on a real disk.
//
//   audit_bench FOLDER [ENTRIES [BATCH]]   FOLDER must not exist; it is left behind
//
// One line of JSON. Core seconds are what the process used; the wall time, which has the disk's syncs in it, stands beside. A batch is what
// one second brings at that rate; the smallest one, of a single approval, is in sign_p99_ms.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "aggregator/audit/log.hpp"

namespace {

using namespace fw;

constexpr std::uint64_t kEntries = 100'000, kBatch = 2'000, kSingles = 200;

double core_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

audit::Entry vote(std::uint64_t number) {
  audit::Entry entry;
  entry.time_ms = 1'800'000'000'000 + static_cast<std::int64_t>(number);
  entry.actor = {"person", "alice", std::string(64, 'a')};
  entry.verb = "plan.vote";
  entry.plan = authority::to_text(authority::sha256({reinterpret_cast<const std::uint8_t*>(&number), sizeof number}));
  entry.object = {"plan", entry.plan};
  entry.incident = fmt::format("INC-{}", number);
  entry.policy_version = 3;
  entry.decision = "approve";
  entry.detail = {{"document", entry.plan}, {"reason", std::string("the limit was lowered by mistake")}, {"renderer", std::string("fleetwright 0.4.0")}, {"render", entry.plan}};
  return entry;
}

std::uint64_t number_of(const char* text, std::uint64_t otherwise) {
  const std::string_view view(text == nullptr ? "" : text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  return error == std::errc{} && end == view.data() + view.size() && value > 0 ? value : otherwise;
}

int fail(const Error& error) {
  std::fprintf(stderr, "audit_bench: %s\n", error.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto entries = number_of(argc > 2 ? argv[2] : nullptr, kEntries);
  const auto batch = std::min<std::uint64_t>(number_of(argc > 3 ? argv[3] : nullptr, kBatch), audit::kMaxUnsignedEntries);
  const SystemClock clock;
  auto disk = RealDisk::open(argv[1]);
  if (!disk) return fail(disk.error());
  const auto key = authority::PrivateKey::generate().to_pem();
  audit::LogConfig config;
  config.origin = "fleetwright/bench/audit";
  auto log = audit::Log::open(**disk, clock, *authority::PrivateKey::from_pem(key), config);
  if (!log) return fail(log.error());

  const auto core_begin = core_seconds();
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t done = 0; done < entries;) {
    std::vector<audit::Draft> drafts;
    for (const auto end = std::min(done + batch, entries); done < end; ++done) drafts.push_back({done, audit::to_text(vote(done))});
    if (const auto seqs = (*log)->append(drafts); !seqs) return fail(seqs.error());
    if (const auto note = (*log)->sign(); !note) return fail(note.error());
  }
  const auto core = core_seconds() - core_begin, wall = seconds_since(begin);

  std::vector<double> single_ms;
  for (std::uint64_t i = 0; i < kSingles; ++i) {
    const audit::Draft draft{entries + i, audit::to_text(vote(entries + i))};
    const auto one = std::chrono::steady_clock::now();
    if (!(*log)->append({&draft, 1}) || !(*log)->sign()) return fail(Error{Errc::io, (*log)->problem()});
    single_ms.push_back(seconds_since(one) * 1e3);
  }
  std::sort(single_ms.begin(), single_ms.end());

  log->reset();
  const auto open_begin = std::chrono::steady_clock::now();
  log = audit::Log::open(**disk, clock, *authority::PrivateKey::from_pem(key), config);
  if (!log || (*log)->size() != entries + kSingles) return fail(log ? Error{Errc::malformed, "entries are missing after opening"} : log.error());
  const auto open_s = seconds_since(open_begin);

  fmt::print("{{\"audit_entries_per_core_second\": {:.0f}, \"entries\": {}, \"batch\": {}, \"wall_entries_per_second\": {:.0f}, \"sign_p50_ms\": {:.2f}, \"sign_p99_ms\": {:.2f}, \"open_s\": {:.2f}}}\n",
             static_cast<double>(entries) / core, entries, batch, static_cast<double>(entries) / wall, single_ms[kSingles / 2], single_ms[kSingles * 99 / 100], open_s);
  return 0;
}
