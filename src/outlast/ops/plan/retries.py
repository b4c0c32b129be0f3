"""How much of what a Region is asked is asked again, as far as anybody can see, and how much more it could bear. Pure.

No service tells a retry from a new request, so each layer tells what it can: customers' requests above what was usual
are retries at most; those that ended in an error are reasons for one; a call that DynamoDB throttles is sent again by
the SDK that made it. What cannot be known is said, never guessed.
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

LEAST: Final = 10
"""Minutes that say what is usual."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one Region was asked of late, counted over `span_s` seconds.

    `failed`: answered with a 5XX. `runs` and `throttled_runs`: of the function; the latter are not among the former.
    `calls`: answered by DynamoDB; `throttled_calls` None: nobody counts them there. `minutes`: requests of each minute
    of the hour before by its moment (epoch seconds), the latest ones left out; a minute without any is absent.
    """

    span_s: float
    requests: float
    failed: float
    runs: float
    throttled_runs: float
    calls: float
    throttled_calls: float | None
    minutes: Mapping[float, float]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.span_s

    @property
    def failed_share(self) -> float | None:
        """Share of the requests that ended in an error: each may come again."""
        return self.failed / self.requests if self.requests else None

    @property
    def throttled_run_share(self) -> float | None:
        """Share of the function's runs that were refused for want of concurrency."""
        return _share(self.throttled_runs, self.runs)

    @property
    def throttled_call_share(self) -> float | None:
        """Share of calls to DynamoDB that were throttled, and so sent again."""
        return None if self.throttled_calls is None else _share(self.throttled_calls, self.calls)


@dataclass(frozen=True, slots=True)
class Usual:
    """All Regions' requests a second, now and in the median minute of the hour before; None: not known, and why."""

    now: float | None
    before: float | None
    why: str = ""

    @property
    def excess(self) -> float | None:
        """Share of the requests of now that are more than usual: retries at most, for new customers look the same."""
        if self.now is None or self.before is None:
            return None
        return max(0.0, 1 - self.before / self.now) if self.now else 0.0


def usual(regions: Sequence[str], asked: Mapping[str, Asked]) -> Usual:
    """What is usual, over all Regions together: after a switch one has the requests of all."""
    silent = [region for region in regions if region not in asked]
    if silent:
        return Usual(None, None, f"{', '.join(silent)} does not tell what it is asked")
    now = sum(each.rate for each in asked.values())
    minutes: dict[float, float] = {}
    for region in regions:
        for moment, count in asked[region].minutes.items():
            minutes[moment] = minutes.get(moment, 0.0) + count
    if len(minutes) < LEAST:
        return Usual(now, None, f"{len(minutes)} minutes were counted before, {LEAST} say what is usual")
    return Usual(now, median(minutes.values()) / 60)


def words(region: str, asked: Mapping[str, Asked], known: Usual) -> str:
    """One Region's retries in words."""
    here = asked.get(region)
    if here is None:
        return "retries: not known, nobody tells what it is asked"
    return "; ".join(
        (
            f"retries: {_of_customers(known)}",
            _said(here.failed_share, "of its requests ended in an error and may come again"),
            _said(here.throttled_run_share, "of the function's runs were throttled"),
            _of_calls(here),
        )
    )


def document(region: str, asked: Mapping[str, Asked], known: Usual) -> dict[str, Any] | None:
    """The same as JSON members; None where nothing is known."""
    here = asked.get(region)
    if here is None:
        return None
    return {
        "at_most_share": known.excess,
        "usual_per_s": known.before,
        "not_known": known.why or None,
        "failed_share": here.failed_share,
        "throttled_run_share": here.throttled_run_share,
        "throttled_call_share": here.throttled_call_share,
    }


def _of_customers(known: Usual) -> str:
    if known.excess is None:
        return f"what share of all requests is not known ({known.why})"
    return (
        f"{known.excess:.0%} of all Regions' requests at most ({known.now:.1f} a second, {known.before:.1f} in the "
        "median minute of the hour before; no service tells a retry from a new request)"
    )


def _of_calls(here: Asked) -> str:
    if here.throttled_calls is None:
        return "calls that DynamoDB throttled are not counted here"
    return _said(here.throttled_call_share, "of the calls to DynamoDB were throttled and sent again")


def _said(share: float | None, what: str) -> str:
    return f"nothing to say of how many {what}" if share is None else f"{share:.0%} {what}"


def _share(refused: float, done: float) -> float | None:
    return refused / (refused + done) if refused + done else None
