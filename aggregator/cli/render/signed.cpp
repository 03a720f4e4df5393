// Statements and standing approvals as people read and sign them.
#include <fmt/format.h>

#include "aggregator/cli/policy/standing_yaml.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli::render {
namespace {

using namespace authority;
using term::Document;
using term::Role;

struct NameOf {
  std::string operator()(const std::monostate&) const { return "nothing"; }
  std::string operator()(const Pause&) const { return "pause"; }
  std::string operator()(const Resume&) const { return "resume"; }
  std::string operator()(const Settle&) const { return "settle"; }
  std::string operator()(const NewOrigin&) const { return "new origin"; }
};

void body_lines(Document& document, const Statement& statement) {
  if (const auto* pause = std::get_if<Pause>(&statement.body)) {
    document.item(2, {}, "no action of class 1 and above begins on any node until people resume");
    document.item(2, "reason:", pause->reason);
  } else if (const auto* resume = std::get_if<Resume>(&statement.body)) {
    document.item(2, {}, "actions may begin again");
    document.item(2, "reason:", resume->reason);
  } else if (const auto* settle = std::get_if<Settle>(&statement.body)) {
    document.item(2, "plan:", "sha256:" + to_text(settle->plan));
    document.item(2, {}, settle->happened ? "it happened" : "it did not happen");
    document.item(2, "reason:", settle->reason);
  } else if (const auto* origin = std::get_if<NewOrigin>(&statement.body)) {
    document.item(2, {}, "the audit log goes on under a new name; what the old one had after its named head is given up");
    document.item(2, "new origin:", origin->origin);
    document.item(2, "its key:", key_text(origin->log_key));
    document.item(2, "old origin:", origin->old_origin);
    document.item(2, "old head:", fmt::format("{} entries, root sha256:{}", origin->old_size, to_text(origin->old_root)));
  }
}

}  // namespace

std::string statement_name(const Statement& statement) { return std::visit(NameOf{}, statement.body); }

std::string statement_text(const Statement& statement, const term::Layout& layout) {
  Document document(layout);
  document.paragraph(statement_name(statement), Role::bold);
  body_lines(document, statement);
  document.item(2, "valid:", fmt::format("{} to {}", time_text(statement.issued_ms), time_text(statement.expires_ms)));
  return document.take();
}

std::string standing_text(const StandingApproval& standing, const SignedObject& object, const term::Layout& layout) {
  Document document(layout);
  document.paragraph(fmt::format("standing approval {}", standing.name), Role::bold);
  document.item(0, {}, standing.trigger == Trigger::automatic ? "automatic: nobody is asked any more"
                                                              : "night pass: one approver's signature is enough",
                standing.trigger == Trigger::automatic ? Role::warn : Role::plain);
  document.blank();
  auto yaml = standing_yaml(standing);
  for (std::size_t start = 0; start < yaml.size();) {
    const auto end = yaml.find('\n', start);
    document.verbatim(2, std::string_view(yaml).substr(start, end - start));
    start = end + 1;
  }
  if (!object.digest.empty()) {
    document.heading(fmt::format("{}: {} of {} signatures{}", object.state, object.people.size(), object.needed,
                                 object.people.empty() ? "" : fmt::format(" ({})", fmt::join(object.people, ", "))));
  }
  return document.take();
}

std::string signed_objects(const std::vector<SignedObject>& list, const term::Layout& layout, std::int64_t now_ns) {
  term::Table table({{"DIGEST"}, {"NAME", 8}, {"STATE"}, {"SIGNED"}, {"PEOPLE", 8}, {layout.for_people ? "AGE" : "CREATED"}});
  for (const auto& object : list) {
    table.add({{layout.for_people ? short_digest(object.digest) : object.digest, Role::bold},
               {object.name},
               {object.state, term::role_of_state(object.state)},
               {fmt::format("{}/{}", object.people.size(), object.needed)},
               {object.people.empty() ? "<none>" : fmt::format("{}", fmt::join(object.people, ","))},
               {layout.for_people ? term::age(object.created_ns, now_ns) : term::rfc3339(object.created_ns)}});
  }
  return table.render(layout);
}

}  // namespace fw::cli::render
