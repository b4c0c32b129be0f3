"""Questions to zones: wildcards, chains, delegations, negatives, aliases, the cloud's own names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outlast.cloud.contract.names import Answer, Draw, Question, Rcode, RecordType, WorldMap
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.answers import MOST_OUTCOMES, Knowledge, lookup, lookup_in, texts
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.model import Zone
from outlast.cloud.services.route53.tree import Tree
from tests.unit.route53.zones import SERVERS, alias, change, zone_of

HOSTS = {"us-east-1": "127.0.0.11", "us-west-2": "127.0.0.12", "eu-west-1": "127.0.0.14"}
ENDPOINT = "d-x.execute-api.{}.amazonaws.com"
ZONES = {"us-east-1": "Z1UJRXOUMOOFQ8", "us-west-2": "Z2OJLYMUO9EFXC"}


def knowledge(*zones: Zone, healthy: Callable[[str], bool] = lambda _id: True) -> Knowledge:
    cloud = CloudNames(HOSTS, "us-east-1")
    cloud.know_servers({server.name: server.region for server in SERVERS if server.region in HOSTS})
    trees = {zone.name: Tree(zone) for zone in zones}
    return Knowledge(trees, cloud, WorldMap(), healthy, lambda: 0.5)


def ask(known: Knowledge, name: str, kind: str = "A", client: str = "127.1.0.1", bits: int | None = None) -> Draw:
    return lookup(known, Question(dnsnames.wire(name), RecordType[kind], "127.0.0.1", client, bits))


def one(known: Knowledge, name: str, kind: str = "A", client: str = "127.1.0.1") -> Answer:
    draw = ask(known, name, kind, client)
    assert len(draw.answers) == 1
    return draw.answers[0]


def shown(answer: Answer) -> list[tuple[str, str, object]]:
    return [
        (dnsnames.text(record.name), RecordType(record.type).name, data(record.type, record.rdata))
        for record in answer.answers
    ]


def data(kind: int, rdata: bytes) -> object:
    if kind == RecordType.A:
        return ".".join(str(byte) for byte in rdata)
    return dnsnames.text(rdata) if kind in (RecordType.CNAME, RecordType.NS) else rdata


def zone(*changes: dict[str, Any]) -> Zone:
    return zone_of(*changes)


def test_a_simple_record_rotates() -> None:
    known = knowledge(zone(change("www.example.com", "A", "192.0.2.1", "192.0.2.2", "192.0.2.3")))
    draw = ask(known, "WWW.example.com")
    firsts = {shown(answer)[0][2] for answer in draw.answers}
    assert firsts == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
    assert draw.bounds == (1, 2, 3)
    assert {answer.zone_id for answer in draw.answers} == {"Z1"}


def test_outside_every_zone_is_refused() -> None:
    known = knowledge(zone())
    assert one(known, "example.net").rcode is Rcode.REFUSED
    assert one(known, "com").rcode is Rcode.REFUSED
    assert one(known, "notexample.com").rcode is Rcode.REFUSED


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("nobody.example.com", "A", Rcode.NXDOMAIN),
        ("www.example.com", "AAAA", Rcode.NOERROR),
        ("deep.example.com", "A", Rcode.NOERROR),
        ("example.com", "A", Rcode.NOERROR),
        ("under.www.example.com", "A", Rcode.NXDOMAIN),
    ],
)
def test_negative_answers_carry_the_soa_with_its_negative_ttl(name: str, kind: str, rcode: Rcode) -> None:
    known = knowledge(
        zone(change("www.example.com", "A", "192.0.2.1"), change("very.deep.example.com", "A", "192.0.2.1"))
    )
    answer = one(known, name, kind)
    assert (answer.rcode, answer.answers) == (rcode, ())
    (soa,) = answer.authority
    assert (soa.type, soa.ttl_s, dnsnames.text(soa.name)) == (RecordType.SOA, 900, "example.com.")


def test_the_negative_ttl_is_the_lesser_of_soa_ttl_and_minimum() -> None:
    soa = "ns-1.awsdns-01.com. h.example.com. 7 7200 900 1209600 30"
    known = knowledge(zone(change("example.com", "SOA", soa, action="UPSERT", ttl=300)))
    assert one(known, "nobody.example.com").authority[0].ttl_s == 30


def test_wildcards_cover_what_does_not_exist() -> None:
    known = knowledge(
        zone(
            change("*.example.com", "A", "192.0.2.1"),
            change("www.example.com", "TXT", '"here"'),
            change("a.sub.example.com", "A", "192.0.2.9"),
            change("*.sub.example.com", "CNAME", "a.sub.example.com"),
        )
    )
    assert shown(one(known, "any.example.com")) == [("any.example.com.", "A", "192.0.2.1")]
    assert shown(one(known, "x.y.example.com")) == [("x.y.example.com.", "A", "192.0.2.1")]
    assert one(known, "www.example.com").answers == ()
    assert one(known, "sub.example.com").rcode is Rcode.NOERROR
    assert one(known, "sub.example.com").answers == ()
    assert shown(one(known, "b.sub.example.com")) == [
        ("b.sub.example.com.", "CNAME", "a.sub.example.com."),
        ("a.sub.example.com.", "A", "192.0.2.9"),
    ]
    assert shown(one(known, "*.example.com")) == [("\\052.example.com.", "A", "192.0.2.1")]


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "number"),
    [
        ("host3.example.com", "MX", Rcode.NOERROR, 1),
        ("host3.example.com", "A", Rcode.NOERROR, 0),
        ("foo.bar.example.com", "TXT", Rcode.NOERROR, 1),
        ("host1.example.com", "MX", Rcode.NOERROR, 0),
        ("sub.*.example.com", "MX", Rcode.NOERROR, 0),
        ("_telnet._tcp.host1.example.com", "SRV", Rcode.NXDOMAIN, 0),
        ("host.subdel.example.com", "A", Rcode.NOERROR, 0),
        ("ghost.*.example.com", "MX", Rcode.NXDOMAIN, 0),
        ("_tcp.host2.example.com", "TXT", Rcode.NOERROR, 0),
        ("host2.example.com", "TXT", Rcode.NOERROR, 0),
        ("*.example.com", "MX", Rcode.NOERROR, 1),
    ],
)
def test_wildcards_as_in_rfc_4592(name: str, kind: str, rcode: Rcode, number: int) -> None:
    """The zone and the answers of section 2.2.1, and empty non-terminals of section 2.2.2."""
    known = knowledge(
        zone(
            change("*.example.com", "TXT", '"this is a wildcard"'),
            change("*.example.com", "MX", "10 host1.example.com"),
            change("sub.*.example.com", "TXT", '"this is not a wildcard"'),
            change("host1.example.com", "A", "192.0.2.1"),
            change("_ssh._tcp.host1.example.com", "SRV", "0 0 22 host1.example.com"),
            change("_ssh._tcp.host2.example.com", "SRV", "0 0 22 host2.example.com"),
            change("subdel.example.com", "NS", "ns.example.net"),
        )
    )
    answer = one(known, name, kind)
    assert (answer.rcode, len(answer.answers)) == (rcode, number)
    if number:
        assert answer.answers[0].name == dnsnames.wire(name)
    elif "subdel" in name:
        assert (answer.authoritative, answer.authority[0].type) == (False, RecordType.NS)
    else:
        assert answer.authority[0].type == RecordType.SOA


def test_cname_chains_are_followed_in_all_zones_served_here() -> None:
    known = knowledge(
        zone(
            change("a.example.com", "CNAME", "b.example.com"),
            change("b.example.com", "CNAME", "www.example.org"),
            change("out.example.com", "CNAME", "elsewhere.net"),
            change("gone.example.com", "CNAME", "nobody.example.com"),
            change("db.example.com", "CNAME", "dynamodb.us-west-2.amazonaws.com"),
            change("loop.example.com", "CNAME", "loop2.example.com"),
            change("loop2.example.com", "CNAME", "loop.example.com"),
        ),
        zone_of(change("www.example.org", "A", "192.0.2.7"), name="example.org", zone_id="Z2"),
    )
    assert [item[2] for item in shown(one(known, "a.example.com"))] == [
        "b.example.com.",
        "www.example.org.",
        "192.0.2.7",
    ]
    assert [item[2] for item in shown(one(known, "out.example.com"))] == ["elsewhere.net."]
    gone = one(known, "gone.example.com")
    assert (gone.rcode, len(gone.answers), len(gone.authority)) == (Rcode.NXDOMAIN, 1, 1)
    assert [item[2] for item in shown(one(known, "db.example.com"))][-1] == "127.0.0.12"
    assert len(one(known, "loop.example.com").answers) < 20
    assert [item[1] for item in shown(one(known, "a.example.com", "CNAME"))] == ["CNAME"]


def test_a_delegation_is_referred_with_glue() -> None:
    known = knowledge(
        zone(
            change("sub.example.com", "NS", "ns.sub.example.com", "ns-1.awsdns-01.com"),
            change("ns.sub.example.com", "A", "192.0.2.53"),
            change("sub.example.com", "DS", "1 8 2 " + "ab" * 32),
            change("x.sub.example.com", "A", "192.0.2.1"),
        )
    )
    answer = one(known, "x.sub.example.com")
    assert (answer.authoritative, answer.answers, len(answer.authority)) == (False, (), 2)
    assert {data(record.type, record.rdata) for record in answer.additional} == {"192.0.2.53", "127.0.0.11"}
    assert one(known, "sub.example.com", "DS").answers[0].type == RecordType.DS
    assert ask(known, "example.com", "NS").answers[0].authoritative


def failover_zone() -> Zone:
    """A latency record for each of two Regions, an alias to its API endpoint, with a health check."""
    return zone(
        *(
            alias("api.example.com", "A", ENDPOINT.format(region), ZONES[region],
                  SetIdentifier=region, Region=region, HealthCheckId=check)
            for region, check in (("us-east-1", "check-a"), ("us-west-2", "check-b"))
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("client", "sick", "expected"),
    [
        ("127.1.0.1", "", "127.0.0.11"),
        ("127.2.0.1", "", "127.0.0.12"),
        ("198.51.100.9", "", "127.0.0.12"),
        ("127.1.0.1", "check-a", "127.0.0.12"),
        ("127.2.0.1", "check-b", "127.0.0.11"),
        ("127.2.0.1", "check-a check-b", "127.0.0.12"),
        ("8.8.8.8", "", "127.0.0.11"),
    ],
)
def test_latency_aliases_to_api_endpoints(client: str, sick: str, expected: str) -> None:
    known = knowledge(failover_zone(), healthy=lambda check: check not in sick)
    answer = one(known, "api.example.com", client=client)
    assert shown(answer) == [("api.example.com.", "A", expected)]
    assert answer.answers[0].ttl_s == 60


def test_the_scope_of_a_placed_answer_is_the_prefix_that_placed_it() -> None:
    known = knowledge(failover_zone())
    assert ask(known, "api.example.com", client="198.51.100.0", bits=24).answers[0].scope_bits == 24
    assert ask(known, "api.example.com", client="127.2.3.0", bits=24).answers[0].scope_bits == 16
    assert ask(known, "api.example.com", client="8.8.8.0", bits=24).answers[0].scope_bits == 24
    assert ask(known, "nobody.example.com", client="8.8.8.0", bits=24).answers[0].scope_bits == 0


def test_an_alias_to_ipv4_has_no_ipv6() -> None:
    known = knowledge(zone(alias("api.example.com", "AAAA", ENDPOINT.format("us-east-1"), ZONES["us-east-1"])))
    answer = one(known, "api.example.com", "AAAA")
    assert (answer.rcode, answer.answers, len(answer.authority)) == (Rcode.NOERROR, (), 1)


def test_weights_multiply_along_aliases() -> None:
    known = knowledge(
        zone(
            change("east.example.com", "A", "192.0.2.1", SetIdentifier="1", Weight=1),
            change("east.example.com", "A", "192.0.2.2", SetIdentifier="2", Weight=3),
            change("west.example.com", "A", "192.0.2.3"),
            alias("api.example.com", "A", "east.example.com", SetIdentifier="e", Weight=1),
            alias("api.example.com", "A", "west.example.com", SetIdentifier="w", Weight=1),
        )
    )
    draw = ask(known, "api.example.com")
    steps = [high - low for low, high in zip((0, *draw.bounds), draw.bounds, strict=False)]
    found = {shown(answer)[0][2]: step / draw.bounds[-1] for answer, step in zip(draw.answers, steps, strict=True)}
    assert found == {"192.0.2.1": 0.125, "192.0.2.2": 0.375, "192.0.2.3": 0.5}
    assert [draw.index(value) for value in (0.0, 0.124, 0.126, 0.6, 0.999)] == [0, 0, 1, 2, 2]


def test_too_many_alternatives_are_drawn_at_once() -> None:
    records = [
        change("w.example.com", "A", "192.0.2.1", "192.0.2.2", SetIdentifier=str(n), Weight=1)
        for n in range(MOST_OUTCOMES)
    ]
    draw = ask(knowledge(zone(*records)), "w.example.com")
    assert len(draw.answers) == 1
    assert not draw.cacheable


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dynamodb.us-west-2.amazonaws.com", "127.0.0.12"),
        ("abc123.execute-api.eu-west-1.amazonaws.com", "127.0.0.14"),
        ("abc123.route53-recovery-cluster.us-west-2.amazonaws.com", "127.0.0.12"),
        ("host-1.us-east-1.cluster.routing-control.amazonaws.com", "127.0.0.11"),
        ("arc-region-switch.us-west-2.api.aws", "127.0.0.12"),
        ("route53.amazonaws.com", "127.0.0.11"),
        ("ns-2.awsdns-02.net", "127.0.0.12"),
    ],
)
def test_the_clouds_own_names(name: str, expected: str) -> None:
    assert [item[2] for item in shown(one(knowledge(), name))] == [expected]


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        ("dynamodb.mars-north-1.amazonaws.com", Rcode.NXDOMAIN),
        ("nothing.amazonaws.com", Rcode.NXDOMAIN),
        ("us-west-2.amazonaws.com", Rcode.NOERROR),
        ("amazonaws.com", Rcode.NOERROR),
        ("ns-9.awsdns-99.com", Rcode.REFUSED),
    ],
)
def test_names_the_cloud_does_not_have(name: str, rcode: Rcode) -> None:
    answer = one(knowledge(), name)
    assert (answer.rcode, answer.answers) == (rcode, ())
    assert len(answer.authority) == (0 if rcode is Rcode.REFUSED else 1)


def test_answers_are_explained_as_they_were_written() -> None:
    written = zone(change("t.example.com", "TXT", '"a b" "c"'), change("m.example.com", "MX", "10 mail.example.com."))
    known = knowledge(written, failover_zone())
    tree = Tree(written)
    for name, kind, expected in (("t", "TXT", ['"a b" "c"']), ("m", "MX", ["10 mail.example.com."])):
        question = Question(dnsnames.wire(f"{name}.example.com"), RecordType[kind], "127.0.0.1", "127.0.0.1")
        assert texts(tree, lookup_in(known, tree, question).answers[0]) == expected
    assert texts(tree, one(known, "api.example.com")) == ["127.0.0.11"]
