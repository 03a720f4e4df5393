// A network namespace of the test's own, and workers in cgroups that use it.
#pragma once
#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/unique_fd.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {

// The calling thread and its later children are in a new network namespace, whose loopback is up, while this lives.
class NetworkNamespace {
 public:
  static std::unique_ptr<NetworkNamespace> make();   // nullptr: a privilege is missing
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

 private:
  explicit NetworkNamespace(UniqueFd before) : before_(std::move(before)) {}
  UniqueFd before_;
};

// Also usable in a child: the loopback of the current namespace.
bool loopback_up();

sockaddr_in loopback(std::uint16_t port);
std::uint16_t port_of(int socket);
UniqueFd tcp_listener(int backlog);
int connect_error(const sockaddr_in& peer, int syn_count = 0);   // errno of a blocking connect, 0 when it was established; closes it
// No packet reaches the socket any more, or again.
void drop_all_input(int socket);
void take_input_again(int socket);

// A process in a cgroup that waits; run() lets it run the job that it was given and returns what that returned. It stays alive.
class Worker {
 public:
  Worker(const Cgroup& group, const std::function<std::int64_t()>& job);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void begin();
  std::int64_t finish();
  std::int64_t run() {
    begin();
    return finish();
  }
  pid_t pid() const noexcept { return pid_; }

 private:
  UniqueFd start_, done_;
  pid_t pid_ = -1;
};

// "Tcp", "RetransSegs" of a file of pairs of lines; read in another way than the agent does.
std::int64_t protocol_counter(const std::string& path, const std::string& protocol, const std::string& name);

// In a namespace of its own, with every value fresh at each tick.
class NetworkTest : public KernelTest {
 protected:
  void SetUp() override;
  static void TearDownTestSuite() { watcher_.reset(); }

  // One for all tests of a suite, since loading programs takes half a second; its node is the namespace of the moment.
  void open_watcher();
  void open_new_watcher();
  // Of the last tick; 0 when absent.
  std::int64_t value(const Cgroup& group, const std::string& metric);
  std::int64_t node_value(const std::string& metric);
  std::int64_t interface_value(const std::string& name, const std::string& metric);
  void tick();
  // Ticks until it is so; false after 20 s.
  bool tick_until(const std::function<bool()>& done);
  // How often what was told of the cgroup so far.
  std::uint64_t told(const Cgroup& group, const std::string& what, const std::string& object, const std::string& reason);

  std::unique_ptr<NetworkNamespace> namespace_;
  static std::unique_ptr<Watcher> watcher_;

 private:
  std::int64_t find(const std::function<bool(const wire::EntityEntry&)>& match, const std::string& metric);
  wire::Samples samples_;
};

}  // namespace fw::test
