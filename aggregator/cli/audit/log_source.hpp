// Where the bytes of an audit log come from: the server, a folder (of a log or of a backup), one file of lines. Nothing is believed here.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/server.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::cli {

struct LogSource {
  std::string note;        // the newest checkpoint; of a server asked for first, so that what comes after it is not looked at
  bool grows = false;      // a server's
  std::function<Outcome<std::vector<std::string>>(std::uint64_t from)> lines;   // some lines from there on; none at the end
  std::function<Outcome<std::vector<authority::Digest>>(std::uint64_t seq, std::uint64_t size)> path;
  std::function<Outcome<std::vector<authority::Digest>>(std::uint64_t from, std::uint64_t to)> consistency;
};

// Lifetime: the server outlives it.
Outcome<LogSource> server_source(Server& server);
// A folder with `checkpoint` and entries-*.jsonl, or a file of lines with `checkpoint` beside it.
Outcome<LogSource> file_source(const std::string& path);

// A SignedPolicy or the policy's bytes. Errc::malformed.
Result<authority::Policy> read_policy_file(std::string_view bytes);

}  // namespace fw::cli
