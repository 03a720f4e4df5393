#include "aggregator/cli/doctor.hpp"

#include <sys/stat.h>

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "aggregator/cli/term/document.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"
#include "common/version.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDayNs = 86'400 * kNsPerSecond;
constexpr std::int64_t kExpiryWarningNs = 14 * kDayNs;
constexpr std::size_t kMaxFilesLookedAt = 1'000;

const char* word(Level level) {
  switch (level) {
    case Level::ok: return "OK";
    case Level::warn: return "WARN";
    case Level::fail: break;
  }
  return "FAIL";
}

Finding judge_mode(const std::string& name, const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return {Level::fail, name, "cannot be read: " + errno_error(errno, path).message(),
            "restore it, or make a new set-up with `fleetwright init`"};
  const auto mode = status.st_mode & 07777U;
  if ((mode & 077U) == 0) return {Level::ok, name, fmt::format("mode {:04o}", mode), {}};
  return {Level::fail, name, fmt::format("mode {:04o}: others can read it", mode), "chmod 600 " + path};
}

Finding judge_certificate(const std::string& name, const std::string& path, std::int64_t now_ns) {
  const auto info = transport::certificate_info_of_file(path);
  if (!info)
    return {Level::fail, name, info.error().message(), "restore it, or make a new set-up with `fleetwright init`"};
  return judge_expiry(name, info->not_before_ns, info->not_after_ns, now_ns);
}

Finding failed(const std::string& name, const Failure& failure) {
  return {Level::fail, name, failure.why.empty() ? failure.what : failure.what + ": " + failure.why, failure.fix};
}

void judge_context_files(const Context& context, std::int64_t now_ns, Findings& out) {
  out.push_back(judge_certificate("server authority", context.ca_file, now_ns));
  out.push_back(judge_certificate("certificate of " + context.person, context.certificate_file, now_ns));
  out.push_back(judge_mode("key of " + context.person, context.key_file));
}

void judge_server(Session& session, const std::string& person, Findings& out) {
  const auto server = session.server();
  if (!server) {
    out.push_back(failed("server", server.error()));
    return;
  }
  const auto& url = (*server)->context().server;
  const auto body = (*server)->get("/api/v1/status");
  if (!body) {
    auto finding = failed(body.error().code == ExitCode::not_authorised ? "person" : "server", body.error());
    // The general advice is to run what is running.
    if (finding.fix.find("doctor") != std::string::npos)
      finding.fix = "start fleetwright-aggregator there, or give its address: --server https://HOST:PORT";
    if (body.error().what.find("trusted") != std::string::npos)
      finding.fix =
          "use the authority that signed the server's certificate (certificate-authority in the contexts file) and a "
          "person's certificate of its people CA";
    if (body.error().code == ExitCode::not_authorised) finding.fix = "use a certificate of this server's people CA";
    out.push_back(std::move(finding));
    return;
  }
  const auto status = read_status(*body);
  if (!status) {
    out.push_back({Level::fail, "server", url + ": " + status.error().message(),
                   "is it a Fleetwright server? check `fleetwright config view`"});
    return;
  }
  out.push_back({Level::ok, "server", fmt::format("{} runs {}", url, status->version), {}});
  judge_status(*status, person, out);
  if (const auto nodes = (*server)->get("/api/v1/nodes")) {
    if (const auto list = read_nodes(*nodes)) judge_nodes(*list, session.now_ns(), out);
  } else {
    out.push_back(failed("nodes", nodes.error()));
  }
}

}  // namespace

Finding judge_expiry(const std::string& name, std::int64_t not_before_ns, std::int64_t not_after_ns,
                     std::int64_t now_ns) {
  const auto until = term::rfc3339(not_after_ns);
  if (now_ns > not_after_ns)
    return {Level::fail, name, "expired at " + until, "issue a new one; for a trial: `fleetwright init --dir NEW`"};
  if (now_ns < not_before_ns)
    return {Level::fail, name, "not valid before " + term::rfc3339(not_before_ns), "check this machine's clock"};
  if (not_after_ns - now_ns < kExpiryWarningNs)
    return {Level::warn, name, fmt::format("expires in {}, at {}", term::duration(not_after_ns - now_ns), until),
            "issue a new one before that"};
  return {Level::ok, name, "valid until " + until, {}};
}

void judge_status(const Status& status, const std::string& expected_person, Findings& out) {
  if (status.person == expected_person) {
    out.push_back({Level::ok, "person", "the server accepts you as " + status.person, {}});
  } else {
    out.push_back({Level::warn, "person",
                   fmt::format("the server knows you as {}, the contexts file says {}", status.person, expected_person),
                   "rename the user in the contexts file, or use the right certificate"});
  }
  if (status.version != kVersion) {
    out.push_back({Level::warn, "version", fmt::format("server {}, this program {}", status.version, kVersion),
                   "use the same version on both sides"});
  }
  for (const auto& check : status.checks) {
    out.push_back({check.ok ? Level::ok : Level::fail, "readiness " + check.name, check.detail,
                   check.ok ? "" : "the aggregator's log says more"});
  }
}

void judge_nodes(const std::vector<Node>& nodes, std::int64_t now_ns, Findings& out) {
  if (nodes.empty()) {
    out.push_back({Level::warn, "nodes", "none has reported yet", "start fleetwright-agent --config ... on a node"});
    return;
  }
  for (const auto& node : nodes) {
    const auto name = "node " + node.name;
    if (!node.connected) {
      out.push_back({Level::warn, name, "not connected, last seen " + term::age(node.last_seen_ns, now_ns) + " ago",
                     "look at fleetwright-agent there: is it running, can it reach the aggregator?"});
    } else if (!node.lacking.empty()) {
      out.push_back({Level::warn, name, fmt::format("connected, lacks {}", fmt::join(node.lacking, ", ")),
                     "`fleetwright-agent --probe-kernel` there says what it needs"});
    } else {
      out.push_back({Level::ok, name, "connected", {}});
    }
    const auto lost = node.lost_events_total + node.lost_samples_total;
    if (lost > 0) {
      out.push_back({Level::warn, name,
                     fmt::format("lost {} samples and {} events", node.lost_samples_total, node.lost_events_total),
                     "the agent's log names where: spool limits, ring buffer, network"});
    }
  }
}

void judge_files(const std::string& folder, std::int64_t now_ns, Findings& out) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
       !error && entry != fs::recursive_directory_iterator() && paths.size() < kMaxFilesLookedAt;
       entry.increment(error)) {
    if (entry->is_regular_file(error)) paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  std::size_t good = 0;
  for (const auto& path : paths) {
    const auto name = path.lexically_relative(folder).string();
    Finding finding;
    if (path.extension() == ".key" || path.extension() == ".secret" || name == kContextsFile) {
      finding = judge_mode("file " + name, path.string());
    } else if (path.extension() == ".crt") {
      finding = judge_certificate("file " + name, path.string(), now_ns);
    } else {
      continue;
    }
    if (finding.level == Level::ok)
      ++good;
    else
      out.push_back(std::move(finding));
  }
  out.push_back(
      {Level::ok, "files", fmt::format("{} keys, secrets and certificates in {} are in order", good, folder), {}});
}

std::string render_findings(const Findings& findings, const term::Layout& layout) {
  if (!layout.for_people) {
    term::Table table({{"RESULT"}, {"CHECK"}, {"DETAIL"}, {"FIX"}});
    for (const auto& finding : findings) {
      table.add(
          {{word(finding.level)}, {finding.name}, {finding.detail}, {finding.fix.empty() ? "<none>" : finding.fix}});
    }
    return table.render(layout);
  }
  term::Document document(layout);
  for (const auto& finding : findings) {
    const auto role = finding.level == Level::ok     ? term::Role::good
                      : finding.level == Level::warn ? term::Role::warn
                                                     : term::Role::bad;
    document.item(0, fmt::format("{:<4}", word(finding.level)),
                  finding.name + (finding.detail.empty() ? "" : ": " + finding.detail), role);
    if (!finding.fix.empty()) document.item(5, "fix:", finding.fix, term::Role::dim);
  }
  return document.take();
}

std::string findings_json(const Findings& findings) {
  boost::json::array items;
  for (const auto& finding : findings) {
    items.push_back(boost::json::object{
        {"result", word(finding.level)}, {"check", finding.name}, {"detail", finding.detail}, {"fix", finding.fix}});
  }
  return boost::json::serialize(boost::json::object{
      {"apiVersion", "fleetwright/v1alpha1"}, {"kind", "DoctorReport"}, {"items", std::move(items)}});
}

Outcome<ExitCode> doctor(Session& session) {
  Findings findings;
  const auto folder = session.folder();
  const auto context = session.context();
  if (!context) {
    findings.push_back(failed("configuration", context.error()));
  } else {
    findings.push_back(
        {Level::ok, "configuration", fmt::format("context {} of {}/{}", context->name, folder, kContextsFile), {}});
    judge_context_files(*context, session.now_ns(), findings);
    judge_files(folder, session.now_ns(), findings);
    judge_server(session, context->person, findings);
  }
  if (session.format() == Format::json)
    session.print_json(findings_json(findings));
  else
    session.print(render_findings(findings, session.layout()));
  const bool broken =
      std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.level == Level::fail; });
  return broken ? ExitCode::failure : ExitCode::ok;
}

}  // namespace fw::cli
