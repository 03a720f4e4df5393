/* Requests to block devices as they end: how long they took and whether they failed, by device and by the cgroup whose memory was
 * read or written. The kernel notes in each request when it was made, so nothing is kept between making and end. */
#include "common.bpf.h"
#include "io.h"

#define REQ_OP_MASK 255
#define REQ_OP_WRITE 1
#define REQ_OP_ZONE_APPEND 7
#define REQ_OP_DRV_IN 34                   /* from here on a driver's own commands: whoever asks a disk for its health may be refused */
#define STATUS_NOT_SUPPORTED 1             /* a discard that a device does not know is no failure */
#define PAGE_OF_OBJECTS 3                  /* bits of memcg_data: it is no memory cgroup then */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct gendisk {
	int major;
	int first_minor;
};
struct request_queue { struct gendisk *disk; };
struct page {
	unsigned long compound_head;
	unsigned long memcg_data;
};
struct bio_vec { struct page *bv_page; };
struct bvec_iter { unsigned int bi_idx; };
struct bio {
	struct bio_vec *bi_io_vec;
	struct bvec_iter bi_iter;
};
struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	struct bio *bio;
	__u64 start_time_ns;
};
#pragma clang attribute pop

/* Key: major << 32 | minor of a whole disk. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_io_counters);
} io_devices SEC(".maps");

/* Key: cgroup id. Not LRU, not preallocated: as cgroup_counters. Deleted by user space when the cgroup is gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct fw_io_counters);
} io_cgroups SEC(".maps");

/* Read and emptied by user space at each tick. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fw_io_error);
	__type(value, __u64);
} io_errors SEC(".maps");

/* The memory that is read into or written from belongs to a cgroup, also when a kernel thread writes it back long after. 0: to none,
 * as metadata of filesystems and copies that encryption makes. */
static __always_inline __u64 owner_of(struct request *rq)
{
	struct bio *bio = BPF_CORE_READ(rq, bio);
	struct bio_vec *vectors;
	struct page *page = 0;
	unsigned long head, data;
	unsigned int index;

	if (!bio || !bpf_core_field_exists(page->memcg_data))
		return 0;
	vectors = BPF_CORE_READ(bio, bi_io_vec);
	if (!vectors)
		return 0;
	/* A struct bio_vec has 16 bytes since it exists. */
	index = BPF_CORE_READ(bio, bi_iter.bi_idx);
	vectors = (struct bio_vec *)((char *)vectors + 16UL * index);
	page = BPF_CORE_READ(vectors, bv_page);
	if (!page)
		return 0;
	head = BPF_CORE_READ(page, compound_head);
	if (head & 1)
		page = (struct page *)(head - 1);
	data = BPF_CORE_READ(page, memcg_data);
	if (!data || data & PAGE_OF_OBJECTS)
		return 0;
	return BPF_CORE_READ((struct mem_cgroup *)(data & ~7UL), css.cgroup, kn, id);
}

static __always_inline struct fw_io_counters *io_counters_of(void *map, __u64 key)
{
	struct fw_io_counters *counters = bpf_map_lookup_elem(map, &key);
	static const struct fw_io_counters zero;

	if (counters)
		return counters;
	bpf_map_update_elem(map, &key, &zero, BPF_NOEXIST);
	counters = bpf_map_lookup_elem(map, &key);
	if (!counters)
		count_drop(FW_DROP_MAP);
	return counters;
}

static __always_inline void count_end(struct fw_io_counters *counters, int writes, __u64 bytes, int whole, int failed, __u64 ns)
{
	__u32 bucket;

	if (!counters)
		return;
	if (failed) {
		__sync_fetch_and_add(&counters->errors, 1);
	} else {
		if (writes)
			__sync_fetch_and_add(&counters->written_bytes, bytes);
		else
			__sync_fetch_and_add(&counters->read_bytes, bytes);
	}
	if (!whole)
		return;
	if (writes)
		__sync_fetch_and_add(&counters->writes, 1);
	else
		__sync_fetch_and_add(&counters->reads, 1);
	if (!ns)
		return;
	bucket = log2_us_bucket(ns);
	__sync_fetch_and_add(&counters->latency_ns, ns);
	if (bucket < FW_LOG2_BUCKETS)
		__sync_fetch_and_add(&counters->latency_log2_us[bucket], 1);
}

static __always_inline void add_error(int major, int minor, __u8 status)
{
	struct fw_io_error key = {.major = major, .minor = minor, .status = status};
	__u64 one = 1, *count = bpf_map_lookup_elem(&io_errors, &key);

	if (!count && bpf_map_update_elem(&io_errors, &key, &one, BPF_NOEXIST) == 0)
		return;
	if (!count)
		count = bpf_map_lookup_elem(&io_errors, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		count_drop(FW_DROP_MAP);
}

/* error: blk_status_t since 5.16. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(io_end, struct request *rq, __u8 error, unsigned int bytes)
{
	__u32 op = BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK;
	struct gendisk *disk = BPF_CORE_READ(rq, q, disk);
	__u64 started = BPF_CORE_READ(rq, start_time_ns);
	__u64 ns = started ? bpf_ktime_get_ns() - started : 0;
	int writes = op == REQ_OP_WRITE || op == REQ_OP_ZONE_APPEND;
	int whole = bytes >= BPF_CORE_READ(rq, __data_len);
	int failed = error && error != STATUS_NOT_SUPPORTED;
	int major, minor;
	__u64 owner;

	if (!disk || op >= REQ_OP_DRV_IN)
		return 0;
	major = BPF_CORE_READ(disk, major);
	minor = BPF_CORE_READ(disk, first_minor);
	if (failed)
		add_error(major, minor, error);
	if (op > REQ_OP_WRITE && op != REQ_OP_ZONE_APPEND)
		return 0;
	count_end(io_counters_of(&io_devices, (__u64)major << 32 | (__u32)minor), writes, bytes, whole, failed, ns);
	owner = owner_of(rq);
	if (owner)
		count_end(io_counters_of(&io_cgroups, owner), writes, bytes, whole, failed, ns);
	return 0;
}
