"""The ledger beside the findings: which conflict caused which, and which overwritten version is not answered for."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from outlast.ops.ledger.model import Conflict
from outlast.ops.ledger.show import moment
from outlast.ops.reconcile.findings import Finding
from outlast.ops.reconcile.items import Ref, equals, ref
from outlast.ops.reconcile.judge import Tables
from outlast.ops.reconcile.rules import ClaimRule, RuleFile, Table

LEDGER: Final = "nothing-overwritten-is-forgotten"
"""The rule that every domain has where there is a ledger."""


def explain(
    findings: Sequence[Finding], conflicts: Sequence[Conflict], rules: RuleFile, held: Tables, settled: Collection[str]
) -> list[Finding]:
    """The findings with their causes, and a finding for each conflict that is no finding's cause, left open.

    A conflict is left out when its versions differ in nothing that matters, when the data answers for it already, or
    when it was `settled` (by name).
    """
    tables = {table.name: table for table in rules.tables.values()}
    known = [(conflict, tables[conflict.table]) for conflict in conflicts if conflict.table in tables]
    causes: dict[tuple[str, Ref], list[Conflict]] = {}
    for conflict, table in known:
        key = ref(conflict.key, table.key)
        if key is not None and not key.text.startswith(table.skip):
            causes.setdefault((table.alias, key), []).append(conflict)
    explained: list[Finding] = []
    used: set[str] = set()
    for finding in findings:
        mine = [conflict for touch in sorted(finding.touches) for conflict in causes.get(touch, [])]
        names = tuple(name_of(conflict) for conflict in mine)
        used.update(names)
        explained.append(replace(finding, ledger=names))
    for (alias, key), many in sorted(causes.items()):
        for conflict in many:
            name = name_of(conflict)
            if name not in used and name not in settled and _open(conflict, rules, rules.tables[alias], held):
                touches = frozenset({(alias, key)})
                explained.append(
                    Finding("overwritten", LEDGER, alias, key, _told(conflict, alias, key), touches, None, (name,))
                )
    return explained


def name_of(conflict: Conflict) -> str:
    """A name that the conflict has in every Region: the table, the key and the clock of what was overwritten."""
    key = json.dumps(conflict.key, sort_keys=True, separators=(",", ":"))
    return f"{conflict.table}/{key}/{conflict.loser.clock}"


def _open(conflict: Conflict, rules: RuleFile, table: Table, held: Tables) -> bool:
    differs = set(conflict.differs) - table.ignore
    for rule in rules.rules:
        if isinstance(rule, ClaimRule) and rule.claimed == table.alias and _answered(conflict, rule, rules, held):
            differs -= rule.mark.keys()
    return bool(differs)


def _answered(conflict: Conflict, rule: ClaimRule, rules: RuleFile, held: Tables) -> bool:
    """Whether the overwritten mark is accounted for: it named nobody, or a claim that holds or was withdrawn."""
    mark = ref(conflict.loser.item, rule.holder)
    if mark is None:
        return True
    claim = held.get(rule.claims, {}).get(mark)
    thing = ref(conflict.key, rules.tables[rule.claimed].key)
    now = held.get(rule.claimed, {}).get(thing) if thing is not None else None
    return claim is not None and (not equals(claim, rule.where) or ref(now, rule.holder) == mark)


def _told(conflict: Conflict, alias: str, key: Ref) -> str:
    winner, loser = conflict.winner, conflict.loser
    what = f"in {', '.join(conflict.differs)}" if loser.item is not None else "(a deletion)"
    return (
        f"{alias} {key.text}: {loser.region}'s version of {moment(loser.at_s)} {what} "
        f"was overwritten by {winner.region}'s of {moment(winner.at_s)}"
    )
