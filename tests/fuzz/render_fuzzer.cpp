// What a hostile server can put on a person's terminal: every renderer of the CLI over arbitrary answers. Nothing but
// line breaks, printable text and tabs between cells may come out, and tables must fit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agents/investigate.hpp"
#include "aggregator/cli/context.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/render/incident.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/render/policy.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/watch.hpp"

namespace {

using namespace fw::cli;

constexpr std::int64_t kNow = 1'795'488'600'000'000'000;

void check_harmless(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F) std::abort();
  }
  // Escaping again changes nothing but the breaks and tabs that the renderer made itself.
  std::size_t breaks = 0;
  for (const char c : text) breaks += c == '\n' || c == '\t' ? 1 : 0;
  if (fw::cli::term::escape(text).size() != text.size() + breaks) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto escaped = fw::cli::term::escape(bytes);
  check_harmless(escaped);
  if (fw::cli::term::escape(escaped) != escaped) std::abort();
  if (fw::cli::term::display_width(fw::cli::term::truncate(escaped, 9)) > 9) std::abort();

  fw::cli::term::Layout people;
  people.for_people = true;
  const auto findings = fw::agents::findings_from_json(bytes);
  for (const auto& layout : {fw::cli::term::Layout{}, people}) {
    for (const auto detail : {render::Detail::normal, render::Detail::wide}) {
      if (const auto list = read_incidents(bytes)) {
        check_harmless(render::incidents(*list, layout, detail, kNow));
        check_harmless(render_watch({*list, kNow - 1, bytes, bytes}, layout, 24, kNow));
      }
      if (const auto list = read_nodes(bytes)) check_harmless(render::nodes(*list, layout, detail, kNow));
      if (const auto list = read_changes(bytes)) check_harmless(render::changes(*list, layout, detail, kNow));
      if (const auto incident = read_incident(bytes))
        check_harmless(render::show(*incident, std::nullopt, layout, detail, kNow));
      if (const auto plan = read_plan(bytes)) {
        check_harmless(render::plans({*plan}, layout, detail, kNow));
        if (const auto checked = check_plan_object(*plan)) check_harmless(render::plan_show(*checked, *plan, std::nullopt, layout, kNow / 1'000'000));
      }
      if (const auto list = read_statement_objects(bytes)) check_harmless(render::signed_objects(*list, layout, kNow));
      if (const auto policy = read_policy_object(bytes)) check_harmless(render::policy_status({}, *policy, layout, kNow / 1'000'000));
      if (findings) {
        check_harmless(render::explain(bytes, *findings, layout, detail));
        check_harmless(render::show({}, *findings, layout, detail, kNow));
        if (!findings->facts.empty()) check_harmless(*render::evidence(*findings, findings->facts.front().id, layout));
      }
    }
  }
  (void)read_status(bytes);
  (void)read_error(bytes);
  (void)normal_incident_id(bytes);
  if (const auto contexts = parse_contexts(bytes); contexts && !parse_contexts(render_contexts(*contexts)))
    std::abort();
  return 0;
}
