"""Own cgroups for real workloads, on cgroup v1, hybrid and v2, with complete clean-up.

A Cgroup is one folder of the same path in every hierarchy that matters, as a container runtime makes it. It is created at the
root of the hierarchies under a name that carries the pid of its maker, so that runs side by side do not meet and a later run
can remove what a killed one left behind.
"""
import contextlib
import os
import pathlib
import signal
import threading
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
V1_HIERARCHIES = ("memory", "cpu", "cpuacct", "pids")
NO_LIMIT_V1 = 2**63 - 4096


def mode():
    """'v2', 'v1' (also for hybrid), or None when no memory controller can be used."""
    if "memory" in _words(ROOT / "cgroup.controllers"):
        return "v2"
    return "v1" if (ROOT / "memory" / "memory.limit_in_bytes").exists() else None


def why_not():
    """A reason why cgroups cannot be made here, or None."""
    if os.geteuid() != 0:
        return "needs root to make cgroups"
    return None if mode() else "no memory controller is mounted below /sys/fs/cgroup"


def _words(path):
    try:
        return path.read_text().split()
    except OSError:
        return []


def _roots():
    if mode() == "v2":
        return [ROOT]
    roots = [ROOT / name for name in V1_HIERARCHIES if (ROOT / name / "cgroup.procs").exists()]
    if (ROOT / "unified" / "cgroup.procs").exists():
        roots.append(ROOT / "unified")   # hybrid: its PSI files and BPF see the same path
    return roots


stopping = threading.Event()   # set on Ctrl-C: whoever waits in another thread gives up and cleans up


def wait_until(done, seconds, what, pause=0.02, also_when_stopping=False):
    """Polls done() until it gives something true; the error names what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        if stopping.is_set() and not also_when_stopping:
            raise KeyboardInterrupt
        value = done()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Cgroup:
    """`with Cgroup("shop-123/checkout") as group:`; leaving kills what still runs inside and removes the folders."""

    def __init__(self, path):
        self.path = "/" + path.strip("/")
        self.folders = [root / path.strip("/") for root in _roots()]
        self.memory = self.folders[0]   # v1: the memory hierarchy is the first one

    def __enter__(self):
        try:
            for folder in self.folders:
                folder.mkdir(parents=True, exist_ok=True)
            if mode() == "v2":
                for parent in reversed(self.memory.relative_to(ROOT).parents):
                    with contextlib.suppress(OSError):
                        (ROOT / parent / "cgroup.subtree_control").write_text("+memory +cpu +pids")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def set_memory_limit(self, limit_bytes):
        """None: no limit. v1 refuses a limit below what cannot be reclaimed (EBUSY), v2 kills instead."""
        if mode() == "v2":
            (self.memory / "memory.max").write_text("max" if limit_bytes is None else str(limit_bytes))
        else:
            (self.memory / "memory.limit_in_bytes").write_text("-1" if limit_bytes is None else str(limit_bytes))

    def memory_limit(self):
        """Bytes, or None without a limit (v1 says so with a number of about 2^63)."""
        text = (self.memory / ("memory.max" if mode() == "v2" else "memory.limit_in_bytes")).read_text().strip()
        return None if text == "max" or int(text) > 1 << 60 else int(text)

    def memory_usage(self):
        return int((self.memory / ("memory.current" if mode() == "v2" else "memory.usage_in_bytes")).read_text())

    def oom_kills(self):
        text = (self.memory / ("memory.events" if mode() == "v2" else "memory.oom_control")).read_text()
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)

    def pids(self):
        return {int(word) for folder in self.folders for word in _words(folder / "cgroup.procs")}

    def remove(self, seconds=10):
        """Kills until nothing is left, then removes the folders, and parents of ours that are empty."""
        def emptied():
            pids = self.pids()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not pids

        def removed():
            for folder in self.folders:
                _rmdir_upwards(folder)
            return not any(folder.exists() for folder in self.folders)

        wait_until(emptied, seconds, f"processes of {self.path} end", also_when_stopping=True)
        wait_until(removed, seconds, f"cgroup {self.path} goes", also_when_stopping=True)


def _rmdir_upwards(folder):
    roots = _roots()
    while folder not in roots:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def sweep(prefix):
    """Removes cgroups PREFIX-PID/* whose maker is gone: what a run that was itself killed left behind."""
    for root in _roots():
        for top in root.glob(f"{prefix}-*"):
            pid = top.name.rpartition("-")[2]
            if not pid.isdigit() or alive(int(pid)):
                continue
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                Cgroup(str(folder.relative_to(root))).remove()
            _rmdir_upwards(top)


def machine_busy(since=None):
    """Share of all cores that was busy since an earlier call's first value: (state, ratio)."""
    with open("/proc/stat") as stat:
        fields = [int(x) for x in stat.readline().split()[1:9]]
    state = (sum(fields), fields[3] + fields[4])
    if since is None:
        return state, 0.0
    total, idle = state[0] - since[0], state[1] - since[1]
    return state, round(1 - idle / total, 3) if total else 0.0


