/* What http.bpf.c counts, shared with C++. Fixed-width fields only. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#endif
#include "histogram.bpf.h"

/* Of one cgroup's servers since the first response; they never go back while the entry lives. What a response needs is together. */
struct fw_http_counters {
	__u64 latency_ns;                   /* sum, first byte of the request to first byte of the response */
	__u64 responses[6];                 /* of servers, by status class; [0]: 101, which are also in [1] */
	__u64 latency_log2_us[FW_LOG2_BUCKETS];
	__u64 tls_server;                   /* 1: a process of it answered a TLS handshake */
};

/* A probed function of a process. */
struct fw_http_function {
	__u64 address;
	__u32 process;
	__u32 pad;
};

/* What is not counted, of the whole node. */
#define FW_HTTP_TABLE_FULL 0                /* responses of cgroups that have no entry, because the table is full */
#define FW_HTTP_NO_SOCKET 1                 /* responses on sockets that could not get a state */
#define FW_HTTP_NO_OWNER 2                  /* responses on a socket that no process has written to */
#define FW_HTTP_UNPAIRED 3                  /* status lines with nothing received before: a second response in a pipeline, or a body */
#define FW_HTTP_LOSSES 4
