#!/usr/bin/env python3
"""What counting HTTP costs a server: nginx under wrk with and without the agent's HTTP programs, in turn.

http_overhead.py --bin BUILD/bin --out build/bench [--pairs 200]. Prints a table and writes http.json, rows as bench.py's.

One pair is two slices of 100 ms one after the other, in alternating order: with the HTTP programs and without, all other programs of the agent
on in both. A slice is nginx's CPU time (the scheduler's, /proc/PID/schedstat: with what the network stack does in its context) divided by the
requests of the same time (stub_status). The row is the upper bound of the 95 % interval of the median of all pairs' differences, by order
statistics: it needs no normal distribution, and a neighbour's burst in one pair does not move it.
nginx serves Debian's welcome page from a file with its access log on, one worker; wrk has eight connections on the other core. Both run
before other programs (SCHED_FIFO), so that the machine's other work does not share their caches.
"""
import argparse
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SLICE_S = 0.1
SETTLE_S = 0.02   # after a switch
UNIFIED = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
PAGE = ("/usr/share/nginx/html/index.html", "/var/www/html/index.nginx-debian.html")


def config(folder, port):
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""daemon off; user root; worker_processes 1; worker_cpu_affinity 10; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 768; }}
http {{
sendfile on; tcp_nopush on; types_hash_max_size 2048; include /etc/nginx/mime.types; default_type application/octet-stream; gzip on;
access_log {folder}/access; keepalive_requests 100000000;
{temporary}
server {{ listen 127.0.0.1:{port}; root {folder}/www; location = /status {{ stub_status; access_log off; }} }} }}
"""


class Switch:
    """Loads and unloads the agent's programs."""

    def __init__(self, bin_folder):
        unified = next(path for path in UNIFIED if os.path.exists(f"{path}/cgroup.controllers"))
        self.process = subprocess.Popen(["chrt", "-f", "20", bin_folder / "http_switch", unified], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def set(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != word:
            sys.exit(f"http_overhead: {answer or 'http_switch ended'}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Nginx:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "www").mkdir()
        shutil.copy(next(page for page in PAGE if os.path.exists(page)), folder / "www" / "index.html")
        (folder / "nginx.conf").write_text(config(folder, self.port))
        self.process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-p", folder])
        deadline = time.monotonic() + 10
        while True:
            try:
                self.status = socket.create_connection(("127.0.0.1", self.port))
                break
            except OSError:
                if time.monotonic() > deadline:
                    sys.exit("http_overhead: nginx does not listen")
                time.sleep(0.02)
        self.requests()
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.worker = int(children[0])
        os.sched_setscheduler(self.worker, os.SCHED_FIFO, os.sched_param(10))
        self.schedstat = open(f"/proc/{self.worker}/schedstat")

    def requests(self):
        self.status.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return int(re.search(rb"\n \d+ \d+ (\d+) \n", self.status.recv(4096))[1])

    def cpu_ns(self):
        self.schedstat.seek(0)
        return int(self.schedstat.read().split()[0])

    def close(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


def slice_us(nginx):
    time.sleep(SETTLE_S)
    cpu, requests = nginx.cpu_ns(), nginx.requests()
    time.sleep(SLICE_S)
    return (nginx.cpu_ns() - cpu) / (nginx.requests() - requests) / 1000


def median_interval(values):
    """The 95 % interval of the median: the order statistics between which it lies with at least that probability."""
    ordered, n = sorted(values), len(values)
    tail, below = 0.0, 0
    while tail + math.comb(n, below) / 2 ** n <= 0.025:
        tail += math.comb(n, below) / 2 ** n
        below += 1
    below = max(below, 1)
    return ordered[below - 1], ordered[n - below]


def machine_busy(before, after):
    """Share of the machine's time that was not idle."""
    total, idle = sum(after) - sum(before), after[3] + after[4] - before[3] - before[4]
    return 1 - idle / total


def cpu_times():
    return [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


def run(bin_folder, pairs):
    difference, us = [], {"on": [], "off": []}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fw-http-"))
    switch, nginx = Switch(bin_folder), Nginx(folder)
    switch.set("off")
    wrk = subprocess.Popen(["chrt", "-f", "5", "taskset", "1", "wrk", "-t1", "-c8", "-d3600", f"http://127.0.0.1:{nginx.port}/"], stdout=subprocess.DEVNULL)
    begin = cpu_times()
    try:
        time.sleep(0.5)
        for i in range(pairs):
            found = {}
            for word in ("on", "off") if i % 2 == 0 else ("off", "on"):
                switch.set(word)
                found[word] = slice_us(nginx)
                us[word].append(found[word])
            difference.append((found["on"] / found["off"] - 1) * 100)
    finally:
        wrk.kill()
        wrk.wait()
        nginx.close()
        switch.close()
        shutil.rmtree(folder, ignore_errors=True)
    return difference, us, machine_busy(begin, cpu_times())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--pairs", type=int, default=200)
    args = parser.parse_args()
    missing = [name for name in ("nginx", "wrk", "chrt", "taskset") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"http_overhead: needs root and {', '.join(missing) or 'nothing else'}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(20))   # its slices begin and end in time
    difference, us, busy = run(pathlib.Path(args.bin).resolve(), max(args.pairs, 20))
    low, high = median_interval(difference)
    busy = round(busy, 2)

    def row(name, value, unit, must=None):
        return {"name": name, "value": round(value, 3), "unit": unit, "better": "lower", "must": must, "goal": None, "peers": {}, "machine_busy_ratio": busy}
    rows = [row("http_overhead_upper_percent", high, "%", must=3), row("http_overhead_percent", statistics.median(difference), "%"),
            row("http_overhead_lower_percent", low, "%"), row("nginx_us_per_request_with", statistics.median(us["on"]), "us"),
            row("nginx_us_per_request_without", statistics.median(us["off"]), "us")]
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "http.json").write_text(json.dumps(rows, indent=1) + "\n")
    for made in rows:
        print(f"{made['name']:32} {made['value']:>9g} {made['unit']}" + (f"  (must be <= {made['must']:g})" if made["must"] else ""))
    print(f"{len(difference)} pairs, machine busy {busy:.0%} (both cores are nginx's and wrk's while it measures)")
    return 0 if high <= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
