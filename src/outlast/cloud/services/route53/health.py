"""Health: what each checker has seen, and what a Region makes of all of it. No I/O, no clock of its own.

The rules, from https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html

=================  ====================================================================================================
checker            turns unhealthy after `FailureThreshold` failures in a row, healthy after as many successes
endpoint           healthy while more than 18 % of the checkers heard of say so; a new one is healthy until they know
calculated         healthy while at least `HealthThreshold` children are
alarm              OK is healthy, ALARM is not; without data `InsufficientDataHealthStatus` decides
routing control    On is healthy, Off is not; the last known state holds when none can be read
inverted           the result is turned round, after all of the above
disabled           healthy (so unhealthy when inverted)
=================  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from outlast.cloud.services.route53.model import Check

SHARE_NEEDED: Final = 0.18
CHECKER_REGIONS: Final = frozenset(
    {
        "us-east-1",
        "us-west-1",
        "us-west-2",
        "eu-west-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-northeast-1",
        "sa-east-1",
    }
)
STEADY_EXPIRY_S: Final = 15.0
"""How long a view of an alarm or a routing control counts without being repeated."""

NO_DATA: Final = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One probe: whether it passed, what there is to say, and when (epoch milliseconds of the checker's clock)."""

    ok: bool
    reason: str
    at_ms: int
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What one Region's checker makes of one health check.

    `streak` counts the outcomes in a row that speak against `healthy`. `state` is the state of an alarm or a routing
    control. `version` is the health check's; a view of an older one is forgotten.
    """

    version: int
    healthy: bool
    last: Outcome
    failure: Outcome | None = None
    streak: int = 0
    state: str = ""


def step(view: View | None, outcome: Outcome, check: Check) -> View:
    """The checker's view after one more probe."""
    if view is None or view.version != check.version:
        view = View(check.version, True, outcome)
    failure = view.failure if outcome.ok else outcome
    if outcome.ok == view.healthy:
        return replace(view, last=outcome, failure=failure, streak=0)
    streak = view.streak + 1
    if streak >= check.threshold:
        return replace(view, healthy=outcome.ok, last=outcome, failure=failure, streak=0)
    return replace(view, last=outcome, failure=failure, streak=streak)


def steady(view: View | None, healthy: bool, state: str, reason: str, at_ms: int, version: int) -> View:
    """The view of something that has a state of its own: an alarm or a routing control."""
    outcome = Outcome(healthy, reason, at_ms)
    failure = outcome if not healthy else (view.failure if view is not None else None)
    return View(version, healthy, outcome, failure, 0, state)


def checkers(check: Check, world: Iterable[str]) -> tuple[str, ...]:
    """The Regions of this world whose checkers probe an endpoint.

    Those that the health check names, else those where AWS has checkers; all when fewer than three of them are here.
    """
    names = tuple(world)
    asked = set(check.config.get("Regions") or CHECKER_REGIONS)
    found = tuple(name for name in names if name in asked)
    return found if len(found) >= min(3, len(names)) or (check.config.get("Regions") and found) else names


@dataclass(slots=True)
class _Seen:
    view: View
    at_s: float


class Board:
    """All views that have come to one Region, and its conclusions. `here` is that Region."""

    def __init__(self, here: str, world: Iterable[str]) -> None:
        self._here = here
        self._world = tuple(world)
        self._checks: dict[str, Check] = {}
        self._seen: dict[str, dict[str, _Seen]] = {}
        self._known: dict[str, bool] = {}
        self.expiry_s: Mapping[str, float] = {}
        self.status: dict[str, bool] = {}

    def remember(self, known: Mapping[str, bool]) -> None:
        """The conclusions, before inversion, from before a restart."""
        self._known.update(known)

    def put(self, check: Check) -> None:
        """A health check is new or changed; views of an older version no longer count."""
        self._checks[check.id] = check
        seen = self._seen.get(check.id, {})
        self._seen[check.id] = {region: each for region, each in seen.items() if each.view.version == check.version}

    def drop(self, check_id: str) -> None:
        """A health check is gone."""
        self._checks.pop(check_id, None)
        self._seen.pop(check_id, None)
        self._known.pop(check_id, None)
        self.status.pop(check_id, None)

    @property
    def checks(self) -> Mapping[str, Check]:
        return self._checks

    def hear(self, check_id: str, region: str, view: View, now_s: float) -> None:
        """Note a view; `now_s` is this Region's monotonic clock."""
        check = self._checks.get(check_id)
        if check is not None and check.version == view.version:
            self._seen.setdefault(check_id, {})[region] = _Seen(view, now_s)

    def view(self, check_id: str, region: str) -> View | None:
        """What that Region's checker last said."""
        seen = self._seen.get(check_id, {}).get(region)
        return None if seen is None else seen.view

    def views(self, check_id: str) -> dict[str, View]:
        """Everything heard of one health check, by Region."""
        return {region: seen.view for region, seen in sorted(self._seen.get(check_id, {}).items())}

    def fresh(self, check: Check, now_s: float) -> dict[str, View]:
        """The views that are recent enough to count."""
        expiry_s = self.expiry_s.get(check.id, STEADY_EXPIRY_S)
        seen = self._seen.get(check.id, {})
        return {region: each.view for region, each in seen.items() if now_s - each.at_s <= expiry_s}

    def share(self, check_id: str, now_s: float) -> float | None:
        """Percentage of the checkers heard of that say healthy; None when none was heard of."""
        check = self._checks.get(check_id)
        views = {} if check is None else self.fresh(check, now_s)
        return 100 * sum(view.healthy for view in views.values()) / len(views) if views else None

    def conclude(self, now_s: float) -> dict[str, bool]:
        """Judge every health check anew; the conclusions that changed, as `status` now has them."""
        changed = {}
        for check_id in self._checks:
            healthy = self._judge(check_id, now_s, ())
            if self.status.get(check_id) != healthy:
                self.status[check_id] = changed[check_id] = healthy
        return changed

    def plain(self) -> dict[str, bool]:
        """The conclusions before inversion that must outlive a restart."""
        return dict(self._known)

    def healthy(self, check_id: str) -> bool:
        """The conclusion; a health check that is not known here counts as healthy."""
        return self.status.get(check_id, True)

    def _judge(self, check_id: str, now_s: float, above: tuple[str, ...]) -> bool:
        check = self._checks.get(check_id)
        if check is None:
            return True
        if check.disabled:
            return not check.inverted
        if check.kind == "CALCULATED":
            plain = self._calculated(check, now_s, above)
        elif check.is_endpoint:
            plain = self._endpoint(check, now_s)
        elif check.kind == "CLOUDWATCH_METRIC":
            plain = self._alarm(check, now_s)
        else:
            plain = self._control(check, now_s)
        self._known[check_id] = plain
        return plain != check.inverted

    def _calculated(self, check: Check, now_s: float, above: tuple[str, ...]) -> bool:
        """Children that were deleted do not count; a circle counts as unhealthy."""
        if check.id in above:
            return False
        path = (*above, check.id)
        children = [child for child in check.children if child in self._checks]
        good = sum(self._judge(child, now_s, path) for child in children)
        return good >= int(check.config.get("HealthThreshold", 0))

    def _endpoint(self, check: Check, now_s: float) -> bool:
        views = self.fresh(check, now_s)
        if not views:
            return self._known.get(check.id, True)
        return sum(view.healthy for view in views.values()) / len(views) > SHARE_NEEDED

    def _alarm(self, check: Check, now_s: float) -> bool:
        view = self.fresh(check, now_s).get(check.alarm[0])
        if view is not None and view.state in ("OK", "ALARM"):
            return view.state == "OK"
        return self.without_data(check)

    def without_data(self, check: Check) -> bool:
        """What an alarm without data means for the health check."""
        match check.config.get("InsufficientDataHealthStatus", "LastKnownStatus"):
            case "Healthy":
                return True
            case "Unhealthy":
                return False
        return self._known.get(check.id, True)

    def _control(self, check: Check, now_s: float) -> bool:
        """This Region's own reading; without one the latest of any other; without that the last known."""
        seen = self._seen.get(check.id, {})
        fresh = self.fresh(check, now_s)
        own = fresh.get(self._here)
        if own is not None:
            return own.healthy
        if fresh:
            return fresh[max(fresh, key=lambda region: seen[region].at_s)].healthy
        return self._known.get(check.id, False)
