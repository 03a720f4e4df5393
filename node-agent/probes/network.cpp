// dns_lookup and tcp_connect, from the network of the target.
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "node-agent/kernel/text.hpp"
#include "node-agent/probes/parsers.hpp"
#include "node-agent/probes/sight.hpp"

namespace fw::probes {
namespace {

constexpr std::size_t kMaxResolvBytes = 64 * 1024;
constexpr int kMaxAnswers = 16;
constexpr std::uint16_t kDnsPort = 53;
constexpr int kDnsTrySeconds = 2;

double ms_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

const char* rcode_name(int rcode) {
  constexpr std::array<const char*, 6> kNames{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  return rcode >= 0 && static_cast<std::size_t>(rcode) < kNames.size() ? kNames[static_cast<std::size_t>(rcode)] : "OTHER";
}

boost::json::array addresses_of(const unsigned char* answer, int size) {
  boost::json::array out;
  ns_msg message;
  if (ns_initparse(answer, size, &message) != 0) return out;
  for (int i = 0; i < std::min<int>(ns_msg_count(message, ns_s_an), kMaxAnswers); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) break;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool v4 = ns_rr_type(record) == ns_t_a && ns_rr_rdlen(record) == 4;
    const bool v6 = ns_rr_type(record) == ns_t_aaaa && ns_rr_rdlen(record) == 16;
    if ((v4 || v6) && ::inet_ntop(v4 ? AF_INET : AF_INET6, ns_rr_rdata(record), text.data(), text.size()) != nullptr) out.emplace_back(text.data());
  }
  return out;
}

boost::json::object ask(const std::string& server, const std::string& name, int type, const char* type_name) {
  boost::json::object row{{"server", server}, {"type", type_name}};
  struct __res_state state {};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kDnsPort);
  if (::inet_pton(AF_INET, server.c_str(), &address.sin_addr) != 1) {
    row["answer"] = "not asked: only resolvers with an IPv4 address are";
    return row;
  }
  if (res_ninit(&state) != 0) {
    row["answer"] = "the resolver library did not start";
    return row;
  }
  state.nscount = 1;
  state.nsaddr_list[0] = address;
  state.retrans = kDnsTrySeconds;
  state.retry = 1;
  std::array<unsigned char, 4096> query{}, answer{};
  const int query_size = res_nmkquery(&state, ns_o_query, name.c_str(), ns_c_in, type, nullptr, 0, nullptr, query.data(), query.size());
  const auto begin = std::chrono::steady_clock::now();
  const int size = query_size < 0 ? -1 : res_nsend(&state, query.data(), query_size, answer.data(), answer.size());
  row["took_ms"] = ms_since(begin);
  // The library goes on to the next server at SERVFAIL and REFUSED and then reports nothing; what came lies in the buffer.
  const bool came = query_size > 0 && answer[0] == query[0] && answer[1] == query[1] && (answer[2] & 0x80) != 0;
  if (size < static_cast<int>(sizeof(HEADER)) && !came) {
    row["answer"] = query_size < 0 ? "no such name can be asked for" : "TIMEOUT";
  } else {
    row["answer"] = rcode_name(answer[3] & 0x0F);
    row["addresses"] = addresses_of(answer.data(), std::clamp<int>(size, 0, answer.size()));
  }
  res_nclose(&state);
  return row;
}

}  // namespace

Result<Answer> dns_lookup(const Sight& sight, const Request& request) {
  std::string conf_path = sight.roots().prefix + "/etc/resolv.conf";
  if (!request.target.cgroup_path.empty()) {
    const auto pid = sight.any_pid(request.target.cgroup_path);
    if (!pid) return pid.error();
    conf_path = sight.proc(*pid, "root/etc/resolv.conf");
  }
  const auto conf = sight.read(conf_path, kMaxResolvBytes);
  if (!conf) return with_context(conf.error(), "resolv.conf");
  const auto servers = parse_nameservers(*conf);
  if (auto entered = enter_network(sight, request.target); !entered) return entered.error();
  Answer answer;
  if (servers.empty()) answer.facts["lacking"] = "no nameserver in resolv.conf";
  for (const auto& server : servers) {
    for (const auto& [type, name] : {std::pair(ns_t_a, "A"), std::pair(ns_t_aaaa, "AAAA")}) {
      if (sight.late()) {
        answer.truncated = true;
        return answer;
      }
      answer.rows.push_back(ask(server, request.text("name"), type, name));
    }
  }
  return answer;
}

Result<Answer> tcp_connect(const Sight& sight, const Request& request) {
  const std::string_view to = request.text("to");
  const auto colon = to.rfind(':');
  std::string host(to.substr(0, colon));
  const auto port = kernel::to_number<std::uint16_t>(to.substr(colon + 1));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(port.value_or(0));
  const bool is_v4 = ::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return Error(Errc::invalid_argument, "to: not an IP address: " + host);
  if (auto entered = enter_network(sight, request.target); !entered) return entered.error();

  const UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "socket");
  const auto begin = std::chrono::steady_clock::now();
  const auto* address = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  int problem = ::connect(fd.get(), address, is_v4 ? sizeof v4 : sizeof v6) == 0 ? 0 : errno;
  if (problem == EINPROGRESS) {
    pollfd wait{fd.get(), POLLOUT, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(sight.deadline() - begin).count();
    const int ready = ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(1, left)));
    socklen_t size = sizeof problem;
    if (ready == 0) {
      problem = ETIMEDOUT;
    } else if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
      problem = errno;
    }
  }
  Answer answer;
  const char* name = problem == 0 ? "connected" : ::strerrorname_np(problem);
  answer.rows.push_back(boost::json::object{{"to", to}, {"result", name == nullptr ? "failed" : name}, {"took_ms", ms_since(begin)}});
  return answer;
}

}  // namespace fw::probes
