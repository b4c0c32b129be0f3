"""The report as one page of HTML: nothing is loaded from elsewhere, no script runs, it prints."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from outlast.ops.drill.measure import SLOW_MS
from outlast.ops.ledger.show import short
from outlast.ops.report import charts
from outlast.ops.report.charts import Mark, Span
from outlast.ops.report.wording import (
    WORDS,
    conflicts_text,
    convergence_text,
    figure,
    items_text,
    place_text,
    rpo_text,
    rto_text,
    sales_text,
    share,
    stubborn_text,
    sum_text,
    tiles,
)

PHASE_NAMES: Final = {
    "detected": "until detected",
    "decided": "until decided",
    "switched": "until switched",
    "last failing request": "until the last failing request",
}
MARKS: Final = (
    ("impact_s", "impact"),
    ("detected_s", "detected"),
    ("switched_s", "switched"),
    ("left_s", "left"),
    ("healed_s", "healed"),
    ("failback_s", "failback"),
    ("returned_s", "returned"),
)
REGION_COLOURS: Final = ("var(--first)", "var(--second)", "var(--p2)", "var(--p0)")


def render(report: Mapping[str, Any]) -> str:
    """The page. The report must satisfy schema.json."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = resources.files("outlast.ops.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    begin_s = float(report["marks"].get("begin_s") or report["traffic"]["start_s"])
    return environment.from_string(source).render(
        report=report,
        cost=report.get("cost"),
        words=WORDS,
        phase_names=PHASE_NAMES,
        slow_ms=f"{SLOW_MS:.0f}",
        place=place_text(report["place"]),
        tiles=tiles(report),
        colours=region_colours(report),
        charts=draw(report),
        rto_text=rto_text(report),
        sum_text=sum_text(report),
        stubborn_text=stubborn_text(report),
        rpo_text=rpo_text(report),
        items_text=items_text(report),
        short=short,
        conflicts_text=conflicts_text(report),
        sales_text=sales_text(report),
        convergence_text=convergence_text(report),
        figure=figure,
        share=share,
        moment=lambda at_s: f"{at_s - begin_s:.1f} s",
    )


def region_colours(report: Mapping[str, Any]) -> dict[str, str]:
    """A colour for each Region: the one that was left first."""
    names = [report["configuration"]["region"], *report["configuration"]["survivors"]]
    return dict(zip(names, REGION_COLOURS, strict=False))


def draw(report: Mapping[str, Any]) -> dict[str, Any]:
    """All charts of the page."""
    span = span_of(report)
    marks = [Mark(at_s, text) for name, text in MARKS if (at_s := report["marks"].get(name)) is not None]
    colours = region_colours(report)
    by_region: dict[str, list[Mapping[str, Any]]] = {}
    for signal in report["signals"]:
        by_region.setdefault(signal["region"], []).append(signal)
    drawn: dict[str, Any] = {
        "traffic": charts.traffic_chart(report, span, marks, colours),
        "latency": charts.latency_chart(report, span, marks),
        "phases": charts.phases_chart(report["rto"]["phases"]),
        "signals": {region: charts.signals_chart(signals, span, marks) for region, signals in by_region.items()},
    }
    if report["failback"]:
        colour = colours[report["configuration"]["region"]]
        drawn["failback"] = charts.failback_chart(report["failback"]["steps"], span, colour)
    return drawn


def span_of(report: Mapping[str, Any]) -> Span:
    """From the begin of the drill to its end, or over the traffic where marks are missing."""
    traffic = report["traffic"]
    begin_s = report["marks"].get("begin_s") or traffic["start_s"]
    end_s = report["marks"].get("end_s") or traffic["start_s"] + len(traffic["p50_ms"])
    return Span(begin_s, max(1.0, end_s - begin_s))
