/* Where processes are born, how they end, who sent the signal, and new cgroups. */
#include "common.bpf.h"

#define SIGILL 4
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGSEGV 11
#define SIGTERM 15

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 cgroup_id = memory_cgroup_id(parent);

	if (BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid))
		bpf_task_storage_get(&birth, child, &cgroup_id, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	__u64 cgroup_id = memory_cgroup_id(task);
	struct fw_cgroup_counters *counters;

	if (cgroup_id == settings.root_cgroup_id)
		return 0;
	counters = counters_of(cgroup_id);
	if (counters)
		__sync_fetch_and_add(&counters->execs, 1);
	return 0;
}

#define SIGNAL_GROUP_EXIT 4

/* Thread group leaders only. A leader that ends while other threads go on is no end of the process. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u64 now_ns = bpf_ktime_get_ns(), cgroup_id;
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct fw_exit_event *event;
	struct fw_process process;
	int code, oom_victim;

	if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	cgroup_id = memory_cgroup_id(task);
	if (cgroup_id == settings.root_cgroup_id)
		return 0;
	if (BPF_CORE_READ(signal, live.counter) > 0 && !(BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT))
		return 0;
	code = BPF_CORE_READ(task, exit_code);
	oom_victim = BPF_CORE_READ(signal, oom_mm) != 0;
	fill_process(&process, task, cgroup_id);
	if (!(code & 0xffff) && !oom_victim && process.container_main != 1)
		return 0;
	if (!within_rate(cgroup_id, now_ns))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_drop(FW_DROP_RING);
		return 0;
	}
	fill_header(&event->hdr, FW_EVENT_EXIT, sizeof(*event), now_ns, cgroup_id);
	event->process = process;
	event->exit_code = (code >> 8) & 0xff;
	event->signal = code & 0x7f;
	event->oom_victim = oom_victim;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline int wanted(int signal)
{
	return signal == SIGKILL || signal == SIGTERM || signal == SIGABRT || signal == SIGSEGV || signal == SIGBUS ||
	       signal == SIGILL || signal == SIGFPE;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(signal_generate, int signal, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
{
	__u64 now_ns = bpf_ktime_get_ns(), cgroup_id;
	struct task_struct *sender = bpf_get_current_task_btf();
	struct fw_signal_event *event;
	__u64 raw_info = (__u64)info;

	/* result 0 is TRACE_SIGNAL_DELIVERED: not ignored, not already pending. */
	if (!wanted(signal) || result != 0)
		return 0;
	cgroup_id = memory_cgroup_id(task);
	if (cgroup_id == settings.root_cgroup_id || !within_rate(cgroup_id, now_ns))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_drop(FW_DROP_RING);
		return 0;
	}
	fill_header(&event->hdr, FW_EVENT_SIGNAL, sizeof(*event), now_ns, cgroup_id);
	fill_process(&event->target, task, cgroup_id);
	event->sender_cgroup_id = memory_cgroup_id(sender);
	fill_process(&event->sender, sender, event->sender_cgroup_id);
	event->sender_uid = (__u32)bpf_get_current_uid_gid();
	event->signal = signal;
	/* Not pointers: 0 is SEND_SIG_NOINFO (a task asked), 1 is SEND_SIG_PRIV (the kernel did). */
	if (raw_info <= 1)
		event->from_kernel = raw_info == 1;
	else
		event->from_kernel = BPF_CORE_READ(info, si_code) > 0;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	struct fw_cgroup_event *event;

	if (!BPF_CORE_READ(cgroup, subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_drop(FW_DROP_RING);
		return 0;
	}
	fill_header(&event->hdr, FW_EVENT_CGROUP, sizeof(*event), bpf_ktime_get_ns(), BPF_CORE_READ(cgroup, kn, id));
	bpf_probe_read_kernel_str(event->path, sizeof(event->path), path);
	bpf_ringbuf_submit(event, 0);
	return 0;
}
