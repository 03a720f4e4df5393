// One allow-listed number of /proc/sys.
#include <algorithm>

#include "node-agent/executor/actions/target.hpp"

namespace fw::executor {
namespace {

using authority::Probe;

class Sysctl final : public ValueTarget {
 public:
  using ValueTarget::ValueTarget;

  std::string identity() const override { return "sysctl " + key() + " of node " + plan_.target.node.str(); }
  Result<std::int64_t> read(Probe probe) override { return probe == Probe::sysctl_value ? current() : Target::read(probe); }

 protected:
  std::string_view name() const override { return action<authority::SetSysctl>().key; }
  std::int64_t wanted() const override { return action<authority::SetSysctl>().value; }
  Result<void> may() const override {
    const auto& list = authority::sysctls();
    const auto at = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.key == key(); });
    if (at == list.end()) return Error(Errc::permission, key() + " is no sysctl of the list");
    if (wanted() < at->min_value || wanted() > at->max_value) return Error(Errc::invalid_argument, key() + ": " + std::to_string(wanted()) + " is out of bounds");
    return {};
  }
  Result<std::int64_t> current() const override {
    if (auto ok = may(); !ok) return ok.error();
    return read_value(host_.sysctl, file());
  }
  Result<void> set(std::int64_t value) override { return write_file(host_.sysctl, file(), std::to_string(value)); }
  Result<void> put_back(const Snapshot& snapshot) override { return set(*snapshot.get("value")); }

 private:
  const std::string& key() const { return action<authority::SetSysctl>().key; }
  std::string file() const {
    auto path = key();
    std::replace(path.begin(), path.end(), '.', '/');
    return path;
  }
};

}  // namespace

std::unique_ptr<Target> make_sysctl(const Host& host, const authority::Plan& plan) { return std::make_unique<Sysctl>(host, plan); }

}  // namespace fw::executor
