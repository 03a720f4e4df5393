"""Starts and watches the real executor. RSS of a running one: executor_program.rss_kib(pid)."""
import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid

MAX_PACKET = 160 * 1024
STATUS = 8   # type byte of ExecutorStatus


def rss_kib(pid):
    """Resident memory with shared pages, KiB: what `make bench` counts."""
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])


class Executor:
    """One node: a folder with policy, journal and socket. start() again is what a service manager does."""

    def __init__(self, program, fixture, observe_only=False):
        self.program, self.fixture = program, fixture
        self.folder = tempfile.mkdtemp(prefix="fw-executor-")
        digest = subprocess.run([fixture, "policy", self.folder], check=True, capture_output=True, text=True).stdout.strip()
        self.sets = {
            "node.uid": str(uuid.uuid4()),
            "socket.path": f"{self.folder}/run/executor.sock",
            "journal.folder": f"{self.folder}/journal",
            "policy.file": f"{self.folder}/policy.bin",
            "policy.sha256": digest,
            "actions.observe_only": "true" if observe_only else "false",
        }
        self.log = open(f"{self.folder}/log", "ab")
        self.process = None
        self.starts = 0

    def arguments(self):
        return [self.program] + [word for key, value in self.sets.items() for word in ("--set", f"{key}={value}")]

    def start(self):
        self.process = subprocess.Popen(self.arguments(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.starts += 1

    def ended(self):
        return self.process.poll() is not None

    def connect(self, deadline_s=10):
        """A connected socket and the status packet that the executor greets with."""
        deadline = time.monotonic() + deadline_s
        while True:
            if self.ended():
                raise RuntimeError(f"the executor ended with {self.process.returncode}: {self.log_text()[-2000:]}")
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.settimeout(deadline_s)
            try:
                peer.connect(self.sets["socket.path"])
                while packet := peer.recv(MAX_PACKET):   # outcomes may come first
                    if packet[4] == STATUS:
                        return peer, packet
            except OSError:
                pass
            peer.close()
            if time.monotonic() > deadline:
                raise RuntimeError("no status from the executor: " + self.log_text()[-2000:])
            time.sleep(0.01)

    def packets(self, status, cgroup, limit):
        """name -> packet, for this executor's incarnation."""
        with open(f"{self.folder}/status.bin", "wb") as file:
            file.write(status)
        subprocess.run([self.fixture, "packets", self.folder, f"{self.folder}/status.bin", cgroup, str(limit)], check=True)
        names = [name for name in os.listdir(self.folder) if name == "good.bin" or name.startswith("bad-")]
        return {name[:-4]: open(f"{self.folder}/{name}", "rb").read() for name in names}

    def meaning(self, packet):
        """"DONE ..." of an outcome, "NOTICE code ..." of a notice, "" of others."""
        with open(f"{self.folder}/answer.bin", "wb") as file:
            file.write(packet)
        return subprocess.run([self.fixture, "outcome", f"{self.folder}/answer.bin"], capture_output=True, text=True).stdout.strip()

    def log_text(self):
        with open(f"{self.folder}/log", errors="replace") as file:
            return file.read()

    def stop(self):
        if self.process and not self.ended():
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait() if self.process else None
