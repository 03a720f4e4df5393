/* How long the threads of a cgroup wait for a CPU. The kernel notes for each when it was put into a queue (sched_info, which
 * /proc/PID/schedstat shows); when a thread gets its CPU, that and the queue's own clock give the wait. So nothing is kept for a thread,
 * nothing hangs on wake-ups, and preempted threads count as well. */
#include "common.bpf.h"
#include "scheduler.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct rq { __u64 clock; };
struct cfs_rq { struct rq *rq; };
struct sched_entity { struct cfs_rq *cfs_rq; };
struct sched_info { unsigned long long last_queued; };
struct task_struct___queued {
	struct sched_entity se;
	struct sched_info sched_info;
};
#pragma clang attribute pop

/* Key: cgroup id. Not LRU, not preallocated: as cgroup_counters. Deleted by user space when the cgroup is gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_run_queue_counters);
} run_queue_counters SEC(".maps");

static __always_inline struct fw_run_queue_counters *run_queue_counters_of(__u64 cgroup_id)
{
	struct fw_run_queue_counters *counters = bpf_map_lookup_elem(&run_queue_counters, &cgroup_id);
	static const struct fw_run_queue_counters zero;

	if (counters)
		return counters;
	bpf_map_update_elem(&run_queue_counters, &cgroup_id, &zero, BPF_NOEXIST);
	counters = bpf_map_lookup_elem(&run_queue_counters, &cgroup_id);
	if (!counters)
		count_drop(FW_DROP_MAP);
	return counters;
}

/* memory_cgroup_id() in plain loads. */
static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	__u64 at = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgroup_subsys_state **all = task->cgroups->subsys;

	return all[at]->cgroup->kn->id;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(run_queue_wait, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct___queued *queued = (void *)next;
	struct fw_run_queue_counters *counters;
	__u64 since, now;
	__u32 bucket;

	/* Kernels without SCHED_INFO or FAIR_GROUP_SCHED do not tell. */
	if (!bpf_core_field_exists(queued->sched_info.last_queued) || !bpf_core_field_exists(queued->se.cfs_rq) ||
	    !bpf_core_field_exists(queued->se.cfs_rq->rq) || next->pid == 0)
		return 0;
	/* Plain loads, which the verifier lets through for a tracepoint's argument: a fifth of the cost of bpf_probe_read_kernel. Real-time
	 * threads have the queue of their group as well. */
	since = queued->sched_info.last_queued;
	if (!since)
		return 0;
	now = queued->se.cfs_rq->rq->clock;
	if (now < since)
		return 0;
	counters = run_queue_counters_of(cgroup_of(next));
	if (!counters)
		return 0;
	bucket = log2_us_bucket(now - since);
	__sync_fetch_and_add(&counters->waits, 1);
	__sync_fetch_and_add(&counters->wait_ns, now - since);
	if (bucket < FW_LOG2_BUCKETS)
		__sync_fetch_and_add(&counters->wait_log2_us[bucket], 1);
	return 0;
}
