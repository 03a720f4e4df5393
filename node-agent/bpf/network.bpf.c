/* TCP connections of cgroups: failed and slow connects, retransmits, resets. Most of this happens in timers and in softirq, on
 * top of any task: whose socket it is was noted in the socket when its owner called connect or listen. */
#include "net_types.bpf.h"
#include "network.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12

#define EADDRNOTAVAIL 99
#define WINDOW_SHIFT 33                    /* 2^33 ns: 8.6 s */
#define PEERS_PER_WINDOW 32                /* new ones of one cgroup; a port scan must not fill the table of all others */

/* Key: cgroup id. Not LRU, not preallocated: as cgroup_counters. Deleted by user space when the cgroup is gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_network_counters);
} network_counters SEC(".maps");

/* Read and emptied by user space at each tick. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fw_connect_failure);
	__type(value, __u64);
} connect_failures SEC(".maps");

struct socket_note {
	__u64 cgroup_id;
	__u64 connect_ns;                  /* when its SYN was sent; 0: it did not connect */
};

/* Lives and dies with the socket. Accepted connections get a copy of their listener's. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_note);
} socket_notes SEC(".maps");

static __always_inline struct fw_network_counters *network_counters_of(__u64 cgroup_id)
{
	struct fw_network_counters *counters = bpf_map_lookup_elem(&network_counters, &cgroup_id);
	static const struct fw_network_counters zero;

	if (counters)
		return counters;
	bpf_map_update_elem(&network_counters, &cgroup_id, &zero, BPF_NOEXIST);
	counters = bpf_map_lookup_elem(&network_counters, &cgroup_id);
	if (!counters)
		count_drop(FW_DROP_MAP);
	return counters;
}

static __always_inline struct fw_network_counters *counters_of_socket(struct sock *sk)
{
	struct socket_note *note = bpf_sk_storage_get(&socket_notes, sk, 0, 0);
	__u64 cgroup_id = note ? note->cgroup_id : charged_cgroup_id(sk);

	return cgroup_id ? network_counters_of(cgroup_id) : 0;
}

/* In the owner's connect or listen. */
static __always_inline void note_owner(struct sock *sk, __u64 connect_ns)
{
	struct socket_note *note = bpf_sk_storage_get(&socket_notes, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!note)
		return;
	note->cgroup_id = memory_cgroup_id((struct task_struct *)bpf_get_current_task());
	note->connect_ns = connect_ns;
}

static __always_inline void add_failure(struct fw_connect_failure *key)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(&connect_failures, key);

	if (!count && bpf_map_update_elem(&connect_failures, key, &one, BPF_NOEXIST) == 0)
		return;
	if (!count)
		count = bpf_map_lookup_elem(&connect_failures, key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		count_drop(FW_DROP_MAP);
}

static __always_inline void tell_failure(struct fw_network_counters *counters, struct sock *sk, __u64 cgroup_id)
{
	struct fw_connect_failure key = {.cgroup_id = cgroup_id, .error = sk->sk_err};
	__u64 window = bpf_ktime_get_ns() >> WINDOW_SHIFT;

	/* No error yet: either close(2) ended it, which shuts the socket down first, or connect(2) itself failed after the
	 * state had changed, which it does only for want of a local port. */
	if (!key.error && !sk->sk_shutdown)
		key.error = EADDRNOTAVAIL;
	key.family = sk->__sk_common.skc_family;
	key.port = __builtin_bswap16(sk->__sk_common.skc_dport);
	if (key.family == AF_INET6)
		BPF_CORE_READ_INTO(&key.address, sk, __sk_common.skc_v6_daddr);
	else
		*(__u32 *)key.address = sk->__sk_common.skc_daddr;
	if (counters->window != window) {
		counters->window = window;
		counters->told = 0;
	}
	if (!bpf_map_lookup_elem(&connect_failures, &key) && __sync_fetch_and_add(&counters->told, 1) >= PEERS_PER_WINDOW) {
		key.family = 0;
		key.port = 0;
		__builtin_memset(key.address, 0, sizeof(key.address));
	}
	add_failure(&key);
}

static __always_inline void connect_ended(struct sock *sk, int state)
{
	struct socket_note *note = bpf_sk_storage_get(&socket_notes, sk, 0, 0);
	struct fw_network_counters *counters;
	__u64 ns;

	/* One that began before the programs has no note: how long it took is not known. */
	if (!note || !note->connect_ns)
		return;
	ns = bpf_ktime_get_ns() - note->connect_ns;
	note->connect_ns = 0;
	counters = network_counters_of(note->cgroup_id);
	if (!counters)
		return;
	if (state == TCP_CLOSE) {
		__sync_fetch_and_add(&counters->connects_failed, 1);
		tell_failure(counters, sk, note->cgroup_id);
		return;
	}
	__sync_fetch_and_add(&counters->connects, 1);
	__sync_fetch_and_add(&counters->connect_ns, ns);
	__sync_fetch_and_add(&counters->latency_log2_us[log2_us_bucket(ns) & (FW_LOG2_BUCKETS - 1)], 1);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int before, int after)
{
	struct fw_network_counters *counters;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (after == TCP_SYN_SENT) {
		note_owner(sk, bpf_ktime_get_ns());
	} else if (after == TCP_LISTEN) {
		note_owner(sk, 0);
	} else if (before == TCP_SYN_SENT && (after == TCP_ESTABLISHED || after == TCP_CLOSE)) {
		connect_ended(sk, after);
	} else if (before == TCP_SYN_RECV && after == TCP_ESTABLISHED) {
		counters = counters_of_socket(sk);
		if (counters)
			__sync_fetch_and_add(&counters->accepts, 1);
	}
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(socket_retransmit, struct sock *sk)
{
	struct fw_network_counters *counters = counters_of_socket(sk);

	if (!counters)
		return 0;
	__sync_fetch_and_add(&counters->retransmits, 1);
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		__sync_fetch_and_add(&counters->syn_retransmits, 1);
	return 0;
}

/* Without a socket (nobody listens there) it is nobody's; OutRsts of the network namespace counts those as well. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(socket_reset_sent, struct sock *sk)
{
	struct fw_network_counters *counters;

	if (!sk)
		return 0;
	/* These are smaller things than a socket. */
	if (sk->__sk_common.skc_state == TCP_TIME_WAIT || sk->__sk_common.skc_state == TCP_NEW_SYN_RECV)
		return 0;
	counters = counters_of_socket(sk);
	if (counters)
		__sync_fetch_and_add(&counters->resets_sent, 1);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(socket_reset_received, struct sock *sk)
{
	struct fw_network_counters *counters = counters_of_socket(sk);

	if (counters)
		__sync_fetch_and_add(&counters->resets_received, 1);
	return 0;
}
