"""The rule: enough vantage points, one of them a customer's, for long enough; and somewhere to go.

A Region can look well to itself while its customers fail (a gray failure), or the other way round; so vantage points
vote, and who disagrees is written down.
https://docs.aws.amazon.com/whitepapers/latest/advanced-multi-az-resilience-patterns/gray-failures.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from outlast.ops.decide.apart import LOOK_BACK_S, Apart
from outlast.ops.decide.window import Sight, Verdict, Window, sights
from outlast.ops.sightings import LAGGING, PLACES, QUICK, SIDES, Sample, Side

State = Literal["healthy", "suspect", "impaired", "unknown"]
Action = Literal["none", "evacuate", "undecided"]
HOLD_S: Final = 10.0
SLEPT_S: Final = 10.0
SLEW_S: Final = 1.0
"""A clock that is set back by less is being corrected; samples are as old as they say."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a Region counts as impaired.

    `quorum` vantage points in `places` must say bad for `settle_s`, `outside` of them customers that look now, and
    customers for `hold_s`; and the latest looks of customers are still bad. An alarm counts where nobody looks, or
    beside one that looks and says bad; canaries alone do not, while they may tell of what quicker customers saw end.
    So a busy machine's stall that is shorter than `hold_s` moves nobody, though shares outlast it by their window.

    It is healthy again once nobody has said bad for `calm_s` (alarms and events, which lag, are not waited for), and
    never before `damp_s` have passed: a verdict does not flap. It is left only while the quorum says bad and customers
    were let down within `fresh_s`; and for a Region whose customers were not for `clear_s`, of which fewer vantage
    points say bad, by `margin`: what hurts all Regions at once is no reason to move, and they do not get well in the
    same second.

    Where all are hurt there is one more reason: customers were served nothing there for `hold_s`, while the other one
    served all who asked in `apart` of the last seconds, and in a `steady` share of the latest ones.
    """

    sights: Mapping[str, Sight] = field(default_factory=lambda: sights(10.0))
    quorum: int = 3
    places: int = 2
    outside: int = 1
    hold_s: float = HOLD_S
    settle_s: float = 3.0
    calm_s: float = 10.0
    damp_s: float = 20.0
    clear_s: float = HOLD_S
    fresh_s: float = 3.0
    margin: int = 2
    apart: int = 12
    steady: float = 0.7


@dataclass(frozen=True, slots=True)
class Vote:
    """One vantage point's word on one Region. `going_on`: its latest looks were bad too."""

    vantage: str
    side: Side
    verdict: Verdict
    share: float
    samples: int
    detail: str
    going_on: bool = False

    @property
    def direct(self) -> bool:
        """Whether it tells of now: alarms and events lag behind."""
        return self.vantage not in LAGGING


@dataclass(frozen=True, slots=True)
class Finding:
    """What the vantage points together say of a Region. `since_s`: when it came to this state.

    `quiet_s`: for how long no customer was seen to be let down there, and it did not count as impaired.
    """

    region: str
    state: State
    since_s: float
    votes: tuple[Vote, ...]
    quiet_s: float = 0.0

    def with_verdict(self, verdict: Verdict) -> tuple[Vote, ...]:
        """The votes of one kind."""
        return tuple(vote for vote in self.votes if vote.verdict == verdict)

    @property
    def fit(self) -> bool:
        """Whether customers can be sent there: it serves them now, by the word of everybody on their side."""
        customers = [vote.verdict for vote in self.votes if vote.side == "customer" and vote.direct]
        return self.state != "impaired" and "good" in customers and "bad" not in customers

    @property
    def worsened(self) -> str:
        """Why more traffic should not go there, empty when nothing says so: one lone look does not."""
        direct = [vote for vote in self.with_verdict("bad") if vote.direct]
        return self.why if self.state == "impaired" or len(direct) > 1 else ""

    @property
    def unready(self) -> str:
        """Why customers who left may not be sent back at once, empty when they may: it must be seen to serve them
        again, by the rule that it was left by, for as long as it takes to judge it impaired."""
        if self.state == "unknown":
            return f"how {self.region} is nobody can see"
        if not self.fit or self.worsened:
            return f"{self.region} is {self.state} itself: {self.why}"
        if self.quiet_s < HOLD_S:
            return f"{self.region} has served its customers for {self.quiet_s:.0f} s only, as far as was seen"
        return ""

    @property
    def why(self) -> str:
        """The votes in words."""
        bad, good = self.with_verdict("bad"), self.with_verdict("good")
        if not bad and not good:
            return "no vantage point could look"
        told = [f"{vote.vantage} {vote.share:.0%} bad" + (f" ({vote.detail})" if vote.detail else "") for vote in bad]
        return f"{len(bad)} of {len(bad) + len(good)} vantage points say bad" + (": " + "; ".join(told) if told else "")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rule says should be done. `dissent`: who disagrees. It is a recommendation until somebody acts on it.

    `waits`: another Region serves its customers, and only has to be seen to for longer before it is recommended.
    """

    at_s: float
    action: Action
    region: str
    why: str
    dissent: tuple[str, ...]
    findings: tuple[Finding, ...]
    waits: bool = False

    def finding(self, region: str) -> Finding:
        """The finding on one Region; raises KeyError."""
        for finding in self.findings:
            if finding.region == region:
                return finding
        raise KeyError(region)


@dataclass(slots=True)
class _Standing:
    state: State = "unknown"
    since_s: float = 0.0
    bad_since_s: float | None = None
    hurt_since_s: float | None = None
    hurt_last_s: float | None = None
    goes_on_s: float | None = None
    calm_since_s: float | None = None
    quick_bad_s: float | None = None


class Judge:
    """Takes samples in the order of their time and says what follows from them. Holds no clock."""

    def __init__(self, regions: Sequence[str], rule: Rule | None = None) -> None:
        self.rule = rule or Rule()
        self._regions = tuple(regions)
        self._windows: dict[tuple[str, str], Window] = {}
        self._standing = {region: _Standing() for region in regions}
        self._apart = Apart(regions)
        self._assessed_s: float | None = None
        self._begun_s = 0.0

    def add(self, sample: Sample) -> None:
        """Take a sample; those of Regions that are not judged are left out."""
        if sample.region in self._standing:
            key = (sample.region, sample.vantage)
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = Window(self.rule.sights[sample.vantage])
            window.add(sample)
            self._apart.add(sample)

    def assess(self, now_s: float) -> Decision:
        """Judge every Region at `now_s`, and what should be done.

        Where the clock was set back, or nobody assessed for SLEPT_S (a machine that slept), nothing has lasted: what
        was seen before the clock was set back is forgotten, and what must last begins anew.
        """
        self._keep_time(now_s)
        findings = tuple(self._finding(region, now_s) for region in self._regions)
        impaired = [finding for finding in findings if finding.state == "impaired"]
        healthy = [finding for finding in findings if finding.state == "healthy"]
        if not impaired:
            if len(healthy) == len(findings):
                return Decision(now_s, "none", "", "every Region is healthy", (), findings)
            doubtful = [f"{finding.region} is {finding.state}" for finding in findings if finding.state != "healthy"]
            return Decision(now_s, "none", "", "; ".join(doubtful), (), findings)
        hurting = [finding for finding in impaired if self._hurting(self._standing[finding.region], now_s)]
        if not hurting:
            recovering = ", ".join(finding.region for finding in impaired)
            why = f"{recovering}: impaired of late, and too few vantage points say so now"
            return Decision(now_s, "none", "", why, (), findings)
        worst = max(hurting, key=lambda finding: len(finding.with_verdict("bad")))
        bearable = len(worst.with_verdict("bad")) - self.rule.margin
        refuges = [
            finding
            for finding in findings
            if finding.fit and self._clear(finding) and len(finding.with_verdict("bad")) <= bearable
        ]
        if not refuges:
            return self._told_apart(hurting, findings, now_s) or _nowhere(worst, findings, now_s, bearable)
        why = f"{worst.region} is impaired: {worst.why}; {refuges[0].region} serves its customers"
        return Decision(now_s, "evacuate", worst.region, why, _dissent(worst), findings)

    def _told_apart(self, hurting: Sequence[Finding], findings: Sequence[Finding], now_s: float) -> Decision | None:
        """Whether one serves nobody and another, itself in doubt, all who ask; then it is no more than in doubt."""
        for finding in hurting:
            for other in findings:
                contrast = self._apart.contrast(finding.region, other.region, now_s)
                if contrast.silent_s < self.rule.hold_s or contrast.served < self.rule.apart:
                    continue
                if contrast.steady < self.rule.steady or other.region == finding.region:
                    continue
                why = (
                    f"{finding.region} is impaired: {finding.why}; it served nobody for {contrast.silent_s:.0f} s, and "
                    f"{other.region} served all who asked in {contrast.served} of the last {LOOK_BACK_S} s meanwhile"
                )
                doubt = (f"{other.region} was {other.state} of late: {other.why}",) if other.state != "healthy" else ()
                known = tuple(self._in_doubt(each, now_s) if each is other else each for each in findings)
                return Decision(now_s, "evacuate", finding.region, why, (*_dissent(finding), *doubt), known)
        return None

    def _in_doubt(self, finding: Finding, now_s: float) -> Finding:
        """A Region that counts as impaired, yet serves, is in doubt."""
        if finding.state != "impaired":
            return finding
        standing = self._standing[finding.region]
        standing.state, standing.since_s = "suspect", now_s
        return replace(finding, state="suspect", since_s=now_s)

    def _keep_time(self, now_s: float) -> None:
        passed_s = 0.0 if self._assessed_s is None else now_s - self._assessed_s
        if self._assessed_s is None or passed_s < -SLEW_S:
            self._begun_s = now_s
        self._assessed_s = now_s
        if passed_s < -SLEW_S:
            self._windows.clear()
            self._apart = Apart(self._regions)
            self._standing = {region: _Standing(since_s=now_s) for region in self._regions}
        elif passed_s > SLEPT_S:
            for standing in self._standing.values():
                standing.bad_since_s = standing.hurt_since_s = standing.calm_since_s = standing.goes_on_s = None

    def _hurting(self, standing: _Standing, now_s: float) -> bool:
        """Whether it goes on: by the quorum, and by the latest looks of customers."""
        fresh = standing.goes_on_s is not None and now_s - standing.goes_on_s <= self.rule.fresh_s
        return fresh and self._settled(standing, now_s)

    def _settled(self, standing: _Standing, now_s: float) -> bool:
        """Whether the quorum says bad, and has for long enough."""
        return _lasted(standing.bad_since_s, now_s, min(self.rule.settle_s, self.rule.hold_s))

    def _clear(self, finding: Finding) -> bool:
        """Whether customers were not let down there of late, and it did not count as impaired; before the first look
        they may have been.
        """
        never = self._standing[finding.region].hurt_last_s is None
        return finding.quiet_s >= (LOOK_BACK_S if never else self.rule.clear_s)

    def _finding(self, region: str, now_s: float) -> Finding:
        votes = tuple(self._vote(region, vantage, now_s) for vantage in SIDES if (region, vantage) in self._windows)
        standing = self._standing[region]
        self._advance(standing, votes, now_s)
        quiet_s = now_s - (self._begun_s if standing.hurt_last_s is None else standing.hurt_last_s)
        return Finding(region, standing.state, standing.since_s, votes, quiet_s)

    def _vote(self, region: str, vantage: str, now_s: float) -> Vote:
        window = self._windows[region, vantage]
        verdict = window.look(now_s)
        return Vote(vantage, SIDES[vantage], verdict, window.share, window.samples, window.detail, window.going_on)

    def _is_over(self, standing: _Standing, votes: Sequence[Vote], now_s: float) -> bool:
        """Whether customers who look often are served, and only canaries tell of what these saw end, or of what was
        before the first look: so long as a canary's window can hold a run from then.
        """
        quick = [vote.verdict for vote in votes if vote.vantage in QUICK and vote.verdict != "unknown"]
        if "bad" in quick or standing.quick_bad_s is None:
            standing.quick_bad_s = now_s
        if not quick or "bad" in quick:
            return False
        return now_s - standing.quick_bad_s < self.rule.sights["observer-canary"].window_s + HOLD_S

    def _quorate(self, votes: Sequence[Vote]) -> bool:
        """Whether enough say bad."""
        bad = [vote for vote in votes if vote.verdict == "bad" and (vote.direct or _counts(vote, votes))]
        return len(bad) >= self.rule.quorum and len({PLACES[vote.vantage] for vote in bad}) >= min(
            self.rule.places, self.rule.quorum
        )

    def _advance(self, standing: _Standing, votes: Sequence[Vote], now_s: float) -> None:
        """Move a Region's state on; see Rule for when."""
        bad = [vote for vote in votes if vote.verdict == "bad"]
        good = [vote for vote in votes if vote.verdict == "good"]
        outside = sum(vote.direct and vote.side == "customer" for vote in bad)
        over = self._is_over(standing, votes, now_s)
        hurt = outside >= self.rule.outside and not over
        standing.bad_since_s = _since(standing.bad_since_s, hurt and self._quorate(votes), now_s)
        standing.hurt_since_s = _since(standing.hurt_since_s, hurt, now_s)
        if _goes_on(bad):
            standing.goes_on_s = now_s
        if outside or standing.state == "impaired":
            standing.hurt_last_s = now_s
        calm = bool(good) and not any(vote.direct for vote in bad)
        standing.calm_since_s = _since(standing.calm_since_s, calm, now_s)
        held = self._settled(standing, now_s) and _lasted(standing.hurt_since_s, now_s, self.rule.hold_s)
        calmed = _lasted(standing.calm_since_s, now_s, self.rule.calm_s)
        state = standing.state
        if held and (state == "impaired" or _goes_on(bad)):
            state = "impaired"
        elif state == "impaired":
            if calmed and now_s - standing.since_s >= self.rule.damp_s:
                state = "healthy"
        elif bad and not calm:
            state = "suspect"
        elif good:
            state = "healthy" if calmed or state != "suspect" else "suspect"
        else:
            state = "unknown"
        if state != standing.state:
            standing.state, standing.since_s = state, now_s


def _since(since_s: float | None, true: bool, now_s: float) -> float | None:
    """Since when it has been true without a break; None while it is not."""
    if not true:
        return None
    return now_s if since_s is None else since_s


def _lasted(since_s: float | None, now_s: float, seconds: float) -> bool:
    return since_s is not None and now_s - since_s >= seconds


def _counts(alarm: Vote, votes: Sequence[Vote]) -> bool:
    """Whether one who lags, and so tells of what was, counts: nobody there looks, or who does says bad too. An alarm
    that has a single vantage point beside it was made of what that one saw, and says nothing that it does not.
    """
    place = PLACES[alarm.vantage]
    looking = [each for each in votes if each.direct and PLACES[each.vantage] == place and each.verdict != "unknown"]
    return not looking or (len(looking) > 1 and any(each.verdict == "bad" for each in looking))


def _goes_on(bad: Sequence[Vote]) -> bool:
    """Whether customers are still let down, by the quickest of those who say bad."""
    customers = [vote for vote in bad if vote.direct and vote.side == "customer"]
    quick = [vote for vote in customers if vote.vantage in QUICK]
    return any(vote.going_on for vote in quick or customers)


def _nowhere(worst: Finding, findings: tuple[Finding, ...], now_s: float, bearable: int) -> Decision:
    """Undecided: no Region is known to serve; or one does, as far as it was seen, and not for long enough yet."""
    fit = [each for each in findings if each.fit and len(each.with_verdict("bad")) <= bearable]
    if fit:
        serving = max(fit, key=lambda each: each.quiet_s)
        seen = f"{serving.region} serves its customers, but was seen to for {serving.quiet_s:.0f} s only"
        why = f"{worst.region} is impaired: {worst.why}; {seen}: not yet long enough to recommend it"
    else:
        why = f"{worst.region} is impaired, but no other Region is known to serve: there is nowhere to go"
    return Decision(now_s, "undecided", worst.region, why, _dissent(worst), findings, waits=bool(fit))


def _dissent(finding: Finding) -> tuple[str, ...]:
    return tuple(f"{vote.vantage} says good ({vote.share:.0%} bad)" for vote in finding.with_verdict("good"))
