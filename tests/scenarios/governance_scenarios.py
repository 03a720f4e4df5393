"""From a proposed plan to its end, over the real programs: every way that people, crashes and restores can take it."""
import contextlib
import json
import shutil

from cgroups import wait_until
from harness import MIB, Deploy, Failed, Fleet
from registry import scenario

BEFORE, AFTER = 128 * MIB, 40 * MIB
WORKER = ["--base", "24MiB", "--request", "1MiB", "--hold-ms", 1500]   # working set: 24 + 30/s * 1.5 s * 1 MiB


@contextlib.contextmanager
def proposed(context, people=("alice", "bob"), **settings):
    """A fleet whose executor may act, a service whose limit was lowered too far, and the engine's plan for it."""
    context.folder.mkdir(parents=True)
    with Fleet(context.bin, context.folder / "f", people=people, actions=True, aggregator_settings=["sample.period=1s"], **settings) as fleet:
        with broken(context, fleet) as (service, incident, plan):
            yield fleet, service, incident, plan


@contextlib.contextmanager
def broken(context, fleet, name="checkout"):
    with context.service(name, worker=WORKER, limit_bytes=BEFORE) as service:
        service.wait_requests(150)
        started_ns = service.deploy(AFTER)
        fleet.post_cloudevent(Deploy(name, [("resources.limits.memory", f"{BEFORE // MIB}Mi", f"{AFTER // MIB}Mi")], started_ns=started_ns,
                                     cgroup_path=service.group.path))
        incident = fleet.wait_incident(service.group.path, lambda seen: seen.get("explainedNs") and seen["cause"]["card"], 30, "the incident is explained")
        yield service, incident["id"], fleet.wait_plan(incident["id"], {"PROPOSED"}, 20, "a plan is proposed")


def must_refuse(word, ask, *arguments, **options):
    """The command fails, and says why with this word, in lower case."""
    try:
        ask(*arguments, **options)
    except Failed as refused:
        if word in str(refused).lower():
            return
        raise Failed(f"refused for another reason than {word}: {refused}") from None
    raise Failed(f"not refused, {word} expected")


def must_have_limit(service, limit_bytes, what):
    if service.group.memory_limit() != limit_bytes:
        raise Failed(f"{what}: the limit is {service.group.memory_limit()}, not {limit_bytes}")


def must_be_done_once(fleet, service, digest):
    """Exactly one outcome of the plan stands in the log, the log is whole, and the limit is what the plan says."""
    wait_until(lambda: audited(fleet, digest, "plan.outcome"), 10, "the outcome is audited", pause=0.1)
    outcomes = audited(fleet, digest, "plan.outcome")
    if len(outcomes) != 1:
        raise Failed(f"{len(outcomes)} outcomes audited: {outcomes}")
    if service.group.memory_limit() == AFTER:
        raise Failed("the limit is still what it was")
    fleet.run("audit", "verify")


def audited(fleet, digest, verb):
    entries = [json.loads(line) for line in fleet.get("/api/v1/audit/entries?from=0&limit=1000").splitlines()]
    return [entry for entry in entries if entry["verb"] == verb and digest in json.dumps(entry)]


def both(fleet, plan, *people):
    for person in people or fleet.people[:2]:
        fleet.approve(plan, person)


# ---- people ----------------------------------------------------------------------------------------------------------


@scenario("plan_denied", shared=False)
def denied(context):
    """One no is enough, also after a yes; whoever comes later cannot bring it back."""
    with proposed(context) as (fleet, service, incident, plan):
        fleet.approve(plan, "alice")
        fleet.run("deny", incident, "--plan", "sha256:" + plan["digest"], "--yes", "--reason", "not during the sale", person="bob")
        fleet.wait_plan(incident, {"DENIED"}, 10, "the plan is denied")
        must_refuse("denied", fleet.approve, plan, "alice")
        must_have_limit(service, AFTER, "denied")


@scenario("plan_paused", shared=False)
def paused(context):
    """One person stops everything; two let it go on, and what was approved before runs then."""
    with proposed(context) as (fleet, service, incident, plan):
        fleet.run("pause", "--reason", "the site is moving", person="bob")
        wait_until(lambda: json.loads(fleet.get("/api/v1/policy"))["nodes"][0]["paused"], 10, "the node is paused", pause=0.1)
        both(fleet, plan)
        wait_until(lambda: "paused" in [refusal["code"] for refusal in fleet.plan(incident).get("refusals", [])], 10, "the node refuses while paused", pause=0.1)
        fleet.run("resume", "--reason", "moved", "--yes", person="alice")
        must_have_limit(service, AFTER, "paused")
        fleet.run("resume", "--reason", "moved", "--yes", person="bob")
        fleet.wait_plan(incident, {"DONE"}, 20, "the node does it")
        must_be_done_once(fleet, service, plan["digest"])


@scenario("plan_undone", shared=False)
def undone(context):
    with proposed(context) as (fleet, service, incident, plan):
        both(fleet, plan)
        fleet.wait_plan(incident, {"DONE"}, 20, "the node does it")
        if service.group.memory_limit() <= AFTER:
            raise Failed("the limit was not raised")
        service.stop_worker()   # v1 refuses a limit below what is in use
        fleet.run("undo", incident, person="alice")
        undo = fleet.plan(incident)
        if undo["digest"] == plan["digest"] or undo["class"] != 1:
            raise Failed(f"no plan of class 1 to undo it: {undo['digest']} class {undo['class']} {undo['state']}")
        if undo["state"] == "PROPOSED":
            fleet.approve(undo, "alice")
        fleet.wait_plan(incident, {"DONE"}, 20, "the node undoes it")
        must_have_limit(service, AFTER, "undone")
        fleet.run("audit", "verify")


@scenario("plan_edited", shared=False)
def edited(context):
    """Who edits is the proposer and does not count; two others must sign."""
    with proposed(context, people=("alice", "bob", "carol")) as (fleet, service, incident, plan):
        least, most = plan["safeRange"]["min"], plan["safeRange"]["max"]
        for value in (least - MIB, most + MIB):
            must_refuse(f"safe is {least // MIB}mib to {most // MIB}mib", fleet.run, "plan", "edit", incident, "--limit", value, person="alice")
        value = (least // MIB + 7) * MIB
        fleet.run("plan", "edit", incident, "--limit", f"{value // MIB}Mi", person="alice")
        mine = fleet.wait_plan(incident, {"PROPOSED"}, 10, "the edited plan is proposed")
        if mine["digest"] == plan["digest"] or mine["proposer"] == "engine":
            raise Failed(f"not alice's plan: {mine['digest']} of {mine['proposer']}")
        must_refuse("superseded", fleet.approve, plan, "bob")
        must_refuse("propose", fleet.approve, mine, "alice")
        both(fleet, mine, "bob")
        fleet.wait_plan(incident, {"PROPOSED"}, 5, "one of the others is not enough")
        both(fleet, mine, "carol")
        fleet.wait_plan(incident, {"DONE"}, 20, "the node does it")
        must_have_limit(service, value, "edited")


@scenario("plan_superseded", shared=False)
def by_hand(context):
    """Somebody was faster with an editor than the approvals."""
    with proposed(context) as (fleet, service, incident, plan):
        fleet.approve(plan, "alice")
        service.group.set_memory_limit(2 * BEFORE)
        fleet.wait_plan(incident, {"SUPERSEDED"}, 20, "the fix by hand is noticed")
        must_refuse("superseded", fleet.approve, plan, "bob")
        must_have_limit(service, 2 * BEFORE, "superseded")


@scenario("plan_observe_only", shared=False)
def observe_only(context):
    with proposed(context, executor_settings=["actions.observe_only=true"]) as (fleet, service, incident, plan):
        both(fleet, plan)
        refused = fleet.wait_plan(incident, {"REFUSED"}, 20, "the node refuses it")
        if refused["outcome"]["code"] != "observe-only":
            raise Failed(f"refused otherwise: {refused['outcome']}")
        must_have_limit(service, AFTER, "observe-only")


# ---- crashes and restores --------------------------------------------------------------------------------------------


@scenario("plan_executor_killed", shared=False)
def executor_killed(context):
    with proposed(context) as (fleet, service, incident, plan):
        fleet.approve(plan, "alice")
        fleet.executor.kill()
        fleet.approve(plan, "bob")
        fleet.start_executor()
        fleet.wait_plan(incident, {"DONE"}, 30, "the node does it")
        must_be_done_once(fleet, service, plan["digest"])


@scenario("plan_aggregator_killed", shared=False)
def aggregator_killed(context):
    with proposed(context) as (fleet, service, incident, plan):
        both(fleet, plan)
        fleet.aggregator.kill()
        fleet.start_aggregator()
        fleet.wait_plan(incident, {"DONE"}, 30, "the node has done it")
        must_be_done_once(fleet, service, plan["digest"])


@scenario("plan_after_a_restore", shared=False)
def restored(context):
    """The drill: the store and the log are gone, a backup is older than what the node saw. Nothing is done until the roots sign a new origin."""
    with proposed(context) as (fleet, service, incident, plan):
        places = ["--store", fleet.folder / "store.db", "--audit", fleet.config / "aggregator/audit"]
        backup = context.folder / "backup"
        fleet.run("backup", backup, *places)
        both(fleet, plan)
        fleet.wait_plan(incident, {"DONE"}, 20, "the node does it")
        must_be_done_once(fleet, service, plan["digest"])

        fleet.agent.stop()
        fleet.aggregator.stop()
        for file in fleet.folder.glob("store.db*"):
            file.unlink()
        shutil.rmtree(fleet.config / "aggregator/audit")
        fleet.run("restore", backup, *places)
        fleet.start_aggregator()
        fleet.start_agent()
        fleet.wait_connected()
        fleet.wait_executor()
        with broken(context, fleet, "cart") as (cart, cart_incident, cart_plan):
            both(fleet, cart_plan)
            wait_until(lambda: fleet.plan(cart_incident)["refusals"], 20, "the node refuses under the log that went back", pause=0.1)
            code = fleet.plan(cart_incident)["refusals"][-1]["code"]
            if not code.startswith("checkpoint-"):
                raise Failed(f"refused for another reason than the log: {code}")
            must_have_limit(cart, AFTER, "before a new origin")
            must_refuse("root", fleet.run, "statement", "new-origin", "--yes", "--key", fleet.signing_key("alice"))
            fleet.run("statement", "new-origin", "--yes", "--key", fleet.config / "authority/root-1.key")
            signed = fleet.json("statement", "list")["items"]
            moved = next(item for item in signed if item["what"] == "new-origin")
            must_have_limit(cart, AFTER, "one root of two")
            fleet.run("statement", "sign", moved["digest"], "--yes", "--key", fleet.config / "authority/root-2.key")
            fleet.wait_plan(cart_incident, {"DONE"}, 30, "the node does it under the new origin")
            fleet.run("audit", "verify", "--origin", fleet.get("/api/v1/audit/checkpoint").split(b"\n")[0].decode(), "--key", fleet.config / "aggregator/log.pub")
