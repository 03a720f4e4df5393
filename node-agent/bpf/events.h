/* Records that the BPF programs hand to user space, shared with C++. Fixed-width fields only, padding explicit and zero. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#endif

#define FW_COMM_BYTES 16
#define FW_PATH_BYTES 512
#define FW_ABSENT (-1)                      /* "not available" of fields whose values are >= 0 */
#define FW_S32_ABSENT (-2147483647 - 1)     /* "not available" where -1 is a value */

#define FW_EVENT_OOM 1
#define FW_EVENT_EXIT 2
#define FW_EVENT_SIGNAL 3
#define FW_EVENT_CGROUP 4

#define FW_RECLAIM_UNKNOWN 0
#define FW_RECLAIM_MEMCG 1                  /* because of a cgroup's limit */
#define FW_RECLAIM_NODE 2                   /* because the node is short of memory */

#define FW_DROP_RING 0                      /* ring buffer full */
#define FW_DROP_RATE 1                      /* more events of one cgroup in a second than settings allow */
#define FW_DROP_MAP 2                       /* counters map full: that cgroup has no BPF counters */
#define FW_DROP_KINDS 3

struct fw_event_header {
	__u32 type;
	__u32 size;
	__u64 mono_ns;                      /* CLOCK_MONOTONIC */
	__u64 cgroup_id;                    /* memory controller's cgroup of the task that the event is about */
};

struct fw_process {
	__u64 start_ns;                     /* CLOCK_MONOTONIC; 0: unknown */
	__u32 pid;                          /* thread group id, initial pid namespace */
	__u32 parent_pid;
	__s32 container_main;               /* 1: was put into the cgroup from outside; 0: born in it; FW_ABSENT */
	__u32 pad;
	char comm[FW_COMM_BYTES];           /* of the group leader, NUL terminated */
};

struct fw_oom_event {
	struct fw_event_header hdr;
	struct fw_process victim;
	__s64 rss_pages;                    /* FW_ABSENT; off by at most some dozens of pages per CPU */
	__s64 limit_pages;                  /* of limit_cgroup_id; FW_ABSENT */
	__s64 usage_pages;                  /* of limit_cgroup_id; FW_ABSENT */
	__u64 limit_cgroup_id;              /* of the victim's ancestors the one nearest to its limit; 0: none has one */
	__u64 reclaim_ns;                   /* when the invoker began its last reclaim; 0: unknown */
	__s32 oom_score_adj;                /* FW_S32_ABSENT */
	__u32 reclaim_kind;                 /* FW_RECLAIM_*, of the invoker's last reclaim */
	__u32 victim_thread;                /* thread id, as the kernel log prints it */
	__u32 invoker_pid;                  /* thread group whose allocation failed */
	char invoker_comm[FW_COMM_BYTES];
};

struct fw_exit_event {
	struct fw_event_header hdr;
	struct fw_process process;
	__s32 exit_code;                    /* 0..255 */
	__s32 signal;                       /* that ended it; 0: none */
	__u32 oom_victim;
	__u32 pad;
};

struct fw_signal_event {
	struct fw_event_header hdr;
	struct fw_process target;
	struct fw_process sender;           /* the task that was running */
	__u64 sender_cgroup_id;
	__u32 sender_uid;
	__s32 signal;
	__u32 from_kernel;
	__u32 pad;
};

struct fw_cgroup_event {                    /* a cgroup of the memory controller's hierarchy was made */
	struct fw_event_header hdr;
	char path[FW_PATH_BYTES];           /* NUL terminated; cut when longer, then of no use */
};

/* Counters of one cgroup since its first event; they never go back while the entry lives. */
struct fw_cgroup_counters {
	__u64 reclaim_stalls;
	__u64 reclaim_stall_ns;
	__u64 execs;
	__u64 window;                       /* rate limit: the second that window_events counts */
	__u64 window_events;
};

/* Set by the loader before the programs are loaded; the only content of .rodata. */
struct fw_settings {
	__u64 root_cgroup_id;               /* events about tasks of this cgroup are not sent, but for OOM kills */
	__u32 events_per_second;            /* of one cgroup, exits and signals together */
	__u32 use_birth;                    /* 0: this kernel has no task storage for tracing programs */
};

#ifdef __cplusplus
#define FW_STATIC_ASSERT static_assert
#else
#define FW_STATIC_ASSERT _Static_assert
#endif
FW_STATIC_ASSERT(sizeof(struct fw_event_header) == 24, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_process) == 40, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_oom_event) == 136, "layout");
FW_STATIC_ASSERT(__builtin_offsetof(struct fw_oom_event, oom_score_adj) == 104, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_exit_event) == 80, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_signal_event) == 128, "layout");
FW_STATIC_ASSERT(__builtin_offsetof(struct fw_signal_event, sender_cgroup_id) == 104, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_cgroup_event) == 24 + FW_PATH_BYTES, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_cgroup_counters) == 40, "layout");
FW_STATIC_ASSERT(sizeof(struct fw_settings) == 16, "layout");
