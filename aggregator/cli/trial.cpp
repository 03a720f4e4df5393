#include "aggregator/cli/trial.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "aggregator/cli/context.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/term/text.hpp"
#include "common/id.hpp"
#include "common/unique_fd.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kAuthorityLife{24 * 365 * 5};
constexpr std::chrono::hours kCertificateLife{24 * 365};
constexpr std::size_t kSecretBytes = 32;
constexpr mode_t kFolderMode = 0700;
constexpr std::size_t kNamedEntries = 5;  // of a folder that is not empty

constexpr char kNodeCa[] = "authority/node-ca.crt";
constexpr char kPeopleCa[] = "authority/people-ca.crt";

// Names become file names and YAML text.
bool is_safe_name(std::string_view name) {
  constexpr std::size_t kLongest = 63;
  return !name.empty() && name.size() <= kLongest && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-' || c == '@';
         });
}

// Labels of letters, digits and inner hyphens, with dots between them; short enough for a node's name.
bool is_dns_name(std::string_view name) {
  if (!is_safe_name(name) || name.find_first_of("_@") != std::string_view::npos) return false;
  for (std::size_t start = 0; start <= name.size();) {
    const auto end = std::min(name.find('.', start), name.size());
    const auto label = name.substr(start, end - start);
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    start = end + 1;
  }
  return true;
}

struct HostPort {
  std::string host;
  unsigned port = 0;
};

std::optional<HostPort> split_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  HostPort out{std::string(text.substr(0, colon)), 0};
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (error != std::errc{} || stop != end || out.port > 65'535) return std::nullopt;
  return out;
}

bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }
std::string joined(const std::string& host, unsigned port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

// Where others reach a listener.
std::string reachable(const TrialPlan& plan, const std::string& listen) {
  const auto at = *split_host_port(listen);
  if (!plan.advertise.empty()) return joined(plan.advertise, at.port);
  return joined(is_wildcard(at.host) ? plan.host_name : at.host, at.port);
}

std::optional<Failure> check_plan(const TrialPlan& plan) {
  const auto usage = [](std::string what, std::string why) {
    return Failure{ExitCode::usage, std::move(what), std::move(why), "fleetwright init --help"};
  };
  constexpr char kNameRule[] = "names have letters, digits and . _ - @ only, at most 63, and do not begin with . or -";
  std::set<std::string> seen;
  for (const auto& node : plan.nodes) {
    if (!is_safe_name(node)) return usage("node name '" + node + "' cannot be used", kNameRule);
    if (!seen.insert(node).second) return usage("node '" + node + "' is named twice", "");
  }
  if (!is_safe_name(plan.person)) return usage("person '" + plan.person + "' cannot be used", kNameRule);
  for (const auto* listen : {&plan.listen_agents, &plan.listen_people, &plan.listen_plain}) {
    const auto at = split_host_port(*listen);
    if (!at) return usage("'" + *listen + "' is not HOST:PORT", "");
    if (at->port == 0 && !plan.allow_port_zero)
      return usage("port 0 in '" + *listen + "'",
                   "agents and people could not know the port; --allow-port-0 is for tests");
  }
  return std::nullopt;
}

// "what exists" for the refusal; nothing when the folder is free to use.
std::optional<std::string> existing_entries(const std::string& folder) {
  std::error_code error;
  const auto status = fs::symlink_status(folder, error);
  if (!fs::exists(status)) return std::nullopt;
  if (!fs::is_directory(status)) return "it is not a folder";
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, error)) names.push_back(entry.path().filename().string());
  if (error) return error.message();
  if (names.empty()) return std::nullopt;
  std::sort(names.begin(), names.end());
  const auto more =
      names.size() > kNamedEntries ? fmt::format(" and {} more", names.size() - kNamedEntries) : std::string();
  names.resize(std::min(names.size(), kNamedEntries));
  return fmt::format("it holds {}{}", fmt::join(names, ", "), more);
}

std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"", text);
}  // only names and paths that were checked

std::string random_secret() {
  std::array<std::uint8_t, kSecretBytes> bytes{};
  fill_random(bytes);
  return to_hex(bytes) + "\n";
}

// Writes into `root`; the first error stops all later steps.
class Writer {
 public:
  Writer(const TrialPlan& plan, std::string root, const Checkpoint& checkpoint)
      : plan_(plan), root_(std::move(root)), checkpoint_(checkpoint) {}

  Result<std::vector<std::string>> run() {
    step("folders", [&] { return folders(); });
    step("authorities", [&] { return authorities(); });
    step("server certificate", [&] { return server_certificate(); });
    step("secrets", [&] { return secrets(); });
    step("aggregator configuration", [&] { return file("aggregator.yaml", aggregator_yaml()); });
    for (const auto& node : plan_.nodes) step("node " + node, [&] { return node_files(node); });
    step("person", [&] { return person_files(); });
    step("contexts", [&] { return file(std::string(kContextsFile), contexts()); });
    if (error_) return *error_;
    return std::move(files_);
  }

 private:
  template <class Work>
  void step(const std::string& name, Work work) {
    if (error_) return;
    Result<void> done = checkpoint_ ? checkpoint_(name) : Result<void>();
    if (done) done = work();
    if (!done) error_ = with_context(done.error(), name);
  }

  Result<void> folder(const std::string& name) {
    if (::mkdir((root_ + "/" + name).c_str(), kFolderMode) != 0) return errno_error(errno, name);
    return {};
  }

  Result<void> folders() {
    for (const auto* name : {"authority", "aggregator", "nodes", "people"}) {
      if (auto made = folder(name); !made) return made;
    }
    for (const auto& node : plan_.nodes) {
      if (auto made = folder("nodes/" + node); !made) return made;
    }
    return {};
  }

  Result<void> file(const std::string& name, std::string_view bytes) {
    files_.push_back(name);
    return replace_file(root_ + "/" + name, bytes, FileMode::secret);
  }

  Result<void> pair(const transport::PemPair& pem, const std::string& stem) {
    files_.push_back(stem + ".crt");
    files_.push_back(stem + ".key");
    return transport::write_pem_pair(pem, root_ + "/" + stem + ".crt", root_ + "/" + stem + ".key");
  }

  Result<void> authorities() {
    const auto validity = transport::Validity::from(plan_.now_ns, kAuthorityLife);
    auto node_ca = transport::make_ca("Fleetwright trial nodes", validity);
    if (!node_ca) return node_ca.error();
    auto people_ca = transport::make_ca("Fleetwright trial people", validity);
    if (!people_ca) return people_ca.error();
    node_ca_ = std::move(*node_ca);
    people_ca_ = std::move(*people_ca);
    if (auto done = pair(node_ca_, "authority/node-ca"); !done) return done;
    return pair(people_ca_, "authority/people-ca");
  }

  Result<void> issue(const transport::PemPair& ca, transport::CertificateRequest request, const std::string& stem) {
    request.validity = transport::Validity::from(plan_.now_ns, kCertificateLife);
    const auto pem = transport::issue_certificate(ca, request);
    if (!pem) return pem.error();
    return pair(*pem, stem);
  }

  Result<void> server_certificate() {
    std::set<std::string> names{"localhost", "127.0.0.1", "::1", plan_.host_name};
    if (!plan_.advertise.empty()) names.insert(plan_.advertise);
    for (const auto* listen : {&plan_.listen_agents, &plan_.listen_people}) {
      const auto at = *split_host_port(*listen);
      if (!is_wildcard(at.host)) names.insert(at.host);
    }
    transport::CertificateRequest request;
    request.role = transport::PeerIdentity::Kind::server;
    request.name = "fleetwright-aggregator";
    request.server_names.assign(names.begin(), names.end());
    // Agents and people trust the server by the same authority; whom the server trusts differs by port.
    return issue(node_ca_, std::move(request), "aggregator/server");
  }

  Result<void> secrets() {
    if (auto done = file("aggregator/github-webhook.secret", random_secret()); !done) return done;
    return file("aggregator/cloudevents-webhook.secret", random_secret());
  }

  std::string aggregator_yaml() const {
    return fmt::format(
        "# Written by `fleetwright init`. All keys: docs/configuration.md. Paths are relative to this file.\n"
        "listen:\n  agents: {}\n  people: {}\n  plain: {}\n"
        "tls:\n  certificate: aggregator/server.crt\n  key: aggregator/server.key\n  node_ca: {}\n  people_ca: {}\n"
        "store:\n  url: {}\n"
        "webhook:\n  github_secret_file: aggregator/github-webhook.secret\n"
        "  cloudevents_secret_file: aggregator/cloudevents-webhook.secret\n",
        in_quotes(plan_.listen_agents), in_quotes(plan_.listen_people), in_quotes(plan_.listen_plain), kNodeCa,
        kPeopleCa, in_quotes("sqlite://" + plan_.folder + "/aggregator/fleetwright.db"));
  }

  Result<void> node_files(const std::string& node) {
    transport::CertificateRequest request;
    request.role = transport::PeerIdentity::Kind::node;
    request.name = node;
    request.node_uid = make_uuid_v4();
    const auto stem = "nodes/" + node + "/node";
    if (auto done = issue(node_ca_, std::move(request), stem); !done) return done;
    const auto address = reachable(plan_, plan_.listen_agents);
    const auto yaml = fmt::format(
        "# Written by `fleetwright init`. All keys: docs/configuration.md. Paths are relative to this file.\n"
        "aggregator:\n  address: {}\n  server_name: {}\n"
        "tls:\n  certificate: {}.crt\n  key: {}.key\n  ca: {}\n"
        "node:\n  name: {}\n"
        "spool:\n  folder: nodes/{}/spool\n",
        in_quotes(address), in_quotes(split_host_port(address)->host), stem, stem, kNodeCa, in_quotes(node), node);
    return file("agent-" + node + ".yaml", yaml);
  }

  Result<void> person_files() {
    transport::CertificateRequest request;
    request.role = transport::PeerIdentity::Kind::person;
    request.name = plan_.person;
    return issue(people_ca_, std::move(request), "people/" + plan_.person);
  }

  std::string contexts() const {
    ContextsFile out;
    out.current_context = "trial";
    out.clusters.push_back({"trial", "https://" + reachable(plan_, plan_.listen_people), kNodeCa, {}});
    out.users.push_back({plan_.person, "people/" + plan_.person + ".crt", "people/" + plan_.person + ".key"});
    out.contexts.push_back({"trial", "trial", plan_.person});
    return render_contexts(out);
  }

  const TrialPlan& plan_;
  std::string root_;
  const Checkpoint& checkpoint_;
  std::optional<Error> error_;
  transport::PemPair node_ca_, people_ca_;
  std::vector<std::string> files_;
};

// Removes the unfinished folder unless it was renamed into place.
struct Scratch {
  std::string path;
  ~Scratch() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

std::string normal_folder(const std::string& folder) {
  auto out = fs::absolute(folder).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

Failure in_use(const std::string& folder, const std::string& why) {
  return {ExitCode::usage, "folder " + folder + " is in use", why,
          "choose another with --dir, or move it away; init never overwrites"};
}

Result<void> sync_folder(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return errno_error(errno, path);
  return {};
}

}  // namespace

std::string use_host_name(TrialPlan& plan, std::string_view host) {
  const bool usable = is_dns_name(host);
  plan.host_name = usable ? host : "localhost";
  if (!plan.nodes.empty()) return {};
  plan.nodes.emplace_back(usable ? host : "node-1");
  if (usable) return {};
  return fmt::format("this machine's name '{}' is no DNS name: its node is called node-1 (--node NAME for another)\n",
                     term::escape(std::string(host)));
}

Outcome<void> check_trial(const TrialPlan& plan) {
  if (auto failure = check_plan(plan)) return *failure;
  const auto folder = normal_folder(plan.folder);
  // The path stands in quotes in a YAML file and in a URL.
  if (folder.find_first_of("\"\\\n?#%") != std::string::npos) {
    return Failure{ExitCode::usage, "folder " + folder + " cannot be used",
                   "its name has one of \" \\ ? # % or a line break", "--dir DIR"};
  }
  if (const auto why = existing_entries(folder)) return in_use(folder, *why);
  return {};
}

Outcome<std::vector<std::string>> make_trial(const TrialPlan& given, const Checkpoint& checkpoint) {
  if (const auto good = check_trial(given); !good) return good.error();
  auto plan = given;
  plan.folder = normal_folder(plan.folder);

  const auto cannot = [&](const Error& error) { return failure_of(error, "cannot set up " + plan.folder); };
  std::error_code error;
  fs::create_directories(fs::path(plan.folder).parent_path(), error);
  Scratch scratch{plan.folder + ".init"};
  if (!error) fs::remove_all(scratch.path, error);
  if (error) return cannot(Error(error, fs::path(plan.folder).parent_path().string()));
  if (::mkdir(scratch.path.c_str(), kFolderMode) != 0) return cannot(errno_error(errno, scratch.path));

  auto files = Writer(plan, scratch.path, checkpoint).run();
  if (!files) return cannot(files.error());
  if (const auto done = checkpoint ? checkpoint("rename") : Result<void>(); !done) return cannot(done.error());
  // Replaces an empty folder only; anything that appeared meanwhile stays.
  if (::rename(scratch.path.c_str(), plan.folder.c_str()) != 0) {
    return errno == EEXIST || errno == ENOTEMPTY ? in_use(plan.folder, "something was put there meanwhile")
                                                 : cannot(errno_error(errno, plan.folder));
  }
  scratch.path.clear();
  if (const auto done = sync_folder(fs::path(plan.folder).parent_path().string()); !done) return cannot(done.error());
  return std::move(*files);
}

std::string trial_next_steps(const TrialPlan& plan, const std::string& default_folder) {
  const auto folder = normal_folder(plan.folder);
  std::string out =
      fmt::format("Next, each in its own terminal:\n\n  fleetwright-aggregator --config {}/aggregator.yaml\n", folder);
  for (const auto& node : plan.nodes)
    out += fmt::format("  fleetwright-agent --config {}/agent-{}.yaml    # as root, on {}\n", folder, node, node);
  out += "\n";
  if (folder != normal_folder(default_folder)) out += fmt::format("  export FLEETWRIGHT_CONFIG_DIR={}\n", folder);
  return out + "  fleetwright doctor\n  fleetwright incidents\n";
}

}  // namespace fw::cli
