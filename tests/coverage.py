#!/usr/bin/env python3
"""coverage.py [--list FILE_PART]: branch coverage of what decides and acts on a node, by clang's source coverage, from its unit tests.

A branch is one outcome of one condition in the source; templates are counted once. Conditions inside of macros (FW_ASSERT: our own bugs, never
reachable from input) and those that the compiler writes for a defaulted comparison are not counted. Prints a line for each file and the total; exits 1 below the goal. Build folder: build/coverage."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/coverage"
GOAL = 0.98
TESTS = ["unit_authority_documents", "unit_authority_log", "unit_authority_verifier", "unit_authority_executor", "unit_executor"]
# What runs only with real cgroups and processes is tests/kernel's; here are the parts that decide.
MEASURED = ["protocol/authority/", "node-agent/executor/actions/texts.cpp"]
FLAGS = "-O0 -g1 -fprofile-instr-generate -fcoverage-mapping"


def sh(command, **more):
    return subprocess.run(command, cwd=ROOT, check=True, **more)


def build():
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "configure.log", "w") as log:
        ninja = ["-G", "Ninja"] if subprocess.run(["which", "ninja"], stdout=subprocess.DEVNULL).returncode == 0 else []
        sh(["cmake", "-S", ROOT, "-B", BUILD, *ninja, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_CXX_COMPILER=clang++-19",
            f"-DCMAKE_CXX_FLAGS_DEBUG={FLAGS}", f"-DCMAKE_C_FLAGS_DEBUG={FLAGS}", "-DFW_BUILD_BENCHMARKS=OFF"], stdout=log, stderr=log)
        listed = sh(["cmake", "--build", BUILD, "--target", "help"], stdout=subprocess.PIPE, text=True).stdout
        tests = [test for test in TESTS if test in listed]
        sh(["cmake", "--build", BUILD, "--parallel", str(os.cpu_count()), "--target", *tests], stdout=log, stderr=log)
    return [BUILD / "bin" / test for test in tests]


def profile(programs):
    raws = []
    for program in programs:
        raws.append(BUILD / f"{program.name}.profraw")
        run = subprocess.run([program, "--gtest_brief=1"], cwd=BUILD, env={**os.environ, "LLVM_PROFILE_FILE": str(raws[-1])}, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            sys.exit(f"coverage: {program.name} fails: {run.stdout[-3000:]}")
    merged = BUILD / "merged.profdata"
    sh(["llvm-profdata-19", "merge", "-sparse", *raws, "-o", merged])
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
            if file_id == 0 and any(name.startswith(prefix) for prefix in MEASURED):
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
    taken = branches(profile(build()))
    if not taken:
        sys.exit("coverage: nothing was measured")
    print(f"{'file':58} {'branches':>8} {'taken':>8} {'ratio':>7}")
    total = covered = 0
    for name, counts in sorted(taken.items()):
        hit = sum(1 for count in counts.values() if count)
        total, covered = total + len(counts), covered + hit
        print(f"{name:58} {len(counts):8} {hit:8} {hit / len(counts):7.1%}")
        if args.list and args.list in name:
            text = (ROOT / name).read_text().splitlines()
            for (line, column, outcome), count in sorted(counts.items()):
                if not count:
                    print(f"    {line}:{column} never {str(outcome).lower()}: {text[line - 1].strip()}")
    print(f"{'total':58} {total:8} {covered:8} {covered / total:7.1%}  (goal {GOAL:.0%})")
    return 0 if covered >= GOAL * total else 1


if __name__ == "__main__":
    sys.exit(main())
