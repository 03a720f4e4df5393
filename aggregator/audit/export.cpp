#include "aggregator/audit/export.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "common/embedded_file.hpp"
#include "common/id.hpp"
#include "protocol/authority/merkle.hpp"

namespace fw {
std::span<const EmbeddedFile> embedded_verifier();
}

namespace fw::audit {
namespace {

namespace json = boost::json;

constexpr std::array kControls{
    Control{"soc2:CC6.1", "logical access is restricted", "policy. standing. statement. session. access."},
    Control{"soc2:CC6.2", "people are authorised before they get access", "policy. session."},
    Control{"soc2:CC6.3", "access is changed by role and duty", "policy. standing."},
    Control{"soc2:CC7.2", "systems are watched for anomalies", "executor. log. plan.proposed plan.refused plan.outcome plan.effect_missing"},
    Control{"soc2:CC7.3", "events are evaluated and answered", "plan. executor. statement."},
    Control{"soc2:CC8.1", "changes are authorised, approved and tracked", "plan. standing. policy. statement."},
    Control{"pci:10.2", "what is logged", ""},
    Control{"pci:10.3", "logs are protected against change", "log. executor."},
    Control{"pci:10.4", "logs are reviewed", "executor. log. plan."},
    Control{"pci:10.5", "logs are kept", ""},
    Control{"iso:A.5.3", "duties are segregated", "plan. standing. policy."},
    Control{"iso:A.8.15", "activities are logged", ""},
    Control{"iso:A.8.17", "clocks are synchronised", "executor. log."},
    Control{"iso:A.8.32", "changes are managed", "plan. standing. policy."},
};

constexpr int kOcsfCategory = 6, kOcsfClass = 6003;   // Application Activity: API Activity
enum class Activity : std::uint8_t { create = 1, read = 2, update = 3, other = 99 };

using std::chrono::day;
using std::chrono::month;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

std::optional<unsigned> number(std::string_view text, std::size_t digits) {
  unsigned value = 0;
  if (text.size() != digits) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::int64_t ms_of(const year_month_day& date) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(sys_days(date).time_since_epoch()).count();
}

std::optional<Period> one_period(std::string_view text) {
  const auto years = number(text.substr(0, 4), 4);
  if (!years) return std::nullopt;
  auto from = year(static_cast<int>(*years)) / month(1) / day(1);
  const auto rest = text.substr(4);
  const auto spans = [&](months length) { return from.ok() ? std::optional(Period{ms_of(from), ms_of(from + length)}) : std::nullopt; };
  if (rest.empty()) return spans(months(12));
  if (rest.size() == 2 && rest[0] == 'Q' && rest[1] >= '1' && rest[1] <= '4') {
    from = year(static_cast<int>(*years)) / month(static_cast<unsigned>(rest[1] - '1') * 3 + 1) / day(1);
    return spans(months(3));
  }
  const auto in_year = rest[0] == '-' ? number(rest.substr(1, 2), 2) : std::nullopt;
  if (!in_year) return std::nullopt;
  from = year(static_cast<int>(*years)) / month(*in_year) / day(1);
  if (rest.size() == 3) return spans(months(1));
  const auto in_month = rest.size() == 6 && rest[3] == '-' ? number(rest.substr(4), 2) : std::nullopt;
  if (!in_month) return std::nullopt;
  from = from.year() / from.month() / day(*in_month);
  if (!from.ok()) return std::nullopt;
  return Period{ms_of(from), ms_of(year_month_day(sys_days(from) + std::chrono::days(1)))};
}

Activity activity_of(std::string_view verb) {
  const auto word = verb.substr(std::min(verb.find('.'), verb.size()));
  if (word == ".proposed" || word == ".loaded" || word == ".seen") return Activity::create;
  if (word == ".vote" || word == ".signed" || word == ".accepted" || word == ".released" || word == ".outcome") return Activity::update;
  return Activity::other;
}

}  // namespace

std::span<const Control> controls() { return kControls; }

const Control* find_control(std::string_view id) {
  const auto found = std::find_if(kControls.begin(), kControls.end(), [&](const Control& control) { return control.id == id; });
  return found == kControls.end() ? nullptr : &*found;
}

Result<Period> parse_period(std::string_view text) {
  const auto dots = text.find("..");
  const auto first = one_period(text.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : one_period(text.substr(dots + 2));
  if (!first || !last || first->from_ms >= last->to_ms)
    return Error{Errc::invalid_argument, fmt::format("{} is not a period; it can be 2026, 2026Q3, 2026-08, 2026-08-14 or two of them with .. between", text)};
  return Period{first->from_ms, last->to_ms};
}

bool selects(const Selection& selection, const Entry& entry) {
  if (entry.time_ms < selection.period.from_ms || entry.time_ms >= selection.period.to_ms) return false;
  if (!selection.incident.empty() && entry.incident != selection.incident) return false;
  if (selection.control == nullptr || selection.control->verbs.empty()) return true;
  auto verbs = selection.control->verbs;
  while (!verbs.empty()) {
    const auto end = std::min(verbs.find(' '), verbs.size());
    if (entry.verb.starts_with(verbs.substr(0, end))) return true;
    verbs.remove_prefix(std::min(end + 1, verbs.size()));
  }
  return false;
}

std::string ocsf_line(const Stored& stored, std::string_view line) {
  const auto& entry = stored.entry;
  const auto activity = static_cast<int>(activity_of(entry.verb));
  const bool failed = !entry.code.empty() || entry.decision == "deny";
  json::object unmapped{{"seq", stored.seq}, {"leafHash", authority::to_text(authority::leaf_hash(line))}};
  for (const auto& [name, text] : {std::pair{"incident", entry.incident}, std::pair{"plan", entry.plan}, std::pair{"release", entry.release},
                                   std::pair{"decision", entry.decision}})
    if (!text.empty()) unmapped[name] = text;
  if (entry.policy_version != 0) unmapped["policyVersion"] = entry.policy_version;
  const json::object event{
      {"category_uid", kOcsfCategory},
      {"class_uid", kOcsfClass},
      {"activity_id", activity},
      {"type_uid", kOcsfClass * 100 + activity},
      {"time", entry.time_ms},
      {"severity_id", failed ? 3 : 1},
      {"status_id", failed ? 2 : 1},
      {"status_code", entry.code},
      {"metadata", {{"version", "1.1.0"}, {"uid", fmt::format("{}", stored.seq)}, {"product", {{"name", "Fleetwright"}, {"vendor_name", "Fleetwright"}}}}},
      {"actor", {{"user", {{"name", entry.actor.name}, {"type", entry.actor.kind}, {"credential_uid", entry.actor.key}}}}},
      {"api", {{"operation", entry.verb}}},
      {"src_endpoint", {{"name", entry.actor.kind == "node" ? entry.actor.name : "aggregator"}}},
      {"resources", json::array{{{"type", entry.object.type}, {"uid", entry.object.id}}}},
      {"unmapped", std::move(unmapped)}};
  return json::serialize(event);
}

std::string_view second_verifier() { return embedded_verifier().front().text; }

std::string readme_text(const ExportInfo& info) {
  return fmt::format(
      "# Evidence from the audit log {origin}\n\n"
      "Selection: {selection}. {entries} of {size} entries.\nExported by {program} after it had verified the whole log.\n\n"
      "| file | what it is |\n|---|---|\n"
      "| entries.jsonl | the entries as they are stored and hashed, one JSON object in a line |\n"
      "| checkpoint | the signed head of the whole log when this was exported (c2sp.org/tlog-checkpoint) |\n"
      "| proofs/SEQ.tlog-proof | for each entry: the entry, its path in the Merkle tree and the head (c2sp.org/tlog-proof) |\n"
      "| ocsf.jsonl | the same entries for other tools, as OCSF 1.1 API Activity; a reading aid, not proven |\n"
      "| fleetwright_verify.py | a verifier that needs Python 3 and openssl only; SHA-256 {verifier} |\n\n"
      "Check it without Fleetwright:\n\n"
      "    python3 fleetwright_verify.py proof proofs/*.tlog-proof --origin {origin} --key {key}\n\n"
      "or with it: `fleetwright audit check proofs/SEQ.tlog-proof --origin {origin} --key KEYFILE`. Take the origin, the key and the hash of the\n"
      "verifier from a place that you trust (the signed policy, the release page), not from this folder.\n\n"
      "Head: {size} entries, root {root}.\n",
      fmt::arg("origin", info.head.origin), fmt::arg("selection", info.selection), fmt::arg("entries", info.entries), fmt::arg("size", info.head.size),
      fmt::arg("program", info.program), fmt::arg("verifier", authority::to_text(info.verifier)), fmt::arg("key", info.key_hex),
      fmt::arg("root", authority::to_text(info.head.root)));
}

}  // namespace fw::audit
