"""Whether requests land where customers were sent, and stop where they were: by what the Regions' own endpoints count.

DNS says where customers are sent; only a count says where they are. It comes by whole periods of the metric, so soon
after a switch there is none yet. What goes on in the Region that was left is its canaries and probes, and whoever holds
on to old answers.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outlast.ops.observe.metrics import Counted


@dataclass(frozen=True, slots=True)
class Landing:
    """Requests a second of each Region, in a whole period since the switch, and before it where that is known."""

    region: str
    before: Mapping[str, float]
    after: Mapping[str, float]

    @property
    def document(self) -> dict[str, dict[str, float | None]]:
        """As JSON members."""
        return {each: {"before": self.before.get(each), "after": now} for each, now in self.after.items()}

    @property
    def text(self) -> str:
        """In words, for the operator."""
        if not self.after:
            return "requests: no whole period was counted since the switch: `outlast watch` tells where they land"
        told = ", ".join(self._told(each, now) for each, now in sorted(self.after.items()))
        rest = f"; canaries and probes go on in {self.region}" if self.region in self.after else ""
        return f"requests a second, as each Region counts them: {told}{rest}"

    def _told(self, region: str, now: float) -> str:
        known = region in self.before
        return f"{region} {now:.1f}" + (f" ({self.before[region]:.1f} before)" if known else "")


def landing(region: str, before: Mapping[str, float], counted: Mapping[str, Counted], switched_s: float) -> Landing:
    """What was counted in the newest period that began after the switch, beside the rates of before it."""
    after = {each: found.rate for each, found in counted.items() if found.from_s >= switched_s}
    return Landing(region, before, after)
