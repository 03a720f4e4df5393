// The loop: one thread that waits for the peer, the clock and the end.
#pragma once
#include "common/clock.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/executor/app/packet_socket.hpp"
#include "protocol/authority/executor.hpp"

namespace fw::executor {

// SIGTERM and SIGINT as a descriptor, blocked otherwise.
Result<UniqueFd> open_signals();

// Until a signal comes, which is the value. An error: the peer broke the protocol, or the journal is broken; the program ends and is started
// again by whoever watches it. Blocking: yes.
Result<int> serve(authority::Executor& executor, const PacketListener& listener, const UniqueFd& signals, const Clock& clock);

}  // namespace fw::executor
