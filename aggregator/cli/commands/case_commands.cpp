// case and cards: the evidence as a file, and the checks that read it. Works without a server where a file is given.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "agents/investigate.hpp"
#include "aggregator/cli/command.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/render/incident.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

constexpr std::string_view kNoCase = "`fleetwright case export ID FILE` writes one";

// A file of that name wins over an incident of that number.
Outcome<agents::CaseFile> open_case(Session& session, const std::string& id_or_file) {
  std::string bytes;
  std::error_code ignored;
  if (std::filesystem::exists(id_or_file, ignored) || !normal_incident_id(id_or_file)) {
    auto read = read_file(id_or_file, kMaxCaseBytes);
    if (!read) return failure_of(read.error(), "cannot read " + id_or_file, kNoCase);
    bytes = std::move(*read);
  } else {
    const auto server = session.server();
    if (!server) return server.error();
    auto body = (*server)->get_incident(id_or_file, "/case");
    if (!body) return body.error();
    bytes = std::move(*body);
  }
  auto case_file = agents::CaseFile::load(bytes);
  if (!case_file)
    return failure_of(case_file.error(), id_or_file + " is not a case file that this version reads", kNoCase);
  return std::move(*case_file);
}

Outcome<ExitCode> case_export(Session& session, const std::string& id, const std::string& file, bool force) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto bytes = (*server)->get_incident(id, "/case");
  if (!bytes) return bytes.error();
  const auto written =
      force ? replace_file(file, *bytes, FileMode::secret) : create_file(file, *bytes, FileMode::secret);
  if (!written)
    return failure_of(written.error(), "cannot write " + file,
                      written.error().code == Errc::conflict ? "another name, or --force" : "");
  session.print(fmt::format("case/{} exported\n", term::escape(*parse_incident_id(id))));
  session.say(fmt::format("{} ({} bytes): fleetwright case sql {} 'select * from symptoms'\n", term::escape(file),
                          bytes->size(), term::escape(file)));
  return ExitCode::ok;
}

Outcome<ExitCode> case_sql(Session& session, const std::string& id_or_file, const std::string& sql) {
  const auto case_file = open_case(session, id_or_file);
  if (!case_file) return case_file.error();
  const auto answer = case_file->query(sql);
  if (!answer)
    return failure_of(answer.error(), "the query was not answered", "docs/case-file.md lists tables and columns");
  if (session.format() == Format::json) {
    session.print_json(render::sql_json(*answer));
  } else {
    session.print_long(render::sql_table(*answer, session.layout()));
  }
  if (answer->truncated) session.say("fleetwright: there are more rows; add `limit` and `offset`\n");
  return ExitCode::ok;
}

Outcome<agents::Cards> load_cards(const std::string& folder) {
  if (folder.empty()) return agents::Cards::builtin();
  auto cards = agents::Cards::load(folder);
  if (!cards)
    return Failure{ExitCode::usage, "cards of " + folder + " are not valid", "", "fleetwright cards check " + folder};
  return std::move(*cards);
}

Outcome<ExitCode> case_explain(Session& session, const std::string& file, const std::string& cards_folder) {
  const auto case_file = open_case(session, file);
  if (!case_file) return case_file.error();
  const auto cards = load_cards(cards_folder);
  if (!cards) return cards.error();
  const auto findings = agents::investigate(*case_file, *cards);
  if (!findings) return failure_of(findings.error(), "cannot explain " + file);
  if (session.format() == Format::json) {
    session.print_json(agents::to_json(*findings));
    return ExitCode::ok;
  }
  std::string title = file;
  if (const auto row = case_file->query("select i.id, s.name from incident i, subject s");
      row && row->rows.size() == 1 && std::holds_alternative<std::string>(row->rows[0][0]) &&
      std::holds_alternative<std::string>(row->rows[0][1])) {
    title = std::get<std::string>(row->rows[0][0]) + "  " + std::get<std::string>(row->rows[0][1]);
  }
  session.print_long(render::explain(title, *findings, session.layout(),
                                     session.wide() ? render::Detail::wide : render::Detail::normal));
  return ExitCode::ok;
}

Outcome<ExitCode> cards_check(Session& session, const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return Failure{ExitCode::usage, folder + " is not a folder", error ? error.message() : "",
                   "docs/cards.md tells how to write cards"};
  }
  const auto cards = agents::Cards::load(folder);
  if (!cards) {
    // One problem per line, each "file:line: text": editors jump to them.
    std::string_view problems = cards.error().context;
    while (!problems.empty()) {
      const auto end = problems.find('\n');
      session.say(term::escape(problems.substr(0, end)) + "\n");
      problems.remove_prefix(end == std::string_view::npos ? problems.size() : end + 1);
    }
    return Failure{ExitCode::usage, "cards of " + folder + " are not valid", "", "docs/cards.md"};
  }
  session.print(fmt::format("cards/{} valid ({} with the built-in ones)\n", term::escape(folder), cards->size()));
  return ExitCode::ok;
}

Outcome<ExitCode> cards_list(Session& session, const std::string& folder) {
  const auto cards = load_cards(folder);
  if (!cards) return cards.error();
  const auto ids = cards->ids();
  if (session.format() == Format::name) {
    session.print(render::names("card", ids));
    return ExitCode::ok;
  }
  term::Table table({{"NAME"}});
  for (const auto& id : ids) table.add({{id}});
  session.print(table.render(session.layout()));
  return ExitCode::ok;
}

struct CaseOptions {
  std::string source, file, sql, cards;
  bool force = false;
};

}  // namespace

void add_case_commands(CLI::App& root, Commands& commands) {
  auto* group = root.add_subcommand("case", "An incident's evidence as a file");
  group->require_subcommand(0, 1);
  const auto options = std::make_shared<CaseOptions>();

  auto* export_command = group->add_subcommand("export", "Writes an incident's case file (SQLite)");
  export_command->add_option("id", options->source, "INC-7, inc-7 or 7")->required()->type_name(kIncidentArgument);
  export_command->add_option("file", options->file, "Where to")->required()->type_name(kFileArgument);
  export_command->add_flag("--force", options->force, "Replace the file");
  commands.on(export_command, [options](Session& session) {
    return case_export(session, options->source, options->file, options->force);
  });

  auto* sql_command = group->add_subcommand("sql", "Asks an incident's case file, or an exported one; reads only");
  sql_command->add_option("source", options->source, "An incident, or a file")
      ->required()
      ->type_name(kIncidentArgument);
  sql_command->add_option("query", options->sql, "One select statement")->required()->type_name("SQL");
  commands.on(sql_command, [options](Session& session) { return case_sql(session, options->source, options->sql); });

  auto* explain_command = group->add_subcommand("explain", "Explains an exported case file here, without a server");
  explain_command->add_option("file", options->source, "A file, or an incident")->required()->type_name(kFileArgument);
  explain_command->add_option("--cards", options->cards, "Folder with further cards")->type_name(kFolderArgument);
  commands.on(explain_command,
              [options](Session& session) { return case_explain(session, options->source, options->cards); });

  auto* cards_group = root.add_subcommand("cards", "The checks that tell failure classes apart");
  cards_group->require_subcommand(0, 1);
  auto* list_command = cards_group->add_subcommand("list", "Lists the checks");
  list_command->add_option("--cards", options->cards, "Folder with further cards")->type_name(kFolderArgument);
  commands.on(list_command, [options](Session& session) { return cards_list(session, options->cards); });
  auto* check_command = cards_group->add_subcommand("check", "Checks cards of a folder; every problem with its line");
  check_command->add_option("folder", options->source, "Folder with *.yaml")->required()->type_name(kFolderArgument);
  commands.on(check_command, [options](Session& session) { return cards_check(session, options->source); });
}

}  // namespace fw::cli
