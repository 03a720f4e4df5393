#include "node-agent/cri/runtimes.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <utility>

namespace fw::cri {

namespace {

constexpr std::array kKnownSockets{"/run/containerd/containerd.sock", "/run/crio/crio.sock"};

// "v2.1.9~ds1", "1.30.0": major and minor; 0.0 when it is something else.
std::pair<unsigned, unsigned> version_of(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  std::pair<unsigned, unsigned> version{0, 0};
  const auto* const end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, version.first);
  if (error != std::errc{} || dot == end || *dot != '.') return {0, 0};
  if (std::from_chars(dot + 1, end, version.second).ec != std::errc{}) return {0, 0};
  return version;
}

}  // namespace

std::string find_socket(const std::string& root_prefix) {
  for (const auto* const known : kKnownSockets) {
    auto path = root_prefix + known;
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return {};
}

bool gives_events_to_everybody(std::string_view runtime_name, std::string_view runtime_version) {
  const auto version = version_of(runtime_version);
  if (runtime_name == "containerd") return version >= std::pair{2U, 0U};
  if (runtime_name == "cri-o") return version >= std::pair{1U, 30U};
  return false;
}

}  // namespace fw::cri
