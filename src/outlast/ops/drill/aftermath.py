"""The data after a cut: what was at risk, what became of it, and whether the replicas are alike in the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from outlast.ops.clients import Clients
from outlast.ops.drill.measure import double_sales
from outlast.ops.drill.story import Converged, Story
from outlast.ops.drill.writes import at_risk, candidates, follow, look, scan_orders, settle, unequal

WINDOW_S: Final = 30.0
POLL_S: Final = 0.5


def read_cut(story: Story, clients: Clients) -> None:
    """At the cut: which of the writes that the Region had acknowledged of late do the survivors not have?"""
    cut_s = story.mark("switched_s")
    story.window_s = WINDOW_S
    acknowledged = candidates(story.records, story.region, cut_s - WINDOW_S, cut_s)
    story.acknowledged = len(acknowledged)
    survivor = story.deployment.others(story.region)[0].name
    pairs = [(record.order_id, record.product_id) for record in acknowledged]
    held = look(clients.of("dynamodb", survivor), story.deployment.tables, pairs)
    story.read_s = story.now_s()
    story.risks = at_risk(acknowledged, held)
    story.note("cut", f"{len(story.risks)} of {len(pairs)} acknowledged writes are not whole in {survivor}")


def track(story: Story, clients: Clients) -> None:
    """Look again for the writes that had not arrived yet."""
    open_pairs = [(risk.order_id, risk.product_id) for risk in story.risks if risk.fate == "not known"]
    if not open_pairs:
        return
    survivor = story.deployment.others(story.region)[0].name
    held = look(clients.of("dynamodb", survivor), story.deployment.tables, open_pairs)
    before = len(open_pairs)
    story.risks = follow(story.risks, held, story.now_s())
    if before and all(risk.fate != "not known" for risk in story.risks):
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
    survivor = story.deployment.others(story.region)[0].name
    pairs = [(risk.order_id, risk.product_id) for risk in story.risks]
    story.risks = settle(story.risks, look(clients.of("dynamodb", survivor), story.deployment.tables, pairs))


def bury(story: Story, clients: Clients, prefix: str) -> None:
    """The last word where the Region is gone: what the survivor does not hold now is lost."""
    survivor = clients.of("dynamodb", story.deployment.others(story.region)[0].name)
    story.double_sales = double_sales(scan_orders(survivor, story.deployment.tables.orders, prefix))
    pairs = [(risk.order_id, risk.product_id) for risk in story.risks]
    story.risks = settle(story.risks, look(survivor, story.deployment.tables, pairs))
