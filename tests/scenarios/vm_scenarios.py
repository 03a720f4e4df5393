"""The whole loop in a small virtual machine: other kernels, pure cgroup v2, and a node that may run out of memory."""
import os
import pathlib
import re
import subprocess

from harness import Failed, Skipped
from registry import scenario

HERE = pathlib.Path(__file__).resolve().parent
RUN = HERE.parent.parent.parent / "shared" / "vm" / "run"
PROGRAMS = ("fleetwright", "fleetwright-aggregator", "fleetwright-agent", "workload_worker", "workload_front", "workload_load")
FAULTS_OF_THE_MACHINE = {241: "time-out", 242: "kernel panic", 243: "it did not boot", 244: "it stopped early"}


@scenario("vm_loop_linux-6.12", kernel="6.12", shared=False, needs_cgroups=False)
@scenario("vm_loop_linux-6.1", kernel="6.1", shared=False, needs_cgroups=False)
def vm_loop(context, kernel):
    if not RUN.exists():
        raise Skipped(f"{os.path.relpath(RUN)} is absent: no virtual machines here")
    context.folder.mkdir(parents=True)
    files = []
    for name in PROGRAMS:
        stripped = context.folder / name
        subprocess.run(["strip", "-o", stripped, context.bin / name], check=True)
        files += ["--file", stripped]
    done = subprocess.run([RUN, "--kernel", kernel, "--memory", "768", "--timeout", "240", *files, "--file", HERE / "vm_loop.sh", "--", "sh", "/test/vm_loop.sh"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 77:
        raise Skipped(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the virtual machine cannot run here")
    if done.returncode in FAULTS_OF_THE_MACHINE:
        raise Failed(f"the virtual machine: {FAULTS_OF_THE_MACHINE[done.returncode]}; {done.stdout[-600:]}")
    checks = dict(re.findall(r"^CHECK (\w+) (.*)$", done.stdout, re.MULTILINE))
    wrong = {name: text for name, text in checks.items() if text.strip() != "ok"}
    if done.returncode != 0 or wrong or set(checks) != {"setup", "lowered", "node"}:
        raise Failed(f"status {done.returncode}: {wrong or checks}; {done.stdout[-1500:]}")
