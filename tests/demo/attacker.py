"""Somebody who owns the aggregator and the node's agent: has every byte that ever went to the node, and speaks to the executor's socket.

Knows the envelope's layout (protocol/authority/envelope.hpp) and as much of Cap'n Proto as the packets need. Needs no key of ours; where a
test wants "signed by the right people, but for another node", it is given theirs.
"""
import base64
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import secrets
import socket
import subprocess
import tempfile

MAGIC, DELIVER_PLAN, OUTCOME_REPORT, NOTICE = b"FLX1", 1, 9, 10
STATES = ("", "RECEIVED", "VERIFIED", "CLAIMED", "DONE", "FAILED", "UNKNOWN", "REFUSED", "EXPIRED")


# ---- Cap'n Proto: one segment, structs with data and text pointers ------------------------------------------------------

def data_message(data):
    """A struct whose only field is this Data."""
    words = (len(data) + 7) // 8
    pointer = 1 | len(data) << 35 | 2 << 32
    return (1 << 48).to_bytes(8, "little") + pointer.to_bytes(8, "little") + data.ljust(words * 8, b"\0")


def read_struct(message, at=0):
    """(data section, [pointer fields as bytes, or None]) of the struct whose pointer is the word `at`."""
    pointer = int.from_bytes(message[at * 8:at * 8 + 8], "little")
    start = at + 1 + (pointer >> 2 & 0x3FFFFFFF)
    data_words, pointers = pointer >> 32 & 0xFFFF, pointer >> 48
    fields = []
    for index in range(start + data_words, start + data_words + pointers):
        field = int.from_bytes(message[index * 8:index * 8 + 8], "little")
        if field & 3 != 1 or field >> 32 & 7 != 2:
            fields.append(None)
            continue
        begin, length = (index + 1 + (field >> 2 & 0x3FFFFFFF)) * 8, field >> 35
        fields.append(message[begin:begin + length])
    return message[start * 8:(start + data_words) * 8], fields


def text(field):
    return (field or b"").rstrip(b"\0").decode(errors="replace")


# ---- envelope -----------------------------------------------------------------------------------------------------------

def plan_digest(action_class, plan):
    return hashlib.sha256(b"fleet/plan/v1\n" + bytes([action_class]) + len(plan).to_bytes(8, "big") + plan).digest()


def approval_input(document):
    return b"fleet/approval/v1\n" + len(document).to_bytes(8, "big") + document


ALGORITHMS = {"ed25519": 1, "sk-ed25519": 2, "sk-p256": 3}


@dataclasses.dataclass
class Vote:
    document: bytes
    key: bytes
    algorithm: int
    signature: bytes

    @classmethod
    def of(cls, view):
        signature = view["signature"]
        return cls(base64.b64decode(view["document"]), bytes.fromhex(signature["key"]), ALGORITHMS[signature["algorithm"]], base64.b64decode(signature["bytes"]))

    def encode(self):
        return (self.key + bytes([self.algorithm]) + len(self.document).to_bytes(2, "big") + self.document +
                len(self.signature).to_bytes(2, "big") + self.signature)


class Captured:
    """A released plan with everything that was sent along with it."""

    def __init__(self, get, digest):
        view = json.loads(get(f"/api/v1/plans/{digest}"))
        self.action_class, self.plan = view["class"], base64.b64decode(view["document"])
        self.node = bytes.fromhex(view["nodeUid"].replace("-", ""))
        self.votes = [Vote.of(vote) for vote in view["votes"]]
        self.index = view["logIndex"]
        self.entry = get(f"/api/v1/audit/entries?from={self.index}&limit=1").rstrip(b"\n")
        self.note = get("/api/v1/audit/checkpoint")
        size = int(self.note.split(b"\n")[1])
        self.path = [base64.b64decode(item) for item in json.loads(get(f"/api/v1/audit/proof?index={self.index}&size={size}"))["path"]]

    def encode(self, plan=None, votes=None):
        plan, votes = plan or self.plan, votes or self.votes
        return (b"FLEV1" + bytes([self.action_class, len(votes), 0]) + len(plan).to_bytes(4, "big") + plan + b"".join(vote.encode() for vote in votes) +
                len(self.entry).to_bytes(2, "big") + self.entry + self.index.to_bytes(8, "big") + bytes([len(self.path)]) + b"".join(self.path) +
                (0).to_bytes(8, "big") + bytes([0]) + len(self.note).to_bytes(2, "big") + self.note)

    # ---- the three attempts --------------------------------------------------------------------------------------------

    def forged(self):
        """Once more the same action as a new plan, approved in the people's names by a key of the attacker's own."""
        nonce = read_struct(self.plan)[1][0]
        with tempfile.TemporaryDirectory() as folder:
            key = pathlib.Path(folder) / "key.pem"
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
            return self._as_plan(self.plan.replace(nonce, secrets.token_bytes(len(nonce))), [key] * len(self.votes))

    def for_node(self, node, keys):
        """The same action for another node, approved by the people themselves."""
        return self._as_plan(self.plan.replace(self.node, node), keys)

    def _as_plan(self, plan, keys):
        if plan == self.plan:
            raise ValueError("the plan does not hold what was to be replaced")
        before, after = plan_digest(self.action_class, self.plan), plan_digest(self.action_class, plan)
        votes = []
        for vote, key in zip(self.votes, keys):
            document = vote.document.replace(before, after)
            votes.append(dataclasses.replace(vote, document=document, signature=sign(key, approval_input(document))))
        return self.encode(plan, votes)


def sign(key_file, message):
    with tempfile.NamedTemporaryFile() as file:
        file.write(message)
        file.flush()
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key_file, "-in", file.name], check=True, capture_output=True).stdout


# ---- the socket ---------------------------------------------------------------------------------------------------------

def deliver(socket_path, envelope, seconds=10):
    """What the executor says to it, as (state or code, sentence): a notice, or an outcome of that plan."""
    length = int.from_bytes(envelope[8:12], "big")
    wanted_plan = plan_digest(envelope[5], envelope[12:12 + length])
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as link:
        link.settimeout(seconds)
        link.connect(str(socket_path))
        link.send(MAGIC + bytes([DELIVER_PLAN]) + data_message(envelope))
        while True:
            packet = link.recv(256 * 1024)
            if not packet:
                raise ConnectionError("the executor ended the connection")
            kind, body = packet[4], packet[5:]
            if kind == NOTICE:
                _, (subject, code, sentence) = read_struct(body)
                if subject == wanted_plan:
                    return text(code), text(sentence)
