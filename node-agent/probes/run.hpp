// One probe from request to its redacted result. Blocking: up to the request's limit. Runs in a process of its own (helper.hpp).
#pragma once
#include <string>

#include "node-agent/probes/sight.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::probes {

// Always a result for the request; its text is at most limits::kMaxProbeResultBytes and valid on the wire.
wire::ProbeResult run_probe(const Request& request, const Roots& roots);

// The result's JSON: {"kind", "target", "took_ms", "truncated", "redacted": {rule: count}, ..., "rows" or "text"}. Every text from the
// node is redacted; rows, or the beginning of the text, are left out until it fits.
std::string render_answer(const Request& request, Answer answer, double took_ms);

}  // namespace fw::probes
