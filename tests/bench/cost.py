"""What watching 500 containers costs: the agent beside prometheus-node-exporter and collectd, all at once, each second.

CPU is time on a core by the scheduler (/proc/PID/task/*/schedstat), memory is smaps_rollup, bytes are what the agent's socket got
acknowledged (TLS and metadata included, since its connection began). The text peer encodes the agent's own values of one moment.
"""
import collections
import contextlib
import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.request

import cgroups
from harness import Failed, Fleet, Process

PREFIX = "fwcost"
SETTLE_S = 20
VALUES_AT_LEAST = 15   # per container and second: less means that the agent did not sample as asked


@dataclasses.dataclass
class Sample:
    cpu_percent: float
    rss_mib: float
    pss_mib: float


@dataclasses.dataclass
class Costs:
    processes: dict       # name -> [Sample]
    wire_bytes: float     # per container and second
    text_bytes: float     # the same values as Prometheus text + gzip-6
    busy: float


def cpu_ns(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total


def memory_mib(pid):
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE))
    return int(found["Rss"]) / 1024, int(found["Pss"]) / 1024


def start_containers(bin_folder, count, stack):
    """One process each: 10 % touch memory at 5 Hz, 40 % at 1 Hz, the others sleep."""
    groups = [stack.enter_context(cgroups.Cgroup(f"{PREFIX}-{os.getpid()}/c{i}")) for i in range(count)]
    processes = []
    stack.callback(lambda: [process.kill() or process.wait() for process in processes])
    for i, group in enumerate(groups):
        hz = 5 if i % 10 == 0 else 1 if i % 10 < 5 else 0
        processes.append(subprocess.Popen([bin_folder / "workload_toucher", str(hz), "256", *group.folders]))
    cgroups.wait_until(lambda: all(group.pids() for group in groups), 60, "every container has its process", pause=0.5)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_node_exporter(folder, stack):
    port = free_port()
    process = Process("prometheus-node-exporter", ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"], folder / "node-exporter.log")
    stack.callback(process.stop)
    over = threading.Event()
    stack.callback(over.set)

    def scrape():
        while not over.wait(1):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
    threading.Thread(target=scrape, daemon=True).start()
    return process


def start_collectd(folder, stack):
    (folder / "collectd").mkdir()
    config = folder / "collectd.conf"
    plugins = ("cpu", "memory", "cgroups", "disk", "interface", "load", "network")
    config.write_text(f'Hostname "node"\nFQDNLookup false\nInterval 1\nBaseDir "{folder}/collectd"\nPIDFile "{folder}/collectd.pid"\n'
                      'PluginDir "/usr/lib/collectd"\nTypesDB "/usr/share/collectd/types.db"\n' + "".join(f"LoadPlugin {name}\n" for name in plugins) +
                      f'<Plugin network>\n  Server "127.0.0.1" "{free_port()}"\n</Plugin>\n<Plugin cgroups>\n  IgnoreSelected true\n</Plugin>\n')
    process = Process("collectd", ["collectd", "-f", "-C", config], folder / "collectd.log")
    stack.callback(process.stop)
    return process


def bytes_acked(port):
    """What the agent's connection to this port got acknowledged, TLS included."""
    text = subprocess.run(["ss", "-tinH", "dport", "=", f":{port}"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"bytes_acked:(\d+)", text)
    if not found:
        raise Failed(f"ss shows no connection of the agent: {text!r}")
    return int(found.group(1))


def prometheus_text_bytes(once):
    """Bytes per container of the agent's own values as Prometheus text + gzip-6, with the labels that cAdvisor's series carry."""
    families, containers = collections.defaultdict(list), 0
    for entity in once["entities"]:
        path = entity["cgroupPath"]
        if not path.startswith(f"/{PREFIX}-"):
            continue
        containers += 1
        digest = hashlib.sha256(path.encode()).hexdigest()   # stands for a container id: as long and as random
        pod = f"checkout-{digest[:10]}-{digest[10:15]}"
        labels = (f'container="checkout",id="/kubepods/burstable/pod{digest[:36]}/{digest}",image="registry.example/shop/checkout@sha256:{digest[::-1]}",'
                  f'name="{digest}",namespace="shop",pod="{pod}"')
        for metric, value in entity["values"].items():
            families[metric].append(f"container_{metric}{{{labels}}} {float(value):g} {once['timeNs'] // 10**6}\n")
    if not containers:
        raise Failed("the agent's --once shows none of the containers")
    text = "".join(f"# TYPE container_{metric} gauge\n" + "".join(lines) for metric, lines in sorted(families.items()))
    return len(gzip.compress(text.encode(), 6)) / containers


def measure(bin_folder, folder, containers, rounds, seconds):
    with contextlib.ExitStack() as stack:
        start_containers(bin_folder, containers, stack)
        fleet = stack.enter_context(Fleet(bin_folder, folder, aggregator_settings=["sample.period=1s"]))
        began = time.monotonic()
        processes = {"agent": fleet.agent, "aggregator": fleet.aggregator, "prometheus-node-exporter": start_node_exporter(folder, stack),
                     "collectd": start_collectd(folder, stack)}
        quiet_until = time.monotonic() + (SETTLE_S if rounds > 1 else 3)
        cgroups.wait_until(lambda: time.monotonic() > quiet_until, SETTLE_S + 5, "everything settles", pause=0.5)
        busy_since, _ = cgroups.machine_busy()
        samples = collections.defaultdict(list)
        values_before = fleet.metrics()["fleetwright_ingest_samples_total"]
        window_began = time.monotonic()
        for _ in range(rounds):
            before, start = {name: cpu_ns(process.pid) for name, process in processes.items()}, time.monotonic()
            end = start + seconds
            cgroups.wait_until(lambda: time.monotonic() > end, seconds + 5, "the window passes", pause=0.5)
            elapsed = time.monotonic() - start
            for name, process in processes.items():
                process.check()
                samples[name].append(Sample((cpu_ns(process.pid) - before[name]) / elapsed / 1e7, *memory_mib(process.pid)))
        _, busy = cgroups.machine_busy(busy_since)
        elapsed = time.monotonic() - window_began
        values = (fleet.metrics()["fleetwright_ingest_samples_total"] - values_before) / elapsed / containers
        if values < VALUES_AT_LEAST:
            raise Failed(f"only {values:.1f} values per container and second arrived")
        wire = bytes_acked(fleet.ports["agents"]) / (time.monotonic() - began) / containers
        once = json.loads(subprocess.run([fleet.bin / "fleetwright-agent", "--config", fleet.config / f"agent-{fleet.node}.yaml", "--once"],
                                         capture_output=True, text=True, check=True, timeout=60).stdout)
        return Costs(dict(samples), wire, prometheus_text_bytes(once), busy)
