"""A drill as people write it: hypothesis, fault, load, phases, expectations. YAML; schema.json says the form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from outlast.ops.drill.objectives import UNITS, Objective
from outlast.ops.drill.stop import STOPS, StopConditions
from outlast.ops.forms import Written, text_of, yaml_of
from outlast.ops.outcome import UsageError
from outlast.ops.plan.failback import FULL, rises

Ending = Literal["left", "rolled back", "stayed", "gone"]
ROLLBACK: Final = ("end-faults", "weights-home", "controls-on")
"""What can be done when a drill ends early, in the order in which it usually is."""
WITHOUT: Final[Mapping[Ending, Mapping[int, str]]] = {
    "left": {},
    "rolled back": dict.fromkeys((10, 11), "the switch is meant to be taken back"),
    "stayed": dict.fromkeys((7, 9, 10, 11), "nobody is meant to be moved"),
    "gone": dict.fromkeys((11, 12), "nobody can return"),
}
"""The steps that are not taken, by the ending that is meant."""
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The fault to inject: its kind and parameters; `regions` empty means the drill's Region.

    It begins `after_s` after the impact and ends `for_s` later, or with the others when that is 0.
    """

    kind: str
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    after_s: float = 0.0
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The customers: requests a second on each coast, how many clients, what share of them is stubborn."""

    rate_per_s: float = 8.0
    clients: int = 10
    stubborn_share: float = 0.2
    contested_every_s: float = 10.0
    timeout_s: float = 3.0


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """How long each phase lasts, in seconds. `patience_s`: how long what must happen is waited for.

    `act_after_s` above 0: the operator leaves the Region that long after the impact, whatever the vantage points say.
    """

    healthy_s: float = 10.0
    live_s: float = 8.0
    watch_s: float = 2.0
    after_s: float = 5.0
    patience_s: float = 60.0
    act_after_s: float = 0.0
    steps: tuple[int, ...] = (5, 25, 50, 100)


@dataclass(frozen=True, slots=True)
class DrillFile:
    """One drill. `region` is a Region's name, or `first` or `second` of the deployment's; `also` begins before `fault`.

    In a fault's `regions`, `first` and `second` stand for the deployment's Regions too. `ending`: how the evacuation is
    meant to end; `stayed`: the kit is meant not to leave the Region; `gone`: it is left and nobody can return. `stop`
    ends the drill at once; then, and whenever it does not come to its end, `rollback` is done in its order. `source`:
    what the drill replays.
    """

    name: str
    title: str
    hypothesis: str
    region: str
    fault: FaultPlan
    also: tuple[FaultPlan, ...]
    load: LoadPlan
    phases: PhasePlan
    expect: tuple[Objective, ...]
    ending: Ending = "left"
    stop: StopConditions = field(default_factory=StopConditions)
    rollback: tuple[str, ...] = ROLLBACK
    source: str = ""

    @property
    def without(self) -> Mapping[int, str]:
        """The steps of the whole story that this drill is not meant to take, and why."""
        unasked = dict.fromkeys((7, 8), "the operator leaves whatever is seen") if self.phases.act_after_s else {}
        return {**WITHOUT[self.ending], **unasked}


def parse(text: str, source: str) -> DrillFile:
    """The drill in a YAML text; raises UsageError naming what does not keep schema.json."""
    written = yaml_of(text, source)
    written.hold(_schema())
    read = written.read
    _check_steps(written)
    return DrillFile(
        name=read["name"],
        title=read.get("title", read["name"]),
        hypothesis=read["hypothesis"].strip(),
        region=read.get("region", "first"),
        fault=_part(FaultPlan, read["fault"]),
        also=tuple(_part(FaultPlan, each) for each in read.get("also", [])),
        load=_part(LoadPlan, read.get("load", {})),
        phases=_part(PhasePlan, read.get("phases", {})),
        expect=_conditions(written, "expect", UNITS),
        ending=read.get("ending", "left"),
        stop=StopConditions(_conditions(written, "stop", STOPS)),
        rollback=tuple(read.get("rollback", ROLLBACK)),
        source=read.get("source", ""),
    )


def _conditions(written: Written, name: str, units: Mapping[str, str]) -> tuple[Objective, ...]:
    """The objectives or stop conditions of a file. Raises UsageError with the line of the one that is wrong."""
    found = []
    for number, text in enumerate(written.read.get(name, []), 1):
        try:
            found.append(Objective.parse(text, units))
        except UsageError as error:
            raise UsageError(f"{written.at((name, number))}: {error}") from error
    return tuple(found)


def _check_steps(written: Written) -> None:
    """Raise UsageError unless the steps of the return rise to all of the traffic."""
    steps = written.read.get("phases", {}).get("steps", [FULL])
    if not rises(steps):
        raise UsageError(f"{written.at(('phases', 'steps'))} must rise, and end with {FULL}.")


@cache
def _schema() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(resources.files("outlast.ops.drill").joinpath("schema.json").read_bytes())
    return read


def _part(kind: Callable[..., Part], read: Mapping[str, Any]) -> Part:
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in read.items()})


def library() -> dict[str, DrillFile]:
    """The drills that come with the kit, by name."""
    folder = resources.files("outlast.ops.drill").joinpath("library")
    texts = {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".yaml")}
    found = [parse(text, name) for name, text in sorted(texts.items())]
    return {drill.name: drill for drill in found}


def find(name: str) -> DrillFile:
    """The drill of the library with this name, or in the file at this path; raises UsageError."""
    known = library()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.exists():
        return parse(text_of(path), str(path))
    raise UsageError(f"There is no drill {name}; there are {', '.join(sorted(known))}, or give a YAML file.")
