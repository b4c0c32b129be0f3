"""What one vantage point has seen of one Region of late, with hysteresis: turning bad takes more than staying bad."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

from outlast.ops.sightings import Sample

Verdict = Literal["good", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Sight:
    """How a vantage point is read. Shares are of bad samples within `window_s`; silence of `stale_s` is unknown.

    To turn bad takes a share of `enter` and `min_bad` bad samples: one bad look is never enough where looks are many.
    It goes on while `late_bad` of the `late` latest samples are bad.
    """

    window_s: float = 10.0
    enter: float = 0.2
    leave: float = 0.05
    min_samples: int = 4
    min_bad: int = 3
    stale_s: float = 15.0
    late: int = 3
    late_bad: int = 2


PROBE: Final = Sight()
POLLED: Final = Sight(enter=0.5, leave=0.2, min_samples=2, min_bad=2)
EVENTS: Final = Sight(window_s=30.0, enter=0.5, leave=0.2, min_samples=1, min_bad=1, stale_s=60.0)


def canary_sight(period_s: float) -> Sight:
    """A canary that runs every `period_s`: two bad runs of the last three or four."""
    return Sight(
        window_s=3.5 * period_s,
        enter=0.4,
        leave=0.2,
        min_samples=2,
        min_bad=2,
        stale_s=3.5 * period_s,
        late=1,
        late_bad=1,
    )


def sights(canary_period_s: float) -> dict[str, Sight]:
    """How each vantage point is read."""
    canary = canary_sight(canary_period_s)
    return {
        "observer-canary": canary,
        "region-canary": canary,
        "observer-alarm": POLLED,
        "region-alarm": POLLED,
        "endpoint-metrics": POLLED,
        "component-metrics": POLLED,
        "probe-fresh": PROBE,
        "probe-pooled": PROBE,
        "heartbeat": POLLED,
        "health-events": EVENTS,
    }


@dataclass(slots=True)
class Window:
    """The samples of one vantage point about one Region; bounded by time."""

    sight: Sight
    verdict: Verdict = "unknown"
    detail: str = ""
    _samples: deque[tuple[float, bool]] = field(default_factory=deque)
    _bad: int = 0

    def add(self, sample: Sample) -> None:
        """Take a sample; samples come in the order of their time. After a silence nothing is known any more."""
        if self._samples and sample.at_s - self._samples[-1][0] > self.sight.stale_s:
            self.verdict = "unknown"
        self._samples.append((sample.at_s, sample.bad))
        self._bad += sample.bad
        if sample.bad or self.verdict != "bad":
            self.detail = sample.detail
        self._forget(sample.at_s)

    def look(self, now_s: float) -> Verdict:
        """The verdict at `now_s`."""
        self._forget(now_s)
        if not self._samples or now_s - self._samples[-1][0] > self.sight.stale_s:
            self.verdict = "unknown"
        elif len(self._samples) >= self.sight.min_samples:
            if self.share >= self.sight.enter and self._bad >= self.sight.min_bad:
                self.verdict = "bad"
            elif self.share <= self.sight.leave or self.verdict == "unknown":
                self.verdict = "good"
        return self.verdict

    @property
    def share(self) -> float:
        """Share of bad samples in the window."""
        return self._bad / len(self._samples) if self._samples else 0.0

    @property
    def going_on(self) -> bool:
        """Whether the latest looks were bad: a share outlasts the trouble it was taken from by a window's length."""
        latest = islice(reversed(self._samples), self.sight.late)
        return sum(bad for _, bad in latest) >= self.sight.late_bad

    @property
    def samples(self) -> int:
        """Samples in the window."""
        return len(self._samples)

    def _forget(self, now_s: float) -> None:
        keep_s = max(self.sight.window_s, self.sight.stale_s)
        while self._samples and now_s - self._samples[0][0] > self.sight.window_s:
            if len(self._samples) == 1 and now_s - self._samples[0][0] <= keep_s:
                return
            self._bad -= self._samples.popleft()[1]
