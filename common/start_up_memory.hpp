// Memory that only the start of a long-living program needed.
#pragma once

namespace fw {

// Reading the configuration, linking and opening took more than the long life does: the heap's rest, and code that does not run again. Gives
// both back to the kernel. What of the code is needed comes again from the page cache; written pages are not touched. Call it once, when
// everything is open. Thread-safe.
void give_back_start_up_memory() noexcept;

}  // namespace fw
