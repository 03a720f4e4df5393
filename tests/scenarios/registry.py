"""The list of scenarios, filled by decorators, and what each of them is given."""
import dataclasses
import pathlib
import typing

from harness import Failed, Fleet, Service, brief


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    function: typing.Callable
    sets: tuple
    shared: bool
    needs_cgroups: bool


SCENARIOS = []


def scenario(name, /, *arguments, sets=("fast", "nightly"), shared=True, needs_cgroups=True, **keywords):
    """Registers function(context, *arguments, **keywords); may be given several times for one function."""
    def register(function):
        SCENARIOS.append(Scenario(name, lambda context: function(context, *arguments, **keywords), sets, shared, needs_cgroups))
        return function
    return register


@dataclasses.dataclass
class Context:
    name: str
    bin: pathlib.Path
    folder: pathlib.Path
    prefix: str                    # of cgroup paths
    fleet: Fleet | None            # of shared scenarios

    def service(self, name="checkout", **options):
        """A service in /PREFIX/SCENARIO/NAME, so that several may have the same name, as in real life."""
        return Service(self.bin, self.folder / name, f"{self.prefix}/{self.name}/{name}", **options)

    def expect(self, service, card, seconds=25, suspects=None, least=0.0, symptom=None):
        """The service's incident gets this cause. suspects: a set of change ids of which one is blamed, or an empty set for none,
        or None when it does not matter."""
        def as_wanted(incident):
            cause, suspect = incident.get("cause") or {}, (incident.get("suspectChange") or {}).get("id")
            return (cause.get("card") == card and cause.get("probability", 0) >= least and
                    (suspects is None or (suspect in suspects if suspects else not suspect)))
        wanted = f"cause {card}" + ("" if suspects is None else " and its change" if suspects else " and no change")
        incident = self.fleet.wait_incident(service.group.path, as_wanted, seconds, wanted)
        if symptom and symptom not in [seen["kind"] for seen in incident["symptoms"]]:
            raise Failed(f"symptom {symptom} expected: {brief(incident)}")
        return incident
