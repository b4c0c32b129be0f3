"""What shows each of the twelve steps. Every sentence here rests on something that was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from outlast.ops.act.evacuate import Evacuated
from outlast.ops.clients import Clients
from outlast.ops.decide.rules import Decision
from outlast.ops.drill.measure import SLOW_MS, customers, percentile, share_in
from outlast.ops.drill.story import Story
from outlast.ops.drill.writes import look, state_of
from outlast.ops.load.log import Record
from outlast.ops.observe.survey import Latest
from outlast.ops.sightings import SIDES

NEAREST: Final = {"east": "us-east-1", "west": "us-west-2"}
"""The application Region that is nearer to each coast."""
REPLICATED_S: Final = 10.0
LANDED: Final = 0.99


def all_healthy(decision: Decision) -> bool:
    """Whether every Region is known to be healthy."""
    return all(finding.state == "healthy" for finding in decision.findings)


def everybody_looks(decision: Decision) -> bool:
    """Whether every Region is known to be healthy, and no vantage point is silent."""
    looking = {vote.vantage for finding in decision.findings for vote in finding.votes if vote.verdict != "unknown"}
    return all_healthy(decision) and looking >= set(SIDES)


def all_coasts_buy(records: Sequence[Record]) -> bool:
    """Whether customers of every coast have had an order acknowledged: their processes are up, and sell."""
    return {record.coast for record in records if record.acknowledged_write} >= set(NEAREST)


def healthy(story: Story, decision: Decision, latest: Latest) -> None:
    """Step 1: everybody who looks says well; vantage points that never looked are named."""
    votes = {vote.vantage: [] for finding in decision.findings for vote in finding.votes}  # type: ignore[var-annotated]
    for finding in decision.findings:
        for vote in finding.votes:
            votes[vote.vantage].append(vote.verdict)
    silent = [
        vantage for vantage in SIDES if "good" not in votes.get(vantage, []) and "bad" not in votes.get(vantage, [])
    ]
    bad = [vantage for vantage, verdicts in votes.items() if "bad" in verdicts]
    told = f"{len(SIDES) - len(silent)} of {len(SIDES)} kinds of vantage point look"
    told += f"; silent: {', '.join(silent)}" if silent else ""
    told += f"; bad: {', '.join(bad)}" if bad else "; none says bad"
    errors = "; ".join(f"{source}: {error}" for source, error in sorted(latest.errors.items()))
    told += f" ({errors})" if errors else ""
    held = all_healthy(decision) and not bad
    story.step(1, None if held and silent else held, told)


def routed(story: Story, latest: Latest) -> None:
    """Step 2: DNS, asked from both coasts."""
    if not latest.told:
        story.step(2, None, "no name server was asked")
        return
    told = [
        f"{coast}: {each.region or each.error} (TTL {each.ttl_s:.0f} s)" for coast, each in sorted(latest.told.items())
    ]
    right = all(each.region == NEAREST.get(coast) for coast, each in latest.told.items())
    story.step(2, right, "; ".join(told))


def served(story: Story) -> None:
    """Steps 3 and 5: the customers' log."""
    parts, right = [], bool(story.records)
    for coast in sorted({record.coast for record in story.records}):
        mine = [record for record in story.records if record.coast == coast]
        answered = [record for record in mine if record.region == NEAREST.get(coast)]
        right = right and len(answered) >= LANDED * len(mine)
        parts.append(f"{coast}: {len(answered)} of {len(mine)} answered by {NEAREST.get(coast, 'nobody')}")
    story.step(3, right, "; ".join(parts) or "no request was sent")
    acknowledged = [record for record in story.records if record.acknowledged_write]
    times = sorted(record.ms for record in acknowledged)
    told = f"{len(acknowledged)} orders acknowledged, half of them within {percentile(times, 50):.0f} ms"
    story.step(5, bool(acknowledged), told)


def replicated(story: Story, clients: Clients, now_s: Callable[[], float]) -> None:
    """Steps 4 and 6: the newest acknowledged order, in its own replica and then in the other."""
    orders = [record for record in story.records if record.acknowledged_write and record.region == story.region]
    if not orders:
        story.step(4, False, f"{story.region} acknowledged no order")
        story.step(6, False, "nothing to replicate")
        return
    newest = max(orders, key=lambda record: record.ended_s)
    own = _state(story, clients, story.region, newest)
    story.step(
        4, own == "whole", f"order {newest.order_id}: {own} in {story.region}, by a consistent read of both items"
    )
    other = story.deployment.others(story.region)[0].name
    until_s = now_s() + REPLICATED_S
    state = _state(story, clients, other, newest)
    while state != "whole" and now_s() < until_s:
        time.sleep(0.02)
        state = _state(story, clients, other, newest)
    after_ms = (now_s() - newest.ended_s) * 1000
    story.step(6, state == "whole", f"order {newest.order_id}: {state} in {other} at most {after_ms:.0f} ms later")


def _state(story: Story, clients: Clients, region: str, record: Record) -> str:
    pair = (record.order_id, record.product_id)
    return state_of(*pair, look(clients.of("dynamodb", region), story.deployment.tables, [pair]))


def struck(story: Story) -> None:
    """Step 7: customers of the Region are let down, and some are still served."""
    impact_s = story.mark("impact_s")
    hit = [record for record in story.records if record.at_s >= impact_s and record.where == story.region]
    bad = [record for record in hit if record.bad(SLOW_MS)]
    failed = [record for record in bad if record.outcome != "served"]
    told = f"of {len(hit)} requests to {story.region}, {len(failed)} failed and {len(bad) - len(failed)} were late"
    story.step(7, bool(bad), told)


def detected(story: Story, decision: Decision) -> None:
    """Step 8: who said so at the decision, and which alarms have said so since the impact."""
    finding = decision.finding(story.region)
    bad = [vote.vantage for vote in finding.with_verdict("bad")]
    impact_s = story.mark("impact_s")
    rung = [alarm for alarm in story.alarms if alarm.state == "ALARM" and alarm.at_s >= impact_s]
    alarms = [f"{alarm.name} in {alarm.region} after {alarm.at_s - impact_s:.0f} s" for alarm in rung]
    told = f"{', '.join(bad) or 'nobody'} say bad; alarms: {', '.join(alarms) or 'none'}"
    story.step(8, finding.state == "impaired" and bool(alarms), told)


def stayed(story: Story, decision: Decision) -> None:
    """Step 8, where nobody is to be moved: what was seen, and that nothing was concluded from it."""
    finding = decision.finding(story.region)
    story.step(8, decision.action != "evacuate", f"{decision.action}: {decision.why}; {finding.why}")


def evacuated(story: Story, result: Evacuated, wanted: str) -> None:
    """Step 9: the switch, seen in DNS; `wanted`: how it was meant to end."""
    seen = "never" if result.seen_s is None else f"{result.seen_s - result.switched_s:.1f} s after the switch"
    story.step(9, result.ending == wanted, f"{result.text}; seen {seen}")


def landed(story: Story) -> None:
    """Step 10: where the well-behaved customers' requests go once the answers have expired."""
    left_s = story.marks.get("left_s") or story.mark("switched_s")
    from_s = left_s + story.deployment.record_ttl_s + 1
    survivor = story.deployment.others(story.region)[0].name
    good = [record for record in story.records if record.at_s >= from_s and not record.stubborn]
    share = share_in(good, survivor, from_s, story.now_s() + 1)
    found = customers(good)
    told = f"{100 * (share or 0):.1f} % of {found.requests} requests; {found.bad} let down"
    told += f"; 99th percentile {found.p99_ms:.0f} ms"
    if not good:
        told = "no customer asked for anything since"
    story.step(10, share is not None and share >= LANDED, told)


def returned(story: Story) -> None:
    """Step 11: the steps of the failback."""
    if story.returned is None:
        story.step(11, False, "no failback")
        return
    steps = " -> ".join(f"{step.percent} %" for step in story.returned.steps)
    story.step(11, story.returned.ending == "returned", f"{steps}; {story.returned.text}")


def performs(story: Story, decision: Decision) -> None:
    """Step 12: health, equal replicas, every write's fate, conflicts and double sales."""
    convergence = story.convergence
    alike = convergence is not None and not convergence.unequal
    fates = story.fates
    told = [f"{story.region} is {decision.finding(story.region).state}"]
    told.append(
        f"{convergence.orders if convergence else 0} orders {'alike' if alike else 'NOT alike'} in both replicas"
    )
    told.append(f"{fates.count('arrived')} of {len(fates)} writes at risk arrived")
    known = "no ledger" if story.conflicts is None else f"{len(story.conflicts)} conflicts known"
    told.append(f"{known}; {len(story.double_sales)} products sold twice")
    healthy_now = decision.finding(story.region).state == "healthy"
    story.step(12, alike and healthy_now and "lost" not in fates, "; ".join(told))
