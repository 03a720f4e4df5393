// backup, restore: a copy of the store and the audit log that fit together. They work on the files of the aggregator's own machine.
#include <CLI/CLI.hpp>

#include <memory>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/store/backup.hpp"

namespace fw::cli {
namespace {

struct BackupOptions {
  std::string folder, store = "/var/lib/fleetwright/fleetwright.db", audit = "/var/lib/fleetwright/audit";
  bool without_audit = false;

  store::Places places() const { return {.store_file = store, .audit_folder = without_audit ? "" : audit}; }
};

void add_places(CLI::App* command, BackupOptions& options) {
  command->add_option("FOLDER", options.folder, "Folder of the backup")->required()->type_name(kFolderArgument);
  command->add_option("--store", options.store, "File of the store (store.url without sqlite://)")->capture_default_str()->type_name(kFileArgument);
  command->add_option("--audit", options.audit, "Folder of the audit log (audit.folder)")->capture_default_str()->type_name(kFolderArgument);
  command->add_flag("--without-audit", options.without_audit, "There is no audit log");
}

}  // namespace

void add_backup_commands(CLI::App& root, Commands& commands) {
  auto options = std::make_shared<BackupOptions>();
  auto* backup = root.add_subcommand("backup", "Copy the store and the audit log, beside the running aggregator or without it");
  add_places(backup, *options);
  commands.on(backup, [options](Session& session) -> Outcome<ExitCode> {
    if (const auto done = store::back_up(options->places(), options->folder); !done) return failure_of(done.error(), "cannot make the backup", "");
    session.print("backup/" + term::escape(options->folder) + " created\n");
    return ExitCode::ok;
  });

  auto back = std::make_shared<BackupOptions>();
  auto* restore = root.add_subcommand("restore", "Put a backup in place; the aggregator must not run");
  add_places(restore, *back);
  commands.on(restore, [back](Session& session) -> Outcome<ExitCode> {
    if (const auto done = store::restore_backup(back->folder, back->places()); !done) return failure_of(done.error(), "cannot restore the backup", "");
    session.print("backup/" + term::escape(back->folder) + " restored\n");
    session.say("Nodes that saw a newer audit log refuse until policy roots sign a new origin: docs/governance.md, \"After a restore\".\n");
    return ExitCode::ok;
  });
}

}  // namespace fw::cli
