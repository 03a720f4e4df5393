#!/usr/bin/env python3
"""build.py FOLDER JOBS: builds a configured folder and says how long it took; output only when something went wrong or warned."""
import subprocess
import sys
import time

folder, jobs = sys.argv[1], sys.argv[2]
start = time.monotonic()
run = subprocess.run(["cmake", "--build", folder, "--parallel", jobs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
if run.returncode:
    lines = [line for line in run.stdout.splitlines() if not line.startswith("[") or "FAILED" in line]
    print("\n".join(lines[-200:]))
    sys.exit(f"build of {folder} failed")
print(f"built {folder} in {time.monotonic() - start:.0f} s")
