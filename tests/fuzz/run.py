#!/usr/bin/env python3
"""run.py BUILD_FOLDER --seconds N: runs every *_fuzzer of the folder for N seconds, two side by side.

New inputs go to BUILD_FOLDER/corpus/NAME; a finding stays in BUILD_FOLDER/findings/ and fails the run with the command that repeats it.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--seconds", type=int, default=60)
parser.add_argument("--only", default="", help="substring of a target's name")
args = parser.parse_args()
source = pathlib.Path(__file__).resolve().parent
findings = args.folder / "findings"
findings.mkdir(parents=True, exist_ok=True)


def run(program):
    name = program.name
    corpus = args.folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = source / "corpus" / name
    command = [str(program), f"-max_total_time={args.seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={findings}/{name}-", str(corpus)]
    if not any(seeds.iterdir() if seeds.is_dir() else ()):
        return f"FAIL {name}: no seeds in {seeds}", False
    command.append(str(seeds))
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    executed = re.search(r"number_of_executed_units: (\d+)", result.stdout)
    count = int(executed.group(1)) if executed else 0
    if result.returncode:
        return f"FAIL {name}: {' '.join(command[:1])} found something, see {findings}\n{result.stdout[-3000:]}", False
    if count == 0:
        return f"FAIL {name}: executed nothing", False
    return f"PASS {name}: {count} inputs", True


programs = sorted(p for p in (args.folder / "bin").glob("*_fuzzer") if args.only in p.name)
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    results = list(pool.map(run, programs))
for text, _ in results:
    print(text)
failed = sum(not ok for _, ok in results)
print(f"{len(results) - failed} passed, {failed} failed")
sys.exit(1 if failed or not results else 0)
