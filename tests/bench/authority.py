"""What a decision of people costs: the node's own check, the audit log's entries, and the time from the last signature to the effect.

Approval to effect: the real programs beside 500 containers. A container's limit is lowered, the kernel kills twice in it, the engine
explains it and proposes to raise the limit for good (class 2); alice approves. Zero point: the wall time just before bob's
`fleetwright approve` is started. End: when the cgroup's limit file first reads another value, looked at each ms. So the figure
contains the CLI (start, TLS, the plan rendered, signature), the aggregator with its durable store, the audit entry under a signed
head, the agent's relay, the executor's check and its journal.
"""
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import time

import cgroups
import cost
import latency
from harness import Failed, Fleet

PREFIX = "fwapprove"
BATCH = 10
ROOTS = ("root-1", "root-2")   # as many as the team profile asks for


@dataclasses.dataclass
class Approvals:
    effect_ms: list
    agent_rss_mib: float
    executor_rss_mib: float
    busy: float


class ManyPlansFleet(Fleet):
    """Its first policy allows more than four limits an hour on one node: what is measured here is not the brake."""

    def start_aggregator(self):
        if not self.ports:
            self.allow_many_plans()
        super().start_aggregator()

    def allow_many_plans(self):
        policy = self.config / "policy"
        yaml, compiled, signed = policy / "policy.yaml", policy / "policy.bin", policy / "policy.json"
        text, found = re.subn(r'(budget: "set_memory_limit"\n +per_hour:) \d+(\n +per_day:) \d+', r"\1 1000\2 1000", yaml.read_text())
        if found != 1:
            raise Failed(f"{yaml} has no limit of set_memory_limit")
        yaml.write_text(text)
        pinned = hashlib.sha256(compiled.read_bytes()).hexdigest()
        signed.unlink()
        self.run("policy", "compile", yaml, "-o", compiled, "--force")
        for root in ROOTS:
            self.run("policy", "sign", compiled, "--key", self.config / f"authority/{root}.key", "--yes")
        executor = self.config / f"executor-{self.node}.yaml"
        executor.write_text(executor.read_text().replace(pinned, hashlib.sha256(compiled.read_bytes()).hexdigest()))


def program(bin_folder, name, *arguments):
    """The one line of JSON that a benchmark program prints, and how busy the machine was."""
    since, _ = cgroups.machine_busy()
    done = subprocess.run([bin_folder / name, *arguments], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise Failed(f"{name}: status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout), cgroups.machine_busy(since)[1]


def measure_approvals(bin_folder, folder, plans, containers):
    effect_ms = []
    with contextlib.ExitStack() as stack:
        cost.start_containers(bin_folder, containers, stack)
        fleet = stack.enter_context(ManyPlansFleet(bin_folder, folder, people=("alice", "bob"), actions=True, aggregator_settings=["sample.period=1s"]))
        query = latency.Query(fleet)
        since, _ = cgroups.machine_busy()
        for first in range(0, plans, BATCH):
            with contextlib.ExitStack() as batch:
                groups = [batch.enter_context(cgroups.Cgroup(f"/{PREFIX}-{os.getpid()}/plan-{i}")) for i in range(first, min(first + BATCH, plans))]
                for group in groups:
                    group.set_memory_limit(latency.LIMIT_BEFORE)
                lives = latency.start_lives(bin_folder, groups, batch)
                sampled = time.monotonic() + 2.5
                cgroups.wait_until(lambda end=sampled: time.monotonic() > end, 5, "the agent samples")
                for group, life in zip(groups, lives):
                    life.terminate()
                    life.wait()
                    cgroups.wait_until(lambda group=group: latency.lower_limit(group), 10, "the kernel takes the new limit", pause=0.005)
                    for kill in (1, 2):
                        latency.one_kill(bin_folder, folder / "last_touch", group, query, kill)
                    effect_ms.append(one_approval(fleet, group))
        _, busy = cgroups.machine_busy(since)
        return Approvals(effect_ms, cost.memory_mib(fleet.agent.pid)[0], cost.memory_mib(fleet.executor.pid)[0], busy)


def one_approval(fleet, group):
    """ms from the start of the second person's command until the limit is another."""
    alice, bob = fleet.people
    incident = fleet.wait_incident(group.path, lambda seen: latency.is_explained(seen, 2), 10, "the incident is explained")
    plan = fleet.wait_plan(incident["id"], {"PROPOSED"}, 10, "a plan is proposed")
    fleet.approve(plan, alice)
    if group.memory_limit() != latency.LIMIT or fleet.plan(incident["id"])["state"] != "PROPOSED":
        raise Failed(f"one signature was enough for the plan of {group.path}")
    command = fleet.command("approve", plan["digest"], "--plan", "sha256:" + plan["digest"], "--yes", "--no-wait", "--reason", "it is the cause")
    began_ns = time.time_ns()
    approving = subprocess.Popen(command, env=fleet.environment_of(bob), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        cgroups.wait_until(lambda: group.memory_limit() != latency.LIMIT, 20, f"the limit of {group.path} is raised", pause=0.001)
        effect_ns = time.time_ns()
        said, _ = approving.communicate(timeout=20)
    except TimeoutError as error:
        raise Failed(f"{error}; the plan is {fleet.plan(incident['id'])['state']}") from None
    finally:
        approving.kill()
        approving.wait()
    if approving.returncode != 0:
        raise Failed(f"{bob} could not approve: {said}")
    fleet.wait_plan(incident["id"], {"DONE"}, 10, "the node says that it is done")
    return (effect_ns - began_ns) / 1e6
