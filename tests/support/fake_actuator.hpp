// A world of cgroups, processes and one log outside of the executor. It counts what was done by which plan, outlives restarts of the
// executor, fails on demand, and can end the program (FakeDisk::Crash) around any of its calls.
#pragma once
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "protocol/authority/actuator.hpp"
#include "protocol/authority/catalogue.hpp"
#include "tests/support/fake_disk.hpp"

namespace fw::test {

class FakeActuator final : public authority::Actuator {
 public:
  using Probe = authority::Probe;
  enum class Call { open, read, snapshot, apply, finish, happened, restore };

  struct Object {                       // a cgroup, by its path; a process, by "pid:start"; the node, by ""
    std::uint64_t inode = 0;
    std::map<Probe, std::int64_t> values;
    bool ignores_terminate = false;     // a process: only the end of the grace kills it
  };
  struct Done { int applied = 0, changed = 0, restored = 0, finished = 0; };   // changed: what could be seen from outside

  std::map<std::string, Object> objects;
  std::map<authority::Nonce, Done> done;                 // by the plan's nonce
  std::map<Call, Error> failing;                         // each such call fails so
  std::function<void(const authority::Plan&)> on_effect;   // just before apply() changes something
  std::optional<Error> fails_after_effect;               // apply() does it and says this
  std::uint64_t calls = 0, crash_before_call = 0, crash_after_call = 0;   // numbered from 1

  Object& cgroup(const std::string& path, std::uint64_t inode = 4711) {
    auto& object = objects[path];
    object.inode = inode;
    return object;
  }
  // The container restarts: the same path, another incarnation, the values of its configuration.
  void recreate(const std::string& path, std::map<Probe, std::int64_t> values) {
    auto& object = objects[path];
    ++object.inode;
    object.values = std::move(values);
  }
  int effects(const authority::Plan& plan) const {
    const auto it = done.find(plan.nonce);
    return it == done.end() ? 0 : it->second.changed;
  }

  Result<std::unique_ptr<authority::OpenTarget>> open(const authority::Plan& plan) override {
    if (const auto problem = begin(Call::open)) return *problem;
    const std::string name = name_of(plan);
    const auto it = objects.find(name);
    const bool other = it != objects.end() && plan.target.cgroup_inode != 0 && it->second.inode != plan.target.cgroup_inode;
    if (it == objects.end() || other) return Error(Errc::gone, name + ": there is no such object");
    return std::unique_ptr<authority::OpenTarget>(std::make_unique<Handle>(*this, plan, name, it->second.inode));
  }

  static std::string name_of(const authority::Plan& plan) {
    if (std::holds_alternative<authority::KillProcess>(plan.action)) {
      return std::to_string(plan.target.pid) + ":" + std::to_string(plan.target.start_ticks);
    }
    return plan.target.cgroup_path;
  }

 private:
  class Handle final : public authority::OpenTarget {
   public:
    Handle(FakeActuator& world, authority::Plan plan, std::string name, std::uint64_t inode)
        : world_(world), plan_(std::move(plan)), name_(std::move(name)), inode_(inode) {}

    std::string identity() const override { return name_ + " inode " + std::to_string(inode_); }
    Result<std::int64_t> read(Probe probe) override {
      if (const auto problem = world_.begin(Call::read)) return *problem;
      auto* object = find();
      if (!object) return ended();
      const auto it = object->values.find(probe);
      if (it == object->values.end()) return Error(Errc::unsupported, "not offered here");
      return it->second;
    }
    Result<Bytes> snapshot() override {
      if (const auto problem = world_.begin(Call::snapshot)) return *problem;
      auto* object = find();
      if (!object) return ended();
      Bytes out;
      if (!has_old_value()) return out;
      out.resize(sizeof(std::int64_t));
      std::memcpy(out.data(), &object->values[probe()], out.size());
      return out;
    }
    Result<std::string> apply() override {
      if (const auto problem = world_.begin(Call::apply)) return *problem;
      auto* object = find();
      if (!object) return ended();
      if (world_.on_effect) world_.on_effect(plan_);
      auto& count = world_.done[plan_.nonce];
      ++count.applied;
      const auto* kill = std::get_if<authority::KillProcess>(&plan_.action);
      if (!kill || kill->grace_ms == 0 || !object->ignores_terminate) change(*object, count, wanted());
      world_.end();
      if (world_.fails_after_effect) return *world_.fails_after_effect;
      return "applied";
    }
    Result<std::string> finish() override {
      if (const auto problem = world_.begin(Call::finish)) return *problem;
      auto* object = find();
      if (!object) return ended();
      auto& count = world_.done[plan_.nonce];
      ++count.finished;
      change(*object, count, wanted());
      world_.end();
      return "finished";
    }
    Result<bool> happened(ByteView) override {
      if (const auto problem = world_.begin(Call::happened)) return *problem;
      if (!wanted() || std::holds_alternative<authority::RotateLog>(plan_.action)) return Error(Errc::unsupported, "cannot be told");
      auto* object = find();
      if (!object) return ended();
      return object->values[probe()] == *wanted();
    }
    Result<std::string> restore(ByteView snapshot) override {
      if (const auto problem = world_.begin(Call::restore)) return *problem;
      auto* object = find();
      if (!object) return ended();
      std::int64_t value = 0;
      std::memcpy(&value, snapshot.data(), sizeof value);
      object->values[probe()] = value;
      ++world_.done[plan_.nonce].restored;
      world_.end();
      return "restored";
    }

   private:
    Object* find() {
      const auto it = world_.objects.find(name_);
      return it == world_.objects.end() || it->second.inode != inode_ ? nullptr : &it->second;
    }
    Error ended() const { return {Errc::gone, name_ + ": it ended"}; }
    bool has_old_value() const {
      return authority::is_setting(plan_.action) || std::holds_alternative<authority::Freeze>(plan_.action) ||
             std::holds_alternative<authority::Thaw>(plan_.action);
    }
    Probe probe() const {
      using namespace authority;
      if (std::holds_alternative<KillProcess>(plan_.action)) return Probe::process_alive;
      if (std::holds_alternative<KillCgroup>(plan_.action)) return Probe::populated;
      if (std::holds_alternative<RotateLog>(plan_.action)) return Probe::file_bytes;
      if (std::holds_alternative<Freeze>(plan_.action) || std::holds_alternative<Thaw>(plan_.action)) return Probe::frozen;
      return changed_probe(plan_.action);
    }
    std::optional<std::int64_t> wanted() const {
      using namespace authority;
      if (is_setting(plan_.action)) return main_value(plan_.action);
      if (const auto* log = std::get_if<RotateLog>(&plan_.action)) return static_cast<std::int64_t>(log->keep_bytes);
      if (std::holds_alternative<Freeze>(plan_.action)) return 1;
      if (std::holds_alternative<Diagnose>(plan_.action)) return std::nullopt;
      return 0;
    }
    void change(Object& object, Done& count, std::optional<std::int64_t> value) {
      if (!value) {
        ++count.changed;   // a bundle was made
        return;
      }
      auto& now = object.values[probe()];
      if (now != *value) ++count.changed;
      now = *value;
    }

    FakeActuator& world_;
    authority::Plan plan_;
    std::string name_;
    std::uint64_t inode_;
  };

  std::optional<Error> begin(Call call) {
    if (++calls == crash_before_call) throw FakeDisk::Crash{};
    const auto it = failing.find(call);
    if (it == failing.end()) return std::nullopt;
    return it->second;
  }
  void end() const {
    if (calls == crash_after_call) throw FakeDisk::Crash{};
  }
};

}  // namespace fw::test
