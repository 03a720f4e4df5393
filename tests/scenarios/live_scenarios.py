"""What is measured now and was just before, through all programs: `top` and `series` against the kernel and the workload."""
import csv
import io
import subprocess

from cgroups import wait_until
from harness import MIB, Failed
from registry import scenario


def expect(condition, what):
    if not condition:
        raise Failed(what)


def refusal(fleet, *arguments):
    """Status and words of a question that is not answered."""
    done = subprocess.run(fleet.command(*arguments), env=fleet.environment_of(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


@scenario("live_top_and_series")
def live(context):
    fleet = context.fleet
    with context.service("busy", worker=["--base", "48MiB"], limit_bytes=160 * MIB, load=["--rate", 50]) as busy:
        busy.wait_requests(50)
        path = busy.group.path

        def row():
            return next((item for item in fleet.json("top", "--once", "--node", fleet.node, "--limit", 1000)["items"] if item.get("cgroupPath") == path), None)
        wait_until(lambda: (row() or {}).get("memoryBytes", 0) >= 48 * MIB, 40, "top shows the busy service's memory", pause=0.5)
        found = row()
        expect(found["memoryLimitBytes"] == 160 * MIB and found["connected"] and found["oomKills"] == 0, f"not what is there: {found}")
        # The process is all that is in the cgroup, so that its size is the cgroup's within the page cache.
        used = busy.group.memory_usage()
        expect(abs(found["memoryBytes"] - used) < 32 * MIB, f"top says {found['memoryBytes']}, the kernel {used}")
        expect(any(item["memoryBytes"] >= found["memoryBytes"] for item in fleet.json("top", "nodes")["items"]), "the node has less than its service")
        sizes = [item.get("memoryBytes", -1) for item in fleet.json("top", "--sort", "memory", "--limit", 1000)["items"]]
        expect(sizes == sorted(sizes, reverse=True), f"not sorted: {sizes}")

        subject = fleet.node + path
        series = fleet.json("series", subject, "memory_working_set_bytes", "--since", "15m")
        expect(series["entity"]["cgroupPath"] == path and series["unit"] == "bytes" and not series["perSecond"], f"not this series: {series}")
        expect(series["points"] and abs(series["points"][-1]["value"] - used) < 32 * MIB, f"series ends with {series['points'][-1:]}, the kernel says {used}")
        expect(series.get("unknownBeforeNs", 0) > series["fromNs"], f"the service is new, and nothing says so: {series}")

        # A counter: its rate is of the same size as the faults that happened. The total never goes back.
        wait_until(lambda: len(fleet.json("series", subject, "memory_pgfaults_total", "--raw")["points"]) >= 2, 40, "two samples of a counter", pause=0.5)
        totals = [point["value"] for point in fleet.json("series", subject, "memory_pgfaults_total", "--raw")["points"]]
        expect(totals == sorted(totals) and totals[-1] >= 48 * MIB / 4096, f"not the faults of 48 MiB: {totals}")
        rates = fleet.json("series", subject, "memory_pgfaults_total")
        expect(rates["perSecond"] and rates["points"] and all(point["value"] >= 0 for point in rates["points"]), f"not rates: {rates}")

        table = list(csv.DictReader(io.StringIO(fleet.run("series", subject, "memory_working_set_bytes", "-o", "csv"))))
        expect(table and int(table[0]["value"]) > 0 and table[0]["time"].endswith("Z"), f"no csv: {table}")

        status, words = refusal(fleet, "series", subject, "memroy")
        expect(status == 1 and "memory_working_set_bytes" in words, f"does not say which metrics there are: {status} {words}")
        status, words = refusal(fleet, "series", fleet.node + "/nobody-of-this-name", "memory_current_bytes")
        expect(status == 1 and "nobody-of-this-name" in words, f"does not say who is missing: {status} {words}")
