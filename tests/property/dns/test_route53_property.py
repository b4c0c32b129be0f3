"""Zones under any batches and questions: what must hold always."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.contract.names import Question, Rcode, RecordType, WorldMap
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.answers import Knowledge, lookup
from outlast.cloud.services.route53.changes import apply
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.errors import InvalidChangeBatch, InvalidInput
from outlast.cloud.services.route53.model import RecordSet, Zone
from outlast.cloud.services.route53.routing import Facts, choose
from outlast.cloud.services.route53.tree import Tree
from tests.unit.route53.zones import CHECKS, change, empty_zone

wire_labels = st.binary(min_size=1, max_size=20).map(bytes.lower)
wire_names = st.lists(wire_labels, max_size=6).map(
    lambda labels: b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
)


@given(name=wire_names)
def test_any_name_is_shown_and_read_back(name: bytes) -> None:
    assert dnsnames.wire(dnsnames.text(name)) == name
    assert dnsnames.text(dnsnames.wire(dnsnames.text(name))) == dnsnames.text(name)


names = st.sampled_from(
    ["example.com", "a.example.com", "b.a.example.com", "*.example.com", "*.a.example.com", "c.example.com"]
)
values = {
    "A": ["192.0.2.1", "192.0.2.2"],
    "CNAME": ["c.example.com", "a.example.com"],
    "TXT": ['"x"'],
    "NS": ["ns.a.example.com"],
}


@st.composite
def changes(draw: Any) -> dict[str, Any]:
    """One change: any action, a few names, every policy."""
    kind = draw(st.sampled_from(sorted(values)))
    more = draw(
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"SetIdentifier": st.sampled_from("xyz"), "Weight": st.integers(0, 3)}),
            st.fixed_dictionaries(
                {"SetIdentifier": st.sampled_from("xyz"), "Region": st.sampled_from(["us-east-1", "us-west-2"])}
            ),
            st.fixed_dictionaries(
                {"SetIdentifier": st.sampled_from("xyz"), "Failover": st.sampled_from(["PRIMARY", "SECONDARY"])}
            ),
            st.fixed_dictionaries({"SetIdentifier": st.sampled_from("xyz"), "MultiValueAnswer": st.just(True)}),
        )
    )
    more = {**more, **({"HealthCheckId": f"check-{draw(st.sampled_from('abc'))}"} if more else {})}
    action = draw(st.sampled_from(["CREATE", "UPSERT", "DELETE"]))
    return change(draw(names), kind, draw(st.sampled_from(values[kind])), action=action, **more)


batches = st.lists(st.lists(changes(), min_size=1, max_size=4), max_size=8)


def built(of: list[list[dict[str, Any]]]) -> Zone:
    zone = empty_zone()
    for batch in of:
        with suppress(InvalidChangeBatch, InvalidInput):
            zone = apply(zone, batch, CHECKS)
    return zone


@given(of=batches)
@settings(max_examples=150)
def test_a_zone_stays_a_zone(of: list[list[dict[str, Any]]]) -> None:
    zone = built(of)
    by_name: dict[bytes, set[str]] = {}
    by_kind: dict[tuple[bytes, str], set[str]] = {}
    for record in zone.records.values():
        by_name.setdefault(record.name, set()).add(record.type)
        by_kind.setdefault((record.name, record.type), set()).add(record.policy)
    assert {"SOA", "NS"} <= by_name[zone.name]
    assert all(kinds == {"CNAME"} or "CNAME" not in kinds for kinds in by_name.values())
    assert all(len(policies) == 1 for policies in by_kind.values())
    assert Zone.read(zone.document()) == zone
    assert list(zone.ordered) == [RecordSet.read(each.document()) for each in zone.ordered]


@given(
    of=batches,
    head=st.lists(st.sampled_from([b"a", b"b", b"c", b"*", b"zz"]), max_size=3),
    kind=st.integers(1, 300),
    sick=st.sets(st.sampled_from([f"check-{letter}" for letter in "abc"])),
    client=st.sampled_from(["127.1.0.1", "127.2.0.1", "8.8.8.8"]),
)
@settings(max_examples=200)
def test_every_question_has_an_answer(
    of: list[list[dict[str, Any]]], head: list[bytes], kind: int, sick: set[str], client: str
) -> None:
    zone = built(of)
    cloud = CloudNames({"us-east-1": "127.0.0.11"}, "us-east-1")
    known = Knowledge({zone.name: Tree(zone)}, cloud, WorldMap(), lambda check: check not in sick, lambda: 0.99)
    name = b"".join(bytes((len(label),)) + label for label in head) + zone.name
    draw = lookup(known, Question(name, kind, "127.0.0.1", client))
    assert len(draw.bounds) == len(draw.answers)
    assert list(draw.bounds) == sorted(set(draw.bounds))
    for answer in draw.answers:
        assert answer.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN)
        assert answer.answers or answer.authority
        if answer.rcode is Rcode.NXDOMAIN:
            assert answer.authority[-1].type == RecordType.SOA
        if answer.answers:
            assert answer.answers[0].name == name


@given(of=batches, sick=st.sets(st.sampled_from([f"check-{letter}" for letter in "abc"])))
@settings(max_examples=100)
def test_shares_add_up_and_nothing_sick_answers_beside_the_healthy(
    of: list[list[dict[str, Any]]], sick: set[str]
) -> None:
    tree = Tree(built(of))
    facts = Facts(lambda check: check not in sick, lambda _region: 1.0, tree.group)
    for record in tree.zone.ordered:
        group = tree.group(record.name, record.type)
        options = choose(group, facts)
        assert sum(share for share, _ in options) == Fraction(1)
        healthy = [each for each in group if each.health_check not in sick]
        if healthy and group[0].policy != "simple":
            assert all(each in healthy for _, chosen in options for each in chosen)
