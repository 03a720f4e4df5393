#!/usr/bin/env python3
"""second_verifier_test.py SOURCE_FOLDER FW_AUDIT_VERDICTS: both verifiers say the same about good and about harmed logs and proofs, and the
second one about every golden envelope. Prints PASS / FAIL lines."""
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

SOURCE, PROGRAM = sys.argv[1:3]
sys.path.insert(0, os.path.join(SOURCE, "tools", "verify"))
sys.dont_write_bytecode = True
import fleetwright_verify as second  # noqa: E402

FAILED = []


def case(name):
    def run(function):
        try:
            function()
            print("PASS second_verifier." + name)
        except AssertionError as error:
            FAILED.append(name)
            print("FAIL second_verifier.%s: %s" % (name, str(error).replace("\n", " ")[:300]))
    return run


def ours(cases):
    data = b"".join(b"L" + struct.pack("<II", len(one[0]), len(one[1])) + one[0] + one[1] if isinstance(one, tuple)
                    else b"P" + struct.pack("<I", len(one)) + one for one in cases)
    return subprocess.run([PROGRAM, "judge"], input=data, capture_output=True, check=True).stdout.decode().split()


def theirs_log(note, text):
    try:
        size, root = second.read_note(note, ORIGIN, KEY)
    except (second.Bad, ValueError):
        return "bad"
    bad = second.first_bad(second.split_lines(text), size, root)
    return "good" if bad is None else str(bad[0])


def theirs_proof(data):
    with open(os.path.join(FOLDER, "case.tlog-proof"), "wb") as file:
        file.write(data)
    options = type("Options", (), {"origin": ORIGIN, "key": KEY, "plan": None})
    try:
        second.verify_proof(file.name, options)
        return "good"
    except (second.Bad, ValueError, RecursionError):
        return "bad"


def flips(data):
    for at in range(len(data)):
        for bit in range(8) if at % 16 == 0 else [at % 8]:
            yield at, data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


def compare(cases, theirs, names):
    for first, one, name in zip(ours(cases), cases, names):
        say = theirs(*one) if isinstance(one, tuple) else theirs(one)
        assert say == first, "%s: the first says %s, the second %s" % (name, first, say)


with tempfile.TemporaryDirectory() as FOLDER:
    ORIGIN, key_text = subprocess.run([PROGRAM, "make", FOLDER], capture_output=True, check=True).stdout.decode().split()
    KEY = second.read_log_key(key_text)
    NOTE = open(os.path.join(FOLDER, "checkpoint"), "rb").read()
    FILES = sorted(glob.glob(os.path.join(FOLDER, "entries-*.jsonl")))
    TEXT = b"".join(open(name, "rb").read() for name in FILES)
    LINES = second.split_lines(TEXT)

    @case("a_good_log_is_good_for_both")
    def _():
        assert len(FILES) > 1, "the log has one file only"
        assert ours([(NOTE, TEXT)]) == ["good"] == [theirs_log(NOTE, TEXT)]
        done = subprocess.run([sys.executable, second.__file__, "log", FOLDER, "--origin", ORIGIN, "--key", key_text], capture_output=True, check=False)
        assert done.returncode == 0 and b"good: " in done.stdout, done

    @case("every_flipped_byte_of_a_log_has_the_same_first_bad_entry")
    def _():
        harmed = [(at, data) for at, data in flips(TEXT) if at + 1 < len(TEXT)]
        compare([(NOTE, data) for _, data in harmed], theirs_log, ["byte %d" % at for at, _ in harmed])
        for at, data in harmed[::97]:
            assert theirs_log(NOTE, data) == str(TEXT[:at].count(b"\n")), "byte %d" % at

    @case("dropped_swapped_and_inserted_lines_have_the_same_first_bad_entry")
    def _():
        cases, names = [], []
        for a in range(len(LINES)):
            variants = {"drop %d" % a: LINES[:a] + LINES[a + 1:], "cut at %d" % a: LINES[:a]}
            for b in range(len(LINES)):
                variants["copy %d at %d" % (b, a)] = LINES[:a] + [LINES[b]] + LINES[a:]
                swapped = list(LINES)
                swapped[a], swapped[b] = swapped[b], swapped[a]
                if a != b:
                    variants["swap %d %d" % (a, b)] = swapped
            forged = LINES[a].replace(b'"name":"', b'"name":"x')
            variants["forged before %d" % a] = LINES[:a] + [forged] + LINES[a:]
            variants["empty line at %d" % a] = LINES[:a] + [b""] + LINES[a:]
            for name, lines in variants.items():
                cases.append((NOTE, b"".join(line + b"\n" for line in lines)))
                names.append(name)
        compare(cases, theirs_log, names)
        assert "good" not in ours(cases), "a harmed log is good"

    @case("every_flipped_byte_of_a_checkpoint_is_bad_for_both")
    def _():
        harmed = [(at, NOTE[:at] + bytes([NOTE[at] ^ 1 << at % 8]) + NOTE[at + 1:]) for at in range(len(NOTE))]
        compare([(data, TEXT) for _, data in harmed], theirs_log, ["byte %d" % at for at, _ in harmed])
        assert "good" not in ours([(data, TEXT) for _, data in harmed])

    @case("proofs_are_good_for_both_and_every_flipped_byte_is_bad_for_both")
    def _():
        for seq in range(len(LINES)):
            proof = open(os.path.join(FOLDER, "%d.tlog-proof" % seq), "rb").read()
            harmed = [proof] + ([proof[:at] + bytes([proof[at] ^ 1 << at % 7]) + proof[at + 1:] for at in range(len(proof))] if seq in (2, 6) else [])
            compare(harmed, theirs_proof, ["proof %d, case %d" % (seq, i) for i in range(len(harmed))])
            assert ours(harmed).count("good") == 1

GOLDEN = os.path.join(SOURCE, "tests", "golden", "authority")
INDEX = json.load(open(os.path.join(GOLDEN, "index.json"), encoding="utf-8"))
LOG_KEY = next(key["bytes"] for key in INDEX["keys"] if key["role"] == "log")
ENVELOPES = sorted(glob.glob(os.path.join(GOLDEN, "envelopes", "*.bin")))


@case("every_golden_envelope_is_what_the_first_implementation_says")
def _():
    assert len(ENVELOPES) >= 50
    options = type("Options", (), {"origin": INDEX["origin"], "key": bytes.fromhex(LOG_KEY), "keys": os.path.join(GOLDEN, "index.json")})
    for name in ENVELOPES:
        try:
            second.verify_envelope(name, options)
        except second.Bad as error:
            raise AssertionError("%s: %s" % (name, error))


@case("flipped_bytes_of_golden_envelopes_are_bad")
def _():
    for name in (ENVELOPES[1], ENVELOPES[15]):   # a security key; a standing approval
        data = open(name, "rb").read()
        for at in range(len(data) % 3, len(data), 3):
            harmed = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]
            try:
                plan, release, size, root, seen, proof = second.check_envelope(harmed, INDEX["keys"], INDEX["origin"], bytes.fromhex(LOG_KEY))
            except (second.Bad, ValueError, struct.error):
                continue
            row = next(row for row in INDEX["envelopes"] if row["file"].endswith(os.path.basename(name)))
            old = bytes.fromhex(row["seenRoot"])
            consistent = True
            try:
                consistent = not row["consistentFrom"] or second.roots_from_proof(seen, size, proof, True, old) == (old, root)
            except second.Bad:
                consistent = False
            assert not consistent or seen != row["consistentFrom"], "%s: byte %d" % (name, at)


@case("is_at_most_300_lines_of_plain_python")
def _():
    lines = open(second.__file__, encoding="utf-8").read().splitlines()
    assert len(lines) <= 300, len(lines)
    imports = {line.split()[1] for line in lines if line.startswith("import ")}
    assert imports <= set(sys.stdlib_module_names), imports


sys.exit(1 if FAILED else 0)
