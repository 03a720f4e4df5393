// How many processes a cgroup may have.
#include "node-agent/executor/actions/target.hpp"

namespace fw::executor {
namespace {

class PidsMax final : public ValueTarget {
 public:
  using ValueTarget::ValueTarget;

 protected:
  std::string_view name() const override { return "pids max"; }
  std::int64_t wanted() const override { return action<authority::SetPidsMax>().max; }
  Result<std::int64_t> current() const override {
    const auto group = cgroup();
    if (!group) return group.error();
    return read_value((*group)->pids, "pids.max");
  }
  Result<void> set(std::int64_t value) override { return write_file((*cgroup())->pids, "pids.max", text_of(value)); }
  Result<void> put_back(const Snapshot& snapshot) override { return set(*snapshot.get("value")); }
};

}  // namespace

std::unique_ptr<Target> make_pids_max(const Host& host, const authority::Plan& plan) { return std::make_unique<PidsMax>(host, plan); }

}  // namespace fw::executor
