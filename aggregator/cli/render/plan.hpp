// A plan as people read and sign it. Pure: the same bytes give the same text, whoever renders them. Escapes what it is given.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/cli/plans/plan_object.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/term/document.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::cli::render {

// What a signature covers, from the bytes alone: nothing of the server, no clock, no colours, no line breaks by width. Its SHA-256 is the
// approval's render digest; `plan diff` shows the same words, wrapped for the screen.
std::string signed_text(const CheckedPlan& plan);
authority::Digest render_digest(const CheckedPlan& plan);
std::string renderer_name();                                       // "fleetwright 0.4.0"

// The text that is signed, then what the server adds to it: the way by hand, its warnings; the counts, the digest and the command to
// approve last.
std::string plan_diff(const CheckedPlan& plan, const PlanObject& object, const term::Layout& layout, std::int64_t now_ms);

// plan_diff with its state in front, who signed (`progress`: counted here from the signatures; absent without a policy), what became of
// it and who was refused.
std::string plan_show(const CheckedPlan& plan, const PlanObject& object, const std::optional<authority::Progress>& progress,
                      const term::Layout& layout, std::int64_t now_ms);

std::string plans(const std::vector<PlanObject>& list, const term::Layout& layout, Detail detail, std::int64_t now_ns);

// The name that a person types to approve: of the object, not of the plan.
std::string object_name(const CheckedPlan& plan);
std::string short_digest(const std::string& digest);               // 12 hex digits
std::string progress_line(const authority::Progress& progress);    // "1 of 2 people: alice; a senior is missing"
// "sentence [code]"
std::string refusal_line(std::string_view sentence, std::string_view code);

std::string standing_text(const authority::StandingApproval& standing, const SignedObject& object, const term::Layout& layout);
std::string statement_text(const authority::Statement& statement, const term::Layout& layout);
std::string statement_name(const authority::Statement& statement);  // "pause", "resume", "settle", "new origin"
std::string signed_objects(const std::vector<SignedObject>& list, const term::Layout& layout, std::int64_t now_ns);

}  // namespace fw::cli::render
