/* Histograms of durations: bucket k counts those of 2^k to 2^(k+1) - 1 whole microseconds, bucket 0 also those below one. */
#pragma once

#define FW_LOG2_BUCKETS 32

#ifdef __bpf__
static __always_inline __u32 log2_us_bucket(__u64 ns)
{
	__u64 us = ns / 1000;
	__u32 low, bucket = 0;

	if (us >> 32)
		return FW_LOG2_BUCKETS - 1;
	low = (__u32)us;
	if (low >> 16) {
		bucket += 16;
		low >>= 16;
	}
	if (low >> 8) {
		bucket += 8;
		low >>= 8;
	}
	if (low >> 4) {
		bucket += 4;
		low >>= 4;
	}
	if (low >> 2) {
		bucket += 2;
		low >>= 2;
	}
	return bucket + (low >> 1);
}
#endif
