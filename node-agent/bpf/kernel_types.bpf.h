/* The kernel types and fields that our programs read, and no others. CO-RE relocates them on the node. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u64 u64;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The value is relocated: it depends on the kernel's configuration. */
enum cgroup_subsys_id { memory_cgrp_id = 4 };

typedef struct { int counter; } atomic_t;
typedef struct { __s64 counter; } atomic_long_t;

struct kernfs_node { __u64 id; };
struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[1];
};
struct css_set { struct cgroup_subsys_state *subsys[1]; };

struct page_counter {
	atomic_long_t usage;
	unsigned long max;
};
struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
};

struct percpu_counter { __s64 count; };
/* 6.2 and later: one per-CPU counter for each kind of page (kernel commit f1a7941243c1). */
struct mm_struct { struct percpu_counter rss_stat[3]; };
struct mm_rss_stat { atomic_long_t count[3]; };
struct mm_struct___pre_6_2 { struct mm_rss_stat rss_stat; };

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	struct mm_struct *oom_mm;      /* set: chosen by the OOM killer */
	short oom_score_adj;
};

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	__u64 start_time;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct css_set *cgroups;
	char comm[16];
};

struct kernel_siginfo {
	int si_signo;
	int si_code;
};

struct linux_binprm;

#pragma clang attribute pop
