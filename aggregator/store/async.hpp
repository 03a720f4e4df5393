// Store writes as coroutines: resumes on the caller's executor once the write is durable (or failed).
#pragma once
#include <boost/asio/awaitable.hpp>

#include "aggregator/store/store.hpp"

namespace fw::store {

boost::asio::awaitable<Result<Written>> write(Store& store, Write write);

}  // namespace fw::store
