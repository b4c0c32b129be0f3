"""The data after a cut: what was at risk, what became of it, and whether the replicas are alike in the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from outlast.ops.clients import Clients
from outlast.ops.drill import stranded
from outlast.ops.drill.measure import double_sales
from outlast.ops.drill.story import Converged, Story
from outlast.ops.drill.writes import at_risk, candidates, follow, look, scan_orders, settle, unequal
from outlast.ops.load.log import Record

WINDOW_S: Final = 30.0
POLL_S: Final = 0.5


def read_cut(story: Story, clients: Clients) -> None:
    """At the cut: which of the writes that the Region had acknowledged do the survivors not have?

    By the Regions' own lists, whatever the age of the writes; where these cannot be had, by reading the orders that
    were acknowledged of late.
    """
    cut_s, survivor, tables = story.mark("switched_s"), _survivor(story), story.deployment.tables
    lists = stranded.ask(clients, tables, story.region, survivor)
    story.exact, story.inexact_why, story.left = not lists.why, lists.why, list(lists.left)
    begin_s = story.marks.get("begin_s")
    from_s = begin_s if story.exact and begin_s is not None else cut_s - WINDOW_S
    story.window_s = cut_s - from_s
    if story.exact:
        story.read_s = story.now_s()
        _name_orders(story)
    else:
        acknowledged = _acknowledged(story)
        pairs = [(record.order_id, record.product_id) for record in acknowledged]
        held = look(clients.of("dynamodb", survivor), tables, pairs)
        story.read_s = story.now_s()
        story.acknowledged = len(acknowledged)
        story.risks = at_risk(acknowledged, held)
    listed = f"; {len(story.left)} items by the Regions' own lists" if story.exact else ""
    story.note(
        "cut", f"{len(story.risks)} of {story.acknowledged} acknowledged writes are not whole in {survivor}{listed}"
    )


def track(story: Story, clients: Clients) -> None:
    """Look again for the writes that had not arrived yet."""
    if not story.on_their_way():
        return
    survivor = _survivor(story)
    if story.exact:
        story.left = stranded.follow(story.left, stranded.missing_in(clients, survivor), story.now_s())
        _name_orders(story)
    else:
        open_pairs = [(risk.order_id, risk.product_id) for risk in story.risks if risk.fate == "not known"]
        held = look(clients.of("dynamodb", survivor), story.deployment.tables, open_pairs)
        story.risks = follow(story.risks, held, story.now_s())
    if not story.on_their_way():
        story.note("data", "every write that was on its way at the cut has arrived")


def compare(story: Story, clients: Clients, prefix: str, lag_ms: Mapping[str, float | None], patience_s: float) -> None:
    """Wait until the replicas hold the same orders, for at most `patience_s`; then the last word on everything."""
    table = story.deployment.tables.orders
    until_s = story.now_s() + patience_s
    while True:
        replicas = [scan_orders(clients.of("dynamodb", part.name), table, prefix) for part in story.deployment.regions]
        different = sorted({ident for other in replicas[1:] for ident in unequal(replicas[0], other)})
        if not different or story.now_s() >= until_s:
            break
        time.sleep(POLL_S)
    story.convergence = Converged(
        story.mark("converged_s") if not different else None, len(replicas[0]), tuple(different), lag_ms
    )
    story.double_sales = double_sales(replicas[0])
    _last_word(story, clients)


def bury(story: Story, clients: Clients, prefix: str) -> None:
    """The last word where the Region is gone: what the survivor does not hold now is lost."""
    survivor = clients.of("dynamodb", _survivor(story))
    story.double_sales = double_sales(scan_orders(survivor, story.deployment.tables.orders, prefix))
    _last_word(story, clients)


def _last_word(story: Story, clients: Clients) -> None:
    """What became of every write at risk, now that nothing more will come."""
    survivor, tables = _survivor(story), story.deployment.tables
    if story.exact:
        missing = stranded.missing_in(clients, survivor)
        followed = stranded.follow(story.left, missing, story.now_s())
        story.left = stranded.settle(followed, missing, stranded.losers_in(clients, survivor, tables))
        _name_orders(story)
    else:
        pairs = [(risk.order_id, risk.product_id) for risk in story.risks]
        story.risks = settle(story.risks, look(clients.of("dynamodb", survivor), tables, pairs))


def _name_orders(story: Story) -> None:
    """The orders at risk, from the lists and from what the customers' log says by now."""
    tables, acknowledged = story.deployment.tables, _acknowledged(story)
    story.left = stranded.attribute(story.left, tables, acknowledged)
    story.acknowledged = len(acknowledged)
    story.risks = stranded.at_risk(acknowledged, story.left, tables)


def _acknowledged(story: Story) -> list[Record]:
    cut_s = story.mark("switched_s")
    return candidates(story.records, story.region, cut_s - story.window_s, cut_s)


def _survivor(story: Story) -> str:
    return story.deployment.others(story.region)[0].name
