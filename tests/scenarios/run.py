#!/usr/bin/env python3
"""run.py --bin BUILD/bin [--set fast|nightly] [NAME ...]: real processes in real cgroups, seen by the real programs.

Prints `PASS name`, `FAIL name: why` or `SKIP name: why` per scenario. Status: 1 when one failed, 77 when all were skipped, else 0.
Scenarios marked shared run a few at a time beside one aggregator and agent, which also makes each of them noise for the others;
the rest start programs of their own and run one after the other, virtual machines last and two at a time.
"""
import argparse
import concurrent.futures
import importlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import cgroups  # noqa: E402
from harness import Failed, Fleet, Skipped  # noqa: E402
from registry import SCENARIOS, Context  # noqa: E402

MODULES = ("memory_scenarios", "quiet_scenarios", "live_scenarios", "crash_scenarios", "governance_scenarios", "probe_scenarios", "demo_scenarios", "vm_scenarios")
SHARED_AT_ONCE = 6
MACHINES_AT_ONCE = 2   # one core each
PREFIX = "fwscenario"
printing = threading.Lock()


def tell(state, name, why=""):
    with printing:
        print(f"{state} {name}" + (": " + " ".join(why.split()) if why else ""), flush=True)
    return state


def run_one(scenario, context):
    start = time.monotonic()
    try:
        scenario.function(context)
    except Skipped as reason:
        return tell("SKIP", scenario.name, str(reason))
    except (Failed, TimeoutError, OSError) as error:
        return tell("FAIL", scenario.name, f"{type(error).__name__}: {error}")
    except Exception:   # a fault of the scenario itself must not end the others
        return tell("FAIL", scenario.name, traceback.format_exc(limit=-3))
    return tell("PASS", scenario.name, f"{time.monotonic() - start:.1f} s")


def run_shared(scenarios, bin_folder, folder):
    """One fleet for all of them; samples each second, so that a scenario of seconds has a past."""
    if not scenarios:
        return []
    try:
        fleet = Fleet(bin_folder, folder / "fleet", aggregator_settings=["sample.period=1s"])
        with fleet, concurrent.futures.ThreadPoolExecutor(SHARED_AT_ONCE) as pool:
            contexts = [Context(scenario.name, bin_folder, folder / scenario.name, f"{PREFIX}-{os.getpid()}", fleet) for scenario in scenarios]
            futures = [pool.submit(run_one, *pair) for pair in zip(scenarios, contexts)]
            try:
                return [future.result() for future in futures]
            except BaseException:   # Ctrl-C: those that run clean up, those that wait do not start
                cgroups.stopping.set()
                pool.shutdown(cancel_futures=True)
                raise
    except (Failed, TimeoutError, OSError) as error:
        return [tell("FAIL", scenario.name, f"the programs do not run: {error}") for scenario in scenarios]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--set", default="fast", choices=["fast", "nightly"])
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and stores, and say where it is")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    bin_folder = pathlib.Path(args.bin).resolve()
    for module in MODULES:
        importlib.import_module(module)
    unknown = set(args.names) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(scenario.name for scenario in SCENARIOS)}")
    chosen = [s for s in SCENARIOS if (s.name in args.names if args.names else args.set in s.sets)]

    reason = cgroups.why_not()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cgroups.sweep(PREFIX)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fleetwright-scenarios-"))
    results = []
    try:
        runnable = [s for s in chosen if not (reason and s.needs_cgroups)]
        results += [tell("SKIP", s.name, reason) for s in chosen if s not in runnable]
        results += run_shared([s for s in runnable if s.shared], bin_folder, folder)
        alone = [(s, Context(s.name, bin_folder, folder / s.name, f"{PREFIX}-{os.getpid()}", None)) for s in runnable if not s.shared]
        results += [run_one(*pair) for pair in alone if pair[0].needs_cgroups]
        with concurrent.futures.ThreadPoolExecutor(MACHINES_AT_ONCE) as pool:
            results += list(pool.map(lambda pair: run_one(*pair), [pair for pair in alone if not pair[0].needs_cgroups]))
    finally:
        if args.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if "FAIL" in results or not results:
        return 1
    return 77 if set(results) == {"SKIP"} else 0


if __name__ == "__main__":
    sys.exit(main())
