// audit: the log, checked here. What must be believed before (origin, key, witnesses) comes from a file of this person, never from the
// server; the server, a folder or a file only gives the bytes.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include <fmt/format.h>

#include "aggregator/audit/export.hpp"
#include "aggregator/audit/proof.hpp"
#include "aggregator/cli/audit/log_source.hpp"
#include "aggregator/cli/command.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/json_read.hpp"
#include "aggregator/cli/term/text.hpp"
#include "common/base64.hpp"
#include "common/id.hpp"
#include "common/version.hpp"

namespace fw::cli {
namespace {

constexpr std::string_view kTrustAdvice = "--policy FILE, or --origin NAME --key FILE";

struct AuditOptions {
  std::string policy, origin, key;                       // what is believed
  std::string from, file, second, out, plan, period, incident, control;
  std::uint64_t first = 0;
  std::optional<std::uint64_t> last, seq;
  bool witness = false, force = false;
};

ExitCode exit_of(audit::Verdict verdict) {
  switch (verdict) {
    case audit::Verdict::valid: return ExitCode::ok;
    case audit::Verdict::tampered: return ExitCode::audit_tampered;
    case audit::Verdict::forked: return ExitCode::audit_forked;
    case audit::Verdict::quorum_missing: return ExitCode::quorum_missing;
    case audit::Verdict::stale: return ExitCode::stale;
  }
  return ExitCode::audit_tampered;
}

Failure wrong_trust(const Error& error, const std::string& what, std::string_view advice = kTrustAdvice) {
  auto failure = failure_of(error, what, advice);
  failure.code = ExitCode::usage;
  return failure;
}

Outcome<audit::Trust> trust_of(const Session& session, const AuditOptions& options) {
  if (options.origin.empty() != options.key.empty())
    return Failure{ExitCode::usage, "--origin and --key go together", "", std::string(kTrustAdvice)};
  if (!options.origin.empty()) {
    const auto file = read_file(options.key, kMaxConfigBytes);
    auto key = audit::parse_log_key(file ? *file : options.key);
    if (!key) return wrong_trust(key.error(), options.key + " is no key of a log", "log.pub, PEM (openssl pkey -pubout), 64 hex digits or NAME+HASH+KEY");
    return audit::Trust{options.origin, std::move(*key), {}, 0};
  }
  const auto file = options.policy.empty() ? session.folder() + "/policy/policy.json" : options.policy;
  const auto bytes = read_file(file, kMaxConfigBytes);
  if (!bytes) return wrong_trust(bytes.error(), "whom to believe is not known: cannot read " + file);
  const auto policy = read_policy_file(*bytes);
  if (!policy) return wrong_trust(policy.error(), file + " is no policy");
  return audit::trust_of(*policy);
}

Outcome<LogSource> open_source(Session& session, const AuditOptions& options) {
  if (!options.file.empty()) return file_source(options.file);
  const auto server = session.server();
  if (!server) return server.error();
  return server_source(**server);
}

// Feeds all of the log to the verifier, up to the head that it shows.
Outcome<void> read_all(LogSource& source, audit::LogVerifier& verifier, const std::function<void(const std::string&)>& each) {
  verifier.set_head(source.note);
  const auto note = authority::parse_note(source.note);
  const auto size = note ? note->checkpoint.size : 0;
  for (std::uint64_t from = 0;;) {
    const auto lines = source.lines(from);
    if (!lines) return lines.error();
    if (lines->empty() || (source.grows && from >= size)) return {};
    for (const auto& line : *lines) {
      if (source.grows && from == size) return {};   // written after the head that was asked for
      verifier.add(line);
      if (each) each(line);
      ++from;
    }
  }
}

Outcome<void> add_witnesses(Session& session, audit::LogVerifier& verifier) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->get("/api/v1/audit/witnesses");
  if (!body) return body.error();
  const auto list = json_read::parse(*body, "WitnessList");
  if (!list) return failure_of(list.error(), "the server's list of witnesses cannot be read");
  json_read::each_object(*list, "items", [&](const json_read::Object& item) {
    if (const auto note = json_read::text(item, "checkpoint"); !note.empty()) verifier.add_seen(json_read::text(item, "name"), note);
  });
  return {};
}

std::string report_json(const audit::LogReport& report, std::uint64_t lines) {
  json_read::Object out{{"apiVersion", "fleetwright/v1alpha1"}, {"kind", "AuditReport"},       {"verdict", audit::to_string(report.verdict)},
                        {"why", report.why},                    {"origin", report.head.origin}, {"entries", report.head.size},
                        {"lines", lines},                       {"root", authority::to_text(report.head.root)},
                        {"firstBad", nullptr},                  {"othersGood", report.others_good}, {"trustedEntries", report.trusted_entries}};
  if (report.first_bad) out["firstBad"] = *report.first_bad;
  boost::json::array witnesses, continued;
  for (const auto& witness : report.witnesses) witnesses.push_back({{"name", witness.name}, {"size", witness.size}, {"timeS", witness.time_s}});
  for (const auto& entry : report.continued) continued.push_back(entry.seq);
  out["witnesses"] = std::move(witnesses);
  out["continuedAt"] = std::move(continued);
  return boost::json::serialize(out);
}

Failure refusal(const audit::LogReport& report) {
  std::string why = report.first_bad ? fmt::format("first bad entry {}: {}", *report.first_bad, report.why) : report.why;
  if (report.others_good) why += "; every other entry is as it was signed";
  if (report.verdict == audit::Verdict::tampered && !report.others_good)
    why += report.trusted_entries == 0 ? "; no entry can be trusted" : fmt::format("; the first {} entries agree with a signed head", report.trusted_entries);
  const char* what = report.verdict == audit::Verdict::tampered  ? "the audit log was changed"
                     : report.verdict == audit::Verdict::forked  ? "the audit log has two histories"
                     : report.verdict == audit::Verdict::stale   ? "the audit log is older than what others saw"
                                                                 : "too few witnesses saw the audit log";
  return {exit_of(report.verdict), what, why, "docs/audit.md tells what to do then"};
}

Outcome<ExitCode> tell(Session& session, const audit::LogReport& report, std::uint64_t lines, std::string_view key) {
  if (session.format() == Format::json) session.print_json(report_json(report, lines));
  if (report.verdict != audit::Verdict::valid) return refusal(report);
  if (session.format() == Format::json) return ExitCode::ok;
  session.print(fmt::format("audit/{} valid: {} entries, root {}, signed by {}\n", term::escape(report.head.origin), report.head.size,
                            authority::to_text(report.head.root), key));
  for (const auto& witness : report.witnesses) session.print(fmt::format("witness/{} signed {} entries\n", term::escape(witness.name), witness.size));
  for (const auto& entry : report.continued) session.print(fmt::format("entry {}: the log went on under a new origin\n", entry.seq));
  return ExitCode::ok;
}

// A part of a large log: each entry by its own path to the signed root, and its link to the one before.
Outcome<ExitCode> verify_range(Session& session, LogSource& source, const audit::Trust& trust, const AuditOptions& options) {
  const auto note = authority::parse_note(source.note);
  const auto verified = note ? authority::verify_note(*note, trust.origin, trust.log_key) : Result<void>(note.error());
  if (!verified) return Failure{ExitCode::audit_tampered, "the audit log was changed", verified.error().context, "docs/audit.md tells what to do then"};
  const auto& head = note->checkpoint;
  const auto end = std::min(options.last ? *options.last + 1 : head.size, head.size);
  if (options.first >= end) return Failure{ExitCode::usage, fmt::format("the log has {} entries", head.size), "", "--from N --to M, both inside"};
  std::optional<authority::Digest> before;
  for (auto seq = options.first; seq < end;) {
    const auto lines = source.lines(seq);
    if (!lines) return lines.error();
    if (lines->empty()) return Failure{ExitCode::audit_tampered, "the audit log was changed", fmt::format("first bad entry {}: it is missing", seq)};
    for (const auto& line : *lines) {
      if (seq == end) break;
      auto path = source.path(seq, head.size);
      if (!path) return path.error();
      const auto place = audit::parse_place(line);
      const bool linked = place && place->seq == seq && (!before || place->prev == *before);
      before = authority::leaf_hash(line);
      if (!linked || !authority::verify_inclusion(*before, seq, head.size, *path, head.root))
        return Failure{ExitCode::audit_tampered, "the audit log was changed", fmt::format("first bad entry {}: it is not what was signed", seq)};
      ++seq;
    }
  }
  session.print(fmt::format("audit/{} valid: entries {} to {} of {}, root {}\n", term::escape(head.origin), options.first, end - 1, head.size,
                            authority::to_text(head.root)));
  return ExitCode::ok;
}

Outcome<ExitCode> verify(Session& session, const AuditOptions& options) {
  const auto trust = trust_of(session, options);
  if (!trust) return trust.error();
  auto source = open_source(session, options);
  if (!source) return source.error();
  if (options.first != 0 || options.last) return verify_range(session, *source, *trust, options);
  audit::LogVerifier verifier(*trust);
  if (const auto read = read_all(*source, verifier, {}); !read) return read.error();
  if (options.witness)
    if (const auto added = add_witnesses(session, verifier); !added) return added.error();
  return tell(session, verifier.report(), verifier.lines(), to_hex(trust->log_key.bytes));
}

Failure cannot_write(const Error& error, const std::string& file) {
  return failure_of(error, "cannot write " + file, error.code == Errc::conflict ? "another name, or --force" : "");
}

Outcome<std::uint64_t> seq_of(Session& session, LogSource& source, const AuditOptions& options) {
  if (options.seq) return *options.seq;
  if (source.grows) {
    const auto body = (*session.server())->get("/api/v1/plans/" + options.plan);
    if (!body) return body.error();
    const auto plan = json_read::parse(*body, "Plan");
    if (!plan) return failure_of(plan.error(), "the server's plan cannot be read");
    const auto index = json_read::optional_integer(*plan, "logIndex");
    if (!index || *index < 0) return Failure{ExitCode::failure, "plan " + options.plan + " is not released", "", "--seq N for another entry"};
    return static_cast<std::uint64_t>(*index);
  }
  for (std::uint64_t from = 0;;) {   // a folder: the entry that released it
    const auto lines = source.lines(from);
    if (!lines) return lines.error();
    if (lines->empty()) return Failure{ExitCode::failure, "no entry released the plan " + options.plan};
    for (const auto& line : *lines) {
      const auto stored = audit::parse_line(line);
      if (stored && !stored->entry.release.empty() && stored->entry.plan.starts_with(options.plan)) return from;
      ++from;
    }
  }
}

Outcome<ExitCode> prove(Session& session, const AuditOptions& options) {
  if (options.plan.empty() == !options.seq) return Failure{ExitCode::usage, "which entry?", "", "--plan DIGEST or --seq N"};
  const auto trust = trust_of(session, options);
  if (!trust) return trust.error();
  auto source = open_source(session, options);
  if (!source) return source.error();
  const auto seq = seq_of(session, *source, options);
  if (!seq) return seq.error();
  const auto note = authority::parse_note(source->note);
  if (!note) return failure_of(note.error(), "the log's checkpoint cannot be read");
  const auto lines = source->lines(*seq);
  if (!lines) return lines.error();
  if (lines->empty() || *seq >= note->checkpoint.size) return Failure{ExitCode::failure, fmt::format("the log has no entry {}", *seq)};
  auto path = source->path(*seq, note->checkpoint.size);
  if (!path) return path.error();
  const audit::Proof proof{lines->front(), *seq, std::move(*path), source->note};
  if (const auto head = audit::check_proof(proof, *trust); !head)   // nobody keeps a proof that is none
    return Failure{head.error().code == Errc::not_found ? ExitCode::quorum_missing : ExitCode::audit_tampered, "the log gave no good proof",
                   head.error().context};
  const auto written = (options.force ? replace_file : create_file)(options.out, audit::render_proof(proof), FileMode::plain);
  if (!written) return cannot_write(written.error(), options.out);
  session.print(fmt::format("entry/{} proven\n", *seq));
  session.say(fmt::format("{}: fleetwright audit check {}\n", term::escape(options.out), term::escape(options.out)));
  return ExitCode::ok;
}

// PLAN: its bytes, or the API's object with them.
Result<Bytes> plan_bytes(const std::string& text) {
  if (const auto object = json_read::parse(text, "Plan")) {
    auto bytes = decode_base64(json_read::text(*object, "document"));
    if (!bytes) return Error{Errc::malformed, "it has no document"};
    return std::move(*bytes);
  }
  return Bytes(text.begin(), text.end());
}

Outcome<ExitCode> check(Session& session, const AuditOptions& options) {
  const auto trust = trust_of(session, options);
  if (!trust) return trust.error();
  const auto text = read_file(options.file, audit::kMaxProofBytes);
  if (!text) return failure_of(text.error(), "cannot read " + options.file);
  const auto proof = audit::parse_proof(*text);
  if (!proof) return Failure{ExitCode::audit_tampered, options.file + " is no proof", proof.error().context};
  const auto head = audit::check_proof(*proof, *trust);
  if (!head)
    return Failure{head.error().code == Errc::not_found ? ExitCode::quorum_missing : ExitCode::audit_tampered, options.file + " proves nothing",
                   head.error().context};
  const auto stored = audit::parse_line(proof->entry);
  if (!options.second.empty()) {
    const auto file = read_file(options.second, kMaxConfigBytes);
    if (!file) return failure_of(file.error(), "cannot read " + options.second);
    const auto plan = plan_bytes(*file);
    if (!plan) return failure_of(plan.error(), options.second + " is no plan");
    if (!audit::names_plan(proof->entry, *plan))
      return Failure{ExitCode::audit_tampered, options.file + " is about another plan", "its entry names " + term::escape(stored->entry.plan)};
  }
  if (session.format() == Format::json) {
    session.print_json(proof->entry);
    return ExitCode::ok;
  }
  session.print(fmt::format("entry/{} is in the log {} ({} entries): {} {} by {} {}\n", proof->index, term::escape(head->origin), head->size,
                            term::escape(stored->entry.verb), term::escape(stored->entry.object.id), term::escape(stored->entry.actor.kind),
                            term::escape(stored->entry.actor.name)));
  return ExitCode::ok;
}

Outcome<authority::Checkpoint> read_head(const std::string& file, const audit::Trust& trust) {
  const auto text = read_file(file, kMaxConfigBytes);
  if (!text) return failure_of(text.error(), "cannot read " + file);
  const auto note = authority::parse_note(*text);
  const auto verified = note ? authority::verify_note(*note, trust.origin, trust.log_key) : Result<void>(note.error());
  if (!verified) return Failure{ExitCode::audit_tampered, file + " is not a head of the log", verified.error().context};
  return note->checkpoint;
}

Outcome<ExitCode> consistency(Session& session, const AuditOptions& options) {
  const auto trust = trust_of(session, options);
  if (!trust) return trust.error();
  const auto older = read_head(options.from, *trust), newer = read_head(options.second, *trust);
  if (!older) return older.error();
  if (!newer) return newer.error();
  if (older->size > newer->size) return Failure{ExitCode::usage, "the old head has more entries than the new one", "", "fleetwright audit consistency OLD NEW"};
  std::vector<authority::Digest> path;
  if (older->size != 0 && older->size != newer->size) {
    auto source = open_source(session, options);
    if (!source) return source.error();
    auto given = source->consistency(older->size, newer->size);
    if (!given) return given.error();
    path = std::move(*given);
  }
  if (const auto good = authority::verify_consistency(older->size, older->root, newer->size, newer->root, path); !good)
    return Failure{ExitCode::audit_forked, "the audit log has two histories", good.error().context, "docs/audit.md tells what to do then"};
  session.print(fmt::format("audit/{} the head of {} entries continues the one of {}\n", term::escape(newer->origin), newer->size, older->size));
  return ExitCode::ok;
}

struct Picked { std::uint64_t seq = 0; std::string line, ocsf; };

Outcome<void> write_bundle(const AuditOptions& options, const audit::Trust& trust, const std::string& note, const audit::LogReport& report,
                           const authority::Tree& tree, const std::vector<Picked>& picked) {
  std::error_code error;
  std::filesystem::create_directories(options.out + "/proofs", error);
  if (error) return Failure{ExitCode::failure, "cannot make " + options.out, error.message()};
  const auto verifier = audit::second_verifier();
  audit::ExportInfo info{report.head, to_hex(trust.log_key.bytes), "", picked.size(), fmt::format("fleetwright {}", kVersion),
                         authority::sha256({reinterpret_cast<const std::uint8_t*>(verifier.data()), verifier.size()})};
  for (const auto& [name, value] : {std::pair{"period", options.period}, std::pair{"incident", options.incident}, std::pair{"control", options.control}})
    if (!value.empty()) info.selection += fmt::format("{}{} {}", info.selection.empty() ? "" : ", ", name, value);
  if (info.selection.empty()) info.selection = "all";
  if (const auto* control = audit::find_control(options.control)) info.selection += fmt::format(" ({})", control->title);
  std::string lines, ocsf;
  for (const auto& entry : picked) {
    lines += entry.line + "\n";
    ocsf += entry.ocsf + "\n";
    const audit::Proof proof{entry.line, entry.seq, *tree.inclusion(entry.seq, report.head.size), note};
    const auto file = fmt::format("{}/proofs/{}{}", options.out, entry.seq, audit::kProofName);
    if (const auto done = replace_file(file, audit::render_proof(proof), FileMode::plain); !done) return cannot_write(done.error(), file);
  }
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"entries.jsonl", lines}, {"ocsf.jsonl", ocsf}, {"checkpoint", note},
                                   {"fleetwright_verify.py", std::string(verifier)}, {"README.md", audit::readme_text(info)}}) {
    const auto file = options.out + "/" + name;
    if (const auto done = replace_file(file, text, FileMode::plain); !done) return cannot_write(done.error(), file);
  }
  return {};
}

Outcome<audit::Selection> selection_of(const AuditOptions& options) {
  audit::Selection selection;
  if (!options.period.empty()) {
    const auto period = audit::parse_period(options.period);
    if (!period) return Failure{ExitCode::usage, "wrong usage", period.error().context};
    selection.period = *period;
  }
  if (!options.incident.empty()) {
    const auto id = parse_incident_id(options.incident);
    if (!id) return id.error();
    selection.incident = *id;
  }
  if (options.control.empty()) return selection;
  selection.control = audit::find_control(options.control);
  if (selection.control != nullptr) return selection;
  std::string known;
  for (const auto& control : audit::controls()) known += (known.empty() ? "" : ", ") + std::string(control.id);
  return Failure{ExitCode::usage, "no control " + options.control, "", "one of " + known};
}

Outcome<ExitCode> export_evidence(Session& session, const AuditOptions& options) {
  const auto selection = selection_of(options);
  if (!selection) return selection.error();
  std::error_code error;
  if (std::filesystem::exists(options.out, error) && !options.force) return Failure{ExitCode::usage, options.out + " exists", "", "another folder, or --force"};
  const auto trust = trust_of(session, options);
  if (!trust) return trust.error();
  auto source = open_source(session, options);
  if (!source) return source.error();
  audit::LogVerifier verifier(*trust);
  authority::Tree tree;
  std::vector<Picked> picked;
  const auto read = read_all(*source, verifier, [&](const std::string& line) {
    tree.append(authority::leaf_hash(line));
    const auto stored = audit::parse_line(line);
    if (stored && audit::selects(*selection, stored->entry)) picked.push_back({tree.size() - 1, line, audit::ocsf_line(*stored, line)});
  });
  if (!read) return read.error();
  const auto report = verifier.report();
  if (report.verdict != audit::Verdict::valid) return refusal(report);   // evidence of a changed log is none
  if (const auto done = write_bundle(options, *trust, source->note, report, tree, picked); !done) return done.error();
  session.print(fmt::format("audit/{} exported: {} of {} entries\n", term::escape(report.head.origin), picked.size(), report.head.size));
  session.say(fmt::format("{}/README.md tells how to check it without Fleetwright\n", term::escape(options.out)));
  return ExitCode::ok;
}

void add_trust(CLI::App* command, AuditOptions& options) {
  command->add_option("--policy", options.policy, "Signed policy whose log and witnesses are believed; else policy/policy.json of the contexts folder")
      ->type_name(kFileArgument);
  command->add_option("--origin", options.origin, "Origin of the log, instead of a policy")->type_name("NAME");
  command->add_option("--key", options.key, "Its Ed25519 public key")->type_name(kFileArgument);
}

}  // namespace

void add_audit_commands(CLI::App& root, Commands& commands) {
  auto* group = root.add_subcommand("audit", "The audit log: verifies, proves, exports");
  group->require_subcommand(0, 1);
  const auto options = std::make_shared<AuditOptions>();
  const auto add = [&](const char* name, const char* help, Outcome<ExitCode> (*run)(Session&, const AuditOptions&)) {
    auto* command = group->add_subcommand(name, help);
    add_trust(command, *options);
    commands.on(command, [options, run](Session& session) { return run(session, *options); });
    return command;
  };
  const auto add_log = [&](CLI::App* command, const char* name) {
    command->add_option(name, options->file, "Folder or file with the log, instead of the server's")->type_name(kFileArgument);
  };

  auto* verify_command = add("verify", "Reads the whole log and checks entries, chain, tree, signature and witnesses", verify);
  add_log(verify_command, "log");
  verify_command->add_option("--from", options->first, "First entry; a part is checked by a proof for each entry")->type_name("N");
  verify_command->add_option("--to", options->last, "Last entry")->type_name("N");
  verify_command->add_flag("--witness", options->witness, "Compare with the heads that nodes saw");

  auto* prove_command = add("prove", "Writes a proof that an entry stands in the log", prove);
  add_log(prove_command, "--log");
  prove_command->add_option("--plan", options->plan, "The entry that released this plan")->type_name("DIGEST");
  prove_command->add_option("--seq", options->seq, "This entry")->type_name("N");
  prove_command->add_option("-o,--out", options->out, "Where to")->required()->type_name(kFileArgument);
  prove_command->add_flag("--force", options->force, "Replace the file");

  auto* check_command = add("check", "Checks a proof here, without a server", check);
  check_command->add_option("proof", options->file, "A file of `audit prove` or `audit export`")->required()->type_name(kFileArgument);
  check_command->add_option("plan", options->second, "The plan that it must be about")->type_name(kFileArgument);

  auto* consistency_command = add("consistency", "Checks that one signed head continues another", consistency);
  consistency_command->add_option("old", options->from, "The older checkpoint")->required()->type_name(kFileArgument);
  consistency_command->add_option("new", options->second, "The newer checkpoint")->required()->type_name(kFileArgument);
  add_log(consistency_command, "--log");

  auto* export_command = add("export", "Writes evidence for an auditor: entries, proofs, a verifier", export_evidence);
  add_log(export_command, "--log");
  export_command->add_option("--period", options->period, "2026, 2026Q3, 2026-08, 2026-08-14, or two with .. between")->type_name("PERIOD");
  export_command->add_option("--incident", options->incident, "Of one incident")->type_name(kIncidentArgument);
  export_command->add_option("--control", options->control, "What shows that a requirement is met: soc2:CC8.1, pci:10.2, iso:A.8.32, ...")
      ->type_name("CONTROL");
  export_command->add_option("-o,--out", options->out, "New folder")->required()->type_name(kFolderArgument);
  export_command->add_flag("--force", options->force, "Write into a folder that exists");
}

}  // namespace fw::cli
