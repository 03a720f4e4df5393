// What the runtime has said so far, and what of it is news: no I/O, no time. Inside node-agent/cri and its tests only.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node-agent/cri/messages.hpp"
#include "node-agent/cri/runtime.hpp"

namespace fw::cri {

inline constexpr std::size_t kMaxContainers = 5'000;   // also of pods; more are ignored and counted

// Lists are the truth: what is not in one is gone. Statuses and events add what lists do not tell, in any order and more than once.
// What the first list holds is history and no news; an exited container never runs again, so an older word about it is ignored.
//
// Words: container_exited, container_restarted, pod_sandbox_not_ready (docs/containers.md).
// Threading: one thread. Lifetime: listener outlives it.
class Picture {
 public:
  // The last lines of a container's log, ready to be sent; "": none. May be empty.
  using LogTail = std::function<std::string(const std::string& log_path)>;
  Picture(Listener& listener, LogTail log_tail) : listener_(listener), log_tail_(std::move(log_tail)) {}

  // The containers whose status is wanted now: those that ended first, so that an exit is told before the restart after it.
  std::vector<std::string> on_list(const std::vector<Sandbox>& sandboxes, const std::vector<Container>& containers);
  void on_status(const Status& status);   // of containers that a list named
  void on_event(const PodEvent& event);   // only after the first list

  std::size_t containers() const noexcept { return containers_.size(); }
  std::uint64_t ignored_total() const noexcept { return ignored_total_; }

 private:
  struct KnownSandbox {
    Sandbox sandbox;
    bool not_ready_told = false;
  };
  struct Known {
    std::string sandbox_id, name, image;
    std::uint32_t attempt = 0;
    State state = State::unknown;
    bool described = false;
    bool settled = false;         // its status was asked for since its state is what it is
    bool introduced = false;      // counted as a restart, or known not to be one
    bool exit_told = false;
  };
  // One name in one pod, through all its restarts.
  struct Life {
    std::uint32_t attempt = 0;
    std::string last_reason;
  };
  using LifeKey = std::pair<std::string, std::string>;   // pod uid, container name

  void take_sandbox(const Sandbox& sandbox);
  Known* add(const std::string& id, std::string sandbox_id);
  const Sandbox* sandbox_of(const Known& known) const;
  Life* life_of(const Known& known);
  void describe(const std::string& id, Known& known);
  void introduce(const std::string& id, Known& known);
  void tell_exit(const std::string& id, Known& known, const Status& status);
  void check_sandbox(KnownSandbox& known, std::int64_t running);
  void drop_what_is_gone(const std::vector<Sandbox>& sandboxes, const std::vector<Container>& containers);

  Listener& listener_;
  LogTail log_tail_;
  std::map<std::string, KnownSandbox, std::less<>> sandboxes_;
  std::map<std::string, Known, std::less<>> containers_;
  std::map<LifeKey, Life> lives_;
  bool first_list_ = true;
  std::uint64_t ignored_total_ = 0;
};

}  // namespace fw::cri
