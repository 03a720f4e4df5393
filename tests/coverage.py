#!/usr/bin/env python3
"""coverage.py [--list FILE_PART]: branch coverage of what decides and acts on a node, by clang's source coverage, from its tests.

A branch is one outcome of one condition in the source; templates are counted once. Conditions inside of macros (FW_ASSERT: our own bugs, never
reachable from input) and those that the compiler writes for a defaulted comparison are not counted. Counters live in a shared mapping of their
file, so what a forked child, a confined executor or one that is killed has run counts as well. Prints a line for each file and a total for each
area; exits 1 when one is below the goal. Needs root: the actions run on real cgroups. Build folder: build/coverage."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/coverage"
GOAL = 0.98
TESTS = ["unit_authority_documents", "unit_authority_log", "unit_authority_verifier", "unit_authority_executor", "executor_unit_test", "executor_kernel_test"]
EXECUTOR, FIXTURE = "fleetwright-executor", "executor_fixture"
AREAS = ["protocol/authority/", "node-agent/executor/"]
FLAGS = "-O0 -g1 -fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation"


def sh(command, **more):
    return subprocess.run(command, cwd=ROOT, check=True, **more)


def build():
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "configure.log", "w") as log:
        ninja = ["-G", "Ninja"] if subprocess.run(["which", "ninja"], stdout=subprocess.DEVNULL).returncode == 0 else []
        sh(["cmake", "-S", ROOT, "-B", BUILD, *ninja, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_CXX_COMPILER=clang++-19",
            f"-DCMAKE_CXX_FLAGS_DEBUG={FLAGS}", f"-DCMAKE_C_FLAGS_DEBUG={FLAGS}", "-DFW_BUILD_BENCHMARKS=OFF"], stdout=log, stderr=log)
        sh(["cmake", "--build", BUILD, "--parallel", str(os.cpu_count()), "--target", *TESTS, EXECUTOR, FIXTURE], stdout=log, stderr=log)


def run(name, command):
    environment = {**os.environ, "LLVM_PROFILE_FILE": f"{BUILD}/raw/{name}-%p%c.profraw"}
    done = subprocess.run(command, cwd=BUILD, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"coverage: {name} fails: {done.stdout[-3000:]}")


def profile():
    raw = BUILD / "raw"
    raw.mkdir(exist_ok=True)
    for old in raw.iterdir():
        old.unlink()
    programs = [BUILD / "bin" / name for name in (*TESTS, EXECUTOR)]
    for program in programs[:-1]:
        run(program.name, [program, "--gtest_brief=1"])
    run("executor_program", ["python3", ROOT / "tests/executor/program_test.py", "--executor", programs[-1], "--fixture", BUILD / "bin" / FIXTURE, "--fuzz-seconds", "5"])
    merged = BUILD / "merged.profdata"
    sh(["llvm-profdata-19", "merge", "-sparse", *sorted(raw.iterdir()), "-o", merged])
    objects = [word for program in programs[1:] for word in ("-object", str(program))]
    exported = sh(["llvm-cov-19", "export", "-format=text", "-skip-expansions", f"-instr-profile={merged}", programs[0], *objects], stdout=subprocess.PIPE)
    return json.loads(exported.stdout)["data"][0]["functions"]


def branches(functions):
    """file -> {(line, column, outcome): times taken}"""
    out = {}
    for function in functions:
        for line, column, _, _, true, false, file_id, _, _ in function["branches"]:
            path = function["filenames"][file_id]
            if not path.startswith(f"{ROOT}/"):
                continue
            name = path[len(str(ROOT)) + 1:]
            # Branches of file 0 are in the function's own text; the others come out of macros.
            if file_id == 0 and any(name.startswith(area) for area in AREAS):
                taken = out.setdefault(name, {})
                for outcome, count in ((True, true), (False, false)):
                    taken[line, column, outcome] = taken.get((line, column, outcome), 0) + count
    for name, taken in out.items():
        text = (ROOT / name).read_text().splitlines()
        out[name] = {place: count for place, count in taken.items() if "= default;" not in text[place[0] - 1]}
    return {name: taken for name, taken in out.items() if taken}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", metavar="FILE_PART", help="print the branches of these files that no test takes")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("coverage: needs root, the executor's actions are measured on real cgroups")
    build()
    taken = branches(profile())
    good = True
    print(f"{'file':58} {'branches':>8} {'taken':>8} {'ratio':>7}")
    for area in AREAS:
        total = covered = 0
        for name, counts in sorted(taken.items()):
            if not name.startswith(area):
                continue
            hit = sum(1 for count in counts.values() if count)
            total, covered = total + len(counts), covered + hit
            print(f"{name:58} {len(counts):8} {hit:8} {hit / len(counts):7.1%}")
            if args.list and args.list in name:
                text = (ROOT / name).read_text().splitlines()
                for (line, column, outcome), count in sorted(counts.items()):
                    if not count:
                        print(f"    {line}:{column} never {str(outcome).lower()}: {text[line - 1].strip()}")
        if not total:
            sys.exit(f"coverage: nothing of {area} was measured")
        print(f"{area + ' total':58} {total:8} {covered:8} {covered / total:7.1%}  (goal {GOAL:.0%})")
        good &= covered >= GOAL * total
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
