#include "aggregator/store/async.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>

namespace fw::store {
namespace asio = boost::asio;

// Named objects instead of temporaries in the co_await expressions here and at the callers: g++ 12 copies such temporaries bit by bit.
asio::awaitable<Result<Written>> write(Store& store, Write write) {
  auto result = std::make_shared<std::optional<Result<Written>>>();
  auto value = std::make_shared<Write>(std::move(write));
  auto initiation = [&store, result, value](auto handler) {
    auto executor = asio::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    store.submit(std::move(*value), [result, executor, shared, guard = asio::make_work_guard(executor)](Result<Written> written) {
      result->emplace(std::move(written));
      asio::post(executor, [shared] { std::move (*shared)(); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation), asio::use_awaitable);
  co_return std::move(**result);
}

}  // namespace fw::store
