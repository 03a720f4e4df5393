"""Healthy services: busy, full page cache, warming up. Not one incident may open."""
import os
import time

from cgroups import wait_until
from harness import MIB, Failed
from memory_scenarios import seen_at_least_until_now
from registry import scenario


@scenario("healthy_40_seconds", seconds=40, sets=("fast",))
@scenario("healthy_five_minutes", seconds=300, sets=("nightly",))
def healthy(context, seconds):
    big_file = context.folder / "big"
    context.folder.mkdir(parents=True)
    with open(big_file, "wb") as file:
        file.write(b"x" * (96 * MIB))
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)   # a cached page belongs to who read it first: that is to be the reader
    with context.service("web", worker=["--base", "24MiB", "--request", "512KiB", "--hold-ms", 500], limit_bytes=96 * MIB) as web, \
            context.service("reader", worker=["--base", "8MiB", "--read-file", big_file], limit_bytes=48 * MIB, load=["--rate", 4]) as reader, \
            context.service("warming", worker=["--base", "8MiB", "--request", "1MiB", "--hold-ms", 800], limit_bytes=128 * MIB,
                            load=["--rate", 5, "--to-rate", 50, "--ramp-seconds", seconds / 2]) as warming:
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, seconds + 10, "healthy time passes", pause=0.5)
        for service in (web, reader, warming):
            status = service.status()
            if status["bad_gateway"] > status["requests"] / 10 or service.group.oom_kills():
                raise Failed(f"the workload itself is not healthy: {status}, {service.group.oom_kills()} OOM kills")
        if reader.group.memory_usage() < 44 * MIB:
            raise Failed("the reader did not fill its page cache")
        seen_at_least_until_now(context)
        for service in (web, reader, warming):
            incidents = context.fleet.incidents(service.group.path)
            if incidents:
                raise Failed(f"an incident for nothing at {service.group.path}: {incidents[0]['symptoms']}")
