#!/usr/bin/env python3
"""The real executor program behind its real socket, on real cgroups.

First it shows that it acts when two people approved (so the rest can fail), survives kill -9 and says DONE only once. Then hostile peers
talk to it for some time: it refuses, or ends and is started again, and the limits of the cgroups that it could change stay as they are.
Prints one line per case; status 77: cannot run here.
"""
import argparse
import os
import random
import shutil
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from executor_program import MAX_PACKET, Executor, rss_kib  # noqa: E402

BEFORE, WANTED = 64 << 20, 128 << 20


def memory_root():
    with open("/proc/self/mountinfo") as mounts:
        lines = [line.split() for line in mounts]
    for words in lines:
        dash = words.index("-")
        if words[dash + 1] == "cgroup" and "memory" in words[-1].split(","):
            return words[4], "memory.limit_in_bytes"
    for words in lines:
        if words[words.index("-") + 1] == "cgroup2":
            return words[4], "memory.max"
    return None, None


class Cgroup:
    def __init__(self, name):
        self.root, self.file = memory_root()
        self.path = f"/fw-{name}-{os.getpid()}"
        os.mkdir(self.root + self.path)
        self.set(BEFORE)

    def set(self, limit):
        with open(f"{self.root}{self.path}/{self.file}", "w") as file:
            file.write(str(limit))

    def limit(self):
        with open(f"{self.root}{self.path}/{self.file}") as file:
            return int(file.read())

    def remove(self):
        os.rmdir(self.root + self.path)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_for_outcome(executor, peer, deadline_s=10):
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        meaning = executor.meaning(peer.recv(MAX_PACKET))
        if meaning:
            return meaning
    raise AssertionError("no outcome")


def acts_when_enough_people_approved(executor, cgroup):
    peer, status = executor.connect()
    packets = executor.packets(status, cgroup.path, WANTED)
    for name in sorted(packets):
        if name == "good" or name in ("bad-ask", "bad-ack"):
            continue
        peer.send(packets[name])
        meaning = wait_for_outcome(executor, peer)
        check(not meaning.startswith("DONE"), f"{name}: {meaning}")
        check(cgroup.limit() == BEFORE, f"{name} had an effect")
        print(f"  {name}: {meaning}")
    peer.send(packets["good"])
    meaning = wait_for_outcome(executor, peer)
    check(meaning.startswith("DONE"), f"good: {meaning}")
    check(cgroup.limit() == WANTED, "no effect")
    return packets["good"], peer


def is_not_done_twice(executor, cgroup, good, peer):
    cgroup.set(BEFORE)
    peer.send(good)
    meaning = wait_for_outcome(executor, peer)
    check(cgroup.limit() == BEFORE, f"done twice: {meaning}")
    peer.close()
    executor.process.kill()
    executor.process.wait()
    executor.start()
    peer, _ = executor.connect()
    peer.send(good)
    wait_for_outcome(executor, peer)
    check(cgroup.limit() == BEFORE, "done again after kill -9")
    peer.close()


def takes_one_peer_at_a_time(executor):
    first, _ = executor.connect()
    second = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    second.settimeout(0.2)
    second.connect(executor.sets["socket.path"])
    try:
        second.recv(MAX_PACKET)
        raise AssertionError("the second peer was answered")
    except TimeoutError:
        pass
    first.close()
    second.settimeout(5)
    check(len(second.recv(MAX_PACKET)) > 0, "the second peer is answered when the first is gone")
    second.close()


def refuses_another_user(executor):
    pid = os.fork()
    if pid == 0:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.setresuid(65534, 65534, 65534)
        try:
            peer.connect(executor.sets["socket.path"])
            os._exit(1)
        except PermissionError:
            os._exit(0)
    check(os.waitpid(pid, 0)[1] == 0, "another user came to the socket")


def observes_only_by_default(program, fixture, cgroup):
    executor = Executor(program, fixture, observe_only=True)
    try:
        del executor.sets["actions.observe_only"]
        executor.start()
        peer, status = executor.connect()
        peer.send(executor.packets(status, cgroup.path, WANTED)["good"])
        meaning = wait_for_outcome(executor, peer)
        check("observe-only" in meaning, meaning)
        check(cgroup.limit() == BEFORE, "observe-only had an effect")
        with open(f"/proc/{executor.process.pid}/status") as status_file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in status_file if ":\t" in line)
        check(status["CapEff"] == status["CapPrm"] == "0" * 16, "observing holds rights: " + status["CapEff"])
        check(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", "not confined")
        check(status["Threads"] == "1", "threads: " + status["Threads"])
    finally:
        executor.stop()
        shutil.rmtree(executor.folder)


def stops_in_order(executor):
    check(executor.stop() == 0, "SIGTERM does not end it with 0")
    executor.start()
    executor.connect()[0].close()


def hostile_packet(random_source, packets):
    """One datagram and its descriptors: bits flipped, cut, grown, joined, or nothing but noise."""
    kind = random_source.randrange(8)
    packet = bytearray(random_source.choice(packets))
    if kind <= 2:
        for _ in range(random_source.choice([1, 1, 2, 8])):
            packet[random_source.randrange(len(packet))] ^= 1 << random_source.randrange(8)
    elif kind == 3:
        packet = packet[:random_source.randrange(1, len(packet) + 1)]
    elif kind == 4:
        packet += random_source.randbytes(random_source.choice([1, 8, 4096, MAX_PACKET]))
    elif kind == 5:
        other = random_source.choice(packets)
        packet = packet[:random_source.randrange(1, len(packet))] + other[random_source.randrange(len(other)):]
    elif kind == 6:
        at = random_source.randrange(max(1, len(packet) - 8))
        packet[at:at + 8] = struct.pack("<Q", random_source.choice([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]))
    else:
        packet = bytearray(b"FLX1") + random_source.randbytes(random_source.randrange(1, 2000))
    descriptors = [0] if random_source.randrange(50) == 0 else []
    return bytes(packet), descriptors


def hostile_peers_get_nothing(executor, cgroup, seconds, seed):
    """Many peers one after another; every packet of theirs is made from packets that lack something."""
    source = random.Random(seed)
    decoy = Cgroup("executor-decoy")
    deadline = time.monotonic() + seconds
    sent = restarts = 0
    try:
        while time.monotonic() < deadline:
            if executor.ended():
                check(executor.process.returncode == 1, f"it ended with {executor.process.returncode}")
                restarts += 1
                executor.start()
            try:
                peer, status = executor.connect()
            except RuntimeError:
                continue
            if sent == 0 or source.randrange(20) == 0:
                # Bad ones only: one flipped bit of a good one would be a good one that nobody approved.
                packets = [packet for name, packet in executor.packets(status, decoy.path, WANTED).items() if name != "good"]
            peer.setblocking(False)
            for _ in range(source.randrange(1, 60)):
                packet, descriptors = hostile_packet(source, packets)
                try:
                    socket.send_fds(peer, [packet], descriptors) if descriptors else peer.send(packet)
                    sent += 1
                    if source.randrange(3) == 0:
                        peer.recv(MAX_PACKET)
                except BlockingIOError:
                    time.sleep(0.001)
                except OSError:
                    break
                check(decoy.limit() == BEFORE and cgroup.limit() == BEFORE, "a hostile peer had an effect")
            peer.close()
        check(decoy.limit() == BEFORE and cgroup.limit() == BEFORE, "a hostile peer had an effect")
    finally:
        decoy.remove()
    for _ in range(2):   # the last packet may still be on its way to end it
        try:
            executor.connect()[0].close()
            break
        except RuntimeError:
            executor.start()
    check(not executor.ended(), "it does not start again")
    print(f"  {sent} packets, {restarts} restarts, 0 effects, seed {seed}")
    check(sent >= 20, "too few packets to count")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executor", required=True)
    parser.add_argument("--fixture", required=True)
    parser.add_argument("--fuzz-seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    if os.geteuid() != 0 or memory_root()[0] is None:
        print("SKIPPED executor_program: needs root and a memory hierarchy")
        return 77
    cgroup = Cgroup("executor")
    executor = Executor(options.executor, options.fixture)
    failed = 0
    state = {}

    def run(name, function):
        nonlocal failed
        try:
            result = function()
            print(f"ok {name}")
            return result
        except (AssertionError, RuntimeError, OSError) as error:
            failed += 1
            print(f"FAILED {name}: {error}")
            return None

    try:
        executor.start()
        state["done"] = run("acts when enough people approved", lambda: acts_when_enough_people_approved(executor, cgroup))
        if state["done"]:
            run("is not done twice, also after kill -9", lambda: is_not_done_twice(executor, cgroup, *state["done"]))
        run("takes one peer at a time", lambda: takes_one_peer_at_a_time(executor))
        run("refuses another user", lambda: refuses_another_user(executor))
        run("observes only by default, without any right", lambda: observes_only_by_default(options.executor, options.fixture, cgroup))
        run("stops in order", lambda: stops_in_order(executor))
        print(f"rss_kib={rss_kib(executor.process.pid)}")
        cgroup.set(BEFORE)
        run("hostile peers get nothing", lambda: hostile_peers_get_nothing(executor, cgroup, options.fuzz_seconds, options.seed))
        print(f"rss_kib={rss_kib(executor.process.pid)}")
    finally:
        executor.stop()
        cgroup.remove()
        if failed:
            print(executor.log_text()[-4000:])
        shutil.rmtree(executor.folder)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
