// Each probe through the real helper, against real processes, cgroups, networks and the kernel's own words.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "node-agent/probes/helper.hpp"
#include "tests/kernel/sandbox.hpp"

// Found in profiles by its name.
extern "C" __attribute__((noinline)) void fw_probe_spin() {
  volatile unsigned long turns = 0;
  for (;;) {
    const auto next = turns + 1;
    turns = next;
  }
}

namespace fw::probes {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

class ProbesOnKernel : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    layout = test::usable_layout(why);
    if (!layout) GTEST_SKIP() << why;
    auto started = start_helper({});
    ASSERT_TRUE(started) << started.error().message();
    helper = std::move(*started);
  }
  void TearDown() override {
    for (const auto pid : children) ::kill(pid, SIGKILL), test::wait_for_exit(pid);
    helper.socket.reset();
    if (helper.pid > 0) {
      EXPECT_EQ(::waitpid(helper.pid, nullptr, 0), helper.pid) << "the helper ends with its socket";
    }
  }

  pid_t spawn(const test::Cgroup& cgroup, const std::function<int()>& body) {
    children.push_back(cgroup.spawn(body));
    return children.back();
  }

  Request request(std::string_view kind, const std::string& cgroup, std::vector<wire::ProbeArgument> arguments = {}, std::uint32_t limit_ms = 25'000) {
    auto made = parse_request({.id = ++last_id, .kind = std::string(kind), .target = cgroup, .arguments = std::move(arguments), .deadline_ms = limit_ms}).value();
    made.target.cgroup_path = cgroup;
    made.target.name = cgroup;
    return made;
  }
  void send(const Request& one) {
    const auto packet = to_packet(one);
    ASSERT_EQ(::send(helper.socket.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  }
  wire::ProbeResult receive() {
    pollfd wait{helper.socket.get(), POLLIN, 0};
    if (::poll(&wait, 1, 30'000) != 1) return {};
    std::string packet(256 * 1024, '\0');
    const auto size = ::recv(helper.socket.get(), packet.data(), packet.size(), 0);
    return result_of_packet(std::string_view(packet).substr(0, static_cast<std::size_t>(std::max<ssize_t>(0, size)))).value();
  }
  json::object ask(std::string_view kind, const std::string& cgroup, std::vector<wire::ProbeArgument> arguments = {}) {
    send(request(kind, cgroup, std::move(arguments)));
    const auto result = receive();
    EXPECT_EQ(result.status, wire::ProbeStatus::done) << result.text;
    return result.status == wire::ProbeStatus::done ? json::parse(result.text).as_object() : json::object{{"rows", json::array{}}, {"text", ""}};
  }

  // The first row in which all fields are as given.
  static const json::object* row(const json::object& result, const json::object& fields) {
    for (const auto& one : result.at("rows").as_array()) {
      bool all = true;
      for (const auto& [name, value] : fields) {
        const auto* has = one.as_object().if_contains(name);
        all = all && has != nullptr && json::serialize(*has) == json::serialize(value);
      }
      if (all) return &one.as_object();
    }
    return nullptr;
  }

  std::optional<kernel::CgroupLayout> layout;
  Helper helper;
  std::vector<pid_t> children;
  std::uint64_t last_id = 0;
};

// A TCP socket that listens on loopback.
struct Listener {
  Listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd.get(), 8) != 0) throw std::runtime_error("listen");
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  std::string name() const { return "127.0.0.1:" + std::to_string(port); }
  UniqueFd fd;
  std::uint16_t port = 0;
};

// Waits until a child has written a byte.
struct Ready {
  Ready() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
  ~Ready() { ::close(ends[0]), ::close(ends[1]); }
  void tell() const { EXPECT_EQ(::write(ends[1], "r", 1), 1); }
  void wait() const {
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  }
  int ends[2]{};
};

TEST_F(ProbesOnKernel, process_table_shows_what_the_kernel_counts) {
  const test::Cgroup cgroup(*layout, "probe-table");
  const Ready ready;
  const auto pid = spawn(cgroup, [&]() -> int {
    test::use_memory(32 << 20);
    ready.tell();
    test::live_until_killed();
  });
  ready.wait();
  const auto result = ask("process_table", cgroup.path());
  const auto* found = row(result, {{"pid", pid}});
  ASSERT_NE(found, nullptr) << json::serialize(result);
  EXPECT_EQ(result.at("rows").as_array().size(), 1U);
  EXPECT_EQ(found->at("parent").to_number<int>(), ::getpid());
  EXPECT_NE(std::string(found->at("argv").as_string()).find("probes_kernel_test"), std::string::npos);
  EXPECT_LT(found->at("age_s").to_number<int>(), 60);
}

TEST_F(ProbesOnKernel, connections_and_listening_ports_belong_to_their_processes) {
  const test::Cgroup cgroup(*layout, "probe-sockets");
  const Listener outside;
  const Ready ready;
  const auto pid = spawn(cgroup, [&]() -> int {
    const Listener inside;
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(outside.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
    ready.tell();
    test::live_until_killed();
  });
  ready.wait();
  const auto connections = ask("connections", cgroup.path());
  EXPECT_NE(row(connections, {{"pid", pid}, {"protocol", "tcp"}, {"remote", outside.name()}, {"state", "ESTABLISHED"}}), nullptr) << json::serialize(connections);
  EXPECT_EQ(connections.at("rows").as_array().size(), 1U) << "others' sockets are not shown";
  const auto listening = ask("listening_ports", cgroup.path());
  EXPECT_NE(row(listening, {{"pid", pid}, {"protocol", "tcp"}}), nullptr) << json::serialize(listening);
  const auto node = ask("listening_ports", "");
  EXPECT_NE(row(node, {{"local", outside.name()}, {"pid", ::getpid()}}), nullptr);
}

TEST_F(ProbesOnKernel, environment_names_come_without_values) {
  const test::Cgroup cgroup(*layout, "probe-env");
  const Ready ready;
  const auto pid = spawn(cgroup, [&]() -> int {
    const char* argv[] = {"sleep", "100", nullptr};
    const char* env[] = {"FW_PLANTED_TOKEN=hunter2hunter2", "PLAIN=hunter3hunter3", nullptr};
    ready.tell();
    return ::execve("/bin/sleep", const_cast<char**>(argv), const_cast<char**>(env));
  });
  ready.wait();
  for (int tries = 0; tries < 500 && fs::read_symlink("/proc/" + std::to_string(pid) + "/exe") == fs::read_symlink("/proc/self/exe"); ++tries) ::poll(nullptr, 0, 10);
  const auto result = ask("environment_names", cgroup.path());
  EXPECT_NE(row(result, {{"name", "FW_PLANTED_TOKEN"}}), nullptr);
  EXPECT_EQ(result.at("rows").as_array().size(), 2U);
  EXPECT_EQ(json::serialize(result).find("hunter"), std::string::npos);
}

TEST_F(ProbesOnKernel, effective_limits_are_the_lowest_of_the_path) {
  const test::Cgroup outer(*layout, "probe-outer");
  outer.set_limit(64 << 20);
  outer.let_children_have_limits();
  const test::Cgroup inner(*layout, "inner", outer.path());
  inner.set_limit(128 << 20);
  const auto result = ask("effective_limits", inner.path());
  const auto& memory = result.at("effective").as_object().at("memory_bytes").as_object();
  EXPECT_EQ(memory.at("limit").to_number<std::int64_t>(), 64 << 20);
  EXPECT_EQ(memory.at("path").as_string(), outer.path());
}

TEST_F(ProbesOnKernel, directory_sizes_of_a_container_stay_in_its_root) {
  const test::Cgroup cgroup(*layout, "probe-root");
  const auto root = fs::temp_directory_path() / ("fw-probe-root-" + std::to_string(::getpid()));
  fs::create_directories(root / "data");
  std::ofstream(root / "data/file") << std::string(3'000'000, 'x');
  fs::create_symlink("/data", root / "link");
  const Ready ready;
  spawn(cgroup, [&]() -> int {
    if (::chroot(root.c_str()) != 0) return 1;
    ready.tell();
    test::live_until_killed();
  });
  ready.wait();
  const auto result = ask("directory_sizes", cgroup.path(), {{"path", "/link"}});   // as the container resolves it
  EXPECT_GE(result.at("bytes").to_number<std::uint64_t>(), 3'000'000U);
  EXPECT_EQ(result.at("files").to_number<int>(), 1);
  fs::remove_all(root);
}

TEST_F(ProbesOnKernel, d_state_stacks_show_where_the_kernel_waits) {
  const test::Cgroup cgroup(*layout, "probe-dstate");
  const Ready ready;
  const auto pid = spawn(cgroup, [&]() -> int {
    ready.tell();
    if (::vfork() == 0) {   // the parent waits in the kernel for the child, and cannot be interrupted
      for (;;) ::pause();
    }
    return 0;
  });
  ready.wait();
  json::object result;
  for (int tries = 0; tries < 200; ++tries) {
    result = ask("d_state_stacks", cgroup.path());
    if (!result.at("rows").as_array().empty()) break;
    ::poll(nullptr, 0, 10);
  }
  const auto* found = row(result, {{"pid", pid}});
  ASSERT_NE(found, nullptr) << json::serialize(result);
  const std::string stack(found->at("stack").as_string());
  EXPECT_TRUE(stack.find("clone") != std::string::npos || stack.find("vfork") != std::string::npos) << stack;
  const auto left = ask("process_table", cgroup.path());
  for (const auto& child : left.at("rows").as_array()) ::kill(child.as_object().at("pid").to_number<int>(), SIGKILL);
}

TEST_F(ProbesOnKernel, tcp_connect_goes_from_the_network_of_the_target) {
  const test::Cgroup cgroup(*layout, "probe-net");
  const Listener host;
  const Ready ready;
  const auto pid = spawn(cgroup, [&]() -> int {
    if (::unshare(CLONE_NEWNET) != 0) return 1;
    ifreq loopback{};
    std::snprintf(loopback.ifr_name, sizeof loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    const UniqueFd any(::socket(AF_INET, SOCK_DGRAM, 0));
    if (::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0) return 1;
    ready.tell();
    test::live_until_killed();
  });
  ready.wait();
  static_cast<void>(pid);
  EXPECT_NE(row(ask("tcp_connect", "", {{"to", host.name()}}), {{"result", "connected"}}), nullptr);
  EXPECT_NE(row(ask("tcp_connect", cgroup.path(), {{"to", host.name()}}), {{"result", "ECONNREFUSED"}}), nullptr) << "nobody listens in that network";
}

TEST_F(ProbesOnKernel, dns_lookup_asks_the_resolvers_of_the_target) {
  const test::Cgroup cgroup(*layout, "probe-dns");
  const auto root = fs::temp_directory_path() / ("fw-probe-dns-" + std::to_string(::getpid()));
  fs::create_directories(root / "etc");
  std::ofstream(root / "etc/resolv.conf") << "nameserver 127.0.0.1\n";
  const Ready ready;
  spawn(cgroup, [&]() -> int {
    if (::unshare(CLONE_NEWNET) != 0 || ::chroot(root.c_str()) != 0) return 1;
    ifreq loopback{};
    std::snprintf(loopback.ifr_name, sizeof loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    const UniqueFd server(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::ioctl(server.get(), SIOCSIFFLAGS, &loopback) != 0 || ::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
    ready.tell();
    for (;;) {   // A: one address; AAAA: SERVFAIL
      unsigned char packet[512];
      sockaddr_in from{};
      socklen_t from_size = sizeof from;
      auto size = ::recvfrom(server.get(), packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
      if (size < 17) continue;
      std::size_t type_at = 12;
      while (packet[type_at] != 0) type_at += packet[type_at] + 1U;
      const bool v4 = packet[type_at + 2] == 1;
      packet[2] = 0x81, packet[3] = static_cast<unsigned char>(v4 ? 0x80 : 0x82);
      packet[6] = 0, packet[7] = v4 ? 1 : 0, packet[10] = packet[11] = 0;
      size = static_cast<ssize_t>(type_at) + 5;
      const unsigned char answer[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3};
      if (v4) {
        std::copy(std::begin(answer), std::end(answer), packet + size);
        size += static_cast<ssize_t>(sizeof answer);
      }
      ::sendto(server.get(), packet, static_cast<std::size_t>(size), 0, reinterpret_cast<sockaddr*>(&from), from_size);
    }
  });
  ready.wait();
  const auto result = ask("dns_lookup", cgroup.path(), {{"name", "db.internal"}});
  const auto* found = row(result, {{"server", "127.0.0.1"}, {"type", "A"}, {"answer", "NOERROR"}});
  ASSERT_NE(found, nullptr) << json::serialize(result);
  EXPECT_EQ(json::serialize(found->at("addresses")), R"(["10.1.2.3"])");
  EXPECT_NE(row(result, {{"type", "AAAA"}, {"answer", "SERVFAIL"}}), nullptr) << json::serialize(result);
  fs::remove_all(root);
}

TEST_F(ProbesOnKernel, kernel_log_shows_the_newest_records_redacted) {
  std::ofstream kmsg("/dev/kmsg");
  const auto marker = "fw-probe-" + std::to_string(::getpid());
  kmsg << marker << " mount failed: password=hunter2hunter2" << std::endl;
  if (!kmsg) GTEST_SKIP() << "/dev/kmsg cannot be written";
  const auto result = ask("kernel_log", "", {{"lines", "20"}});
  const std::string text(result.at("text").as_string());
  EXPECT_NE(text.find(marker + " mount failed: password=[redacted:keyed]"), std::string::npos) << text;
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
}

TEST_F(ProbesOnKernel, cpu_profile_names_what_runs_in_the_cgroup) {
  const test::Cgroup cgroup(*layout, "probe-cpu");
  spawn(cgroup, []() -> int {
    fw_probe_spin();
    return 0;
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto result = ask("cpu_profile", cgroup.path(), {{"seconds", "2"}});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  const std::string text(result.at("text").as_string());
  EXPECT_NE(text.find("fw_probe_spin"), std::string::npos) << json::serialize(result).substr(0, 2000);
  EXPECT_GT(result.at("samples").to_number<int>(), 20);
}

// The rights of a probe's process while it runs: those of its kind and no others.
TEST_F(ProbesOnKernel, a_probe_holds_the_rights_of_its_kind_only) {
  send(request("cpu_profile", "", {{"seconds", "1"}}));
  std::string status;
  for (int tries = 0; tries < 500 && status.find("CapEff") == std::string::npos; ++tries) {
    std::ifstream kids("/proc/" + std::to_string(helper.pid) + "/task/" + std::to_string(helper.pid) + "/children");
    pid_t child = 0;
    if (kids >> child) {
      ::poll(nullptr, 0, 200);   // it is in the midst of its second
      std::ifstream file("/proc/" + std::to_string(child) + "/status");
      status.assign(std::istreambuf_iterator<char>(file), {});
    }
    ::poll(nullptr, 0, 2);
  }
  const auto value = [&](const char* key) { return std::stoull(status.substr(status.find(key) + std::string_view(key).size()), nullptr, 16); };
  ASSERT_NE(status.find("CapEff"), std::string::npos);
  // DAC_READ_SEARCH 2, SYS_PTRACE 19, SYSLOG 34, PERFMON 38; not SYS_ADMIN 21.
  const std::uint64_t most = (1ULL << 2) | (1ULL << 19) | (1ULL << 34) | (1ULL << 38);
  EXPECT_EQ(value("CapEff:\t") & ~most, 0U) << status;
  EXPECT_EQ(value("CapBnd:\t"), 0U);
  EXPECT_EQ(value("NoNewPrivs:\t"), 1U);
  EXPECT_EQ(receive().status, wire::ProbeStatus::done);
}

TEST_F(ProbesOnKernel, what_does_not_end_in_time_is_killed) {
  // A profile of 20 s with a limit of 1 s ends by itself; one whose process is stopped does not.
  send(request("cpu_profile", "", {{"seconds", "20"}}, 1'500));
  pid_t child = 0;
  for (int tries = 0; tries < 500 && child == 0; ++tries) {
    std::ifstream kids("/proc/" + std::to_string(helper.pid) + "/task/" + std::to_string(helper.pid) + "/children");
    if (!(kids >> child)) ::poll(nullptr, 0, 2);
  }
  ASSERT_NE(child, 0);
  ::kill(child, SIGSTOP);
  EXPECT_EQ(receive().status, wire::ProbeStatus::timeout);
  ask("kernel_log", "");   // and the helper lives
}

}  // namespace
}  // namespace fw::probes
