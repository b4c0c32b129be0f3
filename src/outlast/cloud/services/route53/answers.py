"""From a question to its answers: the zone, the name in it, the routing decision, aliases, CNAME chains, negatives.

Synchronous and free of the control plane: all it reads is what this Region holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from math import lcm
from typing import Final

from outlast.cloud.contract.names import REFUSED, Answer, Draw, Question, Rcode, Record, RecordType, WorldMap
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.model import RecordSet
from outlast.cloud.services.route53.routing import DEEPEST, Chosen, Facts, choose, depends_on_place
from outlast.cloud.services.route53.tree import Group, Tree

MOST_OUTCOMES: Final = 64
"""With more alternatives than this, the choice is made in the lookup and the answer is not kept."""

Branch = tuple[Fraction, Answer]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a Region answers from."""

    trees: Mapping[bytes, Tree]
    cloud: CloudNames
    map: WorldMap
    healthy: Callable[[str], bool]
    uniform: Callable[[], float]

    def tree_of(self, name: bytes) -> Tree | None:
        """The zone with the longest name that holds `name`."""
        while True:
            tree = self.trees.get(name)
            if tree is not None or name == b"\0":
                return tree
            name = dnsnames.parent(name)


def lookup(known: Knowledge, question: Question, *, logged: Callable[[str], bool] = lambda zone_id: False) -> Draw:
    """All answers that `question` may get, with their weights."""
    if known.cloud.owns(question.name):
        return Draw.one(known.cloud.answer(question.name, question.type))
    tree = known.tree_of(question.name)
    return REFUSED if tree is None else lookup_in(known, tree, question, logged=logged(tree.zone.id))


def lookup_in(known: Knowledge, tree: Tree, question: Question, *, logged: bool = False) -> Draw:
    """The answers of one zone, which holds the name."""
    return _draw(known, _Lookup(known, question).resolve(tree, question.name, 0), logged)


def texts(tree: Tree, answer: Answer) -> list[str]:
    """The answer's records as they were written in the zone; addresses of the cloud's own as addresses."""
    written = {(each.type_number, data): value for each in tree.zone.ordered for data, value in _written(each)}
    return [
        written.get((each.type, each.rdata)) or ".".join(str(byte) for byte in each.rdata) for each in answer.answers
    ]


def _written(record: RecordSet) -> zip[tuple[bytes, str]]:
    return zip(record.rdata, record.values, strict=True)


def _draw(known: Knowledge, branches: list[Branch], logged: bool) -> Draw:
    if len(branches) == 1:
        return Draw.one(branches[0][1], logged=logged)
    scope = max(answer.scope_bits for _, answer in branches)
    branches = [(share, replace(answer, scope_bits=scope)) for share, answer in branches]
    scale = lcm(*(share.denominator for share, _ in branches))
    bounds = tuple(accumulate(int(share * scale) for share, _ in branches))
    answers = tuple(answer for _, answer in branches)
    draw = Draw(answers, bounds, logged=logged)
    if len(branches) <= MOST_OUTCOMES:
        return draw
    return Draw((answers[draw.index(known.uniform())],), cacheable=False, logged=logged)


class _Lookup:
    """One question on its way through zones."""

    def __init__(self, known: Knowledge, question: Question) -> None:
        self._known = known
        self._kind = question.type
        self._place, bits = known.map.locate(question.client)
        limit = question.subnet_bits
        self._scope = bits if limit is None or bits else limit

    def resolve(self, tree: Tree, name: bytes, depth: int) -> list[Branch]:
        """The answers for `name`, which lies in the zone of `tree`."""
        kind = _type_name(self._kind)
        found = tree.find(name, kind)
        if found.cut:
            return [(Fraction(1), self._referral(tree, found.cut))]
        if found.node is None:
            return [(Fraction(1), self._negative(tree, Rcode.NXDOMAIN))]
        group = found.node.get(kind, ())
        if group:
            return self._answers(tree, group, name)
        chain = found.node.get("CNAME", ())
        if chain and self._kind != RecordType.ANY:
            return self._chain(tree, chain, name, depth)
        return [(Fraction(1), self._negative(tree, Rcode.NOERROR))]

    def _facts(self, tree: Tree) -> Facts:
        return Facts(
            healthy=self._known.healthy,
            distance_ms=lambda region: self._known.map.distance_ms(self._place, region),
            group=tree.group,
        )

    def _answers(self, tree: Tree, group: Group, name: bytes) -> list[Branch]:
        zone_id = tree.zone.id
        branches = []
        for share, records, scope in self._expand(tree, group, name, 0):
            if records:
                answer = Answer(Rcode.NOERROR, records, scope_bits=scope, zone_id=zone_id)
            else:
                answer = replace(self._negative(tree, Rcode.NOERROR), scope_bits=scope)
            branches.append((share, answer))
        return branches

    def _expand(
        self, tree: Tree, group: Group, owner: bytes, depth: int
    ) -> list[tuple[Fraction, tuple[Record, ...], int]]:
        """Every way the group may answer: its share, the records, and the scope the choice rests on."""
        scope = self._scope if depends_on_place(group) else 0
        found = []
        for share, chosen in choose(group, self._facts(tree)):
            alias = chosen[0].alias if len(chosen) == 1 else None
            if alias is None:
                found += [(share * part, records, scope) for part, records in _orders(chosen, owner)]
                continue
            for part, records, inner in self._alias(tree, chosen[0], owner, depth):
                found.append((share * part, records, max(scope, inner)))
        return found

    def _alias(
        self, tree: Tree, record: RecordSet, owner: bytes, depth: int
    ) -> list[tuple[Fraction, tuple[Record, ...], int]]:
        """The target's records under the alias's own name."""
        assert record.alias is not None
        target = record.alias.name
        if self._known.cloud.owns(target):
            return [(Fraction(1), self._known.cloud.addresses(target, record.type_number, owner) or (), 0)]
        group = tree.group(target, record.type)
        if not group or depth >= DEEPEST:
            return [(Fraction(1), (), 0)]
        return self._expand(tree, group, owner, depth + 1)

    def _chain(self, tree: Tree, group: Group, name: bytes, depth: int) -> list[Branch]:
        """CNAME records followed through the zones served here."""
        branches: list[Branch] = []
        for share, records, scope in self._expand(tree, group, name, 0):
            if not records:
                branches.append((share, replace(self._negative(tree, Rcode.NOERROR), scope_bits=scope)))
                continue
            first = Answer(Rcode.NOERROR, records, scope_bits=scope, zone_id=tree.zone.id)
            for part, rest in self._follow(records[0].rdata, depth + 1):
                joined = first if rest is None else _joined(first, rest)
                branches.append((share * part, joined))
        return branches

    def _follow(self, target: bytes, depth: int) -> list[tuple[Fraction, Answer | None]]:
        """What comes behind a CNAME; None when its target is not ours, or the chain is too long."""
        if depth > DEEPEST:
            return [(Fraction(1), None)]
        if self._known.cloud.owns(target):
            return [(Fraction(1), self._known.cloud.answer(target, self._kind))]
        tree = self._known.tree_of(target)
        if tree is None:
            return [(Fraction(1), None)]
        return list(self.resolve(tree, target, depth))

    def _referral(self, tree: Tree, cut: Group) -> Answer:
        """Whom to ask instead, with the addresses of name servers that are ours to tell."""
        authority = tuple(record for each in cut for record in _records(each, each.name))
        glue: list[Record] = []
        for record in authority:
            for each in tree.group(record.rdata, "A") + tree.group(record.rdata, "AAAA"):
                glue += _records(each, each.name)
            glue += self._known.cloud.addresses(record.rdata, RecordType.A, record.rdata) or ()
        return Answer(
            Rcode.NOERROR,
            authority=authority,
            additional=tuple(glue),
            authoritative=False,
            zone_id=tree.zone.id,
        )

    def _negative(self, tree: Tree, rcode: Rcode) -> Answer:
        """No such name or type: the SOA with the time that may be remembered (RFC 2308 section 5)."""
        soa = tree.soa
        minimum = int.from_bytes(soa.rdata[0][-4:], "big")
        ttl_s = min(soa.ttl_s or 0, minimum)
        record = Record(soa.name, RecordType.SOA, ttl_s, soa.rdata[0])
        return Answer(rcode, authority=(record,), zone_id=tree.zone.id)


def _type_name(number: int) -> str:
    try:
        return RecordType(number).name
    except ValueError:
        return ""


def _records(record: RecordSet, owner: bytes) -> tuple[Record, ...]:
    return tuple(Record(owner, record.type_number, record.ttl_s or 0, each) for each in record.rdata)


def _orders(chosen: Chosen, owner: bytes) -> list[tuple[Fraction, tuple[Record, ...]]]:
    """The records in each rotation, since many clients take the first."""
    records = tuple(record for each in chosen for record in _records(each, owner))
    turns = min(len(records), 8)
    if turns < 2:
        return [(Fraction(1), records)]
    return [(Fraction(1, turns), records[turn:] + records[:turn]) for turn in range(turns)]


def _joined(first: Answer, rest: Answer) -> Answer:
    return replace(
        rest,
        answers=first.answers + rest.answers,
        authoritative=True,
        scope_bits=max(first.scope_bits, rest.scope_bits),
        zone_id=first.zone_id,
    )
