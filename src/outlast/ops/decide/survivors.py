"""Whether the survivors get worse after a switch: impaired by the rule, or turning customers away; and whether the
Region that was left is well enough to take its customers back.

Throttling shows late or never in probes and canaries, which ask little; the endpoint's own count of refused requests
shows it. Refusals that are the service's own business were there before, so the rise counts, not the share.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html (4XXError)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from outlast.ops.decide.rules import Decision

RISE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Survivors:
    """The Regions that take over, and the share of requests that each refused before the switch."""

    regions: tuple[str, ...]
    before: Mapping[str, float]

    @classmethod
    def of(cls, regions: Sequence[str], refused: Mapping[str, float]) -> Survivors:
        """As they are now; `refused` shares by Region, absent where nothing was measured."""
        return cls(tuple(regions), {region: refused[region] for region in regions if region in refused})

    def worse(self, decision: Decision, refused: Mapping[str, float]) -> str:
        """Why they are worse off, empty while they are not."""
        impaired = [region for region in self.regions if decision.finding(region).state == "impaired"]
        if impaired:
            return f"{', '.join(impaired)} is impaired"
        for region in self.regions:
            now, then = refused.get(region), self.before.get(region, 0.0)
            if now is not None and now - then > RISE:
                return f"{region} turns away {now:.0%} of all requests, {then:.0%} before the switch"
        return ""


def unready(decision: Decision, regions: Sequence[str]) -> str:
    """Why nobody may be sent back to these Regions now, empty when somebody may. A Region that was left because it was
    impaired must have recovered, as vantage points see it: moving from bad to bad loses everybody on the way."""
    return "; ".join(filter(None, (decision.finding(region).unready for region in regions)))


def nowhere(decision: Decision, regions: Sequence[str]) -> str:
    """Why none of these Regions, which serve the others' customers now, can take more; empty when one can."""
    bad = [decision.finding(region) for region in regions if decision.finding(region).state in ("impaired", "unknown")]
    if len(bad) < len(regions):
        return ""
    return "; ".join(f"{finding.region} is {finding.state}: {finding.why}" for finding in bad)
