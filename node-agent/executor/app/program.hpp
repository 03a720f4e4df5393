// The command line of fleetwright-executor; main() only calls it.
#pragma once

namespace fw::executor {

// Exit codes: common/exit_code.hpp.
int run_program(int argc, char** argv);

}  // namespace fw::executor
