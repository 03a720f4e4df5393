#!/usr/bin/env python3
"""program_test.py BIN_FOLDER FIXTURES: the real `fleetwright` on pipes and on a pseudo-terminal (harness.py)."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from harness import BIN, DEADLINE_S, FLEETWRIGHT, FakeServer, Skip, expect, run_all, test, wait_for


@test
def init_refuses_to_overwrite_and_names_what_exists(world):
    done = world.run("init")
    expect(done.returncode == 2 and "aggregator.yaml" in done.stderr and done.stdout == "", done.stderr)


@test
def init_dry_run_makes_nothing(world):
    done = world.run("init", "--dir", world.root + "/other/x", "--dry-run")
    expect(done.returncode == 0 and "created (dry run)" in done.stdout, done.stderr)
    expect(not os.path.exists(world.root + "/other"), "a folder was made")


@test
def generated_configurations_pass_the_check_of_the_real_programs(world):
    missing = []
    for program, config in (("fleetwright-aggregator", "aggregator.yaml"), ("fleetwright-agent", "agent-node-a.yaml"), ("fleetwright-executor", "executor-node-a.yaml")):
        if not (BIN / program).exists():
            missing.append(program)
            continue
        done = subprocess.run([str(BIN / program), "--config", f"{world.folder}/{config}", "--check-config"], capture_output=True, text=True, timeout=60)
        expect(done.returncode == 0, program + ": " + done.stdout + done.stderr)
    if missing:
        raise Skip("not built: " + ", ".join(missing))


@test
def lists_on_a_pipe_are_tab_separated_whole_and_exact(world):
    done = world.ask("incidents")
    expect(done.returncode == 0, done.stderr)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    expect([row[0] for row in rows] == ["INC-8", "INC-7", "INC-6"], rows)
    expect(all(len(row) == 8 for row in rows), rows)
    expect(rows[1][-1] == "2026-11-24T02:47:03.120Z", rows[1])
    expect("a-batch-job-with-a-very-long-name-indeed-2abc" in done.stdout, "cut on a pipe")
    expect("\x1b" not in done.stdout and "evil\\x1b[31m\\u{202e}name" in done.stdout, "not escaped")
    titled = world.ask("incidents", "--header").stdout.splitlines()[0]
    expect(titled == "ID\tSEV\tSTATE\tSCOPE\tSUSPECT-CHANGE\tCONF\tPLAN\tOPENED", titled)


@test
def lists_on_a_terminal_are_aligned_and_fit(world):
    for command in ("incidents", "nodes", "changes"):
        for columns in (80, 100):
            output, status = world.terminal(command, columns=columns, NO_COLOR="1")
            lines = output.replace("\r\n", "\n").splitlines()
            expect(status == 0 and len(lines) >= 3, output)
            expect(all(len(line) <= columns for line in lines), lines)
            expect("\t" not in output and "\x1b" not in output, output)


@test
def colours_follow_flag_and_environment(world):
    expect("\x1b[" in world.terminal("incidents")[0], "no colour on a terminal")
    expect("\x1b[" not in world.terminal("incidents", NO_COLOR="1")[0], "NO_COLOR ignored")
    expect("\x1b[" not in world.terminal("incidents", CLICOLOR="0")[0], "CLICOLOR=0 ignored")
    expect("\x1b[" in world.ask("incidents", "--color", "always").stdout, "--color always ignored")
    expect("\x1b[" in world.ask("incidents", CLICOLOR_FORCE="1").stdout, "CLICOLOR_FORCE ignored")


@test
def json_is_the_servers_bytes(world):
    for arguments, name in ((["incidents"], "incidents"), (["nodes"], "nodes"), (["changes"], "changes"), (["show", "7"], "incident"), (["explain", "inc-7"], "explain")):
        done = world.ask(*arguments, "-o", "json")
        expect(done.stdout.rstrip("\n") == world.fake.bodies[name].rstrip("\n"), arguments)


@test
def names_are_kind_and_name(world):
    expect(world.ask("incidents", "-o", "name").stdout == "incident/INC-8\nincident/INC-7\nincident/INC-6\n", "incidents")
    expect(world.ask("nodes", "-o", "name").stdout == "node/node-a\nnode/node-b\n", "nodes")


@test
def show_begins_with_the_verdict_and_ends_with_next_commands(world):
    output = world.ask("show", "INC-7").stdout
    expect(output.splitlines()[2].startswith("checkout is OOM-killed"), output)
    expect("by hand: echo 268435456 >" in output and "[E3]" in output and "What speaks against it" in output, output)
    expect("fleetwright close INC-7 --reason '...' --cause memory-limit-lowered" in output, output)
    expect("\x1b" not in output and "looking\\x1b[2J" in output, "note not escaped")


@test
def evidence_is_cited_with_its_query(world):
    output = world.ask("show", "7", "--evidence", "E3").stdout
    expect("OOM kill of worker (pid 4242)" in output and "select count(*)" in output, output)
    expect(world.ask("show", "7", "--evidence", "E77").returncode == 1, "unknown evidence")
    expect(world.ask("show", "7", "--raw").returncode == 2, "--raw alone")


@test
def mutations_say_what_they_did_and_dry_runs_do_not_post(world):
    for arguments, line, path, body in (
            (["take", "7"], "incident/INC-7 taken\n", "take", {}),
            (["note", "7", "seen it"], "incident/INC-7 noted\n", "notes", {"text": "seen it"}),
            (["close", "7", "--reason", "done", "--cause", "memory-leak"], "incident/INC-7 closed\n", "close", {"reason": "done", "cause": "memory-leak"})):
        done = world.ask(*arguments)
        expect(done.returncode == 0 and done.stdout == line, done.stdout + done.stderr)
        method, asked, sent = world.fake.requests[-1]
        expect((method, asked) == ("POST", "/api/v1/incidents/INC-7/" + path) and json.loads(sent) == body, (method, asked, sent))
        dry = world.ask(*arguments, "--dry-run")
        expect(dry.stdout == line.replace("\n", " (dry run)\n") and all(r[0] == "GET" for r in world.fake.requests), dry.stdout)


@test
def exit_codes_are_as_documented(world):
    for arguments, code in (
            (["incidents"], 0), (["incidents", "--exit-code"], 7), (["show", "99"], 1), (["show", "abc"], 2), (["show"], 2), (["incidnets"], 2),
            (["-o", "xml", "incidents"], 2), (["explain", "8"], 1), (["changes", "--since", "soon"], 2), (["--context", "nope", "nodes"], 2), ([], 0), (["case"], 2),
            (["help", "exit-codes"], 0), (["help", "nonsense"], 2), (["version"], 0), (["completion", "csh"], 2), (["cards", "list"], 0), (["cards", "check", "/nonexistent"], 2)):
        done = world.ask(*arguments)
        expect(done.returncode == code, f"{arguments}: {done.returncode}, expected {code}: {done.stderr}")
        if code not in (0, 7):
            expect(done.stdout == "", f"{arguments}: stdout must be data only: {done.stdout}")


@test
def errors_say_what_failed_why_and_how_to_mend_it(world):
    error = world.ask("show", "99").stderr
    expect("no incident INC-99" in error and "INC-8" in error and "fix:" in error, error)
    conflict = world.ask("explain", "8").stderr
    expect("not yet explained" in conflict and "[Conflict]" in conflict and "fix:" in conflict, conflict)
    world.fake.override = {"/api/v1/nodes": (403, "Forbidden", "not a person", "")}
    denied = world.ask("nodes")
    world.fake.override = {}
    expect(denied.returncode == 6 and "alice" in denied.stderr and "fix:" in denied.stderr, denied.stderr)
    suggestion = world.ask("incidnets").stderr
    expect("did you mean incidents?" in suggestion, suggestion)
    down = world.run("--server", "https://127.0.0.1:1", "nodes")
    expect(down.returncode == 1 and "refused" in down.stderr and "fix:" in down.stderr, down.stderr)
    plain = world.run("--server", "http://127.0.0.1:1", "nodes")
    expect(plain.returncode == 2, plain.stderr)


@test
def a_server_of_another_authority_is_not_trusted(world):
    other = world.root + "/other-trial"
    expect(world.run("init", "--dir", other, "--person", "eve", "--node", "x").returncode == 0, "init")
    fake = FakeServer(other)
    try:
        done = world.run("--server", fake.url, "nodes")
        expect(done.returncode == 1 and "trusted" in done.stderr and "fix:" in done.stderr, done.stderr)
        expect(fake.requests == [], "a request was sent to a stranger")
    finally:
        fake.close()
        shutil.rmtree(other)


@test
def an_empty_list_says_what_to_do_next_on_stderr(world):
    kept = world.fake.bodies["incidents"]
    world.fake.bodies["incidents"] = '{"apiVersion":"fleetwright/v1alpha1","kind":"IncidentList","items":[]}'
    done = world.ask("incidents", "--exit-code")
    world.fake.bodies["incidents"] = kept
    expect(done.returncode == 0 and done.stdout == "" and "fleetwright doctor" in done.stderr, done)


@test
def a_body_that_is_not_ours_is_an_error(world):
    kept = world.fake.bodies["nodes"]
    for body in ("<html>", "{}", '{"kind":"IncidentList","items":[]}', "[" * 5000):
        world.fake.bodies["nodes"] = body
        done = world.ask("nodes")
        expect(done.returncode == 1 and "cannot read the answer" in done.stderr, body[:20] + done.stderr)
    world.fake.bodies["nodes"] = kept


@test
def doctor_is_ok_then_names_each_fault_with_a_fix(world):
    good = world.ask("doctor")
    expect(good.returncode == 0 and "\nWARN\tnode node-b" in good.stdout and "accepts you as alice" in good.stdout, good.stdout)
    key = world.folder + "/people/alice.key"
    os.chmod(key, 0o644)
    bad = world.ask("doctor")
    os.chmod(key, 0o600)
    expect(bad.returncode == 1 and "chmod 600 " + key in bad.stdout, bad.stdout)
    down = world.run("--server", "https://127.0.0.1:1", "doctor")
    expect(down.returncode == 1 and "FAIL\tserver" in down.stdout, down.stdout)
    nothing = world.run("doctor", FLEETWRIGHT_CONFIG_DIR=world.root + "/none")
    expect(nothing.returncode == 1 and "fleetwright init" in nothing.stdout, nothing.stdout)
    report = json.loads(world.ask("doctor", "-o", "json").stdout)
    expect(report["kind"] == "DoctorReport" and report["items"], report)


@test
def use_context_keeps_the_file_private(world):
    expect(world.run("config", "use-context", "trial").stdout == "context/trial chosen\n", "use-context")
    expect(os.stat(world.folder + "/config.json").st_mode & 0o777 == 0o600, "mode")
    expect(world.run("config", "use-context", "nope").returncode == 2, "unknown context")
    expect("trial\tyes\t" in world.run("config", "view").stdout, "view")


ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


@test
def watch_gives_the_terminal_back(world):
    output, status = world.terminal("watch", until="INC-7", send=b"q")
    expect(os.waitstatus_to_exitcode(status) == 0 and output.count(ENTER) == 1 and output.endswith("\x1b[?25h" + LEAVE), repr(output[-200:]))
    output, status = world.terminal("watch", until="INC-7", send=b"\x03")
    expect(os.waitstatus_to_exitcode(status) == 130 and LEAVE in output, repr(output[-200:]))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV):
        output, status = world.terminal("watch", until="INC-7", kill=number)
        expect(LEAVE in output, (number, repr(output[-200:])))
        expect(os.waitstatus_to_exitcode(status) != 0, number)


@test
def watch_only_reads(world):
    world.fake.requests.clear()
    world.terminal("watch", until="INC-7", send=b"dkx\nq")
    expect(world.fake.requests and all(method == "GET" for method, _, _ in world.fake.requests), world.fake.requests)


@test
def watch_marks_stale_data(world):
    world.fake.override = {}
    timer = threading.Thread(target=lambda: (wait_for(lambda: world.fake.requests), world.fake.override.update({"/api/v1/incidents": (503, "Unavailable", "draining", "")})))
    world.fake.requests.clear()
    timer.start()
    output, _ = world.terminal("watch", until="stale for", send=b"q")
    timer.join()
    world.fake.override = {}
    expect("draining" in output and "INC-7" in output, repr(output[-300:]))


@test
def watch_on_a_pipe_appends_lines_for_changes(world):
    process = subprocess.Popen([FLEETWRIGHT, "--server", world.fake.url, "incidents", "--watch"], env=world.environment, stdout=subprocess.PIPE, text=True)
    kept = world.fake.bodies["incidents"]
    try:
        first = [process.stdout.readline().split("\t")[0] for _ in range(2)]
        expect(first == ["INC-7", "INC-8"], first)   # oldest first; the finished one is history
        world.fake.bodies["incidents"] = kept.replace('"severity": "major", "state": "open"', '"severity": "major", "state": "closed"')
        line = process.stdout.readline().split("\t")
        expect(line[0] == "INC-8" and line[2] == "closed", line)
    finally:
        world.fake.bodies["incidents"] = kept
        process.stdout.close()
        expect(process.wait(timeout=DEADLINE_S) == 0, "ends when its reader goes away")


@test
def the_pager_is_used_on_a_terminal_only(world):
    pager = "sed s/^/PAGED:/"
    expect("PAGED:" in world.terminal("explain", "7", PAGER=pager)[0], "no pager on a terminal")
    expect("PAGED:" not in world.ask("explain", "7", PAGER=pager).stdout, "pager on a pipe")


@test
def completion_scripts_are_valid_shell(world):
    missing = []
    for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])):
        script = world.run("completion", shell)
        expect(script.returncode == 0 and script.stdout, shell)
        if not shutil.which(shell):
            missing.append(shell)
            continue
        path = f"{world.root}/completion.{shell}"
        pathlib.Path(path).write_text(script.stdout)
        done = subprocess.run([*check, path], capture_output=True, text=True, timeout=60)
        expect(done.returncode == 0, shell + ": " + done.stderr)
    if missing:
        raise Skip("not installed: " + ", ".join(missing) + " (the others are valid)")


@test
def bash_completes_commands_values_and_ids(world):
    script = pathlib.Path(world.root + "/completion.bash")
    script.write_text(world.run("completion", "bash").stdout)
    # The context of the trial points to its own port; the fake server's goes in through the file.
    config = json.loads(pathlib.Path(world.folder + "/config.json").read_text())
    config["clusters"][0]["cluster"]["server"] = world.fake.url
    kept = pathlib.Path(world.folder + "/config.json").read_text()
    pathlib.Path(world.folder + "/config.json").write_text(json.dumps(config))

    def words(*typed):
        array = " ".join("'" + w + "'" for w in ("fleetwright", *typed))
        done = subprocess.run(["bash", "-c", f"PATH={BIN}:$PATH; source {script}; COMP_WORDS=({array}); COMP_CWORD={len(typed)}; _fleetwright; echo \"${{COMPREPLY[@]}}\""],
                              env=world.environment, capture_output=True, text=True, timeout=60)
        return done.stdout.split()

    try:
        expect(words("inc") == ["incidents"], words("inc"))
        expect(words("case", "") == ["export", "sql", "explain"], words("case", ""))
        expect(words("-o", "") == ["text", "wide", "json", "name"], words("-o", ""))
        expect(words("show", "") == ["INC-8", "INC-7", "INC-6"], words("show", ""))
        expect(words("show", "--ev") == ["--evidence"], words("show", "--ev"))
        expect(words("config", "use-context", "") == ["trial"], "contexts")
    finally:
        pathlib.Path(world.folder + "/config.json").write_text(kept)
    quiet = world.run("__complete", "INCIDENT")   # nobody listens at the trial's port
    expect(quiet.returncode == 0 and quiet.stdout == "" and quiet.stderr == "", quiet)


@test
def dynamic_completion_gives_up_after_half_a_second(world):
    import socket
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        done = world.run("--server", f"https://127.0.0.1:{silent.getsockname()[1]}", "__complete", "INCIDENT")
        took = time.monotonic() - start
    expect(done.returncode == 0 and done.stdout == "" and done.stderr == "", done)
    expect(took < 5, f"took {took:.1f} s")   # the program's own limit is 0.45 s; the rest is a busy machine's


run_all()
