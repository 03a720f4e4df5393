/* What scheduler.bpf.c counts, shared with C++. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#endif
#include "histogram.bpf.h"

/* Of one cgroup; they never go back while the entry lives. */
struct fw_run_queue_counters {
	__u64 waits;
	__u64 wait_ns;
	__u64 wait_log2_us[FW_LOG2_BUCKETS];
};
