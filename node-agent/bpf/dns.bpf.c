/* DNS over UDP of cgroups, as packets: whichever library, language or system call asks.
 *
 * Why packet tracepoints: system calls would have to be watched all (send, sendto, sendmsg, sendmmsg, write, io_uring), which
 * slows every system call of the node down, and give no peer without a walk from descriptor to socket. cgroup_skb needs
 * CAP_NET_ADMIN and a v2 hierarchy; a packet socket sees one network namespace and no cgroup; kprobes are refused under lockdown.
 * A query leaves in the context of its sender, with its socket: that gives the cgroup. Its answer comes in softirq on top of
 * any task: it is matched with the query. Packets that are forwarded for others have no socket and end at the first look.
 *
 * The name of a query stays in the kernel until it has failed. Not seen: DNS over TCP, TLS and HTTPS; other ports than 53. */
#include "net_types.bpf.h"
#include "dns.h"

#define ETH_P_IP_BE 0x0008
#define ETH_P_IPV6_BE 0xdd86
#define PORT_53_BE 0x3500
#define FLAG_ANSWER 0x80
#define OPCODE_BITS 0x78
#define SAME_PACKET_NS 500000ULL           /* a VLAN or bond hands the packet to what it stands on at once */
#define WINDOW_SHIFT 33                    /* 2^33 ns: 8.6 s */
#define NAMES_PER_WINDOW 32                /* new failing ones of one cgroup; it must not fill the table of all others */

/* Key: cgroup id. Not LRU, not preallocated: as cgroup_counters. Deleted by user space when the cgroup is gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_dns_counters);
} dns_counters SEC(".maps");

/* Deleted by the answer, or by user space after FW_DNS_TIMEOUT_NS. Full: the query is counted, its answer is not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fw_dns_query_key);
	__type(value, struct fw_dns_query);
} dns_pending SEC(".maps");

/* Apart from dns_pending, which user space walks: it looks up the names of those that failed only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fw_dns_query_key);
	__type(value, struct fw_dns_name);
} dns_names SEC(".maps");

/* Read and emptied by user space at each tick. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fw_dns_failure);
	__type(value, __u64);
} dns_failures SEC(".maps");

/* Answers whose bytes lay outside of the linear part of the packet, where tracing programs of 6.1 cannot look. While it grows, a
 * missing answer means nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dns_unreadable SEC(".maps");

/* Too large for the stack. Both programs run with bottom halves off, so only one at a time uses a CPU's. */
struct scratch {
	struct fw_dns_name name;
	struct fw_dns_failure failure;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} dns_scratch SEC(".maps");

struct dns_header {
	__u16 id;
	__u8 flags;                        /* FLAG_ANSWER, opcode, ... */
	__u8 rcode;                        /* low four bits */
	__u16 questions;
	__u16 others[3];
};

struct udp_header {
	__u16 source;
	__u16 destination;
	__u16 length;
	__u16 checksum;
};

/* Bytes of a packet up to the DNS header, IPv4 without options or IPv6 without extension headers. */
union start {
	struct {
		__u8 ip[9];
		__u8 protocol;
		__u16 checksum;
		__u32 source;
		__u32 destination;
		struct udp_header udp;
		struct dns_header dns;
	} v4;
	struct {
		__u8 ip[6];
		__u8 protocol;
		__u8 hops;
		__u8 source[16];
		__u8 destination[16];
		struct udp_header udp;
		struct dns_header dns;
	} v6;
};

static __always_inline struct fw_dns_counters *dns_counters_of(__u64 cgroup_id)
{
	struct fw_dns_counters *counters = bpf_map_lookup_elem(&dns_counters, &cgroup_id);
	static const struct fw_dns_counters zero;

	if (counters)
		return counters;
	bpf_map_update_elem(&dns_counters, &cgroup_id, &zero, BPF_NOEXIST);
	counters = bpf_map_lookup_elem(&dns_counters, &cgroup_id);
	if (!counters)
		count_drop(FW_DROP_MAP);
	return counters;
}

static __always_inline void map_v4(__u8 *out, __u32 address)
{
	__builtin_memset(out, 0, 10);
	out[10] = 0xff;
	out[11] = 0xff;
	__builtin_memcpy(out + 12, &address, 4);
}

/* Who sends: the cgroup that the kernel charges the socket to, or else the running task, unless it cannot be the sender (a
 * packet that waited for its neighbour's address leaves on top of any task). 0: not known. */
static __always_inline __u64 sender_cgroup(struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct___net *seen = (void *)task;
	__u64 cgroup_id = charged_cgroup_id(sk);

	if (cgroup_id)
		return cgroup_id;
	if (BPF_CORE_READ(task, pid) == 0 || BPF_CORE_READ(seen, nsproxy, net_ns) != BPF_CORE_READ(sk, __sk_common.skc_net.net))
		return 0;
	return memory_cgroup_id(task);
}

static __always_inline void tell_failure(struct fw_dns_counters *counters, struct scratch *scratch, struct fw_dns_query *query,
					 struct fw_dns_query_key *key, __u16 rcode)
{
	__u64 one = 1, *count, window = bpf_ktime_get_ns() >> WINDOW_SHIFT;
	struct fw_dns_name *name = bpf_map_lookup_elem(&dns_names, key);
	struct fw_dns_failure *failure = &scratch->failure;

	failure->cgroup_id = query->cgroup_id;
	failure->rcode = rcode;
	if (name)
		failure->name = *name;
	else
		__builtin_memset(&failure->name, 0, sizeof(failure->name));
	if (counters->window != window) {
		counters->window = window;
		counters->told = 0;
	}
	count = bpf_map_lookup_elem(&dns_failures, failure);
	if (!count && __sync_fetch_and_add(&counters->told, 1) >= NAMES_PER_WINDOW) {
		__builtin_memset(&failure->name, 0, sizeof(failure->name));
		count = bpf_map_lookup_elem(&dns_failures, failure);
	}
	if (!count && bpf_map_update_elem(&dns_failures, failure, &one, BPF_NOEXIST) == 0)
		return;
	if (!count)
		count = bpf_map_lookup_elem(&dns_failures, failure);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		count_drop(FW_DROP_MAP);
}

/* At most 255, and so that older verifiers see it: the compiler would take the mask away and compare a copy. */
static __always_inline __u64 within_name(__u64 at)
{
	asm volatile("%0 &= 255" : "+r"(at));
	return at;
}

/* Copies the name of the first question; at most max bytes of it are there. Zero after its end, empty when it is malformed. */
static __always_inline void read_name(struct scratch *scratch, const void *from, __u32 max)
{
	__u8 *raw = (__u8 *)&scratch->failure.name;
	__u32 at = 0, label;

	__builtin_memset(&scratch->name, 0, sizeof(scratch->name));
	if (max > FW_DNS_NAME_BYTES - 1)
		max = FW_DNS_NAME_BYTES - 1;
	if (max == 0 || bpf_probe_read_kernel(raw, within_name(max), from))
		return;
	for (int i = 0; i < 128; ++i) {
		label = raw[within_name(at)];
		if (label == 0)
			break;
		at += label + 1;
		if (label > 63 || at >= max)
			return;
	}
	bpf_probe_read_kernel(&scratch->name, within_name(at), raw);
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(dns_query, struct sk_buff *skb)
{
	struct fw_dns_query_key key = {};
	struct fw_dns_query fresh = {}, *known;
	struct fw_dns_counters *counters;
	struct sock *sk = skb->sk;
	struct scratch *scratch;
	struct dns_header *dns;
	struct udp_header *udp;
	union start start;
	__u32 zero = 0, linear, size;
	unsigned char *packet;
	__u64 now;

	if (!sk || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	packet = skb->head + skb->network_header;
	if (skb->protocol == ETH_P_IP_BE) {
		size = sizeof(start.v4);
		if (bpf_probe_read_kernel(&start.v4, sizeof(start.v4), packet) || start.v4.ip[0] != 0x45 || start.v4.protocol != IPPROTO_UDP)
			return 0;
		udp = &start.v4.udp;
		dns = &start.v4.dns;
		map_v4(key.server, start.v4.destination);
	} else if (skb->protocol == ETH_P_IPV6_BE) {
		size = sizeof(start.v6);
		if (bpf_probe_read_kernel(&start.v6, sizeof(start.v6), packet) || start.v6.protocol != IPPROTO_UDP)
			return 0;
		udp = &start.v6.udp;
		dns = &start.v6.dns;
		__builtin_memcpy(key.server, start.v6.destination, 16);
	} else {
		return 0;
	}
	if (udp->destination != PORT_53_BE || (dns->flags & (FLAG_ANSWER | OPCODE_BITS)))
		return 0;
	linear = skb->len - skb->data_len - (__u32)(packet - skb->data);
	if (linear <= size || linear > 65535)
		return 0;
	key.net_namespace = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	key.port = udp->source;
	key.id = dns->id;
	now = bpf_ktime_get_ns();
	known = bpf_map_lookup_elem(&dns_pending, &key);
	if (known && known->packet == (__u64)skb && now - known->packet_ns < SAME_PACKET_NS)
		return 0;
	fresh.cgroup_id = sender_cgroup(sk);
	fresh.first_ns = now;
	fresh.packet = (__u64)skb;
	fresh.packet_ns = now;
	scratch = bpf_map_lookup_elem(&dns_scratch, &zero);
	if (!fresh.cgroup_id || !scratch)
		return 0;
	counters = dns_counters_of(fresh.cgroup_id);
	if (!counters)
		return 0;
	__sync_fetch_and_add(&counters->queries, 1);
	if (known && now - known->first_ns < FW_DNS_TIMEOUT_NS) {
		known->packet = fresh.packet;
		known->packet_ns = now;
		return 0;
	}
	if (known) {
		__sync_fetch_and_add(&counters->timeouts, 1);
		tell_failure(counters, scratch, known, &key, FW_DNS_RCODE_TIMEOUT);
	}
	read_name(scratch, packet + size, linear - size);
	if (bpf_map_update_elem(&dns_pending, &key, &fresh, BPF_ANY)) {
		count_drop(FW_DROP_MAP);
		return 0;
	}
	bpf_map_update_elem(&dns_names, &key, &scratch->name, BPF_ANY);
	return 0;
}

static __always_inline void answered(struct fw_dns_query_key *key, __u32 rcode)
{
	struct fw_dns_query *known = bpf_map_lookup_elem(&dns_pending, key);
	struct fw_dns_counters *counters;
	struct fw_dns_query query;
	struct scratch *scratch;
	__u32 zero = 0;
	__u64 ns;

	if (!known)
		return;
	query = *known;
	if (bpf_map_delete_elem(&dns_pending, key))
		return;
	ns = bpf_ktime_get_ns() - query.first_ns;
	counters = dns_counters_of(query.cgroup_id);
	scratch = bpf_map_lookup_elem(&dns_scratch, &zero);
	if (counters && scratch) {
		__sync_fetch_and_add(&counters->answers, 1);
		__sync_fetch_and_add(&counters->latency_ns, ns);
		__sync_fetch_and_add(&counters->latency_log2_us[log2_us_bucket(ns) & (FW_LOG2_BUCKETS - 1)], 1);
		if (rcode == 3)
			__sync_fetch_and_add(&counters->nxdomain, 1);
		else if (rcode == 2)
			__sync_fetch_and_add(&counters->servfail, 1);
		else if (rcode == 5)
			__sync_fetch_and_add(&counters->refused, 1);
		else if (rcode != 0)
			__sync_fetch_and_add(&counters->other_errors, 1);
		if (rcode != 0)
			tell_failure(counters, scratch, &query, key, rcode);
	}
	bpf_map_delete_elem(&dns_names, key);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(dns_answer, struct sk_buff *skb)
{
	struct fw_dns_query_key key = {};
	struct dns_header *dns;
	struct udp_header *udp;
	union start start;
	__u32 size, linear, zero = 0;
	__u64 *unreadable;

	/* The packet begins at data: the network header's offset is set only later. */
	if (skb->protocol == ETH_P_IP_BE) {
		size = sizeof(start.v4);
		if (bpf_probe_read_kernel(&start.v4, sizeof(start.v4), skb->data) || start.v4.protocol != IPPROTO_UDP || start.v4.ip[0] != 0x45)
			return 0;
		udp = &start.v4.udp;
		dns = &start.v4.dns;
		map_v4(key.server, start.v4.source);
	} else if (skb->protocol == ETH_P_IPV6_BE) {
		size = sizeof(start.v6);
		if (bpf_probe_read_kernel(&start.v6, sizeof(start.v6), skb->data) || start.v6.protocol != IPPROTO_UDP)
			return 0;
		udp = &start.v6.udp;
		dns = &start.v6.dns;
		__builtin_memcpy(key.server, start.v6.source, 16);
	} else {
		return 0;
	}
	if (udp->source != PORT_53_BE)
		return 0;
	linear = skb->len - skb->data_len;
	if (linear < size) {
		/* Some drivers leave what follows the UDP header in pages. */
		unreadable = bpf_map_lookup_elem(&dns_unreadable, &zero);
		if (unreadable)
			*unreadable += 1;
		return 0;
	}
	if (!(dns->flags & FLAG_ANSWER))
		return 0;
	key.net_namespace = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	key.port = udp->destination;
	key.id = dns->id;
	answered(&key, dns->rcode & 0xf);
	return 0;
}
