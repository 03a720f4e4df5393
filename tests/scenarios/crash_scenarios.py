"""kill -9 of either program at many moments of an event storm: no acknowledged event is lost, none is doubled.

The truth is what the storm program got from the kernel (waitpid) for each of its children; the claim is what the store holds.
"""
import collections
import random
import sqlite3
import time

import cgroups
from harness import Failed, Fleet, Process
from registry import scenario

GROUPS, PER_SECOND = 6, 120   # 20 a second per cgroup: below the agent's limit for one cgroup, which is tested elsewhere
SEEN_LATE_NS = 300_000_000    # an event this close before the agent's end may still have been in the kernel's buffer
End = collections.namedtuple("End", "before_ns after_ns pid code")


class Storm:
    """`with Storm(...) as storm:` runs the storm in cgroups of its own."""

    def __init__(self, context, seconds):
        self.count = int(seconds * PER_SECOND)
        self.prefix = f"{context.prefix}/{context.name}"
        self.groups = [cgroups.Cgroup(f"{self.prefix}/g{i}") for i in range(GROUPS)]
        self.truth_file = context.folder / "truth"
        self.program, self.log = context.bin / "workload_storm", context.folder / "storm.log"
        self.process = None

    def __enter__(self):
        for group in self.groups:
            group.__enter__()
        folders = [part for i, group in enumerate(self.groups) for part in (["--"] if i else []) + list(group.folders)]
        self.process = Process("storm", [self.program, self.truth_file, self.count, PER_SECOND, *folders], self.log)
        return self

    def __exit__(self, *_):
        self.process.kill()
        for group in self.groups:
            group.remove()

    def truth(self):
        with open(self.truth_file) as lines:
            fields = [line.split() for line in lines if line.endswith("\n")]
        return [End(int(before), int(after), int(pid), int(code)) for before, after, _, pid, code in fields]


def stored(fleet, prefix):
    """(pid, code) -> event times of the ends that the store holds, of these cgroups."""
    found = collections.defaultdict(list)
    database = sqlite3.connect(f"file:{fleet.folder}/store.db?mode=ro", uri=True, timeout=10)
    try:
        for pid, code, time_ns in database.execute(
                "select json_extract(body, '$.process.pid'), json_extract(body, '$.exit_code'), time_ns from events "
                "where kind = 'process_exit' and json_extract(entity, '$.cgroup_path') like ?", (f"/{prefix}/%",)):
            found[pid, code].append(time_ns)
    finally:
        database.close()
    return found


def check(fleet, storm, outages=()):
    """Each true end is stored exactly once, but for those in an outage of the agent."""
    truth = storm.truth()
    if len(truth) < storm.count:
        raise Failed(f"the storm made {len(truth)} of {storm.count} ends")

    def missing():
        have = stored(fleet, storm.prefix)
        return [end for end in truth if (end.pid, end.code) not in have and not any(start <= end.after_ns and end.before_ns <= until for start, until in outages)]
    try:
        cgroups.wait_until(lambda: not missing(), 30, "every event arrives", pause=0.3)
    except TimeoutError:
        lost = missing()
        raise Failed(f"{len(lost)} of {len(truth)} events lost, the first at {lost[0]}") from None
    have = stored(fleet, storm.prefix)
    doubled = {key: times for key, times in have.items() if len(times) > 1}
    strange = set(have) - {(end.pid, end.code) for end in truth}
    if doubled or strange:
        raise Failed(f"{len(doubled)} events doubled, {len(strange)} that never were; {list(doubled.items())[:1]} {list(strange)[:1]}")
    return len(have), len(truth)


def fleet_for(context):
    context.folder.mkdir(parents=True)
    return Fleet(context.bin, context.folder / "fleet")


@scenario("aggregator_killed_in_a_storm", seconds=12, sets=("fast",), shared=False)
@scenario("aggregator_killed_many_times", seconds=180, sets=("nightly",), shared=False)
def aggregator_killed(context, seconds):
    with fleet_for(context) as fleet, Storm(context, seconds) as storm:
        kills = 0
        while storm.process.running():
            moment = time.monotonic() + random.uniform(0.05, 1.2)
            cgroups.wait_until(lambda: time.monotonic() > moment, 5, "a moment passes", pause=0.005)
            fleet.aggregator.kill()
            kills += 1
            fleet.start_aggregator()
        fleet.wait_connected(60)
        check(fleet, storm)
        if kills < seconds / 4:
            raise Failed(f"only {kills} kills in {seconds} s")


@scenario("agent_killed_in_a_storm", seconds=12, sets=("fast",), shared=False)
@scenario("agent_killed_many_times", seconds=180, sets=("nightly",), shared=False)
def agent_killed(context, seconds):
    """While the agent is away nobody sees anything; what it has seen must arrive once, whatever moment it was killed at."""
    with fleet_for(context) as fleet, Storm(context, seconds) as storm:
        deaths = []
        while storm.process.running():
            moment = time.monotonic() + random.uniform(0.3, 2.0)
            cgroups.wait_until(lambda: time.monotonic() > moment, 5, "a moment passes", pause=0.005)
            fleet.agent.kill()
            deaths.append(time.time_ns())
            fleet.start_agent()
            fleet.wait_connected(30)
        if len(deaths) < seconds / 6:
            raise Failed(f"only {len(deaths)} kills in {seconds} s")
        outages = [(death - SEEN_LATE_NS, seen_again(fleet, storm, death)) for death in deaths]
        held, made = check(fleet, storm, outages)
        if held < made / 4:
            raise Failed(f"{held} of {made} events arrived: too few to prove anything")


def seen_again(fleet, storm, death_ns):
    """Time of the first event that was seen after the agent had been killed: until then it was away."""
    times = [time_ns for times in stored(fleet, storm.prefix).values() for time_ns in times if time_ns > death_ns]
    return min(times, default=time.time_ns())
