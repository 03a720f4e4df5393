// Loads and unloads the agent's BPF programs on command: one word a line on standard input, one line of answer each.
//   with      all programs                       -> "with"
//   without   all programs but those for HTTP    -> "without"
//   none      no program                         -> "none"
#include <iostream>
#include <memory>
#include <string>

#include "node-agent/kernel/bpf_sensors.hpp"

int main(int argc, char** argv) {
  std::unique_ptr<fw::kernel::BpfSensors> sensors;
  std::string word;
  while (std::cin >> word) {
    sensors.reset();
    if (word != "none") {
      fw::kernel::BpfOptions options;
      if (argc > 1) options.unified_folder = argv[1];
      if (word == "without") options.without = {"http_egress", "http_accept", "http_receive", "http_tls_write"};
      auto opened = fw::kernel::open_bpf(options);
      sensors = std::move(opened.sensors);
      for (const auto& probe : opened.probes) {
        if (word == "with" && probe.name.starts_with("http") && !probe.active) {
          std::cout << probe.name << ": " << probe.reason << std::endl;
          return 1;
        }
      }
    }
    std::cout << word << std::endl;
  }
  return 0;
}
