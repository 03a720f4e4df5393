// What the first implementation says, for the test of the second one (second_verifier_test.py).
//
//   fw_audit_verdicts make FOLDER   a small log in FOLDER, its proofs beside it; prints its origin and key
//   fw_audit_verdicts judge         reads cases from stdin, prints one verdict for each:
//                                   'L' u32 u32 note lines | 'P' u32 proof      (little endian lengths)
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>

#include "aggregator/audit/proof.hpp"
#include "common/id.hpp"
#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

int make(const std::string& folder) {
  const SystemClock clock;
  const auto disk = RealDisk::open(folder);
  if (!disk) return 1;
  const auto log = open_log(**disk, clock, 1500);
  for (std::uint64_t i = 0; i < 7; ++i) {
    auto entry = sample_entry(i);
    entry.actor.key.clear();
    entry.object.id = "checkout \u00e9 \"quoted\"";
    entry.release.clear();
    const Draft draft{i, to_text(entry)};
    if (!log || !(*log)->append({&draft, 1})) return 1;
  }
  if (!(*log)->sign()) return 1;
  for (std::uint64_t i = 0; i < 7; ++i)
    std::ofstream(folder + "/" + std::to_string(i) + std::string(kProofName), std::ios::binary)
        << render_proof({*(*log)->entry(i), i, *(*log)->inclusion(i, 7), (*log)->note()});
  std::cout << kOrigin << " " << to_hex(log_key().public_key().bytes) << "\n";
  return 0;
}

std::optional<std::string> block(std::size_t length) {
  std::string bytes(length, '\0');
  if (!std::cin.read(bytes.data(), static_cast<std::streamsize>(length))) return std::nullopt;
  return bytes;
}

std::size_t length() {
  const auto bytes = block(4).value_or(std::string(4, '\0'));
  std::size_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

int judge() {
  const Trust trust{kOrigin, log_key().public_key(), {}, 0};
  for (char kind = 0; std::cin.get(kind);) {
    if (kind == 'P') {
      const auto proof = parse_proof(block(length()).value_or(""));
      std::cout << (proof && check_proof(*proof, trust) ? "good" : "bad") << "\n";
      continue;
    }
    const auto note_bytes = length(), line_bytes = length();
    LogVerifier verifier(trust);
    verifier.set_head(block(note_bytes).value_or(""));
    for (const auto& line : split_lines(block(line_bytes).value_or(""))) verifier.add(line);
    const auto report = verifier.report();
    std::cout << (report.verdict == Verdict::valid ? "good" : report.first_bad ? std::to_string(*report.first_bad) : "bad") << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace fw::audit

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "make") return fw::audit::make(argv[2]);
  return argc == 2 && std::string(argv[1]) == "judge" ? fw::audit::judge() : 2;
}
