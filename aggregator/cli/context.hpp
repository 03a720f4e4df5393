// Which server, as whom: the contexts file in the shape of a kubeconfig (JSON, which is YAML; docs/adr/0013).
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/failure.hpp"

namespace fw::cli {

using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

inline constexpr std::string_view kContextsFile = "config.json";

// $FLEETWRIGHT_CONFIG_DIR, else $XDG_CONFIG_HOME/fleetwright, else $HOME/.config/fleetwright.
std::string config_folder(const Environment& environment);

struct Cluster {
  std::string name, server, certificate_authority, server_name;
  std::string trusted_policy = {};  // a policy of this cluster that its people know to be right; "": none
};
struct User {
  std::string name, client_certificate, client_key;
  std::string signing_key = {};  // a path, "ssh-agent" or "ssh-agent:WORD"; "": none
};
struct NamedContext {
  std::string name, cluster, user;
};

// Credentials are paths, never values; relative paths are relative to the file's folder.
struct ContextsFile {
  std::string current_context;
  std::vector<Cluster> clusters;
  std::vector<User> users;
  std::vector<NamedContext> contexts;
};

Result<ContextsFile> parse_contexts(std::string_view json);  // errors name the line or the field
std::string render_contexts(const ContextsFile& file);

// Errors carry the path and what to do (`fleetwright init`).
Outcome<ContextsFile> load_contexts(const std::string& folder);
Outcome<void> save_contexts(const std::string& folder, const ContextsFile& file);  // 0600, whole or not at all

// One context with everything looked up and every path absolute.
struct Context {
  std::string name, server, server_name, person;
  std::string ca_file, certificate_file, key_file, signing_key = {}, trusted_policy = {};
};

// `wanted`: --context, else $FLEETWRIGHT_CONTEXT, else current-context.
Outcome<Context> resolve_context(const ContextsFile& file, const std::string& folder,
                                 const std::optional<std::string>& wanted);

}  // namespace fw::cli
