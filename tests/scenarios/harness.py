"""The real programs on this machine, in a folder of their own: set up by `fleetwright init`, free ports, read through the CLI.

Nothing here sleeps for a fixed time: it waits for what it needs with a deadline. Everything started is stopped by its pid, in
reverse order, also after a failure or Ctrl-C; a child dies with its parent (setpriv --pdeathsig) should that be killed.
"""
import contextlib
import datetime
import errno
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import secrets
import signal
import ssl
import subprocess
import time
import urllib.request
import uuid

from cgroups import Cgroup, wait_until

MIB = 1 << 20


class Failed(Exception):
    """The scenario did not go as it must; the text says what was seen."""


class Skipped(Exception):
    """Cannot run here; the text says why."""


class Process:
    """One child with its output in a log file."""

    def __init__(self, name, command, log, **options):
        self.name, self.log = name, pathlib.Path(log)
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)], stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=subprocess.STDOUT, start_new_session=True, **options)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def check(self):
        if not self.running():
            raise Failed(f"{self.name} ended with status {self.popen.returncode}: {self.tail()}")
        return True

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds=10):
        """SIGTERM; its status. A program that does not end in time is killed, and that is an error."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed(f"{self.name} did not end within {seconds} s of SIGTERM: {self.tail()}") from None
        return self.popen.returncode

    def tail(self, lines=3):
        with contextlib.suppress(OSError):
            return " | ".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Fleet:
    """One aggregator and one agent. `with Fleet(bin, folder) as fleet:`; the folder must not exist yet or be empty."""

    def __init__(self, bin_folder, folder, node="node-a", people=("demo",), actions=False, agent_settings=(), aggregator_settings=(), executor_settings=()):
        """people: the first asks when nobody is named; two or more get the team profile. actions: with an executor that may act."""
        self.bin, self.folder = pathlib.Path(bin_folder).resolve(), pathlib.Path(folder).resolve()
        self.node, self.people, self.actions = node, list(people), actions
        self.agent_settings, self.aggregator_settings, self.executor_settings = list(agent_settings), list(aggregator_settings), list(executor_settings)
        self.config = self.folder / "config"
        self.environment = dict(os.environ, FLEETWRIGHT_CONFIG_DIR=str(self.config), NO_COLOR="1")
        self.aggregator = self.agent = self.executor = None
        self.ports = {}

    def __enter__(self):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.run("init", "--dir", self.config, "--node", self.node, "--profile", "team" if len(self.people) > 1 else "solo",
                     *(part for person in self.people for part in ("--person", person)), *(["--enable-actions"] if self.actions else []))
            self.start_aggregator()
            if self.actions:
                self.start_executor()
            self.start_agent()
            self.wait_connected()
            if self.actions:
                self.wait_executor()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for process in (self.agent, self.executor, self.aggregator):
            if process is not None:
                with contextlib.suppress(Failed):
                    process.stop()

    # ---- programs ----------------------------------------------------------------------------------------------------

    def start_aggregator(self):
        """Free ports the first time, the same ones after a restart, so that the agent finds it again."""
        ports_file = self.folder / "ports.json"
        ports_file.unlink(missing_ok=True)
        settings = [f"listen.{name}=127.0.0.1:{self.ports.get(name, 0)}" for name in ("agents", "people", "plain")]
        settings += [f"store.url=sqlite://{self.folder}/store.db", *self.aggregator_settings]
        self.aggregator = Process("fleetwright-aggregator", [self.bin / "fleetwright-aggregator", "--config", self.config / "aggregator.yaml",
                                                            "--ports-file", ports_file, *_set(settings)], self.folder / "aggregator.log")
        wait_until(lambda: self.aggregator.check() and ports_file.exists(), 20, "the aggregator opens its ports")
        self.ports = json.loads(ports_file.read_text())
        wait_until(lambda: self.aggregator.check() and self._ready(), 20, "the aggregator is ready")

    def start_agent(self):
        settings = [f"aggregator.address=127.0.0.1:{self.ports['agents']}", f"spool.folder={self.folder}/spool",
                    f"executor.socket={self.executor_socket() if self.actions else ''}", *self.agent_settings]
        self.agent = Process("fleetwright-agent", [self.bin / "fleetwright-agent", "--config", self.config / f"agent-{self.node}.yaml",
                                                  *_set(settings)], self.folder / "agent.log")

    def executor_socket(self):
        return self.folder / "executor/socket"

    def start_executor(self):
        for name in ("executor", "journal"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
        settings = [f"socket.path={self.executor_socket()}", f"journal.folder={self.folder}/journal", *self.executor_settings]
        self.executor = Process("fleetwright-executor", [self.bin / "fleetwright-executor", "--config", self.config / f"executor-{self.node}.yaml",
                                                        *_set(settings)], self.folder / "executor.log")
        wait_until(lambda: self.executor.check() and self.executor_socket().exists(), 20, "the executor opens its socket")

    def wait_executor(self, seconds=20):
        """The aggregator knows the executor of the node: plans can be made for it."""
        def known():
            self.executor.check()
            return any(node.get("connected") for node in json.loads(self.get("/api/v1/policy"))["nodes"])
        wait_until(known, seconds, "the executor is known to the aggregator", pause=0.1)

    def wait_connected(self, seconds=20):
        def connected():
            self.agent.check()
            return any(node["connected"] for node in self.json("nodes")["items"])
        wait_until(connected, seconds, "the agent connects", pause=0.1)

    def server_ca(self):
        return self.config / "authority/node-ca.crt"

    def person_certificate(self):
        return self.config / f"people/{self.people[0]}.crt", self.config / f"people/{self.people[0]}.key"

    def signing_key(self, person):
        return self.config / f"people/{person}.sign.key"

    def _ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['plain']}/readyz", timeout=5) as answer:
                return answer.status == 200
        return False

    def metrics(self):
        """Values of the aggregator's /metrics by name with labels, as printed there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['plain']}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line and line[0] != "#")}

    # ---- the CLI ----------------------------------------------------------------------------------------------------

    def command(self, *arguments):
        connection = ["--server", f"https://127.0.0.1:{self.ports['people']}"] if self.ports else []
        return [str(self.bin / "fleetwright"), *connection, *map(str, arguments)]

    def run(self, *arguments, seconds=30, person=None):
        """Output of the CLI; its error text when it fails."""
        done = subprocess.run(self.command(*arguments), env=self.environment_of(person), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)
        if done.returncode != 0:
            raise Failed(f"fleetwright {' '.join(map(str, arguments))}: status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def environment_of(self, person=None):
        """`init` names the first person's context trial, the others' after them."""
        return self.environment if person in (None, self.people[0]) else {**self.environment, "FLEETWRIGHT_CONTEXT": person}

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "-o", "json"))

    # ---- incidents ---------------------------------------------------------------------------------------------------

    def incidents(self, path_prefix):
        """Incidents whose subject lives at or below a cgroup path, newest first. Others on this machine are not ours."""
        found = [item for item in self.json("incidents", "--all")["items"]
                 if (item["subject"].get("cgroupPath", "") + "/").startswith(path_prefix.rstrip("/") + "/")]
        return sorted(found, key=lambda item: -item["openedNs"])

    def wait_incident(self, path, wanted, seconds, what):
        """The newest incident of that cgroup, once wanted(incident) is true."""
        seen = None

        def look():
            nonlocal seen
            self.aggregator.check()
            found = self.incidents(path)
            seen = found[0] if found else None
            return seen if seen and wanted(seen) else None
        try:
            return wait_until(look, seconds, what, pause=0.2)
        except TimeoutError as error:
            raise Failed(f"{error}; seen: {brief(seen)}") from None

    # ---- plans -------------------------------------------------------------------------------------------------------

    def get(self, path):
        """What the API answers, as bytes."""
        context = ssl.create_default_context(cafile=self.server_ca())
        context.load_cert_chain(*self.person_certificate())
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports["people"], context=context, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise Failed(f"GET {path}: {answer.status} {body[:300]!r}")
            return body
        finally:
            connection.close()

    def plan(self, incident_id):
        """The newest plan of an incident, or None."""
        plans = json.loads(self.get(f"/api/v1/plans?incident={incident_id}&all=true"))["items"]
        return plans[0] if plans else None

    def wait_plan(self, incident_id, states, seconds, what):
        """The incident's newest plan, once it is in one of these states."""
        seen = None

        def look():
            nonlocal seen
            self.aggregator.check()
            self.executor.check()
            seen = self.plan(incident_id)
            return seen if seen and seen["state"] in states else None
        try:
            return wait_until(look, seconds, what, pause=0.05)
        except TimeoutError as error:
            outcome = (seen or {}).get("outcome") or {}
            raise Failed(f"{error}; the plan is {seen and seen['state']}: {seen and seen.get('stateText')} {outcome.get('sentence', '')}") from None

    def approve(self, plan, person, reason="it is the cause"):
        self.run("approve", plan["digest"], "--plan", "sha256:" + plan["digest"], "--yes", "--no-wait", "--reason", reason, person=person)

    # ---- changes -----------------------------------------------------------------------------------------------------

    def post(self, path, body, headers):
        context = ssl.create_default_context(cafile=self.server_ca())
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports["people"], context=context, timeout=10)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.status != 202:
                raise Failed(f"POST {path}: {answer.status} {text}")
            return json.loads(text)
        finally:
            connection.close()

    def post_github_deployment(self, deploy):
        body = json.dumps(deploy.github()).encode()
        return self.post("/webhooks/github", body, {
            "X-GitHub-Event": "deployment", "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": signature(self.config / "aggregator/github-webhook.secret", body)})

    def post_cloudevent(self, deploy):
        body = json.dumps(deploy.cloudevent()).encode()
        return self.post("/webhooks/cloudevents", body, {
            "Content-Type": "application/cloudevents+json",
            "X-Fleetwright-Signature-256": signature(self.config / "aggregator/cloudevents-webhook.secret", body)})

    def change_ids(self, deploy):
        """Ids of the rows that this deploy made, whoever told of it."""
        return {item["id"] for item in self.json("changes")["items"]
                if deploy.sha in (item.get("group"), item.get("revision")) or item.get("sourceKey", "").endswith(deploy.event_id)}


def _set(settings):
    return [part for setting in settings for part in ("--set", setting)]


def signature(secret_file, body):
    return "sha256=" + hmac.new(secret_file.read_bytes().strip(), body, hashlib.sha256).hexdigest()


def utc(time_ns):
    return datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.timezone.utc).isoformat(timespec="microseconds")


def brief(incident):
    if not incident:
        return "no incident"
    cause, suspect = incident.get("cause") or {}, incident.get("suspectChange") or {}
    return (f"{incident['id']} {incident['state']} {'+'.join(s['kind'] + 'x' + str(s['count']) for s in incident['symptoms'])} "
            f"cause={cause.get('card') or 'unknown'} p={cause.get('probability', 0):.2f} suspect={suspect.get('summary') or 'none'}")


class Deploy:
    """What a delivery pipeline would tell about one deploy of one service."""

    def __init__(self, name, fields, actor="alice", started_ns=None, cgroup_path=None):
        self.name, self.fields, self.actor, self.cgroup_path = name, fields, actor, cgroup_path
        self.started_ns = started_ns or time.time_ns()
        self.sha = secrets.token_hex(20)
        self.event_id = str(uuid.uuid4())
        self.number = secrets.randbelow(10**9)

    def github(self):
        at = utc(self.started_ns)
        return {"deployment": {"url": f"https://api.github.com/repos/acme/{self.name}/deployments/{self.number}", "id": self.number,
                               "sha": self.sha, "ref": "main", "task": "deploy", "payload": {}, "environment": "production",
                               "description": f"{self.name} version 2", "creator": {"login": self.actor, "id": 1, "type": "User"},
                               "created_at": at, "updated_at": at},
                "repository": {"id": 7, "name": self.name, "full_name": f"acme/{self.name}", "html_url": f"https://github.com/acme/{self.name}"},
                "sender": {"login": self.actor, "id": 1, "type": "User"}}

    def cloudevent(self):
        place = {"cgroupPath": self.cgroup_path} if self.cgroup_path else {}
        return {"specversion": "1.0", "id": self.event_id, "source": "/pipelines/acme", "type": "dev.fleetwright.change.v1",
                "time": utc(self.started_ns), "datacontenttype": "application/json",
                "data": {"object": {"kind": "Deployment", "name": self.name, **place}, "actor": self.actor, "revision": self.sha,
                         "title": f"{self.name} version 2", "environment": "production", "started": utc(self.started_ns), "outcome": "success",
                         "fields": [{"path": path, "before": before, "after": after} for path, before, after in self.fields]}}


class Service:
    """A front outside the container, a worker inside it, and a load generator: `with Service(...) as service:`."""

    def __init__(self, bin_folder, folder, cgroup_path, worker=(), load=("--rate", 30), limit_bytes=256 * MIB, restart_delay_ms=300,
                 worker_program="workload_worker"):
        self.bin, self.folder = pathlib.Path(bin_folder).resolve(), pathlib.Path(folder)
        self.group = Cgroup(cgroup_path)
        self.worker, self.load_flags, self.limit_bytes = list(worker), load, limit_bytes
        self.restart_delay_ms, self.worker_program = restart_delay_ms, worker_program
        self.front = self.load = self.port = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.group.__enter__()
        try:
            self.group.set_memory_limit(self.limit_bytes)
            port_file = self.folder / "port"
            port_file.unlink(missing_ok=True)
            cgroups = [part for folder in self.group.folders for part in ("--cgroup", folder)]
            self.front = Process("front", [self.bin / "workload_front", *cgroups, "--port-file", port_file, "--log", self.folder / "front.jsonl",
                                           "--touch-clock", self.folder / "last_touch", "--restart-delay-ms", self.restart_delay_ms, "--",
                                           self.bin / self.worker_program, *self.worker], self.folder / "front.log")
            wait_until(lambda: self.front.check() and port_file.exists(), 10, "the front opens its port")
            self.port = int(port_file.read_text())
            if self.load_flags:
                self.start_load(*self.load_flags)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self.load, self.front):
            if process is not None:
                process.kill()
        self.group.remove()

    def start_load(self, *flags):
        if self.load is not None:
            self.load.kill()
        self.load = Process("load", [self.bin / "workload_load", "--port", self.port, *flags], self.folder / "load.log")

    def status(self):
        """Counts of the front: requests, ok, bad_gateway, worker_pid, starts, ends."""
        return json.loads(self._ask("GET", "/-/status"))

    def stop_worker(self):
        self._ask("POST", "/-/stop")

    def start_worker(self):
        self._ask("POST", "/-/start")

    def _ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def log(self):
        with open(self.folder / "front.jsonl") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def kills(self, since_ns=0):
        """Ends of the worker by SIGKILL, each with last_touch_ns: the kill was not earlier."""
        return [line for line in self.log() if line["event"] == "ended" and line["signal"] == signal.SIGKILL and line["time_ns"] >= since_ns]

    def wait_requests(self, count, seconds=30):
        wait_until(lambda: self.front.check() and self.status()["ok"] >= count, seconds, f"{count} requests served", pause=0.1)

    def wait_kills(self, count, since_ns=0, seconds=30):
        try:
            wait_until(lambda: self.front.check() and len(self.kills(since_ns)) >= count, seconds, f"the kernel kills the worker {count} times")
        except TimeoutError as error:
            raise Failed(f"{error}; kernel counted {self.group.oom_kills()}") from None
        return self.kills(since_ns)

    def _limit_taken(self, limit_bytes):
        try:
            self.group.set_memory_limit(limit_bytes)
            return True
        except OSError as error:   # v1 while pages of the old version are not given back yet
            if error.errno == errno.EBUSY:
                return False
            raise

    def deploy(self, limit_bytes):
        """A new version under another limit: end the worker in order, change the limit, start it. Returns when it began."""
        started_ns = time.time_ns()
        self.stop_worker()
        wait_until(lambda: not self.group.pids(), 10, "the old version ends")
        wait_until(lambda: self._limit_taken(limit_bytes), 10, "the kernel takes the new limit")
        self.start_worker()
        return started_ns
