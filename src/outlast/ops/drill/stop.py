"""Stop conditions: what must never happen in a drill. When one comes true the drill ends at once and is rolled back.

As FIS has them, for what customers see: https://docs.aws.amazon.com/fis/latest/userguide/stop-conditions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from outlast.ops.drill.objectives import COMPARE, Objective
from outlast.ops.load.log import Record

STOPS: Final[Mapping[str, str]] = {"elapsed": "s", "bad_share": "%", "bad_share_elsewhere": "%"}
"""What can be a stop condition, and its unit: time since the impact, and shares of the requests of late."""
WINDOW_S: Final = 10.0
MIN_REQUESTS: Final = 20
SLOW_MS: Final = 1500.0


@dataclass(frozen=True, slots=True)
class StopConditions:
    """The conditions of one drill. Shares are of the last ten seconds, of twenty requests or more."""

    conditions: tuple[Objective, ...] = ()

    def tripped(self, records: Sequence[Record], region: str, impact_s: float, now_s: float) -> str:
        """The condition that has come true, in words; empty while none has."""
        seen: dict[str, float | None] | None = None
        for each in self.conditions:
            if seen is None:
                seen = _seen(records, region, impact_s, now_s)
            value = seen[each.name]
            if value is not None and COMPARE[each.relation](value, each.limit):
                return f"the stop condition `{each.text}` has come true ({value:.1f} {STOPS[each.name]})"
        return ""


def _seen(records: Sequence[Record], region: str, impact_s: float, now_s: float) -> dict[str, float | None]:
    late = [each for each in records if now_s - WINDOW_S <= each.ended_s <= now_s]
    elsewhere = [each for each in late if each.where not in (region, "")]
    return {"elapsed": now_s - impact_s, "bad_share": _share(late), "bad_share_elsewhere": _share(elsewhere)}


def _share(records: Sequence[Record]) -> float | None:
    if len(records) < MIN_REQUESTS:
        return None
    return 100 * sum(each.bad(SLOW_MS) for each in records) / len(records)
