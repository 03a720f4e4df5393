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

asio::awaitable<Result<Written>> write(Store& store, Write write) {
  // The result travels beside the handler: Result is not default constructible from an exception_ptr signature.
  auto result = std::make_shared<std::optional<Result<Written>>>();
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [&store, result](auto handler, Write value) {
        auto executor = asio::get_associated_executor(handler);
        auto guard = asio::make_work_guard(executor);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        store.submit(std::move(value), [result, executor, guard, shared](Result<Written> written) {
          result->emplace(std::move(written));
          asio::post(executor, [shared] { std::move (*shared)(); });
        });
      },
      asio::use_awaitable, std::move(write));
  co_return std::move(**result);
}

}  // namespace fw::store
