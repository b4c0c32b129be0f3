"""A drill as people write it: hypothesis, fault, load, phases, expectations. YAML; schema.json says the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, cast

import yaml

from outlast.ops.drill.objectives import Objective
from outlast.ops.drill.stop import STOPS, StopConditions
from outlast.ops.outcome import UsageError

Ending = Literal["left", "rolled back", "stayed", "gone"]
ENDINGS: Final = ("left", "rolled back", "stayed", "gone")
ROLLBACK: Final = ("end-faults", "weights-home", "controls-on")
"""What can be done when a drill ends early, in the order in which it usually is."""
MEMBERS: Final = frozenset(
    {"name", "title", "hypothesis", "source", "region", "fault", "also", "load", "phases", "expect", "ending", "stop"}
    | {"rollback"}
)


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


def parse(text: str, source: str) -> DrillFile:
    """The drill in a YAML text; raises UsageError naming what is wrong."""
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{source} is not YAML: {error}") from error
    if not isinstance(read, dict):
        raise UsageError(f"{source} is not a drill: it must be a mapping.")
    unknown = sorted(set(read) - MEMBERS)
    if unknown:
        raise UsageError(f"{source}: a drill has no member {unknown[0]}.")
    missing = sorted({"name", "hypothesis", "fault"} - set(read))
    if missing:
        raise UsageError(f"{source}: the member {missing[0]} is missing.")
    return DrillFile(
        name=str(read["name"]),
        title=str(read.get("title", read["name"])),
        hypothesis=str(read["hypothesis"]).strip(),
        region=str(read.get("region", "first")),
        fault=_part(FaultPlan, read["fault"], f"{source}: fault"),
        also=tuple(_part(FaultPlan, each, f"{source}: also") for each in _list(read.get("also", []), source)),
        load=_part(LoadPlan, read.get("load", {}), f"{source}: load"),
        phases=_part(PhasePlan, read.get("phases", {}), f"{source}: phases"),
        expect=tuple(Objective.parse(str(text)) for text in read.get("expect", [])),
        ending=_ending(str(read.get("ending", "left")), source),
        stop=StopConditions(tuple(Objective.parse(str(text), STOPS) for text in read.get("stop", []))),
        rollback=_rollback(read.get("rollback", list(ROLLBACK)), source),
        source=str(read.get("source", "")),
    )


def _ending(word: str, source: str) -> Ending:
    if word not in ENDINGS:
        raise UsageError(f"{source}: an ending is {', '.join(ENDINGS)}, not {word}.")
    return cast(Ending, word)


def _rollback(read: Any, source: str) -> tuple[str, ...]:
    """Every step of it, each once: a drill that stops leaves nothing behind, only the order is free."""
    if not isinstance(read, list) or sorted(map(str, read)) != sorted(ROLLBACK):
        raise UsageError(f"{source}: rollback is {', '.join(ROLLBACK)}, each once, in the order that is wanted.")
    return tuple(map(str, read))


def _list(read: Any, source: str) -> list[Any]:
    if not isinstance(read, list):
        raise UsageError(f"{source}: also must be a list of faults.")
    return read


def _part(kind: Any, read: Any, where: str) -> Any:
    if not isinstance(read, dict):
        raise UsageError(f"{where} must be a mapping.")
    known = {member.name for member in fields(kind)}
    unknown = sorted(set(read) - known)
    if unknown:
        raise UsageError(f"{where} has no member {unknown[0]}; it has {', '.join(sorted(known))}.")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"{where}: {error}.") from error


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
        return parse(path.read_text(encoding="utf-8"), str(path))
    raise UsageError(f"There is no drill {name}; there are {', '.join(sorted(known))}, or give a YAML file.")
