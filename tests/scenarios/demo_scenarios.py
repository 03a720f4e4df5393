"""`make demo` as people run it: it tells the story, and whatever happens it leaves nothing behind."""
import json
import os
import pathlib
import signal
import subprocess
import sys

from cgroups import ROOT, wait_until
from harness import Failed
from registry import scenario

DEMO = pathlib.Path(__file__).resolve().parent.parent / "demo" / "demo.py"
KEYS = {"first_oom_kill_ns", "incident_opened_ns", "explained_ns", "cause_card", "cause_probability", "suspect_change_id", "http_5xx_before",
        "plan_digest", "approvals", "executed", "symptom_gone_after_ms", "http_5xx_after", "refused", "audit_verified"}


class Demo:
    def __init__(self, context):
        self.out = context.folder / "demo"
        context.folder.mkdir(parents=True)
        self.process = subprocess.Popen([sys.executable, DEMO, "--bin", context.bin, "--out", self.out], env=dict(os.environ, DEMO_YES="1"),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def cgroups(self):
        return [folder for root in (ROOT, *ROOT.iterdir()) for folder in root.glob(f"shop-{self.process.pid}")]

    def children(self):
        """Programs that carry this demo's folder in their command line."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(folder.name) != self.process.pid and str(self.out).encode() in command:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    def check_nothing_left(self):
        left = [*map(str, self.cgroups()), *self.children(), *([str(self.out / "work")] if (self.out / "work").exists() else [])]
        if left:
            raise Failed(f"left behind: {left[:3]}")


@scenario("demo_tells_the_story", shared=False)
def story(context):
    demo = Demo(context)
    try:
        output, _ = demo.process.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        demo.process.terminate()
        output, _ = demo.process.communicate()
        raise Failed(f"not done in 180 s: {output[-500:]}") from None
    if demo.process.returncode != 0:
        raise Failed(f"status {demo.process.returncode}: {output[-800:]}")
    report = json.loads((demo.out / "report.json").read_text())
    if set(report) != KEYS:
        raise Failed(f"keys of the report: {sorted(report)}")
    opened_ms = (report["incident_opened_ns"] - report["first_oom_kill_ns"]) / 1e6
    if not (0 < opened_ms <= 250 and report["cause_card"] == "memory-limit-lowered" and report["cause_probability"] >= 0.9 and
            report["suspect_change_id"] and report["http_5xx_before"] > 0 and report["explained_ns"] >= report["incident_opened_ns"]):
        raise Failed(f"opened after {opened_ms:.0f} ms, {report}")
    if not (report["executed"] is True and report["audit_verified"] is True and report["approvals"] == 2 and report["http_5xx_after"] == 0 and
            report["refused"] == {"forged": True, "replayed": True, "wrong_target": True}):
        raise Failed(f"not mended: {report}")
    if "by hand:" not in output:
        raise Failed("no line `by hand:` on the screen")
    demo.check_nothing_left()


@scenario("demo_cleans_up_after_ctrl_c", shared=False)
def interrupted(context):
    demo = Demo(context)
    try:
        wait_until(lambda: demo.cgroups() or demo.process.poll() is not None, 60, "the demo makes its cgroup")
        demo.process.send_signal(signal.SIGINT)
        output, _ = demo.process.communicate(timeout=60)
    finally:
        demo.process.kill()
    if demo.process.returncode != 130:
        raise Failed(f"status {demo.process.returncode}: {output[-500:]}")
    demo.check_nothing_left()
