"""Questions to a node through all programs: the CLI asks, the aggregator passes on, the node's helper looks."""
import json
import subprocess

from harness import MIB, Failed
from memory_scenarios import seen_at_least_until_now
from registry import scenario

SECRET = "hunter2hunter2"


def expect(condition, what):
    if not condition:
        raise Failed(what)


def refusal(fleet, *arguments):
    """Status and words of a question."""
    done = subprocess.run(fleet.command("node", "probe", *arguments), env=fleet.environment_of(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)
    return done.returncode, done.stderr


@scenario("probes_of_a_node", sets=("nightly",))
def probes(context):
    fleet = context.fleet
    with context.service("web", worker=["--base", "24MiB"], limit_bytes=96 * MIB) as web:
        web.wait_requests(20)
        seen_at_least_until_now(context)
        path = web.group.path

        table = fleet.json("node", "probe", "node-a", "process_table", "--container", path)["result"]
        expect(table["kind"] == "process_table" and table["rows"], f"no processes: {table}")
        expect(any("workload" in row["comm"] for row in table["rows"]), f"not the service's processes: {table['rows']}")

        limits = fleet.json("node", "probe", "node-a", "effective_limits", "--container", path)["result"]
        expect(limits["effective"]["memory_bytes"]["limit"] == 96 * MIB, f"not the limit that was set: {limits}")

        with open("/dev/kmsg", "w") as kmsg:
            kmsg.write(f"{context.name}: cannot mount with password={SECRET}\n")
        log = fleet.json("node", "probe", "node-a", "kernel_log", "--lines", "50")
        expect(context.name in log["result"]["text"], "the kernel's words did not come")
        expect(SECRET not in json.dumps(log) and log["result"]["redacted"], "a secret left the node")

        shown = fleet.run("node", "probe", "node-a", "listening_ports")
        expect("tcp" in shown, f"no table: {shown}")

        # What cannot be asked ends with the table's codes and says why.
        for arguments, code, why in (
                (("node-a", "shell"), 2, "no probe of this name"),
                (("node-a", "directory_sizes", "--path", "/var/../etc"), 2, "absolute path"),
                (("node-a", "process_table", "--container", "nothing"), 1, "nothing on this node"),
                (("node-z", "kernel_log"), 1, "no node is called")):
            status, words = refusal(fleet, *arguments)
            expect(status == code and why in words, f"{arguments}: {status}: {words}")

        # Ten of a minute are used up soon: then the node says so, and lives.
        answers = [refusal(fleet, "node-a", "kernel_log", "--lines", "1") for _ in range(12)]
        expect(any(status == 1 and "in a minute" in words for status, words in answers), f"the node never was busy: {answers}")
        expect(fleet.agent.running(), "the agent ended")
