/* HTTP/1.x servers without touching the application: the first bytes of a segment that leaves tell a response, whichever way it was
 * written. A uprobe tells the status line of what OpenSSL encrypts. Only method and status are looked at, only counters leave the
 * kernel. What each hook costs, and why these: docs/adr/0019-http-from-segments.md */
#include "common.bpf.h"
#include "http.h"
#include "http_segment.bpf.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV 3
#define PASS 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct possible_net___http { void *net; };
struct sock_common___http {
	__u16 skc_num;
	struct possible_net___http skc_net;
};
struct socket_lock___http { int owned; };
struct sock___http {
	struct sock_common___http __sk_common;
	struct socket_lock___http sk_lock;
	void *sk_bpf_storage;
};
struct tcp_sock___http { __u32 snd_nxt; };
struct sk_buff___http { char cb[48]; };
struct pt_regs {
	unsigned long ip;
	unsigned long si;
	unsigned long dx;
};
#pragma clang attribute pop

/* What TCP keeps in sk_buff.cb: the numbers of a segment's first byte and of the one after it. */
struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
};

/* What a server's socket is in the middle of. The two halves are in two cache lines: the first is written by whoever sends, the second by
 * whoever receives, mostly on another CPU. */
struct http_socket {
	__u64 cgroup_id;         /* of the process that wrote the first response; 0: none did */
	__u64 answered_ns;       /* request_ns of the last response */
	__u32 sequence;          /* of the last status line: what has it again was sent twice by the network */
	__u32 acknowledged;      /* what had been received at the last final response: with nothing more it is no response */
	__u32 tls;               /* it answered a TLS handshake */
	__u32 pad[7];            /* the kernel's header has 8 bytes of the line */

	__u64 request_ns;        /* when the first segment came after something was sent; 0: not seen */
	__u32 sent;              /* what had been sent by then */
	__u32 more_pad;
};

/* Freed by the kernel with the socket. Sockets that sent a status line or answered a TLS handshake have one, and those that were
 * accepted on a port where others did. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct http_socket);
} http_sockets SEC(".maps");

/* Ports where HTTP or TLS was spoken; the value is not used. LRU: a lost one costs the time of a connection's first request. */
struct port {
	__u64 net;
	__u32 number;
	__u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct port);
	__type(value, __u32);
} http_ports SEC(".maps");

/* Key: cgroup id. Made here, deleted by the collector when the cgroup is gone. Not LRU: an evicted counter would go back. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_http_counters);
} http SEC(".maps");

/* Key: FW_HTTP_*; value: count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FW_HTTP_LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} http_losses SEC(".maps");

/* Key: address of a task that gave OpenSSL a status line and has not sent it yet; value: its cgroup. LRU: it may never send it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} http_tls_writing SEC(".maps");

/* Two containers can run the same file through different paths; both attachments then fire in both. The first that told of a
 * function of a process owns it. Value: cookie of the attachment; the collector deletes those of what it detaches. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fw_http_function);
	__type(value, __u64);
} http_tls_owners SEC(".maps");

static __always_inline void count_loss(__u32 kind)
{
	__u64 *count = bpf_map_lookup_elem(&http_losses, &kind);

	if (count)
		*count += 1;
}

static __noinline int make_counters(__u64 cgroup_id)
{
	struct fw_http_counters zero = {};

	return bpf_map_update_elem(&http, &cgroup_id, &zero, BPF_NOEXIST);
}

static __always_inline struct fw_http_counters *http_of(__u64 cgroup_id)
{
	struct fw_http_counters *counters = bpf_map_lookup_elem(&http, &cgroup_id);

	if (counters)
		return counters;
	make_counters(cgroup_id);
	counters = bpf_map_lookup_elem(&http, &cgroup_id);
	if (!counters)
		count_drop(FW_DROP_MAP);
	return counters;
}

static __always_inline void count_response(struct fw_http_counters *counters, const union start *start, __u32 class)
{
	if (class == 1 && is_final(start, class))
		__sync_fetch_and_add(&counters->responses[0], 1);
	if (class <= 5)
		__sync_fetch_and_add(&counters->responses[class], 1);
}

static __always_inline void count_latency(struct fw_http_counters *counters, __s64 ns)
{
	__u32 bucket;

	if (ns < 0)
		ns = 0;
	bucket = log2_us_bucket(ns);

	__sync_fetch_and_add(&counters->latency_ns, ns);
	if (bucket < FW_LOG2_BUCKETS)
		__sync_fetch_and_add(&counters->latency_log2_us[bucket], 1);
}

static __always_inline __u64 current_cgroup_id(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->cgroups->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]->cgroup->kn->id;
}

static __always_inline struct sock___http *kernel_socket(struct bpf_sock *sk)
{
	return (struct sock___http *)bpf_skc_to_tcp_sock(sk);
}

/* A socket that is locked by a process is used by the one that runs: the network stack leaves it alone meanwhile. Everything else
 * is sent by whoever happened to be interrupted. 0: that is so. */
static __always_inline __u64 owner_of(struct sock___http *socket)
{
	return socket->sk_lock.owned ? current_cgroup_id() : 0;
}

static __always_inline struct http_socket *state_of(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&http_sockets, sk, 0, 0);
}

/* The first sign of a server on this socket: later connections to its port are watched from their beginning. */
static __always_inline struct http_socket *new_state_of(struct bpf_sock *sk)
{
	struct sock___http *socket = kernel_socket(sk);
	struct http_socket *state;
	struct port port = {};
	__u32 unused = 0;

	if (!socket)
		return 0;
	port.net = (__u64)socket->__sk_common.skc_net.net;
	port.number = socket->__sk_common.skc_num;
	bpf_map_update_elem(&http_ports, &port, &unused, BPF_ANY);
	state = bpf_sk_storage_get(&http_sockets, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!state)
		count_loss(FW_HTTP_NO_SOCKET);
	return state;
}

static __always_inline void response_leaves(struct bpf_sock *sk, const struct segment *segment, __u32 class)
{
	struct http_socket *state = state_of(sk);
	struct fw_http_counters *counters;
	struct sock___http *socket;
	__u64 request_ns;

	if (!state)
		state = new_state_of(sk);
	if (!state || state->sequence == segment->sequence)
		return;
	if (state->acknowledged == segment->acknowledged) {
		count_loss(FW_HTTP_UNPAIRED);
		return;
	}
	if (!state->cgroup_id) {
		socket = kernel_socket(sk);
		if (socket)
			state->cgroup_id = owner_of(socket);
	}
	counters = state->cgroup_id ? http_of(state->cgroup_id) : 0;
	if (counters) {
		request_ns = state->request_ns;
		count_response(counters, &segment->start, class);
		if (request_ns != state->answered_ns && is_final(&segment->start, class)) {
			count_latency(counters, segment->sent_ns - request_ns);
			state->answered_ns = request_ns;
		}
	} else {
		count_loss(state->cgroup_id ? FW_HTTP_TABLE_FULL : FW_HTTP_NO_OWNER);
	}
	state->sequence = segment->sequence;
	if (is_final(&segment->start, class))
		state->acknowledged = segment->acknowledged;
}

/* A process answers a TLS handshake: the collector looks for its OpenSSL. */
static __always_inline void tls_answered(struct bpf_sock *sk)
{
	struct http_socket *state = new_state_of(sk);
	struct sock___http *socket = kernel_socket(sk);
	struct fw_http_counters *counters;

	if (!state || !socket)
		return;
	state->tls = 1;
	state->cgroup_id = owner_of(socket);
	if (!state->cgroup_id)
		return;
	counters = http_of(state->cgroup_id);
	if (counters && !counters->tls_server)
		counters->tls_server = 1;
}

/* The first record that a task sends after it gave OpenSSL a status line is that response. */
static __always_inline void tls_leaves(struct bpf_sock *sk, const struct segment *segment)
{
	struct http_socket *state = state_of(sk);
	__u64 task = bpf_get_current_task(), request_ns, *cgroup_id;
	struct fw_http_counters *counters;
	struct sock___http *socket;

	if (!state || !state->tls)
		return;
	request_ns = state->request_ns;
	socket = kernel_socket(sk);
	if (request_ns == state->answered_ns || !socket || !owner_of(socket))
		return;
	cgroup_id = bpf_map_lookup_elem(&http_tls_writing, &task);
	if (!cgroup_id)
		return;
	counters = bpf_map_lookup_elem(&http, cgroup_id);
	if (counters)
		count_latency(counters, segment->sent_ns - request_ns);
	state->answered_ns = request_ns;
	bpf_map_delete_elem(&http_tls_writing, &task);
}

SEC("cgroup_skb/egress")
int http_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct segment segment;
	__u32 class;

	if (!sk || !read_segment(skb, &segment))
		return PASS;
	class = status_class(&segment.start);
	if (class)
		response_leaves(sk, &segment, class);
	else if (is_tls_data(&segment.start))
		tls_leaves(sk, &segment);
	else if (is_server_hello(&segment.start))
		tls_answered(sk);
	return PASS;
}

/* A connection is made to a port where HTTP was spoken. Its request may have come with it (TCP_DEFER_ACCEPT, fast open), and no other
 * segment tells. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(http_accept, struct sock___http *socket, int old_state, int new_state)
{
	struct http_socket *state;
	struct port port = {};

	if (new_state != TCP_ESTABLISHED || old_state != TCP_SYN_RECV)
		return 0;
	port.net = (__u64)socket->__sk_common.skc_net.net;
	port.number = socket->__sk_common.skc_num;
	if (!bpf_map_lookup_elem(&http_ports, &port))
		return 0;
	state = bpf_sk_storage_get(&http_sockets, socket, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state)
		state->request_ns = bpf_ktime_get_ns();
	return 0;
}

/* A segment came on an established connection. The first one after something was sent is the next request; what follows belongs to it. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(http_receive, struct sock___http *socket, struct sk_buff___http *skb)
{
	const struct tcp_skb_cb *segment = (const void *)skb + bpf_core_field_offset(struct sk_buff___http, cb);
	const struct tcp_sock___http *tcp;
	struct http_socket *state;

	if (!socket->sk_bpf_storage || segment->seq == segment->end_seq)
		return 0;
	state = bpf_sk_storage_get(&http_sockets, socket, 0, 0);
	tcp = (const void *)bpf_skc_to_tcp_sock(socket);
	if (!state || !tcp || state->sent == tcp->snd_nxt)
		return 0;
	state->sent = tcp->snd_nxt;
	state->request_ns = bpf_ktime_get_ns();
	return 0;
}

/* SSL_write(ssl, buffer, bytes) and SSL_write_ex(ssl, buffer, bytes, written) */
SEC("uprobe")
int http_tls_write(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx), task = bpf_get_current_task(), cgroup_id, *owner;
	struct fw_http_function function = {.address = ctx->ip, .process = bpf_get_current_pid_tgid() >> 32};
	struct fw_http_counters *counters;
	union start start;
	__u32 class;

	if (ctx->dx < sizeof(start) || bpf_probe_read_user(&start, sizeof(start), (const void *)ctx->si))
		return 0;
	class = status_class(&start);
	if (!class)
		return 0;
	owner = bpf_map_lookup_elem(&http_tls_owners, &function);
	if (owner && *owner != cookie)
		return 0;
	if (!owner)
		bpf_map_update_elem(&http_tls_owners, &function, &cookie, BPF_NOEXIST);
	cgroup_id = current_cgroup_id();
	counters = http_of(cgroup_id);
	if (!counters) {
		count_loss(FW_HTTP_TABLE_FULL);
		return 0;
	}
	count_response(counters, &start, class);
	if (is_final(&start, class))
		bpf_map_update_elem(&http_tls_writing, &task, &cgroup_id, BPF_ANY);
	return 0;
}
