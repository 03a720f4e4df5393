#!/usr/bin/env python3
"""The second verifier of Fleetwright's audit log, proofs and envelopes: no code of Fleetwright, no package but Python and openssl.

  fleetwright_verify.py log FOLDER|ENTRIES [--note FILE] TRUST      every entry, the chain, the tree and the signed head
  fleetwright_verify.py proof FILE... [--plan FILE] TRUST           one entry that was kept with its proof (C2SP tlog-proof)
  fleetwright_verify.py envelope FILE... --keys INDEX.json TRUST    a plan on its way to a node: digests, signatures, its audit entry
  TRUST: --origin NAME --key FILE|HEX   what the log calls itself, and its Ed25519 public key (PEM, 64 hex digits or a note's verifier key)

Prints one line for each input. Ends with 0: good; 10: not what was signed; 2: wrong usage.
Forms: docs/audit.md. Hashes: RFC 6962. Signed heads: c2sp.org/tlog-checkpoint, /signed-note, /tlog-proof.
"""
import argparse
import base64
import glob
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

ZERO = bytes(32)
PLACE = re.compile(rb'\{"schema":1,"seq":(0|[1-9][0-9]*),"prev":"([0-9a-f]{64})",', re.ASCII)
SPKI = bytes.fromhex("302a300506032b6570032100")   # of an Ed25519 public key (RFC 8410): these bytes, then the key
SEEN = {}   # the same question is asked of openssl once
ALGORITHMS = {"ed25519": 1, "sk-ed25519": 2}

class Bad(Exception): pass   # what was looked at is not what was signed

def need(condition, why):
    if not condition:
        raise Bad(why)

class Reader:
    def __init__(self, data):
        self.data = data
    def take(self, size):
        need(size <= len(self.data), "it is cut off")
        part, self.data = self.data[:size], self.data[size:]
        return part
    def number(self, size):
        return int.from_bytes(self.take(size), "big")
    def block(self, size):
        return self.take(self.number(size))

def sha256(data):
    return hashlib.sha256(data).digest()

def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 with another spelling")
    return data

def signature_good(key, message, signature):
    question = (key, message, signature)
    if question not in SEEN:
        with tempfile.TemporaryDirectory() as folder:
            for name, data in (("key", SPKI + key), ("message", message), ("signature", signature)):
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
            command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in message -sigfile signature"
            SEEN[question] = subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode == 0
    return SEEN[question]

def read_log_key(text):
    text = (open(text, encoding="ascii").read() if os.path.exists(text) else text).strip()
    if text.startswith("-----BEGIN PUBLIC KEY-----"):
        der = base64.b64decode("".join(text.splitlines()[1:-1]))
        need(der.startswith(SPKI) and len(der) == 44, "the PEM text is not an Ed25519 public key")
        return der[12:]
    if re.fullmatch("[0-9a-f]{64}", text):
        return bytes.fromhex(text)
    key = b"\1" + unbase64(text.split()[0][8:]) if text.startswith("ed25519:") else unbase64(text.split("+", 2)[-1])   # log.pub; NAME+HASH+KEY of a note
    need(len(key) == 33 and key[0] == 1, "not a public key")
    return key[1:]

def ssh_fields(data, count):
    reader = Reader(data)
    return [reader.block(4) for _ in range(count)], reader.data

def security_key_good(key, message, blob):
    """SSHSIG of a security key: PROTOCOL.sshsig and PROTOCOL.u2f of OpenSSH."""
    (public, namespace, reserved, hash_name, inner), rest = ssh_fields(blob[10:], 5)
    need(blob[:10] == b"SSHSIG\0\0\0\1" and not rest and public == key and namespace == b"fleetwright" and hash_name == b"sha512",
         "an SSHSIG of another kind")
    parts = (namespace, reserved, hash_name, hashlib.sha512(message).digest())
    signed = b"SSHSIG" + b"".join(struct.pack(">I", len(part)) + part for part in parts)
    (kind, signature), tail = ssh_fields(inner, 2)
    (key_kind, point, application), _ = ssh_fields(key, 3)
    need(kind == key_kind == b"sk-ssh-ed25519@openssh.com", "not a security key")
    need(len(tail) == 5 and tail[0] & 1, "nobody touched the security key")
    return signature_good(point, sha256(application) + tail + sha256(signed), signature)

def leaf_hash(entry):
    return sha256(b"\0" + entry)

def root_of(leaves):
    while len(leaves) > 1:   # pairs from the left; one that is left over goes up as it is
        leaves = [sha256(b"\1" + b"".join(leaves[i:i + 2])) if i + 1 < len(leaves) else leaves[i] for i in range(0, len(leaves), 2)]
    return leaves[0] if leaves else sha256(b"")

def root_from_path(leaf, index, size, path):
    """By the definition of PATH: the last of the path is the half of the whole tree that the leaf is not in."""
    if size == 1:
        need(not path, "the inclusion proof is too long")
        return leaf
    need(path, "the inclusion proof is too short")
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1" + root_from_path(leaf, index, half, path[:-1]) + path[-1])
    return sha256(b"\1" + path[-1] + root_from_path(leaf, index - half, size - half, path[:-1]))

def roots_from_proof(old, size, proof, whole, old_root):
    """(old root, new root) as the consistency proof has them, by the definition of SUBPROOF."""
    need(len(proof) == (0 if whole else 1) if old == size else proof, "the consistency proof has another length")
    if old == size:
        return (old_root if whole else proof[0],) * 2
    half = 1 << (size - 1).bit_length() - 1
    if old <= half:
        before, after = roots_from_proof(old, half, proof[:-1], whole, old_root)
        return before, sha256(b"\1" + after + proof[-1])
    before, after = roots_from_proof(old - half, size - half, proof[:-1], False, old_root)
    return sha256(b"\1" + proof[-1] + before), sha256(b"\1" + proof[-1] + after)

def read_note(data, origin, key):
    """(size, root) of a checkpoint that the log's key signed under its origin."""
    text = data.decode()
    need(len(data) <= 8192 and not re.search("[\0-\x09\x0b-\x1f]", text), "the checkpoint is not a note")
    body, blank, rest = text.rpartition("\n\n")
    lines, signatures = body.split("\n"), rest[:-1].split("\n")
    need(blank and len(lines) == 3 and rest.endswith("\n") and len(signatures) <= 16, "the checkpoint is not a note of three lines")
    need(lines[0] == origin, "the checkpoint is of the log %s" % lines[0])
    need(re.fullmatch("0|[1-9][0-9]{0,19}", lines[1]) and int(lines[1]) < 1 << 64, "the size of the checkpoint is not a number")
    root = unbase64(lines[2])
    need(len(root) == 32, "the root of the checkpoint is not a hash")
    hint, found = sha256(origin.encode() + b"\n\1" + key)[:4], False
    for line in signatures:
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014" and parts[1] and len(parts[2]) > 4, "a signature line of the checkpoint is not of its form")
        blob = unbase64(parts[2])
        if parts[1] == origin and blob[:4] == hint:
            need(signature_good(key, (body + "\n").encode(), blob[4:]), "the signature on the checkpoint is not good")
            found = True
    need(found, "the checkpoint is not signed by the log")
    return int(lines[1]), root

def place_of(line):
    """(seq, hash of the entry before), or nothing when the line is not an entry."""
    match = PLACE.match(line)
    try:
        good = match and len(line) <= 16384 and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return None
    return (int(match[1]), bytes.fromhex(match[2].decode())) if good else None

def first_bad(lines, size, root):
    """The first entry that is not what was signed, with why; nothing when all are."""
    leaves = [leaf_hash(line) for line in lines]
    if len(lines) >= size and root_of(leaves[:size]) == root:
        return None if len(lines) == size else (size, "not under the signed head")
    for seq, line in enumerate(lines[:size]):
        place, before = place_of(line), leaves[seq - 1] if seq else ZERO
        follows = seq + 1 < len(lines) and (place_of(lines[seq + 1]) or (0, b""))[1] == leaves[seq]
        if place is None:
            return seq, "not an entry"
        if place[0] != seq:
            earlier = leaves[seq - 2] if seq > 1 else ZERO
            if seq and place == (seq - 1, earlier) and leaves[seq] != before and follows:
                return seq - 1, "put in before the real one"
            return seq, "entry %d is in its place" % place[0]
        if place[1] != before:
            mended = line.replace(place[1].hex().encode(), before.hex().encode(), 1)
            for bad, leaf in ((seq - 1, place[1]), (seq, leaf_hash(mended))):
                if bad >= 0 and len(lines) >= size and root_of(leaves[:bad] + [leaf] + leaves[bad + 1:size]) == root:
                    return bad, "changed; every other entry is as it was signed"
            return (seq - 1 if seq and (follows or seq + 1 == len(lines)) else seq), "changed: the chain breaks at %d" % seq
    if len(lines) < size:
        return len(lines), "missing"
    return max(size, 1) - 1, "not what was signed, or it was written anew with entries before it"

def split_lines(data):
    lines = data.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines

def lines_of(path):
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    names = sorted(glob.glob(os.path.join(folder, "entries-*.jsonl"))) if folder == path else [path]
    return split_lines(b"".join(open(name, "rb").read() for name in names)), os.path.join(folder, "checkpoint")

def verify_log(path, options):
    lines, note = lines_of(path)
    size, root = read_note(open(options.note or note, "rb").read(), options.origin, options.key)
    bad = first_bad(lines, size, root) or (-1, "")
    need(bad[0] < 0, "first bad entry %d: %s" % bad)
    return "%d entries, root %s" % (size, root.hex())

def verify_proof(path, options):
    head, blank, note = open(path, "rb").read().partition(b"\n\n")
    lines = head.decode("ascii", "replace").split("\n")
    need(blank and len(lines) >= 3 and lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ") and
         re.fullmatch("index (0|[1-9][0-9]*)", lines[2]), "not a proof")
    entry, index = unbase64(lines[1][6:]), int(lines[2][6:])
    size, root = read_note(note, options.origin, options.key)
    place = place_of(entry)
    need(index < size and place and place[0] == index, "the entry is not the one of that place")
    need(root_from_path(leaf_hash(entry), index, size, [unbase64(line) for line in lines[3:]]) == root, "the entry is not in the log")
    if options.plan:
        plan = open(options.plan, "rb").read()
        need(json.loads(entry).get("plan") in [plan_digest(cls, plan).hex() for cls in range(4)], "the entry is about another plan")
    return "entry %d of %d is in the log" % (index, size)

def signing_input(domain, document):
    return b"fleet/%s/v1\n" % domain + struct.pack(">Q", len(document)) + document

def plan_digest(action_class, plan):
    return sha256(b"fleet/plan/v1\n" + bytes([action_class]) + struct.pack(">Q", len(plan)) + plan)

def approved_plan(document):
    """The plan's digest in an approval that says yes: Cap'n Proto, first pointer and first 16 bits of the root struct."""
    root, = struct.unpack_from("<Q", document)
    start = 8 + 8 * (root >> 2 & 0x3fffffff)
    need(root >> 32 & 0xffff and document[start:start + 2] == b"\2\0", "a vote is not a yes")
    at = start + 8 * (root >> 32 & 0xffff)
    plan, = struct.unpack_from("<Q", document, at)
    begin = at + 8 + 8 * (plan >> 2 & 0x3fffffff)
    return document[begin:begin + (plan >> 35)]

def check_envelope(data, keys, origin, log_key):
    by_id = {sha256(b"fleet/key/v1\n" + bytes([ALGORITHMS[key["algorithm"]]]) + bytes.fromhex(key["bytes"])):
             (ALGORITHMS[key["algorithm"]], bytes.fromhex(key["bytes"])) for key in keys}
    def check(domain, document, key, algorithm, signature):
        need(key in by_id and by_id[key][0] == algorithm, "an unknown key has signed")
        good = signature_good if algorithm == 1 else security_key_good
        need(good(by_id[key][1], signing_input(domain, document), signature), "a signature in the envelope is not good")
    reader = Reader(data)
    need(reader.take(5) == b"FLEV1", "not an envelope")
    action_class, votes, flags = reader.take(3)
    need(action_class <= 3 and votes <= 8 and flags <= 1, "not an envelope")
    plan = plan_digest(action_class, reader.block(4))
    digests = []
    for _ in range(votes):
        key, algorithm, document = reader.take(32), reader.number(1), reader.block(2)
        check(b"approval", document, key, algorithm, reader.block(2))
        need(approved_plan(document) == plan, "a vote is about another plan")
        digests.append(sha256(signing_input(b"approval", document)))
    released = b"fleet/release/v1\n" + plan + bytes([votes]) + b"".join(sorted(digests))
    if flags:
        document = reader.block(2)
        for _ in range(reader.number(1)):
            key, algorithm = reader.take(32), reader.number(1)
            check(b"standing", document, key, algorithm, reader.block(2))
        released += sha256(signing_input(b"standing", document))
    release = sha256(released)
    entry, index, path = reader.block(2), reader.number(8), [reader.take(32) for _ in range(reader.number(1))]
    seen, proof, note = reader.number(8), [reader.take(32) for _ in range(reader.number(1))], reader.block(2)
    need(not reader.data, "something follows the envelope")
    need(b',"release":"%s"' % release.hex().encode() in entry, "the audit entry is not about this release")
    size, root = read_note(note, origin, log_key)
    need(index < size and root_from_path(leaf_hash(entry), index, size, path) == root, "the audit entry is not in the log")
    need(seen <= size and (seen or not proof), "the consistency proof is from a larger log")
    return plan, release, size, root, seen, proof

def verify_envelope(path, options):
    index = json.load(open(options.keys, encoding="utf-8"))
    plan, release, size, root, seen, proof = check_envelope(open(path, "rb").read(), index["keys"], options.origin, options.key)
    for row in index.get("envelopes", []):
        if os.path.basename(row["file"]) == os.path.basename(path):
            said = [row[name] for name in ("plan", "release", "size", "root", "consistentFrom")]
            need([plan.hex(), release.hex(), size, root.hex(), seen] == said, "the index says something else")
            old_root = bytes.fromhex(row["seenRoot"])
            need(not seen or roots_from_proof(seen, size, proof, True, old_root) == (old_root, root), "it does not continue the head that was seen")
    return "plan %s, release %s" % (plan.hex(), release.hex())

def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("what", choices=["log", "proof", "envelope"])
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--origin", required=True)
    parser.add_argument("--key", required=True)
    for name in ("--note", "--plan", "--keys"):
        parser.add_argument(name)
    options = parser.parse_args()
    status, verify = 0, {"log": verify_log, "proof": verify_proof, "envelope": verify_envelope}[options.what]
    try:
        options.key = read_log_key(options.key)
        for path in options.inputs:
            try:
                print("good: %s: %s" % (path, verify(path, options)))
            except (Bad, ValueError, struct.error, RecursionError) as error:
                print("BAD: %s: %s" % (path, error))
                status = 10
    except (OSError, TypeError, ValueError, Bad) as error:
        print("fleetwright_verify: %s" % error, file=sys.stderr)
        status = 2
    sys.exit(status)

if __name__ == "__main__":
    main()
