// A real containerd of its own for tests, and a kubelet's hand on it.
#pragma once
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "cri_driver.pb.h"
#include "node-agent/cri/grpc_channel.hpp"

namespace fw::test {

inline constexpr const char* kWorkImage = "fleetwright.test/work:1";

// Why it cannot run here; "": it can. FW_CONTAINERD names another containerd than the installed one.
std::string why_no_containerd();

// Its folders, socket, images and cgroups are its own and are removed with it; shims and runc states are the machine's, under names of its own.
// Blocking. Every call fails the test that makes it when the runtime refuses it.
class Containerd {
 public:
  Containerd();
  ~Containerd();
  Containerd(const Containerd&) = delete;
  Containerd& operator=(const Containerd&) = delete;

  void start();                                     // also after stop()
  void stop();
  const std::string& socket() const noexcept { return socket_; }

  fwtest::cri::SandboxConfig pod(const std::string& name) const;   // with a new uid, on the node's network
  std::string run_sandbox(const fwtest::cri::SandboxConfig& pod);
  std::string create(const std::string& sandbox, const fwtest::cri::SandboxConfig& pod, const std::string& name, std::uint32_t attempt,
                     const std::vector<std::string>& command, std::int64_t memory_bytes = 0);
  void start_container(const std::string& id);
  void stop_container(const std::string& id);
  void remove_container(const std::string& id);
  void stop_sandbox(const std::string& id);
  Result<Bytes> pull(const std::string& image);

 private:
  Result<Bytes> call(std::string_view method, const google::protobuf::MessageLite& request);
  std::string id_of(std::string_view method, const google::protobuf::MessageLite& request);   // of the answer
  void write_config() const;
  void import_images() const;
  void remove_everything();

  std::string folder_, socket_, cgroup_root_;
  pid_t pid_ = 0;
  SystemClock clock_;
  boost::asio::io_context io_{1};
};

}  // namespace fw::test
