#include "node-agent/probes/run.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "node-agent/redaction/redaction.hpp"
#include "protocol/limits.hpp"
#include "protocol/wire/text.hpp"

namespace fw::probes {
namespace {

namespace json = boost::json;

using Run = Result<Answer> (*)(const Sight&, const Request&);
constexpr std::array<std::pair<std::string_view, Run>, 12> kRuns{{
    {"log_tail", log_tail}, {"process_table", process_table}, {"connections", connections}, {"d_state_stacks", d_state_stacks},
    {"directory_sizes", directory_sizes}, {"listening_ports", listening_ports}, {"environment_names", environment_names},
    {"effective_limits", effective_limits}, {"dns_lookup", dns_lookup}, {"tcp_connect", tcp_connect}, {"kernel_log", kernel_log}, {"cpu_profile", cpu_profile},
}};

constexpr std::chrono::milliseconds kReserve{500};   // of the limit, for redaction and the way back
constexpr std::size_t kMaxTextBytes = 96 * 1024;     // its escapes have to fit as well

std::string clean(std::string_view text, redaction::RedactionCounts& counts) { return wire::to_wire_text(redaction::redact(text, &counts)); }

void clean(json::value& value, redaction::RedactionCounts& counts) {
  if (auto* text = value.if_string()) {
    *text = clean(std::string_view(text->data(), text->size()), counts);
  } else if (auto* list = value.if_array()) {
    for (auto& one : *list) clean(one, counts);
  } else if (auto* object = value.if_object()) {
    for (auto& [key, one] : *object) clean(one, counts);
  }
}

wire::ProbeStatus status_of(const Error& error) {
  if (error.code == Errc::gone || error.code == Errc::not_found) return wire::ProbeStatus::not_found;
  if (error.code == Errc::timeout) return wire::ProbeStatus::timeout;
  if (error.code == Errc::invalid_argument) return wire::ProbeStatus::invalid;
  return wire::ProbeStatus::failed;
}

}  // namespace

std::string render_answer(const Request& request, Answer answer, double took_ms) {
  redaction::RedactionCounts counts;
  const bool is_text = answer.rows.empty() && !answer.text.empty();
  if (answer.rows.size() > kMaxRows) {
    answer.rows.resize(kMaxRows);
    answer.truncated = true;
  }
  json::value rows(std::move(answer.rows));
  clean(rows, counts);
  json::value facts(std::move(answer.facts));
  clean(facts, counts);
  auto text = clean(answer.text, counts);
  if (text.size() > kMaxTextBytes) {   // the newest lines are the telling ones
    const auto newline = text.find('\n', text.size() - kMaxTextBytes);
    text.erase(0, newline == std::string::npos ? text.size() - kMaxTextBytes : newline + 1);
    text = wire::to_wire_text(text);
    answer.truncated = true;
  }
  json::object redacted;
  for (const auto& [rule, count] : counts) redacted[rule] = count;
  for (;;) {
    json::object out{{"kind", request.kind->name}, {"target", wire::to_wire_text(request.target.name)}, {"took_ms", took_ms}, {"truncated", answer.truncated},
                     {"redacted", redacted}};
    for (const auto& [key, fact] : facts.as_object()) out[key] = fact;
    if (is_text) {
      out["text"] = text;
    } else {
      out["rows"] = rows;
    }
    auto rendered = json::serialize(out);
    if (rendered.size() <= limits::kMaxProbeResultBytes) return rendered;
    answer.truncated = true;
    auto& list = rows.as_array();
    if (is_text) {
      text.erase(0, std::max(text.size() / 2, std::min(text.find('\n', text.size() / 2), text.size())));
      text = wire::to_wire_text(text);
    } else if (!list.empty()) {
      list.resize(list.size() / 2);
    } else {
      facts.as_object().clear();
    }
  }
}

wire::ProbeResult run_probe(const Request& request, const Roots& roots) {
  const auto begin = std::chrono::steady_clock::now();
  const auto run = std::find_if(kRuns.begin(), kRuns.end(), [&](const auto& one) { return one.first == request.kind->name; });
  if (run == kRuns.end()) return {.id = request.id, .status = wire::ProbeStatus::invalid, .text = "no such probe"};
  const Sight sight(roots, begin + std::max(request.limit - kReserve, request.limit / 2));
  auto answer = run->second(sight, request);
  if (!answer) {
    redaction::RedactionCounts counts;
    return {.id = request.id, .status = status_of(answer.error()), .text = clean(answer.error().message(), counts).substr(0, 1024)};
  }
  const auto took_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return {.id = request.id, .status = wire::ProbeStatus::done, .text = render_answer(request, std::move(*answer), took_ms)};
}

}  // namespace fw::probes
