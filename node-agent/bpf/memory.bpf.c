/* OOM kills, and the reclaim that comes before them. Why an OOM kill happened (a cgroup's limit, or the node) is not in the
 * tracepoint; it follows from the last reclaim of the task whose allocation failed, which is the current one. docs/adr/0004. */
#include "common.bpf.h"

struct last_reclaim {
	__u64 begin_ns;
	__u64 kind;                        /* FW_RECLAIM_* */
};

/* Key: thread id; value: its last reclaim. LRU, 4096: an OOM kill follows its reclaim at once, old ones may go. Written and
 * read here. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct last_reclaim);
} last_reclaims SEC(".maps");

static __always_inline void note_reclaim(__u64 kind)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct last_reclaim note = {bpf_ktime_get_ns(), kind};

	bpf_map_update_elem(&last_reclaims, &thread, &note, BPF_ANY);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int memcg_reclaim_begin(void *ctx)
{
	note_reclaim(FW_RECLAIM_MEMCG);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int memcg_reclaim_end(void *ctx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct last_reclaim *note = bpf_map_lookup_elem(&last_reclaims, &thread);
	__u64 cgroup_id = memory_cgroup_id((struct task_struct *)bpf_get_current_task());
	struct fw_cgroup_counters *counters;

	if (!note || note->kind != FW_RECLAIM_MEMCG || cgroup_id == settings.root_cgroup_id)
		return 0;
	counters = counters_of(cgroup_id);
	if (counters) {
		__sync_fetch_and_add(&counters->reclaim_stalls, 1);
		__sync_fetch_and_add(&counters->reclaim_stall_ns, bpf_ktime_get_ns() - note->begin_ns);
	}
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_reclaim_begin(void *ctx)
{
	note_reclaim(FW_RECLAIM_NODE);
	return 0;
}

static __always_inline __s64 rss_pages(struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct mm_struct___pre_6_2 *old = (void *)mm;

	if (!mm)
		return FW_ABSENT;
	/* Sum of file, anonymous and shared memory pages; 2 is swap entries. */
	if (bpf_core_field_exists(old->rss_stat.count))
		return BPF_CORE_READ(old, rss_stat.count[0].counter) + BPF_CORE_READ(old, rss_stat.count[1].counter);
	return BPF_CORE_READ(mm, rss_stat[0].count) + BPF_CORE_READ(mm, rss_stat[1].count);
}

#define MAX_DEPTH 16                       /* cgroup levels that are looked at; Kubernetes uses five */

/* Of the victim's cgroup and its ancestors the one nearest to its limit; the deeper one when equal. */
static __always_inline void find_limit(struct fw_oom_event *event, struct cgroup_subsys_state *css)
{
	__s64 best_room = 0x7fffffffffffffff;

	event->limit_pages = FW_ABSENT;
	event->usage_pages = FW_ABSENT;
	event->limit_cgroup_id = 0;
	for (int depth = 0; depth < MAX_DEPTH && css; ++depth) {
		struct mem_cgroup *memcg = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
		__s64 max = BPF_CORE_READ(memcg, memory.max);
		__s64 usage = BPF_CORE_READ(memcg, memory.usage.counter);

		/* PAGE_COUNTER_MAX, "no limit", is LONG_MAX in pages. */
		if (max < (1LL << 50) && max - usage < best_room) {
			best_room = max - usage;
			event->limit_pages = max;
			event->usage_pages = usage;
			event->limit_cgroup_id = BPF_CORE_READ(css, cgroup, kn, id);
		}
		css = BPF_CORE_READ(css, parent);
	}
}

static __always_inline void fill_invoker(struct fw_oom_event *event)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 thread = (__u32)pid_tgid;
	struct last_reclaim *note = bpf_map_lookup_elem(&last_reclaims, &thread);

	event->invoker_pid = pid_tgid >> 32;
	bpf_get_current_comm(event->invoker_comm, sizeof(event->invoker_comm));
	event->reclaim_kind = note ? note->kind : FW_RECLAIM_UNKNOWN;
	event->reclaim_ns = note ? note->begin_ns : 0;
}

/* Kernels that hand over the victim's task: upstream 6.9 and the stable kernels that took the change. */
SEC("tp_btf/mark_victim")
int BPF_PROG(mark_victim, struct task_struct *task)
{
	struct cgroup_subsys_state *css = memory_css(task);
	__u64 cgroup_id = BPF_CORE_READ(css, cgroup, kn, id);
	struct fw_oom_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count_drop(FW_DROP_RING);
		return 0;
	}
	fill_header(&event->hdr, FW_EVENT_OOM, sizeof(*event), bpf_ktime_get_ns(), cgroup_id);
	fill_process(&event->victim, task, cgroup_id);
	event->rss_pages = rss_pages(task);
	event->oom_score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	event->victim_thread = BPF_CORE_READ(task, pid);
	find_limit(event, css);
	fill_invoker(event);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

struct mark_victim_fields {
	__u64 common;
	int pid;                           /* thread id; the first field since 4.17 */
};

/* Older kernels name only the victim's pid; user space looks up the rest in /proc while the victim is dying. */
SEC("tracepoint/oom/mark_victim")
int mark_victim_pid(struct mark_victim_fields *fields)
{
	struct fw_oom_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count_drop(FW_DROP_RING);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	fill_header(&event->hdr, FW_EVENT_OOM, sizeof(*event), bpf_ktime_get_ns(), 0);
	event->victim.pid = fields->pid;
	event->victim.container_main = FW_ABSENT;
	event->victim_thread = fields->pid;
	event->rss_pages = FW_ABSENT;
	event->limit_pages = FW_ABSENT;
	event->usage_pages = FW_ABSENT;
	event->oom_score_adj = FW_S32_ABSENT;
	fill_invoker(event);
	bpf_ringbuf_submit(event, 0);
	return 0;
}
