#!/usr/bin/env python3
"""audit_cli_test.py SOURCE_FOLDER FLEETWRIGHT FW_AUDIT_VERDICTS: `fleetwright audit` on folders, without a server, and what it exports checked by
the second verifier. Prints PASS / FAIL lines."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE, FLEETWRIGHT, VERDICTS = sys.argv[1:4]
SECOND = os.path.join(SOURCE, "tools", "verify", "fleetwright_verify.py")
FAILED = []


def case(function):
    try:
        function()
        print("PASS audit_cli." + function.__name__)
    except AssertionError as error:
        FAILED.append(function)
        print("FAIL audit_cli.%s: %s" % (function.__name__, str(error).replace("\n", " ")[:400]))


with tempfile.TemporaryDirectory() as work:
    LOG = os.path.join(work, "log")
    os.mkdir(LOG)
    ORIGIN, KEY = subprocess.run([VERDICTS, "make", LOG], capture_output=True, check=True).stdout.decode().split()
    TRUST = ["--origin", ORIGIN, "--key", KEY]
    ENVIRONMENT = dict(os.environ, FLEETWRIGHT_CONFIG_DIR=os.path.join(work, "config"))

    def audit(*words, code=0, trust=True):
        done = subprocess.run([FLEETWRIGHT, "audit", *words, *(TRUST if trust else [])], capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert done.returncode == code, "%s ended with %d: %s%s" % (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def copy(name):
        folder = os.path.join(work, name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(LOG, folder)
        return folder

    @case
    def a_good_folder_is_valid():
        assert "audit/%s valid: 7 entries" % ORIGIN in audit("verify", LOG)
        report = json.loads(audit("verify", LOG, "-o", "json"))
        assert (report["kind"], report["verdict"], report["entries"], report["firstBad"]) == ("AuditReport", "valid", 7, None), report
        assert "entries 2 to 4 of 7" in audit("verify", LOG, "--from", "2", "--to", "4")

    @case
    def a_changed_byte_names_its_entry():
        folder = copy("changed")
        name = sorted(glob.glob(os.path.join(folder, "entries-*.jsonl")))[0]
        data = bytearray(open(name, "rb").read())
        at = data.index(b'"verb"', data.index(b"\n"))   # of the second entry
        data[at + 9] ^= 1
        open(name, "wb").write(data)
        assert "first bad entry 1:" in audit("verify", folder, code=10)
        assert "first bad entry 1:" in audit("verify", folder, "--from", "1", "--to", "5", code=10)
        report = json.loads(audit("verify", folder, "-o", "json", code=10).split("\n")[0])
        assert (report["verdict"], report["firstBad"], report["othersGood"]) == ("tampered", 1, True), report
        audit("export", "--log", folder, "-o", os.path.join(work, "never"), code=10)
        assert not os.path.exists(os.path.join(work, "never"))

    @case
    def a_cut_log_another_key_and_another_origin_are_refused():
        folder = copy("cut")
        os.remove(sorted(glob.glob(os.path.join(folder, "entries-*.jsonl")))[-1])
        assert "is missing" in audit("verify", folder, code=10)
        audit("verify", LOG, "--origin", ORIGIN, "--key", "0" * 64, code=10, trust=False)
        audit("verify", LOG, "--origin", "fleetwright/other/audit", "--key", KEY, code=10, trust=False)

    @case
    def trust_is_asked_for():
        assert "--policy FILE, or --origin NAME --key FILE" in audit("verify", LOG, code=2, trust=False)
        audit("verify", LOG, "--origin", ORIGIN, code=2, trust=False)
        audit("verify", LOG, "--origin", ORIGIN, "--key", "no key", code=2, trust=False)

    @case
    def a_proof_is_written_and_checked_offline():
        proof = os.path.join(work, "five.tlog-proof")
        audit("prove", "--log", LOG, "--seq", "5", "-o", proof)
        assert "entry/5 is in the log" in audit("check", proof)
        done = subprocess.run([sys.executable, SECOND, "proof", proof, *TRUST], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        audit("prove", "--log", LOG, "--seq", "5", "-o", proof, code=1)   # it is there
        audit("prove", "--log", LOG, "--seq", "7", "-o", proof, "--force", code=1)
        audit("prove", "--log", LOG, "-o", proof, "--force", code=2)
        plan = os.path.join(work, "plan.bin")
        open(plan, "wb").write(b"another plan")
        assert "about another plan" in audit("check", proof, plan, code=10)
        text = open(proof).read()
        open(proof, "w").write(text.replace("index 5", "index 4"))
        audit("check", proof, code=10)

    @case
    def heads_are_compared():
        head = os.path.join(LOG, "checkpoint")
        assert "continues" in audit("consistency", head, head)
        bad = os.path.join(work, "bad")
        open(bad, "w").write(open(head).read().replace("\n7\n", "\n6\n"))
        audit("consistency", bad, head, code=10)

    @case
    def evidence_is_checked_by_the_second_verifier():
        out = os.path.join(work, "evidence")
        assert "exported: 3 of 7 entries" in audit("export", "--log", LOG, "--incident", "INC-1", "--control", "soc2:CC8.1", "--period", "2026", "-o", out)
        names = sorted(os.listdir(out))
        assert names == ["README.md", "checkpoint", "entries.jsonl", "fleetwright_verify.py", "ocsf.jsonl", "proofs"], names
        proofs = glob.glob(os.path.join(out, "proofs", "*.tlog-proof"))
        done = subprocess.run([sys.executable, os.path.join(out, "fleetwright_verify.py"), "proof", *proofs, *TRUST], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout.count("good: ") == 3, done.stdout + done.stderr
        stored = [line for name in sorted(glob.glob(os.path.join(LOG, "entries-*.jsonl"))) for line in open(name, "rb").read().splitlines()]
        assert open(os.path.join(out, "entries.jsonl"), "rb").read().splitlines() == stored[3:6]
        assert all(json.loads(line)["class_uid"] == 6003 for line in open(os.path.join(out, "ocsf.jsonl")))
        audit("export", "--log", LOG, "-o", out, code=2)   # it is there
        audit("export", "--log", LOG, "--control", "soc2:CC9.9", "-o", out + "2", code=2)
        audit("export", "--log", LOG, "--period", "soon", "-o", out + "2", code=2)

sys.exit(1 if FAILED else 0)
