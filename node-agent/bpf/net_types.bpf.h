/* Sockets and packets as far as our programs read them. CO-RE relocates them on the node. */
#pragma once
#include "common.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

enum { BPF_F_CLONE = 512 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common { unsigned int inum; };
struct net { struct ns_common ns; };
struct possible_net { struct net *net; };
struct nsproxy { struct net *net_ns; };
struct task_struct___net { struct nsproxy *nsproxy; };

struct in6_addr { __u8 bytes[16]; };
struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct possible_net skc_net;
};
struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	int sk_err;
	struct mem_cgroup *sk_memcg;
};
struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct net_device { struct possible_net nd_net; };
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	unsigned int data_len;
	__be16 protocol;
	__u16 network_header;
	unsigned char *head;
	unsigned char *data;
};

#pragma clang attribute pop

/* The memory cgroup that the kernel itself charges the socket to: it has one where memory is v2, and on v1 only where
 * kernel TCP memory is limited. 0: none. Right in any context. */
static __always_inline __u64 charged_cgroup_id(struct sock *sk)
{
	struct mem_cgroup *memcg;

	if (!bpf_core_field_exists(sk->sk_memcg))
		return 0;
	/* Newer kernels keep flags in the lowest bits. */
	memcg = (struct mem_cgroup *)((unsigned long)BPF_CORE_READ(sk, sk_memcg) & ~3UL);
	return memcg ? BPF_CORE_READ(memcg, css.cgroup, kn, id) : 0;
}
