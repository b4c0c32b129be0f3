"""Two reports side by side: which figures are better, which are worse, and whether they can be compared at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from outlast.ops.outcome import Exit
from outlast.ops.report.wording import fates_of

Trend = Literal["better", "worse", "the same", "not comparable"]
Read = Callable[[Mapping[str, Any]], float | None]
NOISE: Final = 0.1
"""Durations and shares that differ by less than a tenth are the same: two runs never are."""
LEAST: Final[Mapping[str, float]] = {"s": 0.1, "ms": 10.0, "%": 0.1}
"""What differs by less than this does not show, and is the same."""


def _phase(name: str) -> Read:
    return lambda report: next((each["seconds"] for each in report["rto"]["phases"] if each["name"] == name), None)


def _everyone(report: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report["customers"].get("everyone") or {}
    return found


def _bad_share(report: Mapping[str, Any]) -> float | None:
    everyone = _everyone(report)
    return 100 * everyone["bad"] / everyone["requests"] if everyone.get("requests") else None


def _fates(*fates: str) -> Read:
    def read(report: Mapping[str, Any]) -> float | None:
        if report["rpo"]["cut_s"] is None:
            return None
        found = fates_of(report)
        if "not known" in fates and "not known" in found and report["convergence"] is None:
            return None  # it broke off before the last word on them
        return float(sum(fate in fates for fate in found))

    return read


def _sold_twice(report: Mapping[str, Any]) -> float | None:
    looked = report["convergence"] is not None or report["double_sales"]
    return float(len(report["double_sales"])) if looked else None


def _at_cut(report: Mapping[str, Any]) -> float | None:
    return None if report["rpo"]["cut_s"] is None else float(len(report["rpo"]["writes"]))


FIGURES: Final[tuple[tuple[str, str, Read], ...]] = (
    ("recovery time", "s", lambda report: report["rto"]["seconds"]),
    ("until detected", "s", _phase("detected")),
    ("until decided", "s", _phase("decided")),
    ("until switched", "s", _phase("switched")),
    ("until the last failing request", "s", _phase("last failing request")),
    ("recovery time of stubborn clients", "s", lambda report: report["rto_stubborn"]["seconds"]),
    ("requests failed or late", "%", _bad_share),
    ("99th percentile", "ms", lambda report: _everyone(report).get("p99_ms")),
    ("writes missing at the cut", "", _at_cut),
    ("writes lost for good", "", _fates("lost", "not known")),
    ("writes overwritten", "", _fates("overwritten")),
    ("products sold twice", "", _sold_twice),
)
"""Name, unit, where it is read. Less is better, for all of them."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure in both reports; None where it was not measured."""

    name: str
    unit: str
    before: float | None
    after: float | None
    trend: Trend


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed. `warnings`: why the figures may not be comparable."""

    figures: tuple[Compared, ...]
    objectives: tuple[tuple[str, bool | None, bool | None], ...]
    warnings: tuple[str, ...]

    @property
    def exit(self) -> Exit:
        """3 when an objective that was met is missed now; figures alone do not fail: they are judged by objectives."""
        return Exit.MISSED if any(before and after is False for _, before, after in self.objectives) else Exit.GOOD

    def document(self) -> dict[str, Any]:
        """As JSON members."""
        return asdict(self)


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Both must satisfy schema.json."""
    figures = tuple(_compared(name, unit, read(before), read(after)) for name, unit, read in FIGURES)
    met = [{each["text"]: each["met"] for each in report["objectives"]} for report in (before, after)]
    texts = dict.fromkeys([*met[0], *met[1]])
    return Comparison(
        figures,
        tuple((text, met[0].get(text), met[1].get(text)) for text in texts),
        tuple(_warnings(before, after)),
    )


def _compared(name: str, unit: str, before: float | None, after: float | None) -> Compared:
    if before is None or after is None:
        trend: Trend = "the same" if before is after else "not comparable"
    elif (unit and abs(after - before) <= max(LEAST[unit], NOISE * max(abs(before), abs(after)))) or after == before:
        trend = "the same"
    else:
        trend = "better" if after < before else "worse"
    return Compared(name, unit, before, after, trend)


def _warnings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    found = []
    for what, read in (
        ("where they were measured", lambda report: report["measured"]),
        ("the drill", lambda report: report["title"]),
        ("the fault", lambda report: report["configuration"]["fault"]),
        ("the load", lambda report: report["configuration"]["load"]),
        ("the Region", lambda report: report["configuration"]["region"]),
        ("the record's TTL", lambda report: report["configuration"]["record_ttl_s"]),
        ("the machine", lambda report: [report["place"].get("system"), report["place"].get("cores")]),
    ):
        if read(before) != read(after):
            found.append(f"{what} differs: {read(before)} and {read(after)}")
    return found
