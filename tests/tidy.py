#!/usr/bin/env python3
"""tidy.py BUILD_FOLDER [BASE]: clang-tidy over our sources, or over those changed since the commit BASE."""
import json
import pathlib
import subprocess
import sys

folder = pathlib.Path(sys.argv[1])
root = pathlib.Path(__file__).resolve().parent.parent
known = {pathlib.Path(entry["file"]) for entry in json.load(open(folder / "compile_commands.json"))}
command = ["git", "-C", str(root), "diff", "--name-only", sys.argv[2]] if len(sys.argv) > 2 else ["git", "-C", str(root), "ls-files"]
listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
files = [str(root / name) for name in listed if name.endswith(".cpp") and root / name in known]
if not files:
    sys.exit("no source to look at")
sys.exit(subprocess.run(["run-clang-tidy-19", "-quiet", "-p", str(folder), "-j", "2",
                         f"-extra-arg=-include{root}/cmake/kj_string_equal.hpp", "-extra-arg=-Wno-unknown-warning-option", *files]).returncode)
