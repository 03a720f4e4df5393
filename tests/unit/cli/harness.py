"""What the tests of the real `fleetwright` share: a trial set-up, a small HTTPS server with its certificates, a pseudo-terminal.

The server answers from the fixture files and from what a test puts into its tables. Each test prints PASS name / FAIL name: why /
SKIP name: why; the status is 1 when anything failed.
"""
import http.server
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import fcntl

BIN, FIXTURES = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
FLEETWRIGHT = str(BIN / "fleetwright")
DEADLINE_S = 20
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Skip(Exception):
    pass


def expect(condition, why):
    if not condition:
        raise AssertionError(why)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, content_type="application/json"):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def error(self, status, reason, message, hint=""):
        self.answer(status, json.dumps({"apiVersion": "fleetwright/v1alpha1", "kind": "Error", "reason": reason, "message": message, "hint": hint}))

    def do_GET(self):
        fake = self.server.fake
        fake.requests.append(("GET", self.path, ""))
        path = self.path.split("?")[0]
        if fake.override and path in fake.override:
            return self.error(*fake.override[path])
        if path in fake.answers:
            found = fake.answers[path]
            return self.answer(200, found, "text/plain") if isinstance(found, bytes) else self.answer(200, json.dumps(found))
        names = {"/api/v1/status": "status", "/api/v1/nodes": "nodes", "/api/v1/changes": "changes", "/api/v1/incidents": "incidents",
                 "/api/v1/incidents/INC-7": "incident", "/api/v1/incidents/INC-7/explain": "explain"}
        if path in names:
            return self.answer(200, fake.bodies[names[path]])
        if path == "/api/v1/incidents/INC-8/explain":
            return self.error(409, "Conflict", "INC-8 is not yet explained", "ask again in a few seconds")
        return self.error(404, "NotFound", "no such thing")

    def do_POST(self):
        fake = self.server.fake
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fake.requests.append(("POST", self.path, body))
        if self.path in fake.on_post:
            answer = fake.on_post[self.path](json.loads(body))
            return self.error(*answer) if isinstance(answer, tuple) else self.answer(200, json.dumps(answer))
        if self.path.startswith("/api/v1/incidents/INC-7/"):
            return self.answer(200, fake.bodies["incident"])
        return self.error(404, "NotFound", "no such incident")


class FakeServer:
    def __init__(self, folder, certificate="aggregator/server"):
        self.requests, self.override = [], {}
        self.answers, self.on_post = {}, {}   # path -> object or bytes; path -> function(body) -> object, or (status, reason, message)
        self.bodies = {path.stem: path.read_text() for path in FIXTURES.glob("*.json")}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/{certificate}.crt", f"{folder}/{certificate}.key")
        context.load_verify_locations(f"{folder}/authority/people-ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(inner):
                connection, address = inner.socket.accept()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def handle_error(inner, *_):
                pass   # clients that do not trust us are part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.fake = self
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class World:
    """One trial set-up and one fake server for all tests."""

    PEOPLE = ("alice",)

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="fw-cli-")
        self.folder = self.root + "/trial"
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.root, "USER": "alice", "LC_ALL": "C", "FLEETWRIGHT_CONFIG_DIR": self.folder}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        done = self.run("init", *(word for person in self.PEOPLE for word in ("--person", person)), "--node", "node-a")
        expect(done.returncode == 0, done.stderr)
        self.fake = FakeServer(self.folder)

    def run(self, *arguments, **extra):
        environment = dict(self.environment, **extra)
        return subprocess.run([FLEETWRIGHT, *arguments], env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def ask(self, *arguments, **extra):
        self.fake.requests.clear()
        return self.run("--server", self.fake.url, *arguments, **extra)

    def terminal(self, *arguments, until=None, send=None, kill=None, columns=80, **extra):
        """Runs on a pseudo-terminal. Once `until` was seen, types `send` or sends the signal `kill`. -> (output, wait status)"""
        pid, master = pty.fork()
        if pid == 0:
            os.execvpe(FLEETWRIGHT, [FLEETWRIGHT, "--server", self.fake.url, *arguments], dict(self.environment, TERM="xterm", **extra))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        output, acted, end = b"", False, time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    break
                if not data:
                    break
                output += data
            if until and not acted and until.encode() in output:
                acted = True
                if send:
                    os.write(master, send)
                if kill:
                    os.kill(pid, kill)
        else:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        os.close(master)
        expect(time.monotonic() < end, "did not end; output: %r" % output[-500:])
        return output.decode(errors="replace"), status

    def close(self):
        self.fake.close()
        shutil.rmtree(self.root)


def wait_for(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def run_all(world_type=World):
    world, failed = world_type(), False
    try:
        for function in TESTS:
            try:
                function(world)
                print("PASS", function.__name__, flush=True)
            except Skip as reason:
                print(f"SKIP {function.__name__}: {reason}", flush=True)
            except Exception as error:   # every test runs
                failed = True
                print(f"FAIL {function.__name__}: {type(error).__name__} {str(error)[:1500]!r}", flush=True)
    finally:
        world.close()
    sys.exit(1 if failed else 0)
