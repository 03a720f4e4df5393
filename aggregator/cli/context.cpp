#include "aggregator/cli/context.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/signing/signer.hpp"

namespace fw::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kInitFix = "run `fleetwright init` for a trial set-up, or set FLEETWRIGHT_CONFIG_DIR";

// Each list of the file is [{"name": ..., KEY: {fields}}].
class Entries {
 public:
  Entries(const json::object& file, std::string_view list, std::string_view key) : list_(list), key_(key) {
    const auto* value = file.if_contains(list);
    if (value == nullptr) return;
    if (!value->is_array()) fail("must be a list");
    if (value->is_array()) array_ = &value->get_array();
  }

  template <class Visit>
  Result<void> each(Visit visit) {
    if (error_) return *error_;
    if (array_ == nullptr) return {};
    for (std::size_t i = 0; i < array_->size() && !error_; ++i) {
      where_ = fmt::format("{}[{}]", list_, i);
      const auto* entry = (*array_)[i].if_object();
      const auto* inner = entry != nullptr && entry->if_contains(key_) ? entry->at(key_).if_object() : nullptr;
      if (inner == nullptr) {
        fail(fmt::format("{} needs name and {}", where_, key_));
        break;
      }
      visit(text(*entry, "name"), *inner);
    }
    if (error_) return *error_;
    return {};
  }

  std::string text(const json::object& object, std::string_view field, bool required = true) {
    const auto* value = object.if_contains(field);
    if (value != nullptr && value->is_string() && !value->get_string().empty()) return std::string(value->get_string());
    if (value != nullptr && !value->is_string()) fail(fmt::format("{}: {} must be text", where_, field));
    if (value == nullptr && required) fail(fmt::format("{}: {} is missing", where_, field));
    return {};
  }

 private:
  void fail(std::string why) {
    if (!error_) error_ = Error(Errc::malformed, std::move(why));
  }

  std::string_view list_, key_;
  std::string where_;
  const json::array* array_ = nullptr;
  std::optional<Error> error_;
};

template <class List>
auto find_named(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.name == name; });
}

template <class List>
std::string names_of(const List& list) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ", ") + item.name;
  return out.empty() ? "none" : out;
}

}  // namespace

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

std::string config_folder(const Environment& environment) {
  if (const auto folder = environment("FLEETWRIGHT_CONFIG_DIR"); folder && !folder->empty()) return *folder;
  if (const auto xdg = environment("XDG_CONFIG_HOME"); xdg && !xdg->empty()) return *xdg + "/fleetwright";
  return environment("HOME").value_or("/root") + "/.config/fleetwright";
}

Result<ContextsFile> parse_contexts(std::string_view bytes) {
  json::stream_parser parser;
  json::error_code code;
  const auto used = parser.write_some(bytes.data(), bytes.size(), code);
  if (!code) parser.finish(code);
  if (code) {
    const auto line =
        1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(used, bytes.size())), '\n');
    return Error(Errc::malformed, fmt::format("line {}: {}", line, code.message()));
  }
  if (const auto rest = bytes.substr(used); rest.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    return Error(Errc::malformed, "text after the end of the object");
  }
  const auto value = parser.release();
  const auto* file = value.if_object();
  if (file == nullptr) return Error(Errc::malformed, "not a JSON object");

  ContextsFile out;
  if (const auto* current = file->if_contains("current-context"); current != nullptr && current->is_string()) {
    out.current_context = std::string(current->get_string());
  }
  Entries clusters(*file, "clusters", "cluster");
  Entries users(*file, "users", "user");
  Entries contexts(*file, "contexts", "context");
  const auto cluster_result = clusters.each([&](std::string name, const json::object& cluster) {
    out.clusters.push_back({std::move(name), clusters.text(cluster, "server"),
                            clusters.text(cluster, "certificate-authority"),
                            clusters.text(cluster, "tls-server-name", false),
                            clusters.text(cluster, "trusted-policy", false)});
  });
  if (!cluster_result) return cluster_result.error();
  const auto user_result = users.each([&](std::string name, const json::object& user) {
    out.users.push_back({std::move(name), users.text(user, "client-certificate"), users.text(user, "client-key"),
                         users.text(user, "signing-key", false)});
  });
  if (!user_result) return user_result.error();
  const auto context_result = contexts.each([&](std::string name, const json::object& context) {
    out.contexts.push_back({std::move(name), contexts.text(context, "cluster"), contexts.text(context, "user")});
  });
  if (!context_result) return context_result.error();
  return out;
}

std::string render_contexts(const ContextsFile& file) {
  const auto quoted = [](const std::string& text) { return json::serialize(json::value(text)); };
  std::string out = "{\n  \"apiVersion\": \"fleetwright/v1alpha1\",\n  \"kind\": \"Config\",\n";
  out += "  \"current-context\": " + quoted(file.current_context) + ",\n  \"clusters\": [";
  const auto separator = [](const auto& list, std::size_t i) { return i + 1 < list.size() ? "," : ""; };
  for (std::size_t i = 0; i < file.clusters.size(); ++i) {
    const auto& cluster = file.clusters[i];
    const auto server_name =
        cluster.server_name.empty() ? std::string() : ",\n      \"tls-server-name\": " + quoted(cluster.server_name);
    const auto policy = cluster.trusted_policy.empty() ? std::string() : ",\n      \"trusted-policy\": " + quoted(cluster.trusted_policy);
    out += fmt::format(
        "\n    {{\"name\": {}, \"cluster\": {{\n      \"server\": {},\n      \"certificate-authority\": {}{}{}}}}}{}",
        quoted(cluster.name), quoted(cluster.server), quoted(cluster.certificate_authority), server_name, policy,
        separator(file.clusters, i));
  }
  out += "\n  ],\n  \"users\": [";
  for (std::size_t i = 0; i < file.users.size(); ++i) {
    const auto& user = file.users[i];
    const auto signing_key =
        user.signing_key.empty() ? std::string() : ",\n      \"signing-key\": " + quoted(user.signing_key);
    out += fmt::format(
        "\n    {{\"name\": {}, \"user\": {{\n      \"client-certificate\": {},\n      \"client-key\": {}{}}}}}{}",
        quoted(user.name), quoted(user.client_certificate), quoted(user.client_key), signing_key,
        separator(file.users, i));
  }
  out += "\n  ],\n  \"contexts\": [";
  for (std::size_t i = 0; i < file.contexts.size(); ++i) {
    const auto& context = file.contexts[i];
    out += fmt::format("\n    {{\"name\": {}, \"context\": {{\"cluster\": {}, \"user\": {}}}}}{}", quoted(context.name),
                       quoted(context.cluster), quoted(context.user), separator(file.contexts, i));
  }
  return out + "\n  ]\n}\n";
}

Outcome<ContextsFile> load_contexts(const std::string& folder) {
  const auto path = folder + "/" + std::string(kContextsFile);
  const auto text = read_file(path, kMaxConfigBytes);
  if (!text) {
    const bool missing = text.error().code == Errc::gone;
    return Failure{ExitCode::usage, "cannot read the contexts file " + path,
                   missing ? "it does not exist" : text.error().message(),
                   missing ? std::string(kInitFix) : std::string()};
  }
  auto file = parse_contexts(*text);
  if (!file) {
    return Failure{ExitCode::usage, "cannot use the contexts file " + path, file.error().context,
                   "mend it; `fleetwright help environment` says where it is looked for, docs/cli.md shows its fields"};
  }
  return *file;
}

Outcome<void> save_contexts(const std::string& folder, const ContextsFile& file) {
  const auto path = folder + "/" + std::string(kContextsFile);
  if (const auto done = replace_file(path, render_contexts(file), FileMode::secret); !done) {
    return failure_of(done.error(), "cannot write " + path);
  }
  return {};
}

Outcome<Context> resolve_context(const ContextsFile& file, const std::string& folder,
                                 const std::optional<std::string>& wanted) {
  const auto name = wanted.value_or(file.current_context);
  const auto context = find_named(file.contexts, name);
  if (context == file.contexts.end()) {
    return Failure{ExitCode::usage, name.empty() ? "no context is chosen" : "there is no context '" + name + "'",
                   "contexts in " + folder + "/" + std::string(kContextsFile) + ": " + names_of(file.contexts),
                   "fleetwright config use-context NAME, or --context NAME"};
  }
  const auto cluster = find_named(file.clusters, context->cluster);
  const auto user = find_named(file.users, context->user);
  if (cluster == file.clusters.end() || user == file.users.end()) {
    return Failure{
        ExitCode::usage, "context '" + name + "' is not complete",
        cluster == file.clusters.end() ? "no cluster '" + context->cluster + "'" : "no user '" + context->user + "'",
        "mend " + folder + "/" + std::string(kContextsFile)};
  }
  const auto absolute = [&](const std::string& path) {
    return path.empty() ? path : (std::filesystem::path(folder) / path).lexically_normal().string();
  };
  return Context{name,
                 cluster->server,
                 cluster->server_name,
                 user->name,
                 absolute(cluster->certificate_authority),
                 absolute(user->client_certificate),
                 absolute(user->client_key),
                 is_agent_key(user->signing_key) ? user->signing_key : absolute(user->signing_key),
                 absolute(cluster->trusted_policy)};
}

}  // namespace fw::cli
