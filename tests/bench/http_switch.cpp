// Puts the agent's HTTP programs on and takes them off within a millisecond, on command: "on" or "off", one word a line on standard input,
// answered by the same word. All other programs of the agent are on all the time.
//
// http_switch UNIFIED: the folder of the cgroup v2 hierarchy.
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"

namespace {

using fw::UniqueFd;

int bpf(bpf_cmd command, bpf_attr& attributes) { return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof(attributes))); }

bpf_attr zero() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  return attributes;
}

// The program of that name that was loaded last.
UniqueFd loaded(std::string_view name) {
  UniqueFd found;
  auto next = zero();
  while (bpf(BPF_PROG_GET_NEXT_ID, next) == 0) {
    auto get = zero();
    get.prog_id = next.start_id = next.next_id;
    UniqueFd program{bpf(BPF_PROG_GET_FD_BY_ID, get)};
    bpf_prog_info info{};
    auto ask = zero();
    ask.info.bpf_fd = static_cast<__u32>(program.get());
    ask.info.info_len = sizeof(info);
    ask.info.info = reinterpret_cast<__u64>(&info);
    if (program.valid() && bpf(BPF_OBJ_GET_INFO_BY_FD, ask) == 0 && name == info.name) found = std::move(program);
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  fw::kernel::BpfOptions options;
  if (argc > 1) options.unified_folder = argv[1];
  auto all = fw::kernel::open_bpf(options);
  const auto egress = loaded("http_egress");
  const std::array traced{loaded("http_accept"), loaded("http_receive")};
  options.without = {"http_egress", "http_accept", "http_receive", "http_tls_write"};
  const auto others = fw::kernel::open_bpf(options);
  all.sensors.reset();   // the descriptors keep the programs loaded
  const UniqueFd root{::open(options.unified_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

  std::vector<UniqueFd> links;
  std::string word;
  while (std::cin >> word) {
    links.clear();
    if (word == "on") {
      auto create = zero();
      create.link_create.prog_fd = static_cast<__u32>(egress.get());
      create.link_create.target_fd = static_cast<__u32>(root.get());
      create.link_create.attach_type = BPF_CGROUP_INET_EGRESS;
      links.emplace_back(bpf(BPF_LINK_CREATE, create));
      for (const auto& program : traced) {
        auto open = zero();
        open.raw_tracepoint.prog_fd = static_cast<__u32>(program.get());
        links.emplace_back(bpf(BPF_RAW_TRACEPOINT_OPEN, open));
      }
      for (const auto& link : links) {
        if (!link.valid()) {
          std::cout << "a program could not be attached: " << std::strerror(errno) << std::endl;
          return 1;
        }
      }
    }
    std::cout << word << std::endl;
  }
  return 0;
}
