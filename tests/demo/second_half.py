"""From the cause to the fix: approved by people's keys, executed on the node, verified, audited - and what a thief of the aggregator gets."""
import base64
import os
import pathlib
import subprocess
import sys
import time
import uuid

import attacker
from cgroups import wait_until
from harness import MIB, Deploy, Failed, Service

VERIFIER = pathlib.Path(__file__).resolve().parents[2] / "tools/verify/fleetwright_verify.py"
QUIET_SECONDS, AFTER_SECONDS = 2, 10
CART_BEFORE, CART_AFTER = 128 * MIB, 48 * MIB


def ask(question):
    if os.environ.get("DEMO_YES") == "1" or not sys.stdin.isatty():
        return
    if input(f"{question} [Y/n] ").strip().lower() not in ("", "y", "yes"):
        raise Failed("nobody approved; nothing was changed")


def until_quiet(service, seconds=30):
    """Time of the last request answered 502, as far as we saw; returns once there was none for QUIET_SECONDS while others were served."""
    seen, last_bad_ns, quiet_since, ok_since = None, None, time.monotonic(), 0

    def look():
        nonlocal seen, last_bad_ns, quiet_since, ok_since
        status = service.status()
        if status["bad_gateway"] != seen:
            if seen is not None:
                last_bad_ns = time.time_ns()
            seen, quiet_since, ok_since = status["bad_gateway"], time.monotonic(), status["ok"]
        return time.monotonic() - quiet_since >= QUIET_SECONDS and status["ok"] > ok_since
    wait_until(look, seconds, "the service answers without 502", pause=0.02)
    return last_bad_ns


def lost_within(service, seconds):
    """Requests answered 502 while so many seconds of load go on."""
    before = service.status()
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, seconds + 5, "the load goes on", pause=0.1)
    after = service.status()
    if after["ok"] - before["ok"] < 5 * seconds:
        raise Failed(f"too few requests served after the fix: {before} {after}")
    return after["bad_gateway"] - before["bad_gateway"]


def mend(fleet, service, incident, say, show):
    """The incident's plan is approved by both people, done by the node, and the symptom goes."""
    plan = fleet.wait_plan(incident["id"], {"PROPOSED"}, 20, "a plan is proposed")
    say("5. It proposes one action. What is signed is shown from the bytes themselves; `by hand:` does the same without Fleetwright.")
    show(fleet, "plan", "diff", incident["id"])
    alice, bob = fleet.people
    say(f"   A kept limit is class 2; the policy of this fleet (`team`) wants two people, each with their own key: {alice} and {bob}.")
    ask(f"Approve as {alice} and {bob}?")
    show(fleet, "approve", incident["id"], "--plan", "sha256:" + plan["digest"], "--yes", "--no-wait", "--reason", "the limit was lowered by mistake", person=alice)
    approved_ns = time.time_ns()
    show(fleet, "approve", incident["id"], "--plan", "sha256:" + plan["digest"], "--yes", "--no-wait", "--reason", "seen in the logs too", person=bob)
    done = fleet.wait_plan(incident["id"], {"DONE"}, 20, "the node does it")
    last_bad_ns = until_quiet(service)
    gone_ms = ((last_bad_ns or done["outcome"]["endedMs"] * 1_000_000) - approved_ns) / 1e6
    limit = service.group.memory_limit()
    say(f"   The node checked both signatures itself and raised the limit to {limit // MIB} MiB; the last 502 came {gone_ms:.0f} ms after the second approval.")
    after = lost_within(service, AFTER_SECONDS)
    say(f"   Requests lost in the {AFTER_SECONDS} s since: {after}.")
    fleet.wait_incident(service.group.path, lambda seen: seen["id"] == incident["id"] and seen["state"] == "resolved", 60, "the incident resolves")
    show(fleet, "show", incident["id"])
    return {"plan_digest": plan["digest"], "approvals": len(done["votes"]), "executed": done["outcome"]["state"] == "DONE" and limit > 64 * MIB,
            "symptom_gone_after_ms": round(gone_ms), "http_5xx_after": after}


def night_pass(bin_folder, fleet, work, say, show):
    """Signed by two by day; by night one signature inside of it is enough."""
    alice, bob = fleet.people
    path = f"/shop-{os.getpid()}/cart"
    standing = work / "night-memory.yaml"
    standing.write_text(f"name: night-memory\ntrigger: one-approver\nactions: [set_memory_limit]\nmax_class: 2\nmax_value: 512Mi\n"
                        f"cgroup_prefixes: [\"{path.rsplit('/', 1)[0]}\"]\nfrom: \"00:00\"\nto: \"24:00\"\nper_hour: 2\nper_day: 4\n")
    say("6. A night pass: by day both sign what one person on call may do alone, within bounds that the node counts.")
    show(fleet, "standing", "new", "-f", standing, "--yes", person=alice)
    show(fleet, "standing", "sign", "night-memory", "--yes", person=bob)
    worker = ["--base", "24MiB", "--request", "1MiB", "--hold-ms", 2000]
    with Service(bin_folder, work / "cart", path, worker, load=["--rate", 20], limit_bytes=CART_BEFORE) as service:
        service.wait_requests(250)
        started_ns = service.deploy(CART_AFTER)
        fleet.post_cloudevent(Deploy("cart", [("resources.limits.memory", f"{CART_BEFORE // MIB}Mi", f"{CART_AFTER // MIB}Mi")], started_ns=started_ns))
        incident = fleet.wait_incident(path, lambda seen: seen.get("explainedNs") and seen["cause"]["card"], 30, "cart's incident is explained")
        plan = fleet.wait_plan(incident["id"], {"PROPOSED"}, 20, "a plan for cart is proposed")
        say(f"   At night `cart` is killed too ({incident['id']}). {bob} is on call, alone:")
        show(fleet, "approve", incident["id"], "--plan", "sha256:" + plan["digest"], "--yes", "--no-wait", "--reason", "on call", person=bob)
        done = fleet.wait_plan(incident["id"], {"DONE"}, 20, "the node does it with one signature")
        until_quiet(service)
        say(f"   Done with {len(done['votes'])} signature under the night pass `{done['standing']}`.\n")


def verify_audit(fleet, say, show):
    say("7. Everything stands in the audit log. Two programs that share no code check it:")
    show(fleet, "audit", "verify")
    origin = fleet.get("/api/v1/audit/checkpoint").split(b"\n")[0].decode()
    key = base64.b64decode((fleet.config / "aggregator/log.pub").read_text().split()[0].removeprefix("ed25519:")).hex()
    command = [sys.executable, VERIFIER, "log", fleet.config / "aggregator/audit", "--origin", origin, "--key", key]
    say(f"$ python3 {os.path.relpath(VERIFIER)} log AUDIT-FOLDER --origin {origin} --key {key}")
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise Failed("the second verifier does not agree")
    say()
    return True


def attacks(fleet, digest, say):
    """An attacker with the aggregator and the agent delivers what they like; each time the limit stays as it is."""
    say("8. Somebody steals the aggregator and this node's agent: everything they ever sent is theirs, and the executor's socket.")
    captured = attacker.Captured(fleet.get, digest)
    keys = [fleet.signing_key(person) for person in fleet.people]
    attempts = {"replayed": ("the same approved plan once more", captured.encode()),
                "wrong_target": ("a plan that both did approve, for another node", captured.for_node(uuid.uuid4().bytes, keys)),
                "forged": ("a new plan, approved in both names with a key of the thief's own", captured.forged())}
    fleet.agent.stop()
    refused = {}
    for name, (what, envelope) in attempts.items():
        code, sentence = attacker.deliver(fleet.executor_socket(), envelope)
        fleet.executor.check()
        say(f"   {what}: refused. {sentence} [{code}]")
        refused[name] = code
    wanted = {"forged": "signature-bad", "replayed": "replayed", "wrong_target": "wrong-node"}
    if refused != wanted:
        raise Failed(f"refused otherwise than expected: {refused}")
    say()
    return {name: bool(code) for name, code in refused.items()}


def run(bin_folder, fleet, service, work, incident, say, show):
    """What report.json gains."""
    report = mend(fleet, service, incident, say, show)
    night_pass(bin_folder, fleet, work, say, show)
    report["audit_verified"] = verify_audit(fleet, say, show)
    report["refused"] = attacks(fleet, report["plan_digest"], say)
    return report
