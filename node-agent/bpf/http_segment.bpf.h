/* What a TCP segment begins with. */
#pragma once

#define IPPROTO_TCP 6

/* The part of the context that we use; its layout is fixed (linux/bpf.h). */
struct bpf_sock;
struct __sk_buff {
	__u32 len;
	__u32 fields[18];
	__u32 data;
	__u32 data_end;
	__u32 more_fields[17];
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	struct bpf_sock *sk;
};

struct ip4 {
	__u8 version_length;
	__u8 skipped[8];
	__u8 protocol;
	__u8 more_skipped[10];
};
struct ip6 {
	__u8 skipped[6];
	__u8 protocol;
	__u8 more_skipped[33];
};
struct tcp {
	__u32 ports;
	__u32 sequence;
	__u32 acknowledged;
	__u8 length;
	__u8 skipped[7];
};

/* The first bytes of a segment's payload. */
union start {
	__u8 bytes[12];
	__u32 words[3];
};

/* Numbers are in network order: they are only compared for equality. */
struct segment {
	union start start;
	__u64 sent_ns;          /* CLOCK_MONOTONIC */
	__u32 sequence;
	__u32 acknowledged;
};

/* 0: not TCP, or nothing of interest fits into it. */
static __always_inline int read_segment(struct __sk_buff *skb, struct segment *segment)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ip4 *ip = data;
	struct tcp *tcp;
	__u32 offset;

	if (data + sizeof(*ip) > end)
		return 0;
	if (ip->version_length >> 4 == 4) {
		if (ip->protocol != IPPROTO_TCP)
			return 0;
		offset = (ip->version_length & 15) * 4;
	} else {
		if (((struct ip6 *)data)->protocol != IPPROTO_TCP)
			return 0;
		offset = sizeof(struct ip6);
	}
	tcp = data + offset;
	if ((void *)(tcp + 1) > end)
		return 0;
	segment->sequence = tcp->sequence;
	segment->acknowledged = tcp->acknowledged;
	segment->sent_ns = skb->tstamp;   /* TCP has just read the clock for its pacing */
	offset += tcp->length >> 4 << 2;
	if (skb->len < offset + sizeof(segment->start))
		return 0;
	return bpf_skb_load_bytes(skb, offset, &segment->start, sizeof(segment->start)) == 0;
}

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* 1..5, or 0: no status line. "HTTP/1.1 200" */
static __always_inline __u32 status_class(const union start *start)
{
	__u32 class;

	if (start->words[0] != WORD('H', 'T', 'T', 'P') || (start->words[1] & 0xfeffffff) != WORD('/', '1', '.', '0') || start->bytes[8] != ' ')
		return 0;
	class = start->bytes[9] - '0';
	if (class < 1 || class > 5 || (__u8)(start->bytes[10] - '0') > 9 || (__u8)(start->bytes[11] - '0') > 9)
		return 0;
	return class;
}

/* A record of encrypted application data; a ServerHello: it makes the sender a TLS server. */
static __always_inline int is_tls_data(const union start *start)
{
	return (start->words[0] & 0xffff) == WORD(0x17, 3, 0, 0);
}

static __always_inline int is_server_hello(const union start *start)
{
	return (start->words[0] & 0xffff) == WORD(0x16, 3, 0, 0) && start->bytes[5] == 2;
}

/* 101 is final: the connection is no longer HTTP. Other 1xx are followed by another status line. */
static __always_inline int is_final(const union start *start, __u32 class)
{
	return class != 1 || start->bytes[11] == '1';
}
