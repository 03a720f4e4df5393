#!/usr/bin/env python3
"""The main job, for real, on this machine: a deploy lowers a memory limit, the kernel kills, Fleetwright says why.

demo.py --bin BUILD/bin --out build/demo. Everything it makes (programs, cgroups, keys, databases) is its own and is removed at
the end, also after Ctrl-C or a failure; report.json and the case file stay. docs/demo.md tells the story with its output.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"), str(pathlib.Path(__file__).resolve().parent)]
import cgroups  # noqa: E402
import second_half  # noqa: E402
from harness import MIB, Deploy, Failed, Fleet, Service  # noqa: E402

LIMIT_BEFORE, LIMIT_AFTER = 256 * MIB, 64 * MIB


def say(text=""):
    print(text, flush=True)


def quoted(word):
    return shlex.quote(str(word))


def show(fleet, *arguments, person=None):
    """Runs the CLI that users have; its output goes where ours goes."""
    say((f"{person}$" if person else "$") + " fleetwright " + " ".join(map(quoted, arguments)))
    environment = {**fleet.environment_of(person), "PAGER": "cat"}
    status = subprocess.run(fleet.command(*arguments), env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        raise Failed(f"fleetwright {' '.join(map(str, arguments))}: status {status}")
    say()


def agreed():
    if os.environ.get("DEMO_YES") == "1" or not sys.stdin.isatty():
        return True
    say("This starts an aggregator, an agent and a small web service, and lets the kernel kill that service in cgroups of its own.")
    return input("Continue? [Y/n] ").strip().lower() in ("", "y", "yes")


def story(bin_folder, out, stack):
    work = out / "work"
    say("1. Set up: an aggregator, and this node's agent and executor; mutual TLS, free ports, two people with keys, a signed policy.")
    fleet = stack.enter_context(Fleet(bin_folder, work, node=os.uname().nodename, people=("alice", "bob"), actions=True))
    show(fleet, "nodes")

    path = f"/shop-{os.getpid()}/checkout"
    say(f"2. `checkout` serves 40 requests per second in the container {path}, memory limit {LIMIT_BEFORE // MIB} MiB.")
    worker = ["--base", "32MiB", "--request", "2MiB", "--hold-ms", 2000]   # working set: 32 + 40/s * 2 s * 2 MiB
    service = stack.enter_context(Service(bin_folder, work / "checkout", path, worker, load=["--rate", 40], limit_bytes=LIMIT_BEFORE))
    service.wait_requests(600)   # 15 s: long enough for the agent to have seen it at work
    say(f"   {service.status()['ok']} requests answered, none failed; it uses {service.group.memory_usage() // MIB} MiB.\n")

    say(f"3. carol deploys version 2. Her pipeline lowers the limit to {LIMIT_AFTER // MIB} MiB and says so (GitHub webhook, CloudEvent).")
    started_ns = service.deploy(LIMIT_AFTER)
    deploy = Deploy("checkout", [("resources.limits.memory", f"{LIMIT_BEFORE // MIB}Mi", f"{LIMIT_AFTER // MIB}Mi")], started_ns=started_ns, actor="carol")
    fleet.post_github_deployment(deploy)
    fleet.post_cloudevent(deploy)
    first_kill = service.wait_kills(1, since_ns=started_ns)[0]
    say(f"   The kernel killed the worker {(first_kill['last_touch_ns'] - started_ns) / 1e9:.1f} s later. The front answers 502 and starts it again.\n")

    service.wait_kills(2, since_ns=started_ns)
    explained = fleet.wait_incident(path, lambda incident: incident.get("explainedNs") and incident.get("suspectChange") and incident["cause"]["probability"] >= 0.9,
                                    20, "the incident is explained")
    failed = service.status()["bad_gateway"]
    latency_ms = (explained["openedNs"] - first_kill["last_touch_ns"]) / 1e6
    say(f"4. Fleetwright opened an incident {latency_ms:.0f} ms after that kill. Meanwhile {failed} requests failed. It knows why:")
    show(fleet, "incidents")
    show(fleet, "show", explained["id"])
    say("   How it came to that, with what speaks for and against each cause:")
    show(fleet, "explain", explained["id"])

    case = out / f"{explained['id']}.sqlite"
    fleet.run("case", "export", explained["id"], case)
    report = {"first_oom_kill_ns": first_kill["last_touch_ns"], "incident_opened_ns": explained["openedNs"], "explained_ns": explained["explainedNs"],
              "cause_card": explained["cause"]["card"], "cause_probability": explained["cause"]["probability"],
              "suspect_change_id": explained["suspectChange"]["id"], "http_5xx_before": failed}
    report.update(second_half.run(bin_folder, fleet, service, work, explained, say, show))
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    bin_folder, out = pathlib.Path(args.bin), pathlib.Path(args.out).resolve()

    reason = cgroups.why_not()
    if reason:
        sys.exit(f"demo: {reason}; run it as root on a machine with cgroups")
    if not agreed():
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    cgroups.sweep("shop")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    start = time.monotonic()
    status, case = 1, None
    try:
        with contextlib.ExitStack() as stack:
            case = story(bin_folder, out, stack)
        status = 0
    except KeyboardInterrupt:
        say("\ndemo: interrupted")
        status = 130
    except (Failed, TimeoutError, OSError) as error:
        say(f"\ndemo: {error}")
        kept = out / "logs"
        kept.mkdir(exist_ok=True)
        for log in (out / "work").glob("*.log"):
            shutil.copy(log, kept)
        say(f"demo: the programs' logs are in {kept}")
    finally:
        shutil.rmtree(out / "work", ignore_errors=True)
    if case:
        relative = os.path.relpath
        cli = relative(bin_folder / "fleetwright")
        say(f"Done in {time.monotonic() - start:.0f} s; programs, cgroups and keys are removed, the report and the case file are kept. Next:")
        say(f"  {cli} case explain {relative(case)}                # think the case through again, offline")
        say(f"  {cli} case sql {relative(case)} 'select * from events'   # ask the evidence yourself")
        say(f"  {cli} init --dir fleetwright-trial                 # set up your own")
    return status


if __name__ == "__main__":
    sys.exit(main())
