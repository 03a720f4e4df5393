// What is linked without FW_WITH_CRI: a runtime that is never there.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "node-agent/cri/runtime.hpp"

namespace fw::cri {

namespace asio = boost::asio;

namespace {

class NoRuntime final : public Runtime {
 public:
  explicit NoRuntime(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  asio::awaitable<void> run() override {
    asio::steady_timer never(executor_, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  void look_soon() override {}
  std::string lacking() const override { return "containers: this agent is built without CRI, so they have ids for names and no exit reasons"; }
  const RuntimeCounters& counters() const noexcept override { return counters_; }

 private:
  asio::any_io_executor executor_;
  RuntimeCounters counters_;
};

}  // namespace

std::unique_ptr<Runtime> make_runtime(asio::any_io_executor executor, RuntimeConfig, Listener&, const Clock&) {
  return std::make_unique<NoRuntime>(std::move(executor));
}

}  // namespace fw::cri
