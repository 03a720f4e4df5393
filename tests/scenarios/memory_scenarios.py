"""Containers that the kernel kills for memory: each failure class once, and each class beside those it is mistaken for.

Sizes are small so that many fit on a small machine; the verdict must not depend on them (the variants prove it).
"""
import random
import subprocess
import time

from cgroups import wait_until
from harness import MIB, Deploy, Failed
from registry import scenario


def mi(size_bytes):
    return f"{size_bytes // MIB}Mi"


def post(fleet, deploy):
    fleet.post_github_deployment(deploy)
    fleet.post_cloudevent(deploy)


def post_unrelated(fleet, count, service_name):
    """Changes near in time that did not do it: other objects with tempting fields, and this object with harmless ones."""
    for i in range(count):
        started_ns = time.time_ns() - random.randrange(1, 120) * 10**9
        if i % 3 == 2:
            fields = [("replicas", "2", "3")] if i % 2 else [("metadata.labels.team", "blue", "green")]
            deploy = Deploy(service_name, fields, actor=f"bystander-{i}", started_ns=started_ns)
        else:
            deploy = Deploy(f"other-{i}", [("resources.limits.memory", "512Mi", "256Mi")], actor=f"bystander-{i}", started_ns=started_ns)
        fleet.post_cloudevent(deploy)


# ---- limit lowered ---------------------------------------------------------------------------------------------------


@scenario("limit_lowered")
@scenario("limit_lowered_other_names_and_sizes", name="ledger-writer", scale=0.5)
@scenario("limit_lowered_posted_30s_late", late_s=30)
@scenario("limit_lowered_never_posted", posted=False)
@scenario("limit_lowered_among_20_unrelated_changes", unrelated=20)
@scenario("limit_lowered_prefork_server", worker=["--base", "72MiB", "--processes", 3])   # victims are children, as in a runaway child
def limit_lowered(context, name="checkout", scale=1.0, late_s=0, posted=True, unrelated=0, worker=None):
    before, after = int(128 * scale) * MIB, int(32 * scale) * MIB
    worker = worker or ["--base", int(24 * scale) * MIB, "--request", int(scale * MIB), "--hold-ms", 1500]
    fleet = context.fleet
    with context.service(name, worker=worker, limit_bytes=before) as service:
        service.wait_requests(150)
        post_unrelated(fleet, unrelated // 2, name)
        started_ns = service.deploy(after)
        deploy = Deploy(name, [("resources.limits.memory", mi(before), mi(after))], started_ns=started_ns, cgroup_path=service.group.path)
        if posted and not late_s:
            post(fleet, deploy)
        post_unrelated(fleet, unrelated - unrelated // 2, name)
        wait_until(lambda: service.group.oom_kills() >= 2, 20, "the kernel kills twice")
        if not posted or late_s:
            # Only the node saw the limit change: that, or nothing, may be blamed; never somebody else's change.
            incident = context.expect(service, "memory-limit-lowered")
            suspect = incident.get("suspectChange") or {}
            if suspect and suspect.get("source") != "node":
                raise Failed(f"blamed a change that was not posted: {suspect}")
        if late_s:
            wait_until(lambda: time.time_ns() - started_ns > late_s * 10**9, late_s + 5, "the pipeline is late")
            post(fleet, deploy)
        if posted:
            context.expect(service, "memory-limit-lowered", suspects=fleet.change_ids(deploy), least=0.9, symptom="oom_kill")


# ---- the limit was not touched ---------------------------------------------------------------------------------------


@scenario("demand_grew")
@scenario("demand_grew_among_20_unrelated_changes", unrelated=20)   # the same symptom without a change is not blamed on one
def demand_grew(context, unrelated=0):
    """More users, the same limit: the working set follows the load."""
    load = ["--rate", 15, "--to-rate", 150, "--after-seconds", 10, "--ramp-seconds", 25, "--threads", 6]
    with context.service("search", worker=["--base", "16MiB", "--request", "512KiB", "--hold-ms", 1500], limit_bytes=64 * MIB, load=load) as service:
        post_unrelated(context.fleet, unrelated, "search")
        service.wait_kills(2, seconds=45)
        context.expect(service, "memory-demand-grew", suspects=set())


@scenario("leak")
@scenario("leak_after_an_unrelated_change", harmless_change=True)   # not the limit, though a change came just before
def leak(context, harmless_change=False):
    """Steady load, memory only goes up, and does so again after each restart."""
    with context.service("cart", worker=["--base", "16MiB", "--leak", "128KiB"], limit_bytes=80 * MIB) as service:
        service.wait_requests(120)
        if harmless_change:
            context.fleet.post_cloudevent(Deploy("cart", [("replicas", "1", "2")], started_ns=time.time_ns()))
        service.wait_kills(2, seconds=60)
        context.expect(service, "memory-leak", suspects=set())


@scenario("runaway_child")
def runaway_child(context):
    """A helper of the main process grows and is killed; the main process lives on."""
    with context.service("thumbnails", worker=["--base", "24MiB", "--child-after", 150, "--child-step", "256KiB"], limit_bytes=96 * MIB) as service:
        wait_until(lambda: service.group.oom_kills() >= 1, 30, "the kernel kills the helper")
        context.expect(service, "runaway-child-process", symptom="oom_kill")
        if service.status()["ends"]:
            raise Failed("the main process ended too")


# ---- ended, but not by the OOM killer --------------------------------------------------------------------------------


@scenario("killed_by_a_person")
@scenario("killed_by_a_person_after_the_limit_was_lowered", lowered=True)   # 137 is not OOM, however tempting
def killed_by_signal(context, lowered=False):
    with context.service("billing", worker=["--base", "24MiB"], limit_bytes=128 * MIB) as service:
        service.wait_requests(100)
        if lowered:
            service.group.set_memory_limit(96 * MIB)   # in place: an end after a SIGTERM would be excused
            post(context.fleet, Deploy("billing", [("resources.limits.memory", "128Mi", "96Mi")]))
            served = service.status()["ok"]
            service.wait_requests(served + 30)
        kill_from_outside(service)
        context.expect(service, "killed-by-signal", suspects=set(), symptom="killed")
        if service.group.oom_kills():
            raise Failed("the kernel counted an OOM kill")


def kill_from_outside(service):
    pid = wait_until(lambda: service.status()["worker_pid"], 5, "the worker runs")
    subprocess.run(["/bin/kill", "-9", str(pid)], check=True)   # a process of its own: the sender the agent should name
    service.wait_kills(1)


@scenario("planned_recycling")
@scenario("leak_recycled_before_the_limit", leak="256KiB")   # grows, but ends in order each time: not a leak that hurts
def recycling(context, leak="0"):
    """The main process ends with 0 after so many requests, as recycling servers do: nothing is wrong."""
    with context.service("mail", worker=["--base", "16MiB", "--leak", leak, "--exit-after", 40], limit_bytes=128 * MIB, restart_delay_ms=100) as service:
        wait_until(lambda: service.status()["ends"] >= 6, 60, "six planned ends")
        context.expect(service, "nothing-wrong", suspects=set(), symptom="restart_loop")


@scenario("orderly_restarts_open_nothing")
def orderly_restarts(context):
    """Six restarts by SIGTERM, as a person or a rollout does: no symptom at all."""
    with context.service("orders", worker=["--base", "16MiB"], limit_bytes=128 * MIB) as service:
        for _ in range(6):
            ok = service.status()["ok"]
            service.wait_requests(ok + 5)
            service.stop_worker()
            service.start_worker()
        seen_at_least_until_now(context)
        open_now = context.fleet.incidents(service.group.path)
        if open_now:
            raise Failed(f"an incident for nothing: {open_now[0]['symptoms']}")


def seen_at_least_until_now(context):
    """Whatever happened before this returns has reached the aggregator: a later kill elsewhere is an incident already."""
    with context.service("marker", worker=["--base", "1MiB"]) as marker:
        marker.wait_requests(5)
        kill_from_outside(marker)
        context.fleet.wait_incident(marker.group.path, lambda incident: True, 15, "the marker's incident")
