#include "cri_containerd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <variant>

#include "common/id.hpp"
#include "wait.hpp"

namespace fw::test {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace pb = ::fwtest::cri;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

constexpr std::chrono::milliseconds kLimit{60'000};
constexpr const char* kPauseImage = "fleetwright.test/pause:1";

std::string containerd_path() {
  const char* other = std::getenv("FW_CONTAINERD");
  return other != nullptr ? other : "/usr/bin/containerd";
}

asio::awaitable<void> talk(cri::GrpcChannel& channel, std::string_view method, const Bytes& request, std::optional<Bytes>& answer, Result<void>& ended) {
  cri::GrpcChannel::OnMessage on_message = [&](ByteView message) -> Result<void> {
    answer.emplace(message.begin(), message.end());
    return {};
  };
  auto first = co_await (channel.run() || channel.call(method, request, kLimit, on_message));
  if (first.index() == 0) {
    ended = std::get<0>(first);
  } else {
    ended = std::get<1>(first);
  }
}

}  // namespace

std::string why_no_containerd() {
  if (::geteuid() != 0) return "containers need root";
  if (!fs::exists(containerd_path())) return containerd_path() + " is not installed";
  if (!fs::exists("/usr/sbin/runc") && !fs::exists("/usr/bin/runc")) return "runc is not installed";
  if (!fs::exists("/usr/bin/ctr")) return "ctr is not installed";
  return {};
}

Containerd::Containerd() {
  char name[] = "/tmp/fw-cri-XXXXXX";
  folder_ = ::mkdtemp(name);
  socket_ = folder_ + "/c.sock";
  cgroup_root_ = "/kubepods-fw" + std::to_string(::getpid());
  write_config();
}

Containerd::~Containerd() {
  if (pid_ != 0) remove_everything();
  stop();
  // A shim that is still going away holds a mount for a moment.
  EXPECT_TRUE(wait_until([&] {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);) {
      const auto begin = line.find(' ') + 1;
      const auto path = line.substr(begin, line.find(' ', begin) - begin);
      if (path.starts_with(folder_ + "/")) ::umount2(path.c_str(), MNT_DETACH);
    }
    std::error_code error;
    fs::remove_all(folder_, error);
    return !fs::exists(folder_);
  }));
  // Depth first, in every hierarchy: the kubelet would do it.
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    const auto begin = line.find(' ') + 1;
    const auto path = line.substr(begin, line.find(' ', begin) - begin) + cgroup_root_;
    if (line.find(" cgroup") == std::string::npos || !fs::exists(path)) continue;
    EXPECT_TRUE(wait_until([&] {
      std::vector<std::string> folders{path};
      std::error_code error;
      for (auto at = fs::recursive_directory_iterator(path, error); at != fs::recursive_directory_iterator(); at.increment(error)) {
        if (at->is_directory(error)) folders.push_back(at->path());
      }
      for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) ::rmdir(folder->c_str());
      return !fs::exists(path);
    })) << path;
  }
}

void Containerd::write_config() const {
  std::ofstream(folder_ + "/config.toml") << "version = 2\nroot = \"" << folder_ << "/root\"\nstate = \"" << folder_
                                          << "/state\"\noom_score = 0\n[grpc]\n  address = \"" << socket_ << "\"\n[plugins.\"io.containerd.grpc.v1.cri\"]\n"
                                          << "  sandbox_image = \"" << kPauseImage << "\"\n  restrict_oom_score_adj = true\n  disable_apparmor = true\n"
                                          << "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n    snapshotter = \"overlayfs\"\n"
                                          << "    default_runtime_name = \"runc\"\n"
                                          << "    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n"
                                          << "      runtime_type = \"io.containerd.runc.v2\"\n"
                                          << "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n    bin_dir = \"/usr/lib/cni\"\n    conf_dir = \"" << folder_
                                          << "/cni\"\n[plugins.\"io.containerd.internal.v1.opt\"]\n  path = \"" << folder_ << "/opt\"\n";
}

void Containerd::start() {
  const auto program = containerd_path();
  const auto config = folder_ + "/config.toml";
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execl(program.c_str(), "containerd", "--config", config.c_str(), nullptr);
    ::_exit(99);
  }
  ASSERT_TRUE(wait_until([&] { return call("/runtime.v1.RuntimeService/Version", pb::Id{}).has_value(); })) << "containerd does not answer";
  if (!fs::exists(folder_ + "/image.tar")) import_images();
}

void Containerd::stop() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);   // a polite end takes up to 40 s
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void Containerd::import_images() const {
  const auto tar = folder_ + "/image.tar";
  const auto make = std::string("python3 " FW_SOURCE_DIR "/tests/kernel/cri_image.py " FW_BINARY_DIR "/bin/cri_workload ") + tar + " " + kWorkImage + " " + kPauseImage;
  ASSERT_EQ(std::system(make.c_str()), 0);
  const auto import = "ctr --address " + socket_ + " --namespace k8s.io images import --snapshotter overlayfs " + tar + " >" + folder_ + "/import 2>&1";
  ASSERT_EQ(std::system(import.c_str()), 0);
}

Result<Bytes> Containerd::call(std::string_view method, const google::protobuf::MessageLite& request) {
  auto channel = cri::GrpcChannel::connect(io_.get_executor(), socket_, clock_);
  if (!channel) return channel.error();
  const auto text = request.SerializeAsString();
  const Bytes bytes(text.begin(), text.end());
  std::optional<Bytes> answer;
  Result<void> ended;
  asio::co_spawn(io_, talk(**channel, method, bytes, answer, ended), [](std::exception_ptr) {});
  io_.restart();
  io_.run();
  if (!ended) return ended.error();
  return answer.value_or(Bytes{});
}

std::string Containerd::id_of(std::string_view method, const google::protobuf::MessageLite& request) {
  const auto answer = call(method, request);
  EXPECT_TRUE(answer) << method << ": " << answer.error().message();
  pb::Id id;
  if (answer) id.ParseFromArray(answer->data(), static_cast<int>(answer->size()));
  return id.id();
}

pb::SandboxConfig Containerd::pod(const std::string& name) const {
  pb::SandboxConfig config;
  const auto uid = make_uuid_v4().str();
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_uid(uid);
  config.mutable_metadata()->set_namespace_("shop");
  config.set_log_directory(folder_ + "/logs/" + uid);
  config.mutable_linux()->set_cgroup_parent(cgroup_root_ + "/burstable/pod" + uid);
  auto* const options = config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  options->set_network(2);
  options->set_pid(1);
  return config;
}

std::string Containerd::run_sandbox(const pb::SandboxConfig& pod) {
  fs::create_directories(pod.log_directory());
  pb::RunPodSandboxRequest request;
  *request.mutable_config() = pod;
  return id_of("/runtime.v1.RuntimeService/RunPodSandbox", request);
}

std::string Containerd::create(const std::string& sandbox, const pb::SandboxConfig& pod, const std::string& name, std::uint32_t attempt,
                               const std::vector<std::string>& command, std::int64_t memory_bytes) {
  pb::CreateContainerRequest request;
  request.set_pod_sandbox_id(sandbox);
  *request.mutable_sandbox_config() = pod;
  auto& config = *request.mutable_config();
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_attempt(attempt);
  config.mutable_image()->set_image(kWorkImage);
  config.add_command("/work");
  for (const auto& word : command) config.add_command(word);
  config.set_log_path(name + "_" + std::to_string(attempt) + ".log");
  config.mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(memory_bytes);
  *config.mutable_linux()->mutable_security_context()->mutable_namespace_options() = pod.linux().security_context().namespace_options();
  return id_of("/runtime.v1.RuntimeService/CreateContainer", request);
}

void Containerd::start_container(const std::string& id) {
  pb::Id request;
  request.set_id(id);
  id_of("/runtime.v1.RuntimeService/StartContainer", request);
}

void Containerd::stop_container(const std::string& id) {
  pb::StopContainerRequest request;
  request.set_container_id(id);
  request.set_timeout(5);
  id_of("/runtime.v1.RuntimeService/StopContainer", request);
}

void Containerd::remove_container(const std::string& id) {
  pb::Id request;
  request.set_id(id);
  id_of("/runtime.v1.RuntimeService/RemoveContainer", request);
}

void Containerd::stop_sandbox(const std::string& id) {
  pb::Id request;
  request.set_id(id);
  id_of("/runtime.v1.RuntimeService/StopPodSandbox", request);
}

Result<Bytes> Containerd::pull(const std::string& image) {
  pb::PullImageRequest request;
  request.mutable_image()->set_image(image);
  return call("/runtime.v1.ImageService/PullImage", request);
}

void Containerd::remove_everything() {
  const auto listed = call("/runtime.v1.RuntimeService/ListPodSandbox", pb::Id{});
  if (!listed) return;
  pb::Sandboxes sandboxes;
  sandboxes.ParseFromArray(listed->data(), static_cast<int>(listed->size()));
  for (const auto& sandbox : sandboxes.items()) {
    stop_sandbox(sandbox.id());
    pb::Id request;
    request.set_id(sandbox.id());
    id_of("/runtime.v1.RuntimeService/RemovePodSandbox", request);
  }
}

}  // namespace fw::test
