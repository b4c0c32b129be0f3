"""Charts as inline SVG. Colours are the page's variables, so that they follow its light and dark themes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

WIDTH: Final = 960
LEFT: Final = 56
RIGHT: Final = 12
MARKS_HEIGHT: Final = 44
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that all charts share: `start_s` (epoch seconds) and its length."""

    start_s: float
    seconds: float

    def x(self, at_s: float) -> float:
        """Where a moment is drawn."""
        share = (at_s - self.start_s) / max(self.seconds, 1.0)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment with a name, drawn through a chart."""

    at_s: float
    text: str


def traffic_chart(report: Mapping[str, Any], span: Span, marks: Sequence[Mark], colours: Mapping[str, str]) -> str:
    """Requests a second, stacked: good ones by Region, bad ones on top."""
    traffic = report["traffic"]
    seconds = len(traffic["p50_ms"])
    layers = [
        (f"{region}, served", colours[region], counts)
        for region, counts in traffic["good"].items()
        if region in colours
    ]
    bad = [sum(column) for column in zip(*traffic["bad"].values(), strict=True)] if traffic["bad"] else [0] * seconds
    layers.append(("failed or late", "var(--bad)", bad))
    totals = [sum(layer[2][second] for layer in layers) for second in range(seconds)]
    top = _nice(max(totals, default=1))
    height = 220
    parts = [_axes(span, height, [(value, f"{value:g}") for value in _ticks(top)], top)]
    base = [0.0] * seconds
    for name, colour, counts in layers:
        upper = [base[second] + counts[second] for second in range(seconds)]
        parts.append(_band(span, traffic["start_s"], base, upper, top, height, colour, name))
        base = upper
    parts.append(_marks(span, marks, height))
    return _svg(height + MARKS_HEIGHT + 22, parts, "Requests a second by Region, and those that failed")


def latency_chart(report: Mapping[str, Any], span: Span, marks: Sequence[Mark]) -> str:
    """Milliseconds to an answer, half of all and nineteen of twenty, on a logarithmic scale."""
    traffic = report["traffic"]
    height = 160
    low, high = 1.0, 10_000.0

    def level(value: float) -> float:
        return math.log10(min(high, max(low, value)) / low)

    top = level(high)
    ticks = [(level(value), f"{value:g}") for value in (1.0, 10.0, 100.0, 1000.0, 10_000.0)]
    parts = [_axes(span, height, ticks, top)]
    for values, colour, name in (
        (traffic["p95_ms"], "var(--p0)", "95th percentile"),
        (traffic["p50_ms"], "var(--p2)", "median"),
    ):
        levels = [None if value is None else level(value) for value in values]
        parts.append(_line(span, traffic["start_s"], levels, top, height, colour, name))
    parts.append(_marks(span, marks, height))
    return _svg(height + MARKS_HEIGHT + 22, parts, "Milliseconds to an answer: median and 95th percentile")


def signals_chart(signals: Sequence[Mapping[str, Any]], span: Span, marks: Sequence[Mark]) -> str:
    """A strip for each vantage point: the share of bad looks, second by second; blank where it did not look."""
    row, gap = 15, 3
    height = len(signals) * (row + gap)
    parts: list[str] = []
    for number, signal in enumerate(signals):
        y = MARKS_HEIGHT + number * (row + gap)
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{row}" class="unseen"/>')
        parts += _cells(span, signal, y, row)
        parts.append(f'<text x="{LEFT + 6}" y="{y + row - 4}" class="strip">{escape(signal["vantage"])}</text>')
    parts.append(_marks(span, marks, height))
    return _svg(height + MARKS_HEIGHT + 6, parts, "What each vantage point saw")


def phases_chart(phases: Sequence[Mapping[str, Any]]) -> str:
    """The recovery time as one bar, a piece for each phase."""
    total = sum(phase["seconds"] for phase in phases) or 1.0
    width = WIDTH - 20
    x = 10.0
    parts: list[str] = []
    for number, phase in enumerate(phases):
        size = width * phase["seconds"] / total
        label = f"{phase['name']}: {phase['seconds']:.1f} s"
        parts.append(
            f'<g class="phase p{number % 4}"><title>{escape(label)}</title>'
            f'<rect x="{x:.1f}" y="6" width="{max(size, 1.5):.1f}" height="34" rx="3"/></g>'
        )
        x += size
    return _svg(46, parts, "Recovery time by phase")


def failback_chart(steps: Sequence[Mapping[str, Any]], span: Span, colour: str) -> str:
    """Home's weight step by step, and the share of requests that went home in each."""
    height, top = 140, 100.0
    parts = [_axes(span, height, [(value, f"{value:g} %") for value in (0.0, 25.0, 50.0, 75.0, 100.0)], top)]
    for step in steps:
        x, end = span.x(step["set_s"]), span.x(step["judged_s"])
        y = MARKS_HEIGHT + height * (1 - step["percent"] / top)
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}" class="weight"/>')
        if step["share"] is not None:
            share = 100 * step["share"]
            y = MARKS_HEIGHT + height * (1 - share / top)
            title = f"{step['percent']} % of the weight: {share:.0f} % of the requests"
            parts.append(
                f'<circle cx="{(x + end) / 2:.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{title}</title></circle>'
            )
    return _svg(height + MARKS_HEIGHT + 22, parts, "Failback: weight and share of requests")


def _cells(span: Span, signal: Mapping[str, Any], y: float, row: int) -> list[str]:
    """Runs of equal shares as one rectangle each."""
    cells: list[str] = []
    values: list[float | None] = [*signal["bad_share"], None]
    begun = 0
    for second in range(1, len(values)):
        if values[second] == values[begun] and second < len(values) - 1:
            continue
        share = values[begun]
        if share is not None:
            x, end = span.x(signal["start_s"] + begun), span.x(signal["start_s"] + second)
            colour = "var(--good)" if share == 0 else "var(--bad)"
            opacity = 0.45 if share == 0 else 0.35 + 0.65 * share
            cells.append(
                f'<rect x="{x:.1f}" y="{y}" width="{max(0.5, end - x):.1f}" height="{row}" fill="{colour}" '
                f'fill-opacity="{opacity:.2f}"/>'
            )
        begun = second
    return cells


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _axes(span: Span, height: float, ticks: Sequence[tuple[float, str]], top: float) -> str:
    parts: list[str] = []
    for value, text in ticks:
        y = MARKS_HEIGHT + height * (1 - value / top)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" class="tick end">{escape(text)}</text>')
    step = _time_step(span.seconds)
    for number in range(int(span.seconds // step) + 1):
        x = span.x(span.start_s + number * step)
        parts.append(
            f'<text x="{x:.1f}" y="{MARKS_HEIGHT + height + 16:.1f}" class="tick middle">{number * step} s</text>'
        )
    return "".join(parts)


def _band(
    span: Span,
    start_s: float,
    lower: Sequence[float],
    upper: Sequence[float],
    top: float,
    height: float,
    colour: str,
    name: str,
) -> str:
    """A filled step curve between two rows of values, one value a second."""

    def corner(second: int, value: float) -> str:
        return f"{span.x(start_s + second):.1f},{MARKS_HEIGHT + height * (1 - value / top):.1f}"

    ahead = [corner(second + side, value) for second, value in enumerate(upper) for side in (0, 1)]
    back = [corner(second + side, value) for second, value in reversed(list(enumerate(lower))) for side in (1, 0)]
    return f'<polygon points="{" ".join([*ahead, *back])}" fill="{colour}"><title>{escape(name)}</title></polygon>'


def _line(span: Span, start_s: float, values: Values, top: float, height: float, colour: str, name: str) -> str:
    pieces: list[list[str]] = [[]]
    for second, value in enumerate(values):
        if value is None:
            pieces.append([])
            continue
        y = MARKS_HEIGHT + height * (1 - value / top)
        pieces[-1].append(f"{span.x(start_s + second + 0.5):.1f},{y:.1f}")
    lines = "".join(f'<polyline points="{" ".join(piece)}"/>' for piece in pieces if piece)
    return f'<g class="line" stroke="{colour}"><title>{escape(name)}</title>{lines}</g>'


def _marks(span: Span, marks: Sequence[Mark], height: float) -> str:
    """Vertical lines with their names above, in three rows so that neighbours do not cover one another."""
    parts: list[str] = []
    for number, mark in enumerate(marks):
        x, y = span.x(mark.at_s), 11 + 13 * (number % 3)
        anchor = "end" if x > WIDTH - 120 else "start"
        parts.append(f'<line x1="{x:.1f}" y1="{y - 8}" x2="{x:.1f}" y2="{MARKS_HEIGHT + height:.0f}" class="mark"/>')
        parts.append(
            f'<text x="{x + (-4 if anchor == "end" else 4):.1f}" y="{y}" class="mark" text-anchor="{anchor}">'
            f"{escape(mark.text)}</text>"
        )
    return "".join(parts)


def _nice(value: float) -> float:
    """The next round number."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(next(unit * factor for factor in (1, 2, 3, 4, 5, 6, 8, 10) if unit * factor >= value))


def _ticks(top: float) -> list[float]:
    return [top * share for share in (0.0, 0.25, 0.5, 0.75, 1.0)]


def _time_step(seconds: float) -> int:
    return next((step for step in (5, 10, 20, 30, 60, 120, 300, 600, 1800) if seconds / step <= 12), 3600)
