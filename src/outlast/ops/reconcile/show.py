"""Findings for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from outlast.ops.reconcile.findings import KINDS
from outlast.ops.reconcile.run import Applied, Look


def lines(look: Look) -> Iterator[str]:
    """What was found, and what would be done about it."""
    for finding in look.findings:
        yield f"{finding.kind:<12}{finding.text}"
        if finding.repair is not None:
            yield f"{'':<12}repair: {finding.repair.text}"
        elif finding.kind == "dangling":
            yield f"{'':<12}by hand: the rules give no repair"
        elif finding.kind == "stranded":
            yield f"{'':<12}it arrives by itself when the Regions hear of each other; lost with a Region that is lost"
        elif finding.kind == "overwritten":
            yield f"{'':<12}by hand; then --settle '{finding.ledger[0]}'"
        if finding.kind != "overwritten":
            yield from (f"{'':<12}ledger: {name}" for name in finding.ledger)
    yield from not_seen(look)
    yield summary(look)


def not_seen(look: Look) -> Iterator[str]:
    """What could not be read, of tables and of the ledger: nothing is known of that."""
    for unseen in look.unseen:
        yield f"{'unseen':<12}{unseen.region}: {unseen.what} could not be read ({unseen.why})"
    yield from (f"{'unseen':<12}{what}" for what in look.unread)


def summary(look: Look) -> str:
    """One line."""
    counted = Counter(finding.kind for finding in look.findings)
    told = [f"{counted[kind]} {kind} ({word})" for kind, word in KINDS.items() if counted[kind]]
    ledger = "" if look.ledger else "; no ledger of conflicts here"
    where = f"{look.items} items of {', '.join(look.regions)}, judged in {look.judged_in}{ledger}"
    return f"{'; '.join(told) or 'Nothing found'}. {where}."


def told(applied: Applied) -> Iterator[str]:
    """What was done."""
    yield f"{len(applied.made)} repairs made, {len(applied.not_made)} not made."
    yield from (f"not made: {text} ({why})" for text, why in applied.not_made)
    yield "Now:"
    yield from lines(applied.left)
