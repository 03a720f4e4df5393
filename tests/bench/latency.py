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
LIMIT, ASKED = 16 * MIB, 64 * MIB


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


def measure(bin_folder, folder, kills, loaded):
    incident_ms, cause_ms = [], []
    with contextlib.ExitStack() as stack:
        fleet = stack.enter_context(Fleet(bin_folder, folder))
        if loaded:
            stress = Process("stress-ng", ["stress-ng", "--cpu", "2", "--quiet"], folder / "stress.log")
            stack.callback(stress.stop)
        query = Query(fleet)
        touch_file = folder / "last_touch"
        busy_since, _ = cgroups.machine_busy()
        for i in range(kills):
            path = f"/{PREFIX}-{os.getpid()}/{'loaded' if loaded else 'idle'}-{i}"
            with cgroups.Cgroup(path) as group:
                group.set_memory_limit(LIMIT)
                for kill in (1, 2):
                    # The victim runs in a process of its own, the query goes on meanwhile: nothing waits for the victim's end.
                    victim = subprocess.Popen([bin_folder / "workload_oom_once", touch_file, str(ASKED), *group.folders])
                    try:
                        seen_ns = query.wait(path, lambda incident, kill=kill: is_explained(incident, kill) if kill == 2 else True)
                        if victim.wait(10) != -9:
                            raise Failed(f"oom_once was not killed: status {victim.returncode}")
                    finally:
                        victim.kill()
                        victim.wait()
                    last_touch_ns = struct.unpack("q", touch_file.read_bytes())[0]
                    (incident_ms if kill == 1 else cause_ms).append((seen_ns - last_touch_ns) / 1e6)
        _, busy = cgroups.machine_busy(busy_since)
    return Latencies(incident_ms, cause_ms, busy)


def is_explained(incident, kills):
    """It has a ranked cause, thought out after that many kills were known."""
    counted = sum(symptom["count"] for symptom in incident["symptoms"] if symptom["kind"] == "oom_kill")
    last_ns = max((symptom["lastNs"] for symptom in incident["symptoms"]), default=0)
    return counted >= kills and bool((incident.get("cause") or {}).get("card")) and incident.get("explainedNs", 0) >= last_ns
