#include "tests/kernel/network_sandbox.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace fw::test {

bool loopback_up() {
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

std::unique_ptr<NetworkNamespace> NetworkNamespace::make() {
  UniqueFd before{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (!before.valid() || ::unshare(CLONE_NEWNET) != 0 || !loopback_up()) return nullptr;
  return std::unique_ptr<NetworkNamespace>{new NetworkNamespace{std::move(before)}};
}

NetworkNamespace::~NetworkNamespace() {
  if (before_.valid() && ::setns(before_.get(), CLONE_NEWNET) != 0) ADD_FAILURE() << "cannot leave the namespace: " << std::strerror(errno);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

UniqueFd tcp_listener(int backlog) {
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = loopback(0);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 || ::listen(socket.get(), backlog) != 0) {
    ADD_FAILURE() << "listen: " << std::strerror(errno);
  }
  return socket;
}

int connect_error(const sockaddr_in& peer, int syn_count) {
  const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (syn_count > 0) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_SYNCNT, &syn_count, sizeof(syn_count));
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0 ? 0 : errno;
}

void drop_all_input(int socket) {
  sock_filter keep_nothing{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &keep_nothing};
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) ADD_FAILURE() << std::strerror(errno);
}

void take_input_again(int socket) {
  const int unused = 0;
  ::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
}

Worker::Worker(const Cgroup& group, const std::function<std::int64_t()>& job) {
  int start[2], done[2];
  if (::pipe2(start, O_CLOEXEC) != 0 || ::pipe2(done, O_CLOEXEC) != 0) std::abort();
  pid_ = group.spawn([&] {
    ::close(start[1]);
    char byte;
    if (::read(start[0], &byte, 1) == 1) {
      const auto result = job();
      (void)!::write(done[1], &result, sizeof(result));
    }
    live_until_killed();
    return 0;
  });
  ::close(start[0]);
  ::close(done[1]);
  start_ = UniqueFd{start[1]};
  done_ = UniqueFd{done[0]};
}

Worker::~Worker() {
  ::kill(pid_, SIGKILL);
  wait_for_exit(pid_);
}

void Worker::begin() { (void)!::write(start_.get(), "x", 1); }

std::int64_t Worker::finish() {
  std::int64_t result = -1;
  if (::read(done_.get(), &result, sizeof(result)) != sizeof(result)) ADD_FAILURE() << "the worker has ended";
  return result;
}

std::int64_t protocol_counter(const std::string& path, const std::string& protocol, const std::string& name) {
  std::ifstream file{path};
  for (std::string names, values; std::getline(file, names) && std::getline(file, values);) {
    std::istringstream name_words{names}, value_words{values};
    std::string one_name, one_value;
    while (name_words >> one_name && value_words >> one_value) {
      if (names.starts_with(protocol + ":") && one_name == name) return std::stoll(one_value);
    }
  }
  ADD_FAILURE() << path << " has no " << protocol << " " << name;
  return -1;
}

void NetworkTest::SetUp() {
  KernelTest::SetUp();
  if (IsSkipped()) return;
  if (!has_bpf_rights()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON";
  namespace_ = NetworkNamespace::make();
  if (!namespace_) GTEST_SKIP() << "needs CAP_SYS_ADMIN to make a network namespace";
}

std::unique_ptr<Watcher> NetworkTest::watcher_;

void NetworkTest::open_watcher() {
  if (!watcher_) return open_new_watcher();
  watcher_->tick();   // what the last test left
  watcher_->take();
}

void NetworkTest::open_new_watcher() {
  watcher_.reset();
  collectors::SensorsConfig config;
  config.sample_period = std::chrono::milliseconds{1};
  watcher_ = std::make_unique<Watcher>(config);
}

void NetworkTest::tick() {
  watcher_->take();
  samples_ = watcher_->tick();
  watcher_->take();
}

bool NetworkTest::tick_until(const std::function<bool()>& done) {
  return watcher_->wait_until([&] {
    tick();
    return done();
  }, std::chrono::seconds{20});
}

std::int64_t NetworkTest::find(const std::function<bool(const wire::EntityEntry&)>& match, const std::string& metric) {
  std::uint32_t entity_id = 0, metric_id = 0;
  for (const auto& entity : watcher_->sensors().entities()) {
    if (match(entity)) entity_id = entity.id;
  }
  for (const auto& entry : watcher_->sensors().metrics()) {
    if (entry.name == metric) metric_id = entry.id;
  }
  for (const auto& column : samples_.columns) {
    if (column.metric_id != metric_id) continue;
    for (std::size_t i = 0; i < column.entity_ids.size(); ++i) {
      if (column.entity_ids[i] == entity_id) return column.values[i];
    }
  }
  return 0;
}

std::int64_t NetworkTest::value(const Cgroup& group, const std::string& metric) {
  return find([&](const auto& entity) { return entity.cgroup_path == group.path(); }, metric);
}
std::int64_t NetworkTest::node_value(const std::string& metric) {
  return find([](const auto& entity) { return entity.kind == wire::EntityKind::node; }, metric);
}
std::int64_t NetworkTest::interface_value(const std::string& name, const std::string& metric) {
  return find([&](const auto& entity) { return entity.kind == wire::EntityKind::interface && entity.name == name; }, metric);
}

std::uint64_t NetworkTest::told(const Cgroup& group, const std::string& what, const std::string& object, const std::string& reason) {
  std::uint64_t count = 0;
  for (const auto& observed : watcher_->all<wire::Observed>(group.path())) {
    if (observed.what == what && observed.object == object && observed.reason == reason) count += observed.count;
  }
  return count;
}

}  // namespace fw::test
