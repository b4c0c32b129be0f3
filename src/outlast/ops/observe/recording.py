"""Recorded signals: everything that the vantage points saw, small enough to keep, to be judged again by other rules.

Gzipped lines of JSON: a header; then, for each sample, [milliseconds since the last one, vantage point, Region, bad,
detail]. The header's `origin` tells how it was recorded, where whoever recorded it said so.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from outlast.ops.outcome import OpsError, UsageError
from outlast.ops.sightings import SIDES, Sample

SCHEMA: Final = "outlast.signals/1"
VANTAGES: Final = tuple(SIDES)


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples in the order of their time, the pace that they were taken at, and where they come from."""

    regions: tuple[str, ...]
    canary_period_s: float
    begun_s: float
    samples: tuple[Sample, ...]
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return self.samples[-1].at_s - self.samples[0].at_s if self.samples else 0.0


def save(
    path: Path,
    samples: Iterable[Sample],
    regions: Sequence[str],
    canary_period_s: float,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Write a recording. Raises OpsError."""
    held = sorted((each for each in samples if each.region in regions), key=lambda each: each.at_s)
    begun_s = held[0].at_s if held else 0.0
    header = {
        "schema": SCHEMA,
        "regions": list(regions),
        "canary_period_s": canary_period_s,
        "begun_s": begun_s,
        "vantages": list(VANTAGES),
        **({"origin": dict(origin)} if origin else {}),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.GzipFile(path, "wb", mtime=0) as out:
            for line in _lines(header, held, list(regions), begun_s):
                out.write(line.encode() + b"\n")
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error}.") from error


def _lines(header: dict[str, Any], held: list[Sample], regions: list[str], begun_s: float) -> Iterator[str]:
    yield json.dumps(header)
    last_ms = 0
    for each in held:
        at_ms = round((each.at_s - begun_s) * 1000)
        row: list[Any] = [at_ms - last_ms, VANTAGES.index(each.vantage), regions.index(each.region), int(each.bad)]
        yield json.dumps([*row, each.detail] if each.detail else row, separators=(",", ":"))
        last_ms = at_ms


def load(path: Path) -> Recording:
    """A recording that `save` wrote. Raises UsageError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            header = json.loads(next(lines))
            if header.get("schema") != SCHEMA:
                raise UsageError(f"{path} is not a recording of this version.")
            return Recording(
                tuple(header["regions"]),
                float(header["canary_period_s"]),
                float(header["begun_s"]),
                tuple(_samples(lines, header)),
                dict(header.get("origin") or {}),
            )
    except (OSError, EOFError, StopIteration, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no recording: {type(error).__name__} {error}.") from error


def _samples(lines: Iterable[str], header: dict[str, Any]) -> Iterator[Sample]:
    at_ms = 0
    for line in lines:
        step_ms, vantage, region, bad, *detail = json.loads(line)
        at_ms += step_ms
        at_s = header["begun_s"] + at_ms / 1000
        name, where = header["vantages"][vantage], header["regions"][region]
        yield Sample(at_s, name, where, bool(bad), detail[0] if detail else "")
