"""From an OOM kill to what a query shows. A fresh cgroup per kill, so that each kill opens an incident of its own.

Zero point: the wall time of the victim's last page touch, kept in a file that it maps; the kernel cannot have killed it earlier.
End: when the answer of a query over the API's own HTTPS connection first holds the incident (or its cause). Both are on one
machine and one clock. So the figure contains the kernel's part (reclaim, choosing a victim), the agent, TLS, the aggregator with
its durable store, and the query.
"""
import contextlib
import dataclasses
import http.client
import json
import os
import ssl
import struct
import subprocess
import time

import cgroups
from harness import MIB, Failed, Fleet, Process

PREFIX = "fwlatency"
LIMIT_BEFORE, USED_BEFORE, LIMIT, ASKED = 64 * MIB, 24 * MIB, 16 * MIB, 64 * MIB
BATCH = 20


@dataclasses.dataclass
class Latencies:
    incident_ms: list
    cause_ms: list
    busy: float


class Query:
    """The newest incidents over one kept HTTPS connection, as a page that is open would ask."""

    def __init__(self, fleet):
        context = ssl.create_default_context(cafile=fleet.server_ca())
        context.load_cert_chain(*fleet.person_certificate())
        self.connection = http.client.HTTPSConnection("127.0.0.1", fleet.ports["people"], context=context, timeout=10)

    def incidents(self):
        self.connection.request("GET", "/api/v1/incidents?limit=5")
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Failed(f"GET /api/v1/incidents: {answer.status} {body[:200]!r}")
        return json.loads(body)["items"]

    def wait(self, path, wanted, seconds=10):
        """Wall time when a query first showed the incident of that cgroup as wanted."""
        deadline = time.monotonic() + seconds
        seen = None
        while time.monotonic() < deadline:
            for incident in self.incidents():
                if incident["subject"].get("cgroupPath") == path:
                    seen = incident
                    if wanted(incident):
                        return time.time_ns()
            time.sleep(0.001)
        raise Failed(f"no such incident of {path} within {seconds} s; seen: {seen}")


def start_lives(bin_folder, groups, stack):
    """Each container lives a while under a generous limit, so that there is a past from which a cause can be told."""
    lives = [subprocess.Popen([bin_folder / "workload_toucher", "0.01", str(USED_BEFORE // 4096), *group.folders]) for group in groups]
    stack.callback(lambda: [life.kill() or life.wait() for life in lives])
    cgroups.wait_until(lambda: all(group.memory_usage() > USED_BEFORE * 0.9 for group in groups), 30, "the containers use their memory")
    return lives


def measure(bin_folder, folder, kills, loaded):
    incident_ms, cause_ms = [], []
    with contextlib.ExitStack() as stack:
        fleet = stack.enter_context(Fleet(bin_folder, folder, aggregator_settings=["sample.period=1s"]))
        if loaded:
            stress = Process("stress-ng", ["stress-ng", "--cpu", "2", "--quiet"], folder / "stress.log")
            stack.callback(stress.stop)
        query = Query(fleet)
        busy_since, _ = cgroups.machine_busy()
        for first in range(0, kills, BATCH):
            with contextlib.ExitStack() as batch:
                groups = [batch.enter_context(cgroups.Cgroup(f"/{PREFIX}-{os.getpid()}/{'loaded' if loaded else 'idle'}-{i}"))
                          for i in range(first, min(first + BATCH, kills))]
                for group in groups:
                    group.set_memory_limit(LIMIT_BEFORE)
                lives = start_lives(bin_folder, groups, batch)
                sampled = time.monotonic() + 2.5
                cgroups.wait_until(lambda end=sampled: time.monotonic() > end, 5, "the agent samples")
                for group, life in zip(groups, lives):
                    life.terminate()   # in order: SIGKILL would be a symptom of its own
                    life.wait()
                    cgroups.wait_until(lambda group=group: lower_limit(group), 10, "the kernel takes the new limit", pause=0.005)
                    for kill, values in ((1, incident_ms), (2, cause_ms)):
                        values.append(one_kill(bin_folder, folder / "last_touch", group, query, kill))
        _, busy = cgroups.machine_busy(busy_since)
    return Latencies(incident_ms, cause_ms, busy)


def lower_limit(group):
    with contextlib.suppress(OSError):   # busy while the pages of the first life are not given back yet
        group.set_memory_limit(LIMIT)
        return True
    return False


def one_kill(bin_folder, touch_file, group, query, kill):
    """ms from the last touch until a query shows the incident (first kill), or a cause told from both kills (second)."""
    # The query goes on while the victim runs: nothing waits for the victim's end.
    victim = subprocess.Popen([bin_folder / "workload_oom_once", touch_file, str(ASKED), *group.folders])
    try:
        seen_ns = query.wait(group.path, (lambda incident: is_explained(incident, kill)) if kill > 1 else is_oom)
        if victim.wait(10) != -9:
            raise Failed(f"oom_once was not killed: status {victim.returncode}")
    finally:
        victim.kill()
        victim.wait()
    return (seen_ns - struct.unpack("q", touch_file.read_bytes())[0]) / 1e6


def is_oom(incident):
    return any(symptom["kind"] == "oom_kill" for symptom in incident["symptoms"])


def is_explained(incident, kills):
    """It has a ranked cause whose sentence counts that many kills, so it was thought out after the newest."""
    return bool((incident.get("cause") or {}).get("card")) and f"{kills} times" in incident.get("verdict", "")
