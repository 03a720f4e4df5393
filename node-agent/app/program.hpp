// The command line of fleetwright-agent; main() only calls it.
#pragma once

namespace fw::agent {

// Exit codes: common/exit_code.hpp.
int run_program(int argc, char** argv);

}  // namespace fw::agent
