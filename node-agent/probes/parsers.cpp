#include "node-agent/probes/parsers.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "node-agent/kernel/text.hpp"

namespace fw::probes {
namespace {

using kernel::take_line;
using kernel::take_until;
using kernel::trimmed;

template <class Number>
std::optional<Number> hexadecimal(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = trimmed(line)).empty()) {
    words.push_back(line.substr(0, line.find_first_of(" \t")));
    line.remove_prefix(words.back().size());
  }
  return words;
}

// "0100007F:0050": words of 32 bits in the byte order of this machine.
std::optional<std::string> endpoint(std::string_view text) {
  const auto host = take_until(text, ':');
  const auto port = hexadecimal<std::uint16_t>(text);
  if (!port || (host.size() != 8 && host.size() != 32)) return std::nullopt;
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < host.size() / 8; ++i) {
    const auto word = hexadecimal<std::uint32_t>(host.substr(i * 8, 8));
    if (!word) return std::nullopt;
    words[i] = *word;
  }
  std::array<char, INET6_ADDRSTRLEN> name{};
  const bool v6 = host.size() == 32;
  if (::inet_ntop(v6 ? AF_INET6 : AF_INET, words.data(), name.data(), name.size()) == nullptr) return std::nullopt;
  return (v6 ? "[" + std::string(name.data()) + "]" : std::string(name.data())) + ":" + std::to_string(*port);
}

}  // namespace

Result<TaskTimes> parse_task_times(std::string_view stat) {
  const auto close = stat.rfind(')');
  if (close == std::string_view::npos) return Error(Errc::malformed, "stat: no name");
  const auto words = words_of(stat.substr(close + 1));   // words[0] is field 3, the state
  constexpr std::size_t kUser = 11, kSystem = 12, kThreads = 17;
  if (words.size() <= kThreads) return Error(Errc::malformed, "stat: too few fields");
  const auto user = kernel::to_number<std::uint64_t>(words[kUser]);
  const auto system = kernel::to_number<std::uint64_t>(words[kSystem]);
  const auto threads = kernel::to_number<std::uint32_t>(words[kThreads]);
  if (!user || !system || !threads) return Error(Errc::malformed, "stat: a bad number");
  return TaskTimes{.cpu_ticks = *user + *system, .threads = *threads};
}

std::string join_argv(std::string_view cmdline) {
  while (!cmdline.empty() && cmdline.back() == '\0') cmdline.remove_suffix(1);
  std::string out(cmdline);
  std::replace(out.begin(), out.end(), '\0', ' ');
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string join_stack(std::string_view stack) {
  std::string out;
  while (!stack.empty()) {
    auto frame = take_line(stack);
    if (const auto close = frame.find("] "); frame.starts_with("[<") && close != std::string_view::npos) frame.remove_prefix(close + 2);
    frame = trimmed(frame);
    if (!frame.empty()) out.append(out.empty() ? "" : ";").append(frame);
  }
  return out;
}

std::vector<std::string> environment_names_of(std::string_view environ) {
  constexpr std::size_t kMaxNameBytes = 128;
  constexpr std::size_t kMaxNames = 2000;
  std::vector<std::string> names;
  while (!environ.empty() && names.size() < kMaxNames) {
    const auto entry = take_until(environ, '\0');
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals > kMaxNameBytes) continue;
    const auto name = entry.substr(0, equals);
    const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-'; };
    if (std::all_of(name.begin(), name.end(), plain)) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<Socket> parse_sockets(std::string_view text, std::size_t most) {
  constexpr std::size_t kInode = 9;
  std::vector<Socket> out;
  take_line(text);   // titles
  while (!text.empty() && out.size() < most) {
    const auto words = words_of(take_line(text));
    if (words.size() <= kInode) continue;
    auto local = endpoint(words[1]);
    auto remote = endpoint(words[2]);
    const auto state = hexadecimal<std::uint8_t>(words[3]);
    auto queues = words[4];
    const auto send = hexadecimal<std::uint64_t>(take_until(queues, ':'));
    const auto receive = hexadecimal<std::uint64_t>(queues);
    const auto inode = kernel::to_number<std::uint64_t>(words[kInode]);
    if (!local || !remote || !state || !send || !receive || !inode) continue;
    out.push_back({std::move(*local), std::move(*remote), *state, *send, *receive, *inode});
  }
  return out;
}

std::string_view state_name(std::uint8_t state) noexcept {
  constexpr std::array<std::string_view, 13> kNames{"?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
                                                    "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"};
  return state < kNames.size() ? kNames[state] : kNames[0];
}

std::optional<std::uint64_t> socket_inode(std::string_view link) {
  constexpr std::string_view kHead = "socket:[";
  if (!link.starts_with(kHead) || !link.ends_with("]")) return std::nullopt;
  return kernel::to_number<std::uint64_t>(link.substr(kHead.size(), link.size() - kHead.size() - 1));
}

std::string_view last_lines(std::string_view text, std::size_t lines, bool from_start) {
  if (!from_start) {
    const auto first = text.find('\n');
    text.remove_prefix(first == std::string_view::npos ? text.size() : first + 1);
  }
  auto at = text.ends_with('\n') ? text.size() - 1 : text.size();
  while (lines > 0 && at > 0) {
    const auto newline = text.rfind('\n', at - 1);
    if (newline == std::string_view::npos) return text;
    at = newline;
    --lines;
  }
  return lines == 0 ? text.substr(std::min(at + 1, text.size())) : text;
}

std::vector<std::string> parse_nameservers(std::string_view resolv_conf) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> out;
  while (!resolv_conf.empty() && out.size() < kMost) {
    const auto words = words_of(take_line(resolv_conf));
    if (words.size() >= 2 && words[0] == "nameserver") out.emplace_back(words[1].substr(0, INET6_ADDRSTRLEN));
  }
  return out;
}

}  // namespace fw::probes
