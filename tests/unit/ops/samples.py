"""A drill that was never played: signals, requests and writes as a gray failure and an evacuation make them."""

from __future__ import annotations

import random

from outlast.ops.act.audit import ROOT, Entry, seal
from outlast.ops.act.failback import Returned, Step
from outlast.ops.decide.rules import Judge
from outlast.ops.drill.objectives import Objective
from outlast.ops.drill.story import AlarmChange, Converged, Story
from outlast.ops.drill.writes import AtRisk
from outlast.ops.load.log import Outcome, Record
from outlast.ops.plan.evacuation import plan_evacuation
from outlast.ops.sightings import SIDES, Sample
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.test_plan import FACTS, A, B

BEGIN_S = 1_767_225_600.0
IMPACT, DETECTED, SWITCHED, HEALED, BACK, END = 12, 23, 24, 44, 52, 90
SHARES = {BACK + 8 * number: share for number, share in enumerate((0.05, 0.25, 0.5, 1.0))}


def records(seed: int = 3) -> list[Record]:
    """Twenty requests a second from two coasts for ninety seconds."""
    chooser = random.Random(seed)
    found = []
    for number in range(END * 20):
        second = number / 20
        coast = "east" if number % 2 else "west"
        stubborn = chooser.random() < 0.2
        region = A if coast == "east" and at_home(second, stubborn, chooser) else B
        impaired = region == A and IMPACT <= second < HEALED
        failing = impaired and chooser.random() < 0.3
        outcome: Outcome = "error" if failing else "served"
        ms = 2000 + chooser.random() * 300 if impaired else 8 + chooser.expovariate(1 / 12)
        ident = f"{coast}-{number % 10:03d}"
        answered = "" if failing else region
        record = Record(BEGIN_S + second, ms, ident, coast, stubborn, "order", outcome, 503 if failing else 201)
        found.append(
            Record(
                **{**{name: getattr(record, name) for name in Record.__slots__}, "region": answered, "aimed": region}
            )
        )
    return found


def at_home(second: float, stubborn: bool, chooser: random.Random) -> bool:
    """Whether a customer of the east is sent to the east."""
    if stubborn or second < SWITCHED + chooser.random() * 5:
        return True
    share = next((share for start, share in reversed(SHARES.items()) if second >= start), 0.0)
    return chooser.random() < share


def samples(seed: int = 4) -> list[Sample]:
    """Two looks a second from every vantage point."""
    chooser = random.Random(seed)
    found = []
    for number in range(END * 2):
        at_s = number / 2
        for vantage in SIDES:
            for region in (A, B):
                late = 6 if vantage.endswith(("alarm", "metrics")) else 1
                hit = (
                    region == A
                    and IMPACT + late < at_s < HEALED + late
                    and vantage not in ("heartbeat", "health-events")
                )
                bad = hit and (late > 1 or chooser.random() < 0.6)
                found.append(Sample(BEGIN_S + at_s, vantage, region, bad, "status 503" if bad else ""))
    return found


def audit() -> list[Entry]:
    """A chain of three acts."""
    entries: list[Entry] = []
    for number, action in enumerate(("evacuate", "switched", "left"), 1):
        previous = entries[-1].hash if entries else ROOT
        entries.append(seal(number, BEGIN_S + SWITCHED, "tester", action, {}, previous))
    return entries


def story() -> Story:
    """The whole drill."""
    told = Story(
        title="Gray failure of us-east-1",
        hypothesis="Customers of a half-failing Region are served by the other within ninety seconds.",
        region=A,
        fault={"kind": "gray-failure", "error_share": 0.3, "delay_ms": 2000},
        load={"rate_per_s": 20, "clients": 20, "stubborn_share": 0.2},
        deployment=sample_deployment(),
        objectives=[Objective.parse(text) for text in ("rto <= 60 s", "lost_writes == 0", "double_sales == 0")],
        now_s=lambda: BEGIN_S + END,
    )
    told.records, told.samples, told.audit = records(), samples(), audit()
    judge = Judge((A, B))
    for sample in told.samples:
        if sample.at_s <= BEGIN_S + DETECTED:
            judge.add(sample)
            told.decision = judge.assess(sample.at_s)
    for name, second in (
        ("begin_s", 0), ("impact_s", IMPACT), ("detected_s", DETECTED), ("decided_s", DETECTED + 0.2),
        ("switched_s", SWITCHED), ("left_s", SWITCHED + 5), ("healed_s", HEALED), ("failback_s", BACK),
        ("returned_s", BACK + 32), ("end_s", END),
    ):  # fmt: skip
        told.mark(name, BEGIN_S + second)
    told.note("phase", "healthy traffic")
    told.note("fault", "gray failure begins <in us-east-1>")
    told.step(1, True, "ten of ten vantage points say good")
    told.step(2, None, "no name server")
    told.plan = plan_evacuation(A, "it fails", (A, B), FACTS)
    steps = tuple(Step(int(share * 100), BEGIN_S + start, BEGIN_S + start + 8) for start, share in SHARES.items())
    told.returned = Returned("returned", steps, "us-east-1 has its traffic again")
    told.risks = [
        AtRisk(f"o-{number}", f"p-{number}", A, BEGIN_S + SWITCHED - 0.1 * number, "missing", "arrived",
               BEGIN_S + SWITCHED + 1) for number in range(6)
    ]  # fmt: skip
    told.acknowledged, told.window_s, told.read_s = 160, 30.0, BEGIN_S + SWITCHED + 0.1
    sales = [{"order_id": f"o-{region}", "region": region, "placed_at": "2026-01-01T00:00:10Z"} for region in (A, B)]
    sales = [{"order_id": f"o-{region}", "region": region, "placed_at": "2026-01-01T00:00:10Z"} for region in (A, B)]
    told.double_sales = [{"product_id": "p-7", "orders": sales}]
    told.conflicts = []
    told.convergence = Converged(BEGIN_S + 88, 640, (), {A: 800.0, B: 700.0})
    told.alarms = [AlarmChange(BEGIN_S + 20, "us-east-2", "orders-only-us-east-1-fails", "ALARM")]
    return told
