#!/usr/bin/env python3
"""mutants.py BUILD_FOLDER --out build/bench [--only FILE] [--show N]: how many mutants of the verifier its tests find.

Every check is skipped, inverted, moved by one, or given the wrong operand (mutate.py), one mutant at a
time. A mutant is killed when its test program fails or does not end. Prints those that live; one that no test can kill is named in
equivalent.txt with the reason. Writes mutants.json, rows as of bench.py."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

from mutate import Source

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EQUIVALENT = pathlib.Path(__file__).resolve().parent / "equivalent.txt"
VERIFIER = ["verify_parts.hpp", "verify_plan.cpp", "votes.cpp", "verify_standing.cpp", "verify_inclusion.cpp", "verify_limits.cpp",
            "verify_policy.cpp", "verify_statement.cpp", "count_votes.cpp"]
# The test program, what of it is left out because it repeats at length what its other tests show, and what is mutated. The executor around
# the verifier is left to the crash walks and the simulator, which ask more than its unit tests.
GROUPS = [("unit_authority_verifier", "-StolenKeys.*", VERIFIER)]
CHOOSER = """#pragma once
#include <cstdlib>
namespace fw { inline bool mutant(int number) { static const int chosen = std::getenv("FW_MUTANT") ? std::atoi(std::getenv("FW_MUTANT")) : 0; return number == chosen; } }
"""


def run(command, cwd, **more):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def link_command(build, program):
    if (build / "build.ninja").exists():
        commands = run(["ninja", "-t", "commands", program], build, check=True).stdout.strip().splitlines()
        return build, commands[-1].removeprefix(": && ").removesuffix(" && :")
    link = next(build.glob(f"tests/**/CMakeFiles/{program}.dir/link.txt"))
    return link.parent.parent.parent, link.read_text().strip()


class Program:
    """A test program with every mutant of its group in it."""

    def __init__(self, build, name, filtered, files, only):
        self.build, self.name, self.filtered = build, name, filtered
        self.files = [ROOT / "protocol/authority" / file for file in files]
        self.only = only
        self.folder = build / "mutants" / name
        self.program = self.folder / name
        self.mutants = {}   # number -> mutant
        self.compiled = {}  # file -> the text that its object is of

    def make(self):
        (self.folder / "protocol/authority").mkdir(parents=True, exist_ok=True)
        (self.folder / "mutant.hpp").write_text(CHOOSER)
        dropped = set()
        while True:
            self.write(dropped)
            bad = self.compile()
            if not bad:
                break
            dropped |= bad
        cwd, command = link_command(self.build, self.name)
        objects = " ".join(str(self.object_of(file)) for file in self.files if file.suffix == ".cpp")
        command = re.sub(r"-o \S+", f"-o {self.program} {objects}", command, count=1)
        linked = run(command, cwd, shell=True)
        if linked.returncode:
            sys.exit(f"mutants: {self.name} does not link: {linked.stdout[-2000:]}")

    def write(self, dropped):
        self.mutants = {}
        for place, file in enumerate(self.files, 1):
            first = place * 10_000   # a file's numbers do not change when another one's mutants are dropped
            text, mutants = Source(file.name, file.read_text()).schemata(first, dropped)
            if self.only and self.only != file.name:
                text, mutants = file.read_text(), []
            self.mutants |= dict(enumerate(mutants, first))
            target = self.folder / "protocol/authority" / file.name
            if not target.exists() or target.read_text() != text:
                target.write_text(text)

    def object_of(self, file):
        return self.folder / (file.stem + ".o")

    def compile(self):
        """Keys of the mutants that do not compile."""
        known = {pathlib.Path(entry["file"]): entry for entry in json.loads((self.build / "compile_commands.json").read_text())}
        sources = [file for file in self.files if file.suffix == ".cpp"]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda file: self.compile_one(file, known[file]), sources))
        return set().union(*results)

    def compile_one(self, file, entry):
        mutated = self.folder / "protocol/authority" / file.name
        text = "".join((self.folder / "protocol/authority" / other.name).read_text() for other in self.files if other == file or other.suffix == ".hpp")
        if self.compiled.get(file) == text:
            return set()
        words = shlex.split(entry["command"])
        words = [word for word in words if word not in ("-Werror", str(file))]
        words[words.index("-o") + 1] = str(self.object_of(file))
        words[words.index("-c"):words.index("-c") + 1] = ["-w", "-O0", "-include", str(self.folder / "mutant.hpp"), "-c", str(mutated)]
        words.insert(next(i for i, word in enumerate(words) if word.startswith("-I")), f"-I{self.folder}")
        made = run(words, entry["directory"])
        if made.returncode == 0:
            self.compiled[file] = text
            return set()
        bad = set()
        for path, line in re.findall(r"^(\S+?):(\d+):(?:\d+:)? error:", made.stdout, re.M):
            path = pathlib.Path(entry["directory"], path)
            if path.parent == mutated.parent:
                numbers = re.findall(r"::fw::mutant\((\d+)\)", path.read_text().splitlines()[int(line) - 1])
                bad |= {self.mutants[int(number)].key for number in numbers}
        if not bad:
            sys.exit(f"mutants: {file.name} with its mutants does not compile:\n{made.stdout[:3000]}")
        return bad

    def kills(self, number, limit_s):
        """Whether the tests fail with this mutant; 0 is none."""
        command = [self.program, "--gtest_brief=1", "--gtest_fail_fast", f"--gtest_filter={self.filtered}" if self.filtered else "--gtest_color=no"]
        try:
            return run(command, self.build, env={**os.environ, "FW_MUTANT": str(number)}, timeout=limit_s).returncode != 0
        except subprocess.TimeoutExpired:
            return True


def survivors_of(program):
    start = time.monotonic()
    if program.kills(0, 300):
        sys.exit(f"mutants: {program.name} fails without any mutant")
    limit_s = 20 + 10 * (time.monotonic() - start)
    alive, done = [], 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, killed in zip(program.mutants.values(), pool.map(lambda number: program.kills(number, limit_s), program.mutants)):
            if not killed:
                alive.append(mutant)
            done += 1
            if done % 200 == 0:
                print(f"  {program.name}: {done} of {len(program.mutants)}, {len(alive)} alive", flush=True)
    return alive


def reasons():
    """key -> why no test can kill it."""
    out = {}
    for line in EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else []:
        if line and not line.startswith("#"):
            key, _, why = line.rpartition(" ## ")
            out[key] = why
    return out


def row(name, value, unit, must=None, better="higher"):
    return {"name": name, "value": value, "unit": unit, "better": better, "must": must, "goal": None, "peers": {}, "machine_busy_ratio": 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", help="mutants of this file alone; writes no rows")
    args = parser.parse_args()
    build, out = pathlib.Path(args.build).resolve(), pathlib.Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "mutants.json").unlink(missing_ok=True)
    start, known, alive, rules, total = time.monotonic(), reasons(), [], {}, 0
    for name, filtered, files in GROUPS:
        program = Program(build, name, filtered, files, args.only)
        if not files or (args.only and args.only not in files):
            continue
        program.make()
        print(f"{name}: {len(program.mutants)} mutants of {len(files)} files, built in {time.monotonic() - start:.0f} s", flush=True)
        for mutant in program.mutants.values():
            rules[mutant.rule] = rules.get(mutant.rule, 0) + 1
        total += len(program.mutants)
        alive += survivors_of(program)
    equivalent = [mutant for mutant in alive if mutant.key in known]
    survivors = [mutant for mutant in alive if mutant.key not in known]
    for mutant in equivalent:
        print(f"equivalent  {mutant.file}:{mutant.line}: {mutant.rule}: {mutant.change}\n            {mutant.text}\n            why: {known[mutant.key]}")
    for mutant in survivors:
        print(f"SURVIVED    {mutant.file}:{mutant.line}: {mutant.rule}: {mutant.change}\n            {mutant.key}")
    judged = total - len(equivalent)
    killed = judged - len(survivors)
    print(f"\n{total} mutants ({', '.join(f'{count} {rule}' for rule, count in sorted(rules.items()))}); {killed} killed, {len(equivalent)} equivalent, "
          f"{len(survivors)} survived; {time.monotonic() - start:.0f} s")
    if args.only:
        return 0
    stale = sorted(set(known) - {mutant.key for mutant in equivalent})
    for key in stale:
        print(f"equivalent.txt names a mutant that is killed or not there: {key}")
    rows = [row("killed_ratio", round(killed / judged, 4), "of mutants that are not equivalent", 0.99), row("killed", killed, "mutants"),
            row("total", total, "mutants", 200), row("equivalent", len(equivalent), "mutants", better="lower"), row("survived", len(survivors), "mutants", better="lower")]
    (out / "mutants.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if stale or killed < 0.99 * judged else 0


if __name__ == "__main__":
    sys.exit(main())
