// Memory that only the start of a long-living program needed.
#pragma once

namespace fw {

// Fixes what glibc would adapt: having freed one large block (the kernel's BTF has 11 MB) it keeps all that are smaller in the heap, and twice
// as much free. From here on a block of 128 KiB and more is a mapping of its own, and at most 128 KiB are free at the heap's end.
// Call it first in main. Thread-safe.
void keep_heap_small() noexcept;

// Reading the configuration, linking and opening took more than the long life does: the heap's rest, and code that does not run again. Gives
// both back to the kernel. What of the code is needed comes again from the page cache; written pages are not touched. Call it when everything
// is open, and again after what is as rare, such as a handshake: it costs some hundred page faults. Thread-safe.
void give_back_start_up_memory() noexcept;

}  // namespace fw
