#include "aggregator/cli/audit/log_source.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/json_read.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "common/base64.hpp"
#include "common/units.hpp"
#include "protocol/authority/merkle.hpp"

namespace fw::cli {
namespace {

constexpr std::size_t kPage = 1000, kMaxLogFileBytes = 1_GiB;

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Outcome<std::vector<authority::Digest>> read_path(const Outcome<std::string>& body, std::string_view kind) {
  if (!body) return body.error();
  const auto object = json_read::parse(*body, kind);
  if (!object) return failure_of(object.error(), "the server's proof cannot be read");
  std::vector<authority::Digest> path;
  for (const auto& text : json_read::texts(*object, "path")) {
    const auto bytes = decode_base64(text);
    if (!bytes || bytes->size() != authority::Digest{}.size()) return Failure{ExitCode::failure, "the server's proof cannot be read", "a hash is not base64 of 32 bytes"};
    std::copy(bytes->begin(), bytes->end(), path.emplace_back().begin());
  }
  return path;
}

// The lines of a folder with a tree over them, for proofs.
struct LocalLog {
  std::vector<std::string> lines;
  authority::Tree tree;
};

}  // namespace

Outcome<LogSource> server_source(Server& server) {
  LogSource source;
  source.grows = true;
  auto note = server.get("/api/v1/audit/checkpoint");
  if (!note) return note.error();
  source.note = std::move(*note);
  source.lines = [&server](std::uint64_t from) -> Outcome<std::vector<std::string>> {
    const auto body = server.get(fmt::format("/api/v1/audit/entries?from={}&limit={}", from, kPage));
    if (!body) return body.error();
    return split_lines(*body);
  };
  source.path = [&server](std::uint64_t seq, std::uint64_t size) {
    return read_path(server.get(fmt::format("/api/v1/audit/proof?index={}&size={}", seq, size)), "InclusionProof");
  };
  source.consistency = [&server](std::uint64_t from, std::uint64_t to) {
    return read_path(server.get(fmt::format("/api/v1/audit/consistency?from={}&to={}", from, to)), "ConsistencyProof");
  };
  return source;
}

Outcome<LogSource> file_source(const std::string& path) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  std::vector<std::string> files;
  if (is_folder) {
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("entries-") && name.ends_with(".jsonl")) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  const auto folder = is_folder ? std::filesystem::path(path) : std::filesystem::path(path).parent_path();
  const auto note = read_file((folder / "checkpoint").string(), kMaxConfigBytes);
  if (!note) return failure_of(note.error(), "cannot read the checkpoint beside " + path, "a folder of the audit log, or a copy of one");
  std::string text;
  for (const auto& file : files) {
    const auto bytes = read_file(file, kMaxLogFileBytes);
    if (!bytes) return failure_of(bytes.error(), "cannot read " + file);
    text += *bytes;
  }
  const auto log = std::make_shared<LocalLog>();
  log->lines = split_lines(text);
  for (const auto& line : log->lines) log->tree.append(authority::leaf_hash(line));
  LogSource source;
  source.note = *note;
  source.lines = [log](std::uint64_t from) -> Outcome<std::vector<std::string>> {
    const auto begin = std::min<std::size_t>(from, log->lines.size()), end = std::min(begin + kPage, log->lines.size());
    return std::vector<std::string>(log->lines.begin() + static_cast<std::ptrdiff_t>(begin), log->lines.begin() + static_cast<std::ptrdiff_t>(end));
  };
  const auto answer = [](Result<std::vector<authority::Digest>> path_of) -> Outcome<std::vector<authority::Digest>> {
    if (!path_of) return Failure{ExitCode::audit_tampered, "the audit log was changed", "entries are missing: " + path_of.error().context};
    return std::move(*path_of);
  };
  source.path = [log, answer](std::uint64_t seq, std::uint64_t size) { return answer(log->tree.inclusion(seq, size)); };
  source.consistency = [log, answer](std::uint64_t from, std::uint64_t to) { return answer(log->tree.consistency(from, to)); };
  return source;
}

Result<authority::Policy> read_policy_file(std::string_view bytes) {
  const auto signed_policy = parse_signed_policy(bytes);
  if (signed_policy) return authority::parse_policy(signed_policy->document);
  return authority::parse_policy({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace fw::cli
