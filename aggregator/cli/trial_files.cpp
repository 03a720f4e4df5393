#include "aggregator/cli/trial_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "aggregator/cli/context.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/policy/starter_policy.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/signing/signer.hpp"
#include "common/id.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::cli {
namespace {

constexpr std::chrono::hours kAuthorityLife{24 * 365 * 5};
constexpr std::chrono::hours kCertificateLife{24 * 365};
constexpr std::size_t kSecretBytes = 32;
constexpr char kNodeCa[] = "authority/node-ca.crt";
constexpr char kPeopleCa[] = "authority/people-ca.crt";
constexpr char kLogKey[] = "aggregator/log.key";
constexpr char kPolicyBytes[] = "policy/policy.bin";
constexpr char kSignedPolicy[] = "policy/policy.json";
constexpr mode_t kFolderMode = 0700;

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
    step("people", [&] { return people_files(); });
    step("keys of the authority", [&] { return authority_keys(); });
    step("policy", [&] { return policy_files(); });
    for (const auto& node : plan_.nodes) step("executor of " + node, [&] { return file("executor-" + node + ".yaml", executor_yaml(node)); });
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
    for (const auto* name : {"authority", "aggregator", "nodes", "people", "policy"}) {
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
        "  cloudevents_secret_file: aggregator/cloudevents-webhook.secret\n"
        "audit:\n  folder: aggregator/audit\n  key: {}    # signs the audit log; whoever has it can rewrite the log before a node saw it\n"
        "governance:\n  policy: {}\n",
        in_quotes(plan_.listen_agents), in_quotes(plan_.listen_people), in_quotes(plan_.listen_plain), kNodeCa,
        kPeopleCa, in_quotes("sqlite://" + plan_.folder + "/aggregator/fleetwright.db"), kLogKey, kSignedPolicy);
  }

  Result<void> node_files(const std::string& node) {
    transport::CertificateRequest request;
    request.role = transport::PeerIdentity::Kind::node;
    request.name = node;
    request.node_uid = node_uids_.emplace_back(make_uuid_v4());
    const auto stem = "nodes/" + node + "/node";
    if (auto done = issue(node_ca_, std::move(request), stem); !done) return done;
    const auto address = reachable(plan_, plan_.listen_agents);
    const auto yaml = fmt::format(
        "# Written by `fleetwright init`. All keys: docs/configuration.md. Paths are relative to this file.\n"
        "aggregator:\n  address: {}\n  server_name: {}\n"
        "tls:\n  certificate: {}.crt\n  key: {}.key\n  ca: {}\n"
        "node:\n  name: {}\n"
        "spool:\n  folder: nodes/{}/spool\n"
        "executor:\n  socket: nodes/{}/executor.sock\n",
        in_quotes(address), in_quotes(split_host_port(address)->host), stem, stem, kNodeCa, in_quotes(node), node, node);
    return file("agent-" + node + ".yaml", yaml);
  }

  Result<void> people_files() {
    for (const auto& person : plan_.people) {
      transport::CertificateRequest request;
      request.role = transport::PeerIdentity::Kind::person;
      request.name = person;
      if (auto done = issue(people_ca_, std::move(request), "people/" + person); !done) return done;
      auto key = signing_key("people/" + person + ".sign.key", person);
      if (!key) return key.error();
      people_keys_.push_back(key->public_key());
    }
    return {};
  }

  // The private key and, beside it, the public line that a policy takes.
  Result<authority::PrivateKey> signing_key(const std::string& name, const std::string& owner) {
    auto key = authority::PrivateKey::generate();
    if (auto done = file(name, key.to_pem()); !done) return done.error();
    const auto pub = public_key_path(name);
    files_.push_back(pub);
    if (auto done = replace_file(root_ + "/" + pub, key_text(key.public_key()) + " " + owner + "\n", FileMode::plain); !done) return done.error();
    return key;
  }

  Result<void> authority_keys() {
    for (std::uint32_t i = 1; i <= root_count(profile_of(plan_)).roots; ++i) {
      auto key = signing_key(fmt::format("authority/root-{}.key", i), fmt::format("root-{}", i));
      if (!key) return key.error();
      root_keys_.push_back(std::move(*key));
    }
    auto key = signing_key(kLogKey, "log");
    if (!key) return key.error();
    log_key_ = key->public_key();
    return {};
  }

  Result<void> policy_files() {
    constexpr std::int64_t kNsPerMs = 1'000'000, kMsPerSecond = 1'000;
    StarterPolicy starter;
    starter.profile = profile_of(plan_);
    starter.people = plan_.people;
    starter.people_keys = people_keys_;
    for (const auto& key : root_keys_) starter.root_keys.push_back(key.public_key());
    starter.log_key = log_key_;
    starter.issued_ms = plan_.now_ns / kNsPerMs / kMsPerSecond * kMsPerSecond;  // whole seconds read better
    starter.not_after_ms = starter.issued_ms + std::chrono::milliseconds(kCertificateLife).count();
    const auto policy = starter_policy(starter);
    if (const auto wrong = authority::check_policy(policy); !wrong.empty()) return Error(Errc::invalid_argument, wrong.front());
    SignedPolicy out{authority::to_bytes(policy), {}};
    for (const auto& key : root_keys_) out.signatures.push_back(key.sign(authority::Domain::policy, out.document));
    policy_digest_ = authority::to_text(authority::sha256(out.document));
    if (auto done = file("policy/policy.yaml", policy_yaml(policy, Guide::yes)); !done) return done;
    if (auto done = file(kPolicyBytes, text_of(out.document)); !done) return done;
    return file(kSignedPolicy, render_signed_policy(out));
  }

  std::string executor_yaml(const std::string& node) const {
    const auto index = static_cast<std::size_t>(std::find(plan_.nodes.begin(), plan_.nodes.end(), node) - plan_.nodes.begin());
    const bool enabled = plan_.actions == TrialPlan::Actions::enabled;
    return fmt::format(
        "# Written by `fleetwright init`. All keys: docs/executor.md. Paths are relative to this file.\n"
        "node:\n  uid: {}\n  cluster: \"\"\n  labels: []\n"
        "socket:\n  path: nodes/{}/executor.sock\n"
        "journal:\n  folder: nodes/{}/journal\n"
        "# The bytes that people signed; the digest pins them, so that nobody changes the first policy without changing this file.\n"
        "policy:\n  file: {}\n  sha256: {}\n"
        "{}actions:\n  observe_only: {}\n",
        in_quotes(node_uids_[index].str()), node, node, kPolicyBytes, policy_digest_,
        enabled ? "# Approved plans are executed on this node (`init --enable-actions`).\n"
                : "# true: every approved plan is checked and answered, nothing is done. false lets this node act.\n",
        !enabled);
  }

  // The first person has the context `trial`; the others have one of their own name.
  std::string contexts() const {
    ContextsFile out;
    out.current_context = "trial";
    out.clusters.push_back({"trial", "https://" + reachable(plan_, plan_.listen_people), kNodeCa, {}, kSignedPolicy});
    for (const auto& person : plan_.people) {
      const auto stem = "people/" + person;
      out.users.push_back({person, stem + ".crt", stem + ".key", stem + ".sign.key"});
      out.contexts.push_back({person == plan_.people.front() ? "trial" : person, "trial", person});
    }
    return render_contexts(out);
  }

  const TrialPlan& plan_;
  std::string root_;
  const Checkpoint& checkpoint_;
  std::optional<Error> error_;
  transport::PemPair node_ca_, people_ca_;
  std::vector<Uuid> node_uids_;  // in the order of the nodes
  std::vector<authority::PublicKey> people_keys_;
  std::vector<authority::PrivateKey> root_keys_;
  authority::PublicKey log_key_;
  std::string policy_digest_;
  std::vector<std::string> files_;
};

}  // namespace

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

Result<std::vector<std::string>> write_trial_files(const TrialPlan& plan, std::string root, const Checkpoint& checkpoint) {
  return Writer(plan, std::move(root), checkpoint).run();
}

}  // namespace fw::cli
