/* What network.bpf.c counts, shared with C++. Fixed-width fields only, padding explicit and zero. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#endif
#include "histogram.bpf.h"

/* Of one cgroup; they never go back while the entry lives. TCP only. */
struct fw_network_counters {
	__u64 connects;                     /* that were established */
	__u64 connects_failed;
	__u64 connect_ns;                   /* sum over connects, from SYN to established */
	__u64 accepts;
	__u64 retransmits;                  /* segments, SYNs included */
	__u64 syn_retransmits;              /* of connects that wait for an answer */
	__u64 resets_sent;
	__u64 resets_received;
	__u64 latency_log2_us[FW_LOG2_BUCKETS];
	__u64 window;                       /* in which told counts */
	__u64 told;                         /* peers that got an entry in connect_failures */
};

/* Key of connect_failures; its value is a count. */
struct fw_connect_failure {
	__u64 cgroup_id;
	__u8 address[16];                   /* IPv4 in the first four */
	__u16 port;                         /* host order */
	__u16 error;                        /* errno; 0: the program gave up before the kernel did */
	__u32 family;                       /* 0: further peers of this cgroup, not told apart */
};

#ifdef __cplusplus
static_assert(sizeof(struct fw_connect_failure) == 32, "layout");
#endif
