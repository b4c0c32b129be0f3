"""The rules applied to what a replica holds. Pure: findings in, nothing touched.

An order is two items, the claim and the mark on what it claims; each travels alone, so either may be missing, and two
Regions may each have made a pair for one thing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from outlast.ops.reconcile.findings import Finding
from outlast.ops.reconcile.items import Item, Ref, equals, filled, ref
from outlast.ops.reconcile.rules import KEEPER, PLACEHOLDER, ClaimRule, ReferenceRule, RuleFile, Table
from outlast.ops.reconcile.writes import MAX_WRITES, Check, Condition, Repair, Term, Update, Write

Items = Mapping[Ref, Item]
Tables = Mapping[str, Items]
"""What a replica holds, by table alias."""
AT_ONCE = MAX_WRITES - 2
"""Claims that one repair withdraws; the rest is found again."""


def judge(rules: RuleFile, held: Tables) -> list[Finding]:
    """Everything that the rules do not allow, in the order of the rules and keys."""
    found: list[Finding] = []
    for rule in rules.rules:
        if isinstance(rule, ClaimRule):
            found += _Claims(rule, rules.tables[rule.claims], rules.tables[rule.claimed], held).findings()
        else:
            found += _references(rule, rules, held)
    return found


@dataclass(frozen=True, slots=True)
class _Claims:
    rule: ClaimRule
    claims: Table
    claimed: Table
    held: Tables

    def findings(self) -> Iterator[Finding]:
        groups: defaultdict[Ref, list[Ref]] = defaultdict(list)
        for claim, item in self._items(self.claims).items():
            named = ref(item, self.rule.by)
            if named is not None and equals(item, self.rule.where):
                groups[named].append(claim)
        things = self._items(self.claimed)
        for thing in sorted(groups.keys() | {key for key, item in things.items() if ref(item, self.rule.holder)}):
            if thing in things:
                yield from self._judge(thing, things[thing], self._by_age(groups.get(thing, [])))

    def _items(self, table: Table) -> Items:
        return self.held.get(table.alias, {})

    def _by_age(self, claims: Sequence[Ref]) -> list[Ref]:
        items = self._items(self.claims)

        def age(claim: Ref) -> tuple[bool, str, Ref]:
            first = ref(items[claim], self.rule.first)
            return (first is None, first.text if first else "", claim)

        return sorted(claims, key=age)

    def _judge(self, thing: Ref, item: Item, claims: list[Ref]) -> Iterator[Finding]:
        mark = ref(item, self.rule.holder)
        if not claims:
            if mark is not None:
                yield self._unbacked(thing, mark)
            return
        keeper = mark if mark in claims and self.rule.keep == "holder" else claims[0]
        assert keeper is not None
        others = [claim for claim in claims if claim != keeper]
        if others:
            yield self._double(thing, mark, keeper, others)
        elif mark != keeper:
            yield self._unmarked(thing, mark, keeper)

    def _double(self, thing: Ref, mark: Ref | None, keeper: Ref, others: list[Ref]) -> Finding:
        names = ", ".join(claim.text for claim in others)
        what = f"{self.claimed.alias} {thing.text} is claimed by {keeper.text} and by {names}"
        first: Write = self._mark(thing, mark, keeper)
        if mark == keeper:
            first = Check(*self._at(self.claimed, thing), Condition((self._held(keeper),)))
        withdrawn = [self._withdraw(claim, thing, keeper) for claim in others[:AT_ONCE]]
        stands = self._stands(keeper, thing, marked=mark != keeper)
        repair = Repair(f"keep {keeper.text}, withdraw {names}", (first, stands, *withdrawn))
        return self._finding("double", thing, what, {keeper, *others, *({mark} if mark else set())}, repair)

    def _unmarked(self, thing: Ref, mark: Ref | None, keeper: Ref) -> Finding:
        writes: list[Write] = [self._mark(thing, mark, keeper), self._stands(keeper, thing, marked=True)]
        word = "is not marked"
        if mark is not None:
            word = f"is marked for {mark.text}, which does not claim it"
            writes.append(Check(*self._at(self.claims, mark), self._standing(thing, negated=True)))
        what = f"{self.claimed.alias} {thing.text} {word}, though {keeper.text} claims it"
        repair = Repair(f"mark it for {keeper.text}", tuple(writes))
        return self._finding("torn", thing, what, {keeper, *({mark} if mark else set())}, repair)

    def _unbacked(self, thing: Ref, mark: Ref) -> Finding:
        known = "does not claim it" if mark in self._items(self.claims) else "does not exist"
        what = f"{self.claimed.alias} {thing.text} is marked for {mark.text}, which {known}"
        removed = Update(
            *self._at(self.claimed, thing), Condition((self._held(mark),)), removes=tuple(sorted(self.rule.mark))
        )
        backed = Check(*self._at(self.claims, mark), self._standing(thing, negated=True))
        return self._finding("torn", thing, what, {mark}, Repair("take the mark away", (removed, backed)))

    def _finding(self, kind: str, thing: Ref, what: str, claims: set[Ref], repair: Repair) -> Finding:
        touches = frozenset({(self.claimed.alias, thing), *((self.claims.alias, claim) for claim in claims)})
        return Finding(
            "double" if kind == "double" else "torn", self.rule.ident, self.claimed.alias, thing, what, touches, repair
        )

    def _mark(self, thing: Ref, mark: Ref | None, keeper: Ref) -> Update:
        before = Term(self.rule.holder, "absent") if mark is None else self._held(mark)
        condition = Condition((Term(self.claimed.key, "present"), before))
        sets = filled(self.rule.mark, self._items(self.claims)[keeper])
        return Update(*self._at(self.claimed, thing), condition, sets={**sets, self.rule.holder: keeper.value})

    def _withdraw(self, claim: Ref, thing: Ref, keeper: Ref) -> Update:
        item = self._items(self.claims)[claim]
        sets = filled(self.rule.withdraw, item, {KEEPER: keeper.text})
        condition = _unchanged(self._standing(thing), self.rule.withdraw, item)
        return Update(*self._at(self.claims, claim), condition, sets=sets)

    def _stands(self, claim: Ref, thing: Ref, *, marked: bool) -> Check:
        """The claim still stands; where it is what the mark is made of, it also still says the same."""
        condition = self._standing(thing)
        if marked:
            condition = _unchanged(condition, self.rule.mark, self._items(self.claims)[claim])
        return Check(*self._at(self.claims, claim), condition)

    def _standing(self, thing: Ref, *, negated: bool = False) -> Condition:
        terms = [Term(name, "equals", {"S": text}) for name, text in self.rule.where.items()]
        return Condition((*terms, Term(self.rule.by, "equals", thing.value)), negated)

    def _held(self, mark: Ref) -> Term:
        return Term(self.rule.holder, "equals", mark.value)

    def _at(self, table: Table, key: Ref) -> tuple[str, str, Ref]:
        return (table.name, table.key, key)


def _references(rule: ReferenceRule, rules: RuleFile, held: Tables) -> Iterator[Finding]:
    table, other = rules.tables[rule.items], rules.tables[rule.to]
    there = held.get(rule.to, {})
    for key, item in sorted(held.get(rule.items, {}).items()):
        named = ref(item, rule.by)
        if named is None or named in there or not equals(item, rule.where):
            continue
        what = f"{table.alias} {key.text} names {other.alias} {named.text}, which does not exist"
        touches = frozenset({(table.alias, key), (other.alias, named)})
        repair = None
        if rule.repair is not None:
            where = (Term(name, "equals", {"S": text}) for name, text in rule.where.items() if name != rule.by)
            unchanged = _unchanged(Condition((Term(rule.by, "equals", named.value), *where)), rule.repair, item)
            update = Update(table.name, table.key, key, unchanged, sets=filled(rule.repair, item))
            gone = Check(other.name, other.key, named, Condition((Term(other.key, "absent"),)))
            repair = Repair(f"set {', '.join(sorted(rule.repair))}", (update, gone))
        yield Finding("dangling", rule.ident, table.alias, key, what, touches, repair)


def _unchanged(condition: Condition, template: Mapping[str, str], item: Item) -> Condition:
    """The condition, and that what the template copies from the item is still so: while repairs are made, writes go
    on."""
    known = {term.name for term in condition.terms} | {KEEPER}
    names = sorted({name for text in template.values() for name in PLACEHOLDER.findall(text)} - known)
    copied = (Term(name, "equals", item[name]) if name in item else Term(name, "absent") for name in names)
    return Condition((*condition.terms, *copied), condition.negated)
