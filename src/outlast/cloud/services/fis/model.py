"""Actions as values: what each is called, which parameters it takes, and the fault that it starts.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from outlast.cloud.contract import FaultSpec
from outlast.cloud.contract.faults import KINDS, FaultKind
from outlast.cloud.services.fis.errors import ValidationException

WAIT: Final = "aws:fis:wait"
PREFIX: Final = "outlast:"
MAX_DURATION_S: Final = 12 * 3600
DURATION: Final = re.compile(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
SCOPED: Final = ("services", "operations")
NUMBERS: Final = {
    "gray-failure": ("error_share", "delay_share", "delay_ms"),
    "service-errors": ("share", "status"),
    "service-latency": ("share", "delay_ms"),
    "service-throttling": ("share",),
    "link-slow": ("delay_ms", "jitter_ms", "loss", "bytes_per_s"),
    "clock-skew": ("skew_ms",),
    "disk-slow": ("delay_ms",),
}
TEXTS: Final = {"service-errors": ("code",)}
LISTS: Final = {"dns-empty": ("names",)}
"""Parameters of several words, separated by commas."""
DESCRIPTIONS: Final = {
    WAIT: "Wait for the specified duration.",
    "region-killed": "End every process of the Regions at once; their disks stay.",
    "region-destroyed": "End every process of the Regions and remove what they kept.",
    "region-isolated": "Cut every link between the Regions and the others, both ways; clients still reach them.",
    "link-cut": "Drop every message from the first Region to the second.",
    "link-slow": "Delay, lose or throttle messages from the first Region to the second.",
    "replication-paused": "Hold back replication from the first Region to the second.",
    "service-errors": "Answer a share of requests with an error.",
    "service-latency": "Delay a share of requests.",
    "service-throttling": "Throttle a share of requests.",
    "gray-failure": "Fail a share of requests and delay a share of the others.",
    "dns-empty": "Answer DNS queries in the Regions with nothing.",
    "control-plane-lost": "Fail control plane operations of services in the Regions.",
    "clock-skew": "Let the Regions' clocks be wrong.",
    "disk-full": "Let writes to the Regions' disks fail for lack of space.",
    "disk-slow": "Delay every sync of the Regions' disks.",
    "certificate-expired": "Present expired certificates in the Regions.",
    "certificate-wrong": "Present certificates for another name in the Regions.",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of action."""

    id: str
    description: str
    parameters: tuple[str, ...]

    @property
    def kind(self) -> FaultKind | None:
        """The fault it starts; None for a wait."""
        return None if self.id == WAIT else cast(FaultKind, self.id.removeprefix(PREFIX))

    def described(self) -> dict[str, Any]:
        """As GetAction shows it."""
        return {
            "id": self.id,
            "description": self.description,
            "parameters": {
                name: {"description": f"{name} of the fault", "required": name == "duration"}
                for name in self.parameters
            },
        }


def _action(kind: str) -> Action:
    scoped: tuple[str, ...] = SCOPED if kind.startswith(("service-", "gray-")) else ()
    scoped = ("services",) if kind == "control-plane-lost" else scoped
    own = (*NUMBERS.get(kind, ()), *TEXTS.get(kind, ()), *LISTS.get(kind, ()))
    return Action(PREFIX + kind, DESCRIPTIONS[kind], ("duration", "regions", *scoped, *own))


ACTIONS: Final = {
    action.id: action
    for action in (Action(WAIT, DESCRIPTIONS[WAIT], ("duration",)), *(_action(kind) for kind in sorted(KINDS)))
}


def seconds_of(text: str) -> int:
    """An ISO 8601 duration in seconds; raises ValidationException."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValidationException(f"The duration {text} is not of the form PT1H30M20S.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not 0 < total <= MAX_DURATION_S:
        raise ValidationException(f"The duration {text} must be over zero and at most 12 hours.")
    return total


def check_actions(actions: Mapping[str, Any]) -> None:
    """Raise ValidationException for actions that could not be carried out, or that wait for one another in a circle."""
    if not actions:
        raise ValidationException("An experiment template needs an action.")
    for name, given in actions.items():
        action = ACTIONS.get(given.get("actionId", ""))
        if action is None:
            raise ValidationException(
                f"The action {given.get('actionId')} is not supported by this cloud; see ListActions."
            )
        if given.get("targets"):
            raise ValidationException(f"The action {name} takes no targets; name Regions in its parameter regions.")
        unknown = sorted(set(given.get("parameters") or {}) - set(action.parameters))
        if unknown:
            raise ValidationException(f"The action {action.id} has no parameter {unknown[0]}.")
        if "duration" not in (given.get("parameters") or {}):
            raise ValidationException(f"The action {name} needs the parameter duration.")
        spec_of(given, "us-east-1")
        seconds_of(given["parameters"]["duration"])
        for earlier in given.get("startAfter") or ():
            if earlier not in actions:
                raise ValidationException(f"The action {name} starts after {earlier}, which is not in the template.")
    _check_circles(actions)


def _check_circles(actions: Mapping[str, Any]) -> None:
    done: set[str] = set()
    while len(done) < len(actions):
        ready = [
            name for name, given in actions.items() if name not in done and set(given.get("startAfter") or ()) <= done
        ]
        if not ready:
            raise ValidationException("The actions of the template start after one another in a circle.")
        done.update(ready)


def _number(name: str, text: str) -> float:
    """A parameter that is a number. Raises ValidationException, also for what only Python calls one."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValidationException(f"The parameter {name} must be a number, not {text}.")
    return number


def spec_of(given: Mapping[str, Any], here: str) -> FaultSpec | None:
    """The fault that an action starts in an experiment run in `here`; None for a wait. Raises ValidationException."""
    action = ACTIONS[given["actionId"]]
    if action.kind is None:
        return None
    parameters = given.get("parameters") or {}
    own: dict[str, Any] = {name: parameters[name] for name in TEXTS.get(action.kind, ()) if name in parameters}
    own |= {name: _words(parameters[name]) for name in LISTS.get(action.kind, ()) if name in parameters}
    for name in NUMBERS.get(action.kind, ()):
        if name in parameters:
            own[name] = _number(name, parameters[name])
    return FaultSpec(
        kind=action.kind,
        regions=_words(parameters.get("regions")) or (here,),
        services=_words(parameters.get("services")),
        operations=_words(parameters.get("operations")),
        duration_s=float(seconds_of(parameters["duration"])),
        parameters=own,
    )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
