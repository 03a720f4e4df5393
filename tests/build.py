#!/usr/bin/env python3
"""build.py PRESET JOBS [TARGET...]: builds a configured preset, or these targets of it, and says how long it took; output only when something went wrong."""
import subprocess
import sys
import time

preset, jobs, targets = sys.argv[1], sys.argv[2], sys.argv[3:]
only = ["--target", *targets] if targets else []
start = time.monotonic()
run = subprocess.run(["cmake", "--build", "--preset", preset, "--parallel", jobs, *only], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
if run.returncode:
    lines = [line for line in run.stdout.splitlines() if not line.startswith("[") or "FAILED" in line]
    print("\n".join(lines[-200:]))
    sys.exit(f"build of {preset} failed")
print(f"built {' '.join([preset, *targets])} in {time.monotonic() - start:.0f} s")
