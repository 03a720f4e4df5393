// The process that runs probes: forked before the agent gives up its rights, so that the agent need not keep them, and so that a read that the
// kernel blocks (/proc of a process whose memory map is locked, a dead disk) blocks nobody else.
//
//   agent  --request-->  helper  --fork-->  one process per probe: drops all rights but its kind's, limits itself, looks, answers, ends
//      <----------------- one packet with the result -----------------
#pragma once
#include <sys/types.h>

#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/probes/sight.hpp"

namespace fw::probes {

struct Helper {
  UniqueFd socket;                   // SOCK_SEQPACKET, non-blocking: requests out (to_packet), results in (result_of_packet)
  pid_t pid = -1;
  std::string lacking;               // rights that this process did not have, in words; ""
};

inline constexpr std::size_t kMaxRequestPacketBytes = 32 * 1024;

// Forks. To be called while the process has one thread, and before it opens what probes must not hold. The helper ends with the agent.
Result<Helper> start_helper(const Roots& roots);

// "id status text".
std::string result_packet(const wire::ProbeResult& result);
Result<wire::ProbeResult> result_of_packet(std::string_view packet);

}  // namespace fw::probes
