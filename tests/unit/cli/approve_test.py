#!/usr/bin/env python3
"""approve_test.py BIN_FOLDER FIXTURES PLAN_MAKER: plans, approvals, keys and policies with the real `fleetwright` (harness.py).

The server is a small one; what it gets is checked by cli_plan_maker, which counts with the code that counts on a node.
"""
import base64
import copy
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from harness import FLEETWRIGHT, Skip, World, expect, run_all, test

PLAN_MAKER = sys.argv[3]
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def maker(*arguments, lines=()):
    done = subprocess.run([PLAN_MAKER, *map(str, arguments)], input="\n".join(map(json.dumps, lines)), capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, done.stderr)
    return done.stdout


class AuthorityWorld(World):
    """alice and bob approve; the server serves their policy and one plan of INC-7, and keeps what is posted."""
    PEOPLE = ("alice", "bob")

    def __init__(self):
        super().__init__()
        self.policy_file = self.folder + "/policy/policy.json"
        signed = json.loads(pathlib.Path(self.policy_file).read_text())
        self.fake.answers["/api/v1/policy"] = {"apiVersion": "fleetwright/v1alpha1", "kind": "Policy", "version": 1, "document": signed["document"], "signatures": signed["signatures"],
                                               "nodes": [{"node": "node-a", "nodeUid": "u", "connected": True, "version": 1, "observeOnly": False}], "warnings": ["a word of the server"]}
        self.serve_plan()

    def serve_plan(self, proposer=None, **changes):
        self.votes = []
        self.plan = json.loads(maker("plan", int(time.time() * 1000), *([proposer] if proposer else [])))
        self.plan.update(changes)
        digest = self.digest = self.plan["digest"]
        incident = json.loads(self.fake.bodies["incident"])
        incident.update({"plan": digest, "planState": "PROPOSED", "planClass": 2})
        self.fake.answers["/api/v1/incidents/INC-7"] = incident
        for path in (digest, digest[:12]):
            self.fake.answers["/api/v1/plans/" + path] = self.plan
        self.fake.answers["/api/v1/plans"] = {"kind": "PlanList", "items": [self.plan]}
        self.fake.on_post = {f"/api/v1/plans/{digest}/approvals": self.take_vote, "/api/v1/plans": self.take_edit}
        for part in ("undo", "extend"):
            self.fake.on_post[f"/api/v1/plans/{digest}/{part}"] = lambda body, part=part: dict(self.plan, asked=part)

    def take_vote(self, body):
        self.votes.append(body)
        have = len(self.counted()) - self.counted().count("enough")
        self.plan["needed"]["have"] = have
        self.plan["stateText"] = "waits for 1 of 2 approvals" if have < 2 else "on its way"
        return self.plan

    def take_edit(self, body):
        self.edit = body
        return dict(self.plan, document=body["document"], digest=self.edited_digest(body), **{"class": body["class"]})

    @staticmethod
    def edited_digest(body):
        import hashlib
        raw = base64.b64decode(body["document"])
        return hashlib.sha256(b"fleet/plan/v1\n" + bytes([body["class"]]) + len(raw).to_bytes(8, "big") + raw).hexdigest()

    def counted(self):
        return maker("count", self.policy_file, self.plan["document"], int(time.time() * 1000), lines=self.votes).split()

    def as_person(self, name, *arguments, **extra):
        return self.ask("--context", "trial" if name == "alice" else name, *arguments, **extra)

    def approve(self, name, *more, **extra):
        return self.as_person(name, "approve", "INC-7", "--plan", "sha256:" + self.digest, "--yes", *more, **extra)


@test
def two_people_approve_and_a_node_would_count_them(world):
    world.serve_plan()
    first = world.approve("alice", "--reason", "looks right")
    expect(first.returncode == 0 and first.stdout == f"plan/{world.digest[:12]} approved (waits for 1 of 2 approvals)\n", first.stdout + first.stderr)
    expect(world.counted() == ["alice"], world.counted())
    second = world.approve("bob")
    expect(second.returncode == 0 and world.counted() == ["alice", "bob", "enough"], world.counted())
    again = world.approve("bob")
    expect(again.returncode == 0 and world.counted()[:2] == ["alice", "bob"], "one person is one vote")


@test
def show_and_diff_are_rendered_from_the_bytes(world):
    world.serve_plan(summary="harmless, says the server")
    diff = world.ask("plan", "diff", "7")
    expect(diff.returncode == 0 and "~ memory limit: 64MiB -> 256MiB, kept" in diff.stdout, diff.stdout + diff.stderr)
    expect("by hand: echo 268435456" in diff.stdout and "safe range: 192MiB to 1GiB" in diff.stdout, diff.stdout)
    expect(diff.stdout.splitlines()[-1].strip() == f"fleetwright approve INC-7 --plan sha256:{world.digest}", diff.stdout)
    expect(world.ask("plan", "diff", "7", "--exit-code").returncode == 7, "exit code")
    show = world.ask("plan", "show", world.digest[:12])
    expect(show.returncode == 0 and "0 of 2 people (signatures checked here)" in show.stdout, show.stdout + show.stderr)
    listed = world.ask("plan", "list").stdout.split("\t")
    expect(listed[:5] == [world.digest, "INC-7", "2", "PROPOSED", "0/2"], listed)
    incident = world.ask("show", "7").stdout
    expect("fleetwright approve INC-7" in incident and "PROPOSED, class 2" in incident, incident)


@test
def a_server_that_lies_about_the_plan_is_not_signed_for(world):
    for change in ({"class": 1}, {"digest": "0" * 64}, {"document": "AAAA"}):
        world.serve_plan()
        good = world.digest
        world.plan.update(change)
        done = world.ask("approve", "INC-7", "--plan", "sha256:" + good, "--yes")
        expect(done.returncode == 5 and world.votes == [], (change, done.stdout, done.stderr))
        expect("fix:" in done.stderr, done.stderr)


@test
def a_plan_that_changed_since_it_was_read_is_not_signed(world):
    world.serve_plan()
    old = world.digest
    world.serve_plan()
    done = world.ask("approve", "INC-7", "--plan", "sha256:" + old, "--yes")
    expect(done.returncode == 5 and "[plan-changed]" in done.stderr and world.votes == [], done.stderr)


@test
def plans_that_are_over_or_expired_are_not_signed(world):
    for state in ("DONE", "DENIED", "SUPERSEDED", "EXPIRED"):
        world.serve_plan(state=state)
        done = world.approve("alice")
        expect(done.returncode == 5 and world.votes == [], (state, done.stderr))


@test
def without_a_terminal_the_whole_digest_and_yes_are_needed(world):
    world.serve_plan()
    for arguments in (["approve", "7"], ["approve", "7", "--yes"], ["approve", "7", "--plan", world.digest[:12], "--yes"], ["approve", "7", "--plan", world.digest]):
        done = world.ask(*arguments)
        expect(done.returncode == 2 and world.votes == [] and "fix: fleetwright approve" in done.stderr, (arguments, done.stderr))


@test
def on_a_terminal_the_name_of_the_object_is_typed(world):
    world.serve_plan()
    output, status = world.terminal("approve", "7", "--no-wait", until=".sign.key: ", send=b"checkout\n")
    expect(os.waitstatus_to_exitcode(status) == 0 and "64MiB -> 256MiB" in output and "context" in output, output)
    expect(world.counted() == ["alice"], world.counted())
    world.serve_plan()
    output, status = world.terminal("approve", "7", until=".sign.key: ", send=b"yes\n")
    expect(os.waitstatus_to_exitcode(status) == 2 and world.votes == [] and "nothing was signed" in output, output)


@test
def the_proposer_does_not_approve(world):
    world.serve_plan("alice")
    done = world.approve("alice")
    expect(done.returncode == 6 and "proposer-approved" in done.stderr and world.votes == [], done.stderr)
    expect(world.approve("bob").returncode == 0, "another may")


@test
def a_key_that_the_policy_does_not_list_is_refused_here(world):
    world.serve_plan()
    made = world.run("key", "new", "--out", world.root + "/eve.sign.key")
    expect(made.returncode == 0 and "keys: [" in made.stderr, made.stderr)
    done = world.approve("alice", "--key", world.root + "/eve.sign.key")
    expect(done.returncode == 6 and "[key-unknown]" in done.stderr and world.votes == [], done.stderr)
    tested = world.ask("key", "test", "--key", world.root + "/eve.sign.key")
    expect(tested.returncode == 6 and "does not list it" in tested.stderr, tested.stderr)


@test
def the_policy_version_is_the_one_in_force_on_the_plans_node(world):
    world.serve_plan()
    node = re.search(r"node: ([0-9a-f-]{36})", world.ask("plan", "diff", "7").stdout).group(1)
    kept = copy.deepcopy(world.fake.answers["/api/v1/policy"])
    world.fake.answers["/api/v1/policy"]["nodes"][0].update({"nodeUid": node, "version": 3})
    try:
        expect(world.approve("alice").returncode == 0, "signed for version 3")
        expect(world.counted() == ["bad", "policy-version-other"], world.counted())   # counted with version 1
    finally:
        world.fake.answers["/api/v1/policy"] = kept


@test
def a_dry_run_signs_nothing(world):
    world.serve_plan()
    done = world.approve("alice", "--dry-run")
    expect(done.returncode == 0 and done.stdout.endswith("approved (dry run)\n") and world.votes == [], done.stdout + done.stderr)


@test
def one_denial_ends_it(world):
    world.serve_plan()
    expect(world.ask("deny", "7", "--plan", world.digest, "--yes").returncode == 2, "a reason is asked for")
    done = world.ask("deny", "7", "--plan", world.digest, "--yes", "--reason", "wrong node")
    expect(done.returncode == 0 and "denied" in done.stdout and "denied" in world.counted(), done.stdout + done.stderr)


@test
def waiting_ends_with_one_line(world):
    for state, outcome, code, line in (
            ("DONE", None, 0, "fixed: the symptom of INC-7 is gone"),
            ("REFUSED", {"state": "REFUSED", "code": "precondition-changed", "sentence": "The limit is 128 MiB now."}, 1, "refused because: The limit is 128 MiB now. [precondition-changed]"),
            ("ROLLED_BACK", {"state": "FAILED", "code": "effect-missing", "sentence": "It was killed again.", "rolledBack": True}, 1, "rolled back: It was killed again."),
            ("SUPERSEDED", None, 5, "SUPERSEDED because: ")):
        world.serve_plan()

        def vote(body, state=state, outcome=outcome):
            world.votes.append(body)
            answer = copy.deepcopy(world.plan)
            world.plan.update({"state": state, "stateText": "", "outcome": outcome})
            world.fake.answers["/api/v1/incidents/INC-7"]["state"] = "resolved"
            return answer
        world.fake.on_post[f"/api/v1/plans/{world.digest}/approvals"] = vote
        done = world.approve("alice", "--wait")
        expect(done.returncode == code and line in done.stdout.splitlines()[-1], (state, done.stdout, done.stderr))


@test
def waiting_in_vain_says_who_is_missing(world):
    world.serve_plan()
    done = world.approve("alice", "--wait", "--timeout", "1s")
    expect(done.returncode == 4 and "waits for 1 of 2" in done.stderr, done.stderr)


@test
def an_edit_stays_within_the_safe_range_and_names_its_proposer(world):
    world.serve_plan()
    for value in ("100Mi", "2Gi", "-1", "lots"):
        done = world.ask("plan", "edit", "7", "--limit=" + value)
        expect(done.returncode == 2 and not any(r[0] == "POST" for r in world.fake.requests), (value, done.stderr))
    expect("192MiB to 1GiB: its highest use was 180 MiB" in world.ask("plan", "edit", "7", "--limit", "2Gi").stderr, "the range is said")
    done = world.as_person("bob", "plan", "edit", "7", "--limit", "300Mi")
    expect(done.returncode == 0 and "edited" in done.stdout, done.stderr)
    expect(world.edit["replaces"] == world.digest, world.edit)
    world.plan.update({"document": world.edit["document"], "digest": world.edited_digest(world.edit)})
    diff = world.ask("plan", "diff", "7")   # asked for the old one, the server answers with the new one
    expect(diff.returncode == 5 and "[plan-changed]" in diff.stderr, diff.stderr)
    world.fake.answers["/api/v1/incidents/INC-7"]["plan"] = world.plan["digest"]
    world.fake.answers["/api/v1/plans/" + world.plan["digest"]] = world.plan
    text = world.ask("plan", "diff", "7").stdout
    expect("64MiB -> 300MiB" in text and "proposed by bob" in text and "memory_limit_bytes = 314572800" in text, text)


@test
def undo_and_extend_are_plans_to_approve(world):
    world.serve_plan(state="DONE")
    done = world.ask("undo", "7")
    expect(done.returncode == 0 and "undo proposed" in done.stdout and "fleetwright approve" in done.stderr, done.stdout + done.stderr)
    done = world.ask("extend", "7", "--for", "15m")
    expect(done.returncode == 0 and json.loads(world.fake.requests[-1][2]) == {"ttlMs": 900000}, world.fake.requests[-1])
    expect(world.ask("extend", "7", "--for", "soon").returncode == 2, "a length")


@test
def export_writes_the_signed_bytes(world):
    world.serve_plan()
    path = world.root + "/plan.bin"
    expect(world.ask("plan", "export", "7", path).returncode == 0, "export")
    expect(pathlib.Path(path).read_bytes() == base64.b64decode(world.plan["document"]), "bytes")
    expect(world.ask("plan", "export", "7", path).returncode == 1, "never overwrites")


@test
def statements_are_signed_and_gathered(world):
    world.serve_plan()
    posted = []

    def take(body):
        posted.append(body)
        return {"kind": "Statement", "what": "?", "document": body["document"], "state": "gathering" if len(posted) < 2 else "active", "people": ["alice", "bob"][:len(posted)], "needed": 2}
    world.fake.on_post["/api/v1/statements"] = take
    world.fake.answers["/api/v1/statements"] = {"kind": "StatementList", "items": []}
    expect(world.ask("pause").returncode == 2, "a reason is asked for")
    paused = world.ask("pause", "--reason", "something is wrong")
    expect(paused.returncode == 0 and maker("statement", world.policy_file, lines=posted).split() == ["alice"], paused.stderr)
    posted.clear()
    expect(world.ask("resume").returncode == 2 and posted == [], "without a terminal --yes is needed")
    first = world.ask("resume", "--yes")
    expect(first.returncode == 0 and "signed (1 of 2 people)" in first.stdout, first.stdout + first.stderr)
    world.fake.answers["/api/v1/statements"]["items"] = [{"what": "resume", "document": posted[0]["document"], "state": "gathering", "people": ["alice"], "needed": 2, "digest": "ab" * 32}]
    second = world.as_person("bob", "resume", "--yes")
    expect(second.returncode == 0 and "resumed" in second.stdout, second.stdout + second.stderr)
    expect(posted[0]["document"] == posted[1]["document"], "both sign the same")
    expect(maker("statement", world.policy_file, lines=posted).split() == ["alice", "bob"], posted)
    expect("resume" in world.ask("statement", "list").stdout, "list")


@test
def a_resume_that_could_be_kept_for_years_is_signed_by_nobody(world):
    now, hour = int(time.time() * 1000), 3_600_000
    posted = []
    world.fake.on_post["/api/v1/statements"] = lambda body: posted.append(body) or {"kind": "Statement", "document": body["document"], "state": "gathering", "people": ["alice"], "needed": 2}

    def shown(issued_ms, expires_ms, version=1):
        posted.clear()
        document = maker("resume", issued_ms, expires_ms, version).strip()
        raw = base64.b64decode(document)
        digest = hashlib.sha256(b"fleet/statement/v1\n" + len(raw).to_bytes(8, "big") + raw).hexdigest()
        world.fake.answers["/api/v1/statements"] = {"kind": "StatementList", "items": [
            {"what": "resume", "document": document, "state": "gathering", "people": ["bob"], "needed": 2, "digest": digest}]}
        return document, digest[:12]
    for why, dates in {"nodes take 3600 s at most": (now, now + 365 * 24 * hour), "it is dated ": (now + 10 * 60_000, now + hour),
                       "it ended at ": (now - hour, now - 60_000), "it is under policy version 2": (now, now + hour, 2)}.items():
        document, digest = shown(*dates)
        done = world.ask("resume", "--yes")
        expect(done.returncode == 0 and why in done.stderr, f"{why}: {done.stderr}")
        expect(len(posted) == 1 and posted[0]["document"] != document, f"{why}: one of its own is signed")
        done = world.ask("statement", "sign", digest, "--yes")
        expect(done.returncode == 5 and why in done.stderr and len(posted) == 1, f"{why}: {done.returncode} {done.stderr}")
    document, digest = shown(now - 60_000, now + 30 * 60_000)
    expect(world.ask("resume", "--yes").returncode == 0 and posted[0]["document"] == document, "a good one is joined")
    world.fake.answers["/api/v1/statements"] = {"kind": "StatementList", "items": []}


@test
def a_policy_of_other_roots_is_believed_by_nobody(world):
    world.serve_plan()
    right = world.fake.answers["/api/v1/policy"]
    other = world.root + "/other"
    done = world.run("init", "--dir", other, "--person", "alice", "--person", "bob", "--node", "node-a")
    expect(done.returncode == 0, done.stderr)
    forged = json.loads(pathlib.Path(other + "/policy/policy.json").read_text())
    try:
        world.fake.answers["/api/v1/policy"] = dict(right, document=forged["document"], signatures=forged["signatures"])
        done = world.approve("alice")
        expect(done.returncode == 6 and "does not go on from the one that you trust" in done.stderr and not world.votes, f"{done.returncode} {done.stderr}")
        for command in (("pause", "--reason", "x"), ("resume", "--yes")):
            done = world.ask(*command)
            expect(done.returncode == 6 and "one that you trust" in done.stderr, f"{command}: {done.returncode} {done.stderr}")
        expect(world.ask("policy", "show").returncode == 0, "it can be looked at")
    finally:
        world.fake.answers["/api/v1/policy"] = right
    expect(world.approve("alice").returncode == 0, "the right one")


@test
def settle_closes_what_a_node_cannot_tell(world):
    world.serve_plan()
    expect(world.ask("settle", "7", "--happened", "--reason", "looked", "--yes").returncode == 5, "only UNKNOWN")
    world.serve_plan(state="UNKNOWN")
    posted = []
    world.fake.on_post["/api/v1/statements"] = lambda body: posted.append(body) or {"kind": "Statement", "state": "active", "people": ["alice"], "needed": 1}
    expect(world.ask("settle", "7", "--reason", "looked", "--yes").returncode == 2, "it happened or not")
    done = world.ask("settle", "7", "--not", "--reason", "looked", "--yes")
    expect(done.returncode == 0 and "settled" in done.stdout and maker("statement", world.policy_file, lines=posted).split() == ["alice"], done.stdout + done.stderr)


def signed_head(world, origin, size, root, key="aggregator/log"):
    """A note as the log signs it (C2SP signed-note)."""
    public = base64.b64decode(pathlib.Path(f"{world.folder}/aggregator/log.pub").read_text().split()[0].removeprefix("ed25519:"))
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", f"{world.folder}/{key}.key", "-in", file.name], check=True, capture_output=True).stdout
    line = base64.b64encode(hashlib.sha256(f"{origin}\n\x01".encode() + public).digest()[:4] + signature).decode()
    return text + f"\n\u2014 {origin} {line}\n".encode()


@test
def a_new_origin_starts_at_the_newest_head_that_anybody_saw_and_is_the_roots_alone(world):
    def head(*arguments, **options):
        return signed_head(world, *arguments, **options).decode()
    posted = []
    world.fake.on_post["/api/v1/statements"] = lambda body: posted.append(body) or {"kind": "Statement", "document": body["document"], "state": "gathering", "people": [], "needed": 2}
    world.fake.answers["/api/v1/audit/checkpoint"] = signed_head(world, "fleetwright/trial/audit-9", 24, b"\x24" * 32)
    world.fake.answers["/api/v1/audit/witnesses"] = {"kind": "WitnessList", "items": [
        {"name": "node-a", "checkpoint": head("fleetwright/trial/audit-9", 41, b"\x41" * 32)},
        {"name": "node-b", "checkpoint": head("fleetwright/trial/audit-9", 30, b"\x30" * 32)},
        {"name": "node-c", "checkpoint": head("fleetwright/trial/audit", 99, b"\x99" * 32)},                                   # of a log before
        {"name": "node-d", "checkpoint": head("fleetwright/trial/audit-9", 77, b"\x77" * 32, key="authority/root-1")},         # not the log's key
        {"name": "node-e", "checkpoint": ""}]}
    root = world.folder + "/authority/root-1.key"
    refused = world.ask("statement", "new-origin", "--yes")
    expect(refused.returncode == 6 and "root" in refused.stderr and not posted, (refused.returncode, refused.stderr))
    expect(world.ask("statement", "new-origin", "--key", root).returncode == 2 and not posted, "without a terminal --yes is needed")
    done = world.ask("statement", "new-origin", "--yes", "--key", root)
    expect(done.returncode == 0 and "signed" in done.stdout, done.stderr)
    document = base64.b64decode(posted[0]["document"])
    expect(b"fleetwright/trial/audit-10\0" in document and b"fleetwright/trial/audit-9\0" in document and b"\x41" * 32 in document, document)
    digest = hashlib.sha256(b"fleet/statement/v1\n" + len(document).to_bytes(8, "big") + document).hexdigest()
    world.fake.answers["/api/v1/statements"] = {"kind": "StatementList", "items": [
        {"what": "new-origin", "document": posted[0]["document"], "state": "gathering", "people": [], "needed": 2, "digest": digest}]}
    shown = world.ask("statement", "show", digest[:12]).stdout
    expect("fleetwright/trial/audit-10" in shown and "41 entries, root sha256:" + "41" * 32 in shown, shown)
    second = world.ask("statement", "sign", digest[:12], "--yes", "--key", world.folder + "/authority/root-2.key")
    expect(second.returncode == 0 and posted[1]["document"] == posted[0]["document"] and posted[1]["signature"] != posted[0]["signature"], second.stderr)
    world.fake.answers["/api/v1/audit/checkpoint"] = signed_head(world, "fleetwright/trial/audit-9", 24, b"\x24" * 32, key="authority/root-1")
    expect(world.ask("statement", "new-origin", "--yes", "--key", root).returncode == 1 and len(posted) == 2, "a log of another key")


@test
def standing_approvals_are_made_from_a_plan_or_a_file(world):
    world.serve_plan()
    posted = []

    def take(body):
        posted.append(body)
        return {"kind": "StandingApproval", "name": "night", "document": body["document"], "state": "gathering", "people": ["alice", "bob"][:len(posted)], "needed": 2}
    world.fake.on_post["/api/v1/standing-approvals"] = take
    made = world.ask("standing", "new", "--from-plan", "7", "--name", "night", "--yes")
    expect(made.returncode == 0 and "proposed (1 of 2 people)" in made.stdout, made.stdout + made.stderr)
    world.fake.answers["/api/v1/standing-approvals"] = {"kind": "StandingApprovalList", "items": [{"name": "night", "document": posted[0]["document"], "state": "gathering", "people": ["alice"], "needed": 2, "digest": "cd" * 32}]}
    shown = world.ask("standing", "show", "night").stdout
    expect("max_value: 256MiB" in shown and "set_memory_limit" in shown and "night pass" in shown, shown)
    signed = world.as_person("bob", "standing", "sign", "night", "--yes")
    expect(signed.returncode == 0 and posted[0]["document"] == posted[1]["document"], signed.stderr)
    expect(maker("standing", world.policy_file, lines=posted).split() == ["alice", "bob"], posted)
    bad = world.root + "/bad.yaml"
    pathlib.Path(bad).write_text("name: x\nactions: [nonsense]\n")
    done = world.ask("standing", "new", "-f", bad, "--yes")
    expect(done.returncode == 2 and f"{bad}:2: actions" in done.stderr, done.stderr)


@test
def a_policy_goes_from_yaml_to_nodes(world):
    folder = world.root + "/next"
    os.makedirs(folder, exist_ok=True)
    yaml = folder + "/policy.yaml"
    text = pathlib.Path(world.folder + "/policy/policy.yaml").read_text()
    pathlib.Path(yaml).write_text(text.replace("version: 1", "version: 2").replace("class: 1\n    people: 1", "class: 1\n    people: 2"))
    check = world.run("policy", "check", yaml)
    expect(check.returncode == 0 and "version 2 is in order" in check.stdout, check.stderr)
    diff = world.ask("policy", "diff", yaml, "--exit-code")
    expect(diff.returncode == 7 and "+ version: 2" in diff.stdout and "Nothing is loosened" in diff.stdout, diff.stdout + diff.stderr)
    back = world.run("policy", "diff", yaml, world.policy_file)
    expect("This loosens" in back.stdout, back.stdout)
    done = world.run("policy", "compile", yaml, "-o", folder + "/next.bin")
    expect(done.returncode == 0, done.stderr)
    signing = world.run("policy", "sign", folder + "/next.bin", "--key", world.folder + "/authority/root-1.key")
    expect(signing.returncode == 2 and not os.path.exists(folder + "/next.json"), "without a terminal --yes is needed")
    expect("1 of 2 roots" in world.run("policy", "sign", folder + "/next.bin", "--key", world.folder + "/authority/root-1.key", "--yes").stdout, "first")
    few = world.ask("policy", "push", folder + "/next.json")
    expect(few.returncode == 4 and "[roots-too-few]" in few.stderr, few.stderr)
    expect("2 of 2 roots" in world.run("policy", "sign", folder + "/next.bin", "--key", world.folder + "/authority/root-3.key", "--yes").stdout, "second")
    pushed = []
    world.fake.on_post["/api/v1/policy"] = lambda body: pushed.append(body) or world.fake.answers["/api/v1/policy"]
    done = world.ask("policy", "push", folder + "/next.json")
    expect(done.returncode == 0 and "version 2 pushed" in done.stdout and len(pushed[0]["signatures"]) == 2, done.stdout + done.stderr)
    status = world.ask("policy", "status")
    expect("node-a" in status.stdout and "a word of the server" in status.stdout, status.stdout)
    shown = world.ask("policy", "show")
    expect("version: 1" in shown.stdout and "2 of 2" not in shown.stderr and "3 of 2 root signatures" in shown.stderr, shown.stderr)


@test
def a_bad_policy_names_file_and_line(world):
    path = world.root + "/bad-policy.yaml"
    text = pathlib.Path(world.folder + "/policy/policy.yaml").read_text().replace("profile: team", "profile: teem")
    pathlib.Path(path).write_text(text)
    line = 1 + text[:text.index("profile: teem")].count("\n")
    done = world.run("policy", "check", path)
    expect(done.returncode == 2 and f"{path}:{line}: profile: it can be solo, team or enterprise" in done.stderr and done.stdout == "", done.stderr)


@test
def keys_are_tested_and_rotated(world):
    tested = world.ask("key", "test")
    expect(tested.returncode == 0 and tested.stdout.endswith(" signs\n") and "alice's (senior" in tested.stderr, tested.stdout + tested.stderr)
    rotated = world.run("key", "rotate", "--out", world.root + "/alice-2.sign.key")
    expect(rotated.returncode == 0 and rotated.stderr.count("ed25519:") == 3, rotated.stderr)
    os.chmod(world.root + "/alice-2.sign.key", 0o644)
    loose = world.ask("key", "test", "--key", world.root + "/alice-2.sign.key")
    expect(loose.returncode == 6 and "chmod 600" in loose.stderr, loose.stderr)


@test
def a_real_ssh_agent_signs(world):
    if not shutil.which("ssh-agent") or not shutil.which("ssh-keygen"):
        raise Skip("openssh-client is not installed")
    socket = world.root + "/agent.sock"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept = copy.deepcopy(world.fake.answers["/api/v1/policy"])
    kept_file = world.policy_file
    try:
        end = time.monotonic() + 20
        while not os.path.exists(socket) and time.monotonic() < end:
            time.sleep(0.02)
        key = world.root + "/id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice@laptop", "-f", key], check=True, timeout=60)
        subprocess.run(["ssh-add", "-q", key], check=True, timeout=60, env=dict(world.environment, SSH_AUTH_SOCK=socket), stderr=subprocess.DEVNULL)
        listed = world.run("key", "list", SSH_AUTH_SOCK=socket).stdout.strip().split("\t")
        expect(listed[2] == "alice@laptop" and listed[3].startswith("ed25519:"), listed)
        # The next policy lists the agent's key for alice.
        yaml = world.root + "/agent-policy.yaml"
        text = pathlib.Path(world.folder + "/policy/policy.yaml").read_text()
        text = text.replace("version: 1", "version: 2")
        pathlib.Path(yaml).write_text(re.sub(r'(person: "alice"(?:.|\n)*?- )"ed25519:[^"]*"', lambda m: m.group(1) + '"' + listed[3] + '"', text, count=1))
        expect(world.run("policy", "compile", yaml, "-o", world.root + "/agent-policy.bin").returncode == 0, "compile")
        for root in ("root-1", "root-2"):
            expect(world.run("policy", "sign", world.root + "/agent-policy.bin", "--key", f"{world.folder}/authority/{root}.key", "--yes").returncode == 0, "sign")
        world.policy_file = world.root + "/agent-policy.json"
        signed = json.loads(pathlib.Path(world.policy_file).read_text())
        world.fake.answers["/api/v1/policy"].update(document=signed["document"], signatures=signed["signatures"])
        tested = world.ask("key", "test", "--key", "ssh-agent", SSH_AUTH_SOCK=socket)
        expect(tested.returncode == 0 and "SSH agent (alice@laptop)" in tested.stderr and "alice's" in tested.stderr, tested.stderr)
        world.serve_plan()
        done = world.approve("alice", "--key", "ssh-agent", SSH_AUTH_SOCK=socket)
        expect(done.returncode == 0 and world.counted() == ["alice"], done.stderr)
        missing = world.approve("alice", "--key", "ssh-agent:nobody", SSH_AUTH_SOCK=socket)
        expect(missing.returncode == 6 and "ssh-agent" not in missing.stdout, missing.stderr)
    finally:
        world.policy_file = kept_file
        world.fake.answers["/api/v1/policy"] = kept
        agent.terminate()
        agent.wait(timeout=20)


@test
def refusals_of_the_server_are_one_sentence_and_the_next_command(world):
    world.serve_plan()
    world.fake.on_post[f"/api/v1/plans/{world.digest}/approvals"] = lambda body: (409, "Conflict", "The audit log cannot be written, so nothing is approved. [journal-failed]")
    done = world.approve("alice")
    expect(done.returncode == 5 and "[journal-failed]" in done.stderr and done.stderr.count("\n") == 2 and "fix:" in done.stderr, done.stderr)


@test
def init_says_loudly_that_one_person_decides_alone(world):
    solo = world.run("init", "--dir", world.root + "/solo", "--person", "eve", "--node", "x")
    expect(solo.returncode == 0 and "SOLO" in solo.stderr, solo.stderr)
    few = world.run("init", "--dir", world.root + "/few", "--person", "eve", "--node", "x", "--profile", "team")
    expect(few.returncode == 2 and "at least 2 people" in few.stderr and not os.path.exists(world.root + "/few"), few.stderr)
    big = world.run("init", "--dir", world.root + "/big", "--person", "a", "--person", "b", "--person", "c", "--node", "x", "--profile", "enterprise", "--enable-actions")
    expect(big.returncode == 0 and os.path.exists(world.root + "/big/authority/root-5.key"), big.stderr)
    expect("observe_only: false" in pathlib.Path(world.root + "/big/executor-x.yaml").read_text(), "--enable-actions")
    expect("observe_only: true" in pathlib.Path(world.folder + "/executor-node-a.yaml").read_text(), "observe-only by default")


run_all(AuthorityWorld)
