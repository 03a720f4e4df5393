/* What io.bpf.c counts, shared with C++. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#endif
#include "histogram.bpf.h"

/* Of one block device or one cgroup; they never go back while the entry lives. */
struct fw_io_counters {
	__u64 reads;
	__u64 writes;
	__u64 read_bytes;
	__u64 written_bytes;
	__u64 errors;
	__u64 latency_ns;                   /* from the request's making to its end, queues included */
	__u64 latency_log2_us[FW_LOG2_BUCKETS];
};

/* Key of io_errors; its value is a count. */
struct fw_io_error {
	__u32 major;
	__u32 minor;
	__u32 status;                       /* blk_status_t */
	__u32 pad;
};

#ifdef __cplusplus
static_assert(sizeof(struct fw_io_error) == 16, "layout");
#endif
