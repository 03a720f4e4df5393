/* Maps and helpers of all our programs. The loader creates each map once and lets every object use it. */
#pragma once
#include "kernel_types.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct fw_settings settings = {0, 50, 1};

/* Rare events in the order in which they happened. 512 KiB hold about 4,000 of them; full: the event is dropped and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} events SEC(".maps");

/* Key: FW_DROP_*; value: count. Written here, summed by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FW_DROP_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

/* Key: cgroup id; value: its counters. As many as entities of a node (protocol/limits.hpp). Not LRU: an evicted counter would
 * go back. Not preallocated: most nodes have a few hundred. Made here, deleted by user space when the cgroup is gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_cgroup_counters);
} cgroup_counters SEC(".maps");

/* Key: process; value: the cgroup of its parent at fork. The kernel frees it with the task. Only processes that started
 * after the programs have one. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} birth SEC(".maps");

static __always_inline void count_drop(__u32 kind)
{
	__u64 *count = bpf_map_lookup_elem(&drops, &kind);

	if (count)
		*count += 1;
}

static __always_inline struct cgroup_subsys_state *memory_css(struct task_struct *task)
{
	return BPF_CORE_READ(task, cgroups, subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]);
}

/* The memory controller's cgroup, right on v1, hybrid and v2 (bpf_get_current_cgroup_id() knows only the v2 hierarchy). */
static __always_inline __u64 memory_cgroup_id(struct task_struct *task)
{
	return BPF_CORE_READ(memory_css(task), cgroup, kn, id);
}

static __always_inline struct fw_cgroup_counters *counters_of(__u64 cgroup_id)
{
	struct fw_cgroup_counters *counters = bpf_map_lookup_elem(&cgroup_counters, &cgroup_id);
	struct fw_cgroup_counters zero = {};

	if (counters)
		return counters;
	bpf_map_update_elem(&cgroup_counters, &cgroup_id, &zero, BPF_NOEXIST);
	counters = bpf_map_lookup_elem(&cgroup_counters, &cgroup_id);
	if (!counters)
		count_drop(FW_DROP_MAP);
	return counters;
}

/* Not exact when several CPUs pass a second's border together; it only has to bound. */
static __always_inline int within_rate(__u64 cgroup_id, __u64 now_ns)
{
	struct fw_cgroup_counters *counters = counters_of(cgroup_id);
	__u64 window = now_ns / 1000000000;

	if (!counters)
		return 1;
	if (counters->window != window) {
		counters->window = window;
		counters->window_events = 0;
	}
	if (__sync_fetch_and_add(&counters->window_events, 1) < settings.events_per_second)
		return 1;
	count_drop(FW_DROP_RATE);
	return 0;
}

static __always_inline void fill_header(struct fw_event_header *hdr, __u32 type, __u32 size, __u64 now_ns, __u64 cgroup_id)
{
	hdr->type = type;
	hdr->size = size;
	hdr->mono_ns = now_ns;
	hdr->cgroup_id = cgroup_id;
}

/* task must be trusted by the verifier: a tp_btf argument or the current task. */
static __always_inline void fill_process(struct fw_process *out, struct task_struct *task, __u64 cgroup_id)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);
	__u64 *born_in = 0;

	out->start_ns = BPF_CORE_READ(leader, start_time);
	out->pid = BPF_CORE_READ(task, tgid);
	out->parent_pid = BPF_CORE_READ(parent, tgid);
	out->pad = 0;
	bpf_core_read_str(out->comm, sizeof(out->comm), &leader->comm);
	/* An orphan has a parent outside, yet it was born inside: where it was born is the better fact. */
	if (settings.use_birth)
		born_in = bpf_task_storage_get(&birth, task, 0, 0);
	if (born_in && *born_in)
		out->container_main = *born_in != cgroup_id;
	else
		out->container_main = memory_cgroup_id(parent) != cgroup_id;
}
