#!/usr/bin/env python3
"""run_tests.py BUILD_FOLDER [--exclude-label REGEX] [--label REGEX]: runs ctest and counts every test case.

A ctest test is one program. What it prints decides how its cases count:
  gtest programs       [       OK ] / [  FAILED  ] / [  SKIPPED ] lines, reason of a skip from the lines before it;
  scenario drivers     PASS name / FAIL name: why / SKIP name: why lines;
  anything else        one case, its exit status (77 is a skip, its last line is the reason).
Ends with every skip and its reason, every failure, and `N passed, N failed, N skipped`. Status 1 when anything failed or nothing ran.
"""
import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

GTEST = re.compile(r"^\[\s+(RUN|OK|FAILED|SKIPPED)\s+\] ([\w./]+)(?:[ ,].*)?$")
DRIVER = re.compile(r"^(PASS|FAIL|SKIP) ([\w./-]+)(?:: (.*))?$")
NOISE = re.compile(r"^(\s*|.*: Skipped)$")


def cases_of(output):
    """[(name, 'passed'|'failed'|'skipped', reason)] of one program's output."""
    cases, since_run, running, summary = [], [], None, False
    for line in output.splitlines():
        summary = summary or line.startswith("[==========]") and " ran." in line
        gtest, driver = GTEST.match(line), DRIVER.match(line)
        if gtest and not summary:
            state, name = gtest.groups()
            if state == "RUN":
                since_run, running = [], name
            else:
                reason = " ".join(x.strip() for x in since_run if not NOISE.match(x))
                cases.append((name, {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[state], reason))
                running = None
        elif driver:
            state, name, reason = driver.groups()
            cases.append((name, {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}[state], reason or ""))
        else:
            since_run.append(line)
    if running:
        cases.append((running, "failed", "the program ended inside this test"))
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--exclude-label")
    parser.add_argument("--label")
    parser.add_argument("--jobs", default="2")
    args = parser.parse_args()

    report = os.path.join(os.path.abspath(args.folder), "ctest.xml")
    if os.path.exists(report):
        os.remove(report)
    command = ["ctest", "--test-dir", args.folder, "-j", args.jobs, "--output-junit", report, "--output-on-failure",
               "--test-output-size-passed", "4000000", "--test-output-size-failed", "4000000"]
    if args.exclude_label:
        command += ["-LE", args.exclude_label]
    if args.label:
        command += ["-L", args.label]
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1",
               TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1")
    start = time.monotonic()
    subprocess.run(command, env=env, check=False)
    if not os.path.exists(report):
        sys.exit("ctest wrote no report: nothing ran")

    totals, skips, failures = {"passed": 0, "failed": 0, "skipped": 0}, [], []
    for test in ElementTree.parse(report).getroot().iter("testcase"):
        name, status = test.get("name"), test.get("status")
        output = test.findtext("system-out") or ""
        cases = cases_of(output)
        if not cases or (status == "fail" and not any(state == "failed" for _, state, _ in cases)):
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
            state = {"run": "passed", "fail": "failed"}.get(status, "skipped")
            cases = cases + [("", state, last)]
        for case, state, reason in cases:
            totals[state] += 1
            full = f"{name}: {case}" if case else name
            if state == "skipped":
                skips.append(f"  {full}: {reason or 'no reason printed'}")
            elif state == "failed":
                failures.append(f"  {full}: {reason[:300]}")
    if skips:
        print("\nskipped:\n" + "\n".join(skips))
    if failures:
        print("\nfailed:\n" + "\n".join(failures))
    print(f"\ntests took {time.monotonic() - start:.0f} s")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    sys.exit(1 if totals["failed"] or not totals["passed"] else 0)


main()
