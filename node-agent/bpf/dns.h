/* What dns.bpf.c counts, shared with C++. Fixed-width fields only, padding explicit and zero. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#endif
#include "histogram.bpf.h"

#define FW_DNS_NAME_BYTES 256               /* a name in wire form has at most 255 */
#define FW_DNS_TIMEOUT_NS 5000000000ULL     /* a query without an answer for so long has failed */
#define FW_DNS_RCODE_TIMEOUT 0xffff

/* Of one cgroup; they never go back while the entry lives. */
struct fw_dns_counters {
	__u64 queries;                      /* repetitions included */
	__u64 answers;
	__u64 nxdomain;
	__u64 servfail;
	__u64 refused;
	__u64 other_errors;                 /* other rcodes than 0 */
	__u64 timeouts;                     /* noticed by the repetition of the query; user space notices the others */
	__u64 latency_ns;                   /* sum over answers, from the first query */
	__u64 latency_log2_us[FW_LOG2_BUCKETS];
	__u64 window;                       /* in which told counts */
	__u64 told;                         /* names that got an entry in dns_failures */
};

/* Key of dns_pending and dns_names: a query that waits for its answer. */
struct fw_dns_query_key {
	__u8 server[16];                    /* IPv4 as ::ffff:a.b.c.d */
	__u32 net_namespace;                /* inode */
	__u16 port;                         /* of the client, network order */
	__u16 id;                           /* network order */
};

struct fw_dns_query {
	__u64 first_ns;                     /* CLOCK_MONOTONIC */
	__u64 cgroup_id;
	__u64 packet;                       /* address of the packet that was seen last: each device on its way shows it again */
	__u64 packet_ns;
};

struct fw_dns_name {
	char wire[FW_DNS_NAME_BYTES];       /* labels, each after its length; zero after the end */
};

/* Key of dns_failures; its value is a count. */
struct fw_dns_failure {
	__u64 cgroup_id;
	__u64 rcode;                        /* or FW_DNS_RCODE_TIMEOUT */
	struct fw_dns_name name;            /* empty: further names of this cgroup, not told apart */
};

#ifdef __cplusplus
static_assert(sizeof(struct fw_dns_query_key) == 24, "layout");
static_assert(sizeof(struct fw_dns_failure) == 16 + FW_DNS_NAME_BYTES, "layout");
#endif
