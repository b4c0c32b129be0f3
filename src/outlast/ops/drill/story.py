"""What a drill gathers as it goes: the timeline, the twelve steps, and everything that the report is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from outlast.ops.act.audit import Entry
from outlast.ops.act.failback import Returned
from outlast.ops.decide.rules import Decision
from outlast.ops.deployment import Deployment
from outlast.ops.drill.objectives import Objective
from outlast.ops.drill.stranded import Left
from outlast.ops.drill.writes import AtRisk, Fate
from outlast.ops.load.log import Record
from outlast.ops.plan.evacuation import EvacuationPlan
from outlast.ops.sightings import Sample

TITLES: Final = (
    "Canaries, component and endpoint metrics and the Health API say that all is well",
    "Customers look the name up and are sent to the nearer Region",
    "Signed requests reach that Region's API and its function",
    "The function places orders by one transaction on its Region's own replica",
    "The acknowledgement travels back to the customer",
    "The items reach the other Region",
    "A Region-scoped event begins: intermittent failures and slow answers",
    "Canaries, metrics, probes and alarms show it",
    "The operator concludes and evacuates: routing control off",
    "All traffic lands in the other Region, which has room for it",
    "The event is over: routing control on, traffic restored by weighted records",
    "The Region performs as expected; stranded data has converged; conflicts are known",
)
"""The twelve steps of the story."""

StepState = Literal["true", "false", "absent", "apart"]


@dataclass(frozen=True, slots=True)
class StepSeen:
    """One step and what shows it. absent: a part that it needs does not exist yet; apart: not meant to be taken."""

    number: int
    state: StepState
    evidence: str
    at_s: float | None

    @property
    def title(self) -> str:
        """The step in words."""
        return TITLES[self.number - 1]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `at_s` epoch seconds."""

    at_s: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An alarm that changed its state."""

    at_s: float
    region: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Converged:
    """The replicas compared. `at_s`: when they were first found alike, None if never."""

    at_s: float | None
    orders: int
    unequal: tuple[str, ...]
    lag_ms: Mapping[str, float | None]


@dataclass(slots=True)
class Story:
    """A drill as it is told; filled while it runs, handed to the report at the end."""

    title: str
    hypothesis: str
    region: str
    fault: Mapping[str, Any]
    load: Mapping[str, Any]
    deployment: Deployment
    objectives: list[Objective]
    now_s: Callable[[], float]
    without: Mapping[int, str] = field(default_factory=dict)
    """The steps that are not meant to be taken, and why."""
    tell: Callable[[Event], None] = lambda _: None
    on_step: Callable[[StepSeen], None] = lambda _: None
    marks: dict[str, float | None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    steps: list[StepSeen] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    alarms: list[AlarmChange] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    decision: Decision | None = None
    plan: EvacuationPlan | None = None
    returned: Returned | None = None
    risks: list[AtRisk] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    """Every write left behind, one by one, where the Regions' own lists tell (`exact`)."""
    exact: bool = False
    inexact_why: str = ""
    read_s: float | None = None
    acknowledged: int = 0
    window_s: float = 0.0
    double_sales: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[dict[str, Any]] | None = None
    convergence: Converged | None = None
    audit_path: str = ""
    audit: list[Entry] = field(default_factory=list)
    failed: str = ""
    """What should have happened and did not; empty when the story was told to its end."""
    trouble: str = ""
    """What went wrong with the drill itself; empty when nothing did."""

    def note(self, kind: str, text: str) -> Event:
        """Add to the timeline, now."""
        event = Event(self.now_s(), kind, text)
        self.events.append(event)
        self.tell(event)
        return event

    def mark(self, name: str, at_s: float | None = None) -> float:
        """Set a moment of the drill; the first one stays."""
        moment = self.now_s() if at_s is None else at_s
        kept = self.marks.setdefault(name, moment)
        return moment if kept is None else kept

    def on_their_way(self) -> bool:
        """Whether a write at risk may still arrive."""
        writes = self.left if self.exact else self.risks
        return any(each.fate == "not known" for each in writes)

    @property
    def fates(self) -> list[Fate]:
        """What became of the orders at risk, and of the writes left behind that no customer was told of."""
        found: list[Fate] = [risk.fate for risk in self.risks]
        return found + [each.fate for each in self.left if not each.order_id]

    def step(self, number: int, held: bool | None, evidence: str) -> None:
        """One of the twelve steps was looked at; None: what it needs does not exist."""
        state: StepState = "absent" if held is None else "true" if held else "false"
        seen = StepSeen(number, state, evidence, self.now_s())
        self.steps.append(seen)
        self.on_step(seen)
