"""Change batches: what Route 53 accepts, and its words for what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract import Fault
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.changes import apply
from outlast.cloud.services.route53.errors import InvalidChangeBatch, InvalidInput, NoSuchHealthCheck
from outlast.cloud.services.route53.model import Zone
from tests.unit.route53.zones import CHECKS, alias, change, empty_zone, zone_of

WEIGHTED = {"SetIdentifier": "one", "Weight": 1}
API = ("d-1.execute-api.us-east-1.amazonaws.com", "Z1UJRXOUMOOFQ8")


def problems(zone: Zone, *changes: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidChangeBatch) as caught:
        apply(zone, changes, CHECKS)
    listed: list[str] = caught.value.fields["messages"]
    assert caught.value.message == f"[{', '.join(listed)}]"
    return listed


def names(zone: Zone) -> list[tuple[str, str]]:
    return [(dnsnames.text(each.name), each.type) for each in zone.ordered]


def test_a_new_zone_has_its_ns_and_soa_and_each_change_is_a_version() -> None:
    zone = zone_of(change("www.Example.COM", "A", "192.0.2.1"))
    assert names(zone) == [("example.com.", "NS"), ("example.com.", "SOA"), ("www.example.com.", "A")]
    assert zone.version == empty_zone().version + 1
    assert Zone.read(zone.document()) == zone


def test_listing_is_ordered_by_reversed_labels_then_type_then_identifier() -> None:
    zone = zone_of(
        change("z.example.com", "A", "192.0.2.1"),
        change("a.z.example.com", "A", "192.0.2.1"),
        change("b.example.com", "TXT", '"x"'),
        change("b.example.com", "A", "192.0.2.1", SetIdentifier="2", Weight=1),
        change("b.example.com", "A", "192.0.2.1", SetIdentifier="1", Weight=1),
        change("*.example.com", "A", "192.0.2.1"),
    )
    assert [(dnsnames.text(each.name), each.type, each.identifier) for each in zone.ordered[2:]] == [
        ("\\052.example.com.", "A", ""),
        ("b.example.com.", "A", "1"),
        ("b.example.com.", "A", "2"),
        ("b.example.com.", "TXT", ""),
        ("z.example.com.", "A", ""),
        ("a.z.example.com.", "A", ""),
    ]


def test_all_or_nothing() -> None:
    zone = zone_of(change("a.example.com", "A", "192.0.2.1"))
    found = problems(
        zone,
        change("a.example.com", "A", "192.0.2.1", action="DELETE"),
        change("b.example.com", "A", "192.0.2.1"),
        change("b.example.com", "A", "192.0.2.1"),
    )
    assert found == ["Tried to create resource record set [name='b.example.com.', type='A'] but it already exists"]
    assert names(zone)[-1] == ("a.example.com.", "A")


def test_changes_are_made_in_order() -> None:
    zone = zone_of(change("a.example.com", "A", "192.0.2.1"))
    after = apply(
        zone,
        [change("a.example.com", "A", "192.0.2.1", action="DELETE"), change("a.example.com", "CNAME", "b.example.com")],
        CHECKS,
    )
    assert names(after)[-1] == ("a.example.com.", "CNAME")
    assert (
        "conflicts with other records"
        in problems(
            zone,
            change("a.example.com", "CNAME", "b.example.com"),
            change("a.example.com", "A", "192.0.2.1", action="DELETE"),
        )[0]
    )


def test_upsert_creates_and_replaces() -> None:
    zone = zone_of(change("a.example.com", "A", "192.0.2.1", action="UPSERT"))
    after = apply(zone, [change("a.example.com", "A", "192.0.2.9", action="UPSERT", ttl=5)], CHECKS)
    assert after.ordered[-1].values == ("192.0.2.9",)
    assert after.ordered[-1].ttl_s == 5


def test_delete_must_repeat_the_values_in_any_order() -> None:
    zone = zone_of(change("a.example.com", "A", "192.0.2.1", "192.0.2.2"))
    after = apply(zone, [change("A.example.com.", "A", "192.0.2.2", "192.0.2.1", action="DELETE")], CHECKS)
    assert len(after.records) == 2
    mismatch = (
        "Tried to delete resource record set [name='a.example.com.', type='A'] but the values provided do not "
        "match the current values"
    )
    assert problems(zone, change("a.example.com", "A", "192.0.2.1", action="DELETE")) == [mismatch]
    assert problems(zone, change("a.example.com", "A", "192.0.2.1", "192.0.2.2", ttl=61, action="DELETE")) == [mismatch]


def test_delete_names_the_set_identifier() -> None:
    assert problems(zone_of(), change("a.example.com", "A", "192.0.2.1", action="DELETE", **WEIGHTED)) == [
        "Tried to delete resource record set [name='a.example.com.', type='A', set-identifier='one'] but it was "
        "not found"
    ]


BAD_IN_ITSELF = [
    (
        change("a.example.com", "A"),
        "but found none in Change with [Action=CREATE, Name=a.example.com, Type=A, SetIdentifier=null]",
    ),
    (change("a.example.com", "A", TTL=60), "but found none in"),
    ({**alias("a.example.com", "A", "b.example.com", TTL=60)}, "but found more than one in"),
    (change("a.example.com", "A", "192.0.2.1", Weight=1), "Missing field 'SetIdentifier'"),
    (
        change("a.example.com", "A", "192.0.2.1", SetIdentifier="x"),
        "GeoProximityLocation, or CidrRoutingConfig], but found none",
    ),
    (change("a.example.com", "A", "192.0.2.1", Region="us-east-1", **WEIGHTED), "but found more than one"),
    (
        change("a.example.com", "A", "192.0.2.1", SetIdentifier="x", GeoLocation={"CountryCode": "*"}),
        "GeoLocation of ChangeResourceRecordSets is not supported",
    ),
    (
        change("a.example.com", "A", "192.0.2.1", SetIdentifier="x", GeoProximityLocation={"Bias": 1}),
        "GeoProximityLocation of ChangeResourceRecordSets is not supported",
    ),
    (
        change("a.example.com", "A", "192.0.2.1", SetIdentifier="x", CidrRoutingConfig={}),
        "CidrRoutingConfig of ChangeResourceRecordSets is not supported",
    ),
]


@pytest.mark.parametrize(("bad", "words"), BAD_IN_ITSELF)
def test_malformed_changes(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        apply(zone_of(), [bad], CHECKS)
    assert words in caught.value.message


BESIDE = [
    (
        [change("a.example.com", "CNAME", "b.example.com")],
        change("a.example.com", "A", "192.0.2.1"),
        "RRSet of type A with DNS name a.example.com. is not permitted because a conflicting RRSet of type CNAME "
        "with the same DNS name already exists in zone example.com.",
    ),
    (
        [change("a.example.com", "A", "192.0.2.1")],
        change("a.example.com", "CNAME", "b.example.com"),
        "RRSet of type CNAME with DNS name a.example.com. is not permitted as it conflicts with other records "
        "with the same DNS name in zone example.com.",
    ),
    (
        [],
        change("example.com", "CNAME", "b.example.com"),
        "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.",
    ),
    (
        [],
        change("a.example.org", "A", "192.0.2.1"),
        "RRSet with DNS name a.example.org. is not permitted in zone example.com.",
    ),
    (
        [],
        change("a.example.com", "A", "192.0.2.256"),
        "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) "
        "encountered with '192.0.2.256''",
    ),
    (
        [],
        change("a.example.com", "TXT", "bare"),
        "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation "
        "marks) encountered with 'bare''",
    ),
    (
        [],
        change("a..example.com", "A", "192.0.2.1"),
        "FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with 'a..example.com'",
    ),
    (
        [],
        change("a.example.com", "A", *(f"10.0.{n // 250}.{n % 250}" for n in range(401))),
        "Cannot have more than 400 records in a RRSet.",
    ),
    ([], change("a.example.com", "A", "192.0.2.1", "192.0.2.1"), "Duplicate Resource Record: '192.0.2.1'"),
    (
        [change("a.example.com", "A", "192.0.2.1", **WEIGHTED)],
        change("a.example.com", "A", "192.0.2.1"),
        "RRSet with DNS name a.example.com., type A cannot be created as other RRSets exist with the same name "
        "and type.",
    ),
    (
        [change("a.example.com", "A", "192.0.2.1")],
        change("a.example.com", "A", "192.0.2.1", **WEIGHTED),
        "RRSet with DNS name a.example.com., type A, SetIdentifier one cannot be created as a non-weighted set "
        "exists with the same name and type.",
    ),
    (
        [change("a.example.com", "A", "192.0.2.1", **WEIGHTED)],
        change("a.example.com", "A", "192.0.2.1", SetIdentifier="two", Region="us-east-1"),
        "RRSet with DNS name a.example.com., type A, SetIdentifier two cannot be created as a non-latency set "
        "exists with the same name and type.",
    ),
    (
        [change("a.example.com", "A", "192.0.2.1", **WEIGHTED)],
        change("a.example.com", "A", "192.0.2.1", ttl=5, SetIdentifier="two", Weight=2),
        "RRSet with DNS name a.example.com. and type A, SetIdentifier two cannot be created as weighted sets "
        "must contain the same TTL.",
    ),
    (
        [change("a.example.com", "A", "192.0.2.1", SetIdentifier="1", Region="us-east-1")],
        change("a.example.com", "A", "192.0.2.1", SetIdentifier="2", Region="us-east-1"),
        "RRSet with DNS name a.example.com., type A, SetIdentifier 2, Region us-east-1 cannot be created because "
        "a latency RRSet with the same name, type, and region already exists.",
    ),
    (
        [],
        change(
            "example.com",
            "NS",
            *(f"ns-{n}.awsdns-0{n}.{d}." for n, d in ((1, "com"), (2, "net"), (3, "org"), (4, "co.uk"))),
            ttl=172800,
            action="DELETE",
        ),
        "A HostedZone must contain at least one NS record for the zone itself.",
    ),
    (
        [],
        change(
            "example.com",
            "SOA",
            "ns-1.awsdns-01.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
            ttl=900,
            action="DELETE",
        ),
        "A HostedZone must contain exactly one SOA record.",
    ),
]


@pytest.mark.parametrize(("there", "wanted", "words"), BESIDE)
def test_changes_that_do_not_fit_the_zone(there: list[dict[str, Any]], wanted: dict[str, Any], words: str) -> None:
    assert words in problems(zone_of(*there), wanted)


def test_the_ttl_of_a_weighted_set_is_changed_in_one_batch() -> None:
    one, two = ({"SetIdentifier": letter, "Weight": 1} for letter in "ab")
    zone = zone_of(change("w.example.com", "A", "192.0.2.1", **one), change("w.example.com", "A", "192.0.2.2", **two))
    after = apply(
        zone,
        [
            change("w.example.com", "A", "192.0.2.1", ttl=5, action="UPSERT", **one),
            change("w.example.com", "A", "192.0.2.2", ttl=5, action="UPSERT", **two),
        ],
        CHECKS,
    )
    assert {each.ttl_s for each in after.ordered[2:]} == {5}


def test_a_weight_of_zero_is_a_weight() -> None:
    zone = zone_of(change("w.example.com", "A", "192.0.2.1", SetIdentifier="a", Weight=0))
    assert zone.ordered[-1].policy == "weighted"


def test_aliases_must_find_their_target() -> None:
    outside = problems(zone_of(), alias("a.example.com", "A", "b.example.net", "Z9"))
    start = "Tried to create an alias that targets b.example.net., type A in zone Z9, but "
    assert outside == [
        f"{start}the alias target name does not lie within the target zone",
        f"{start}that target was not found",
    ]
    assert problems(zone_of(), alias("a.example.com", "A", "b.example.com")) == [
        "Tried to create an alias that targets b.example.com., type A in zone Z1, but that target was not found"
    ]
    zone_of(alias("a.example.com", "A", "b.example.com", "/hostedzone/Z1"), change("b.example.com", "A", "192.0.2.1"))


def test_aliases_to_endpoints_must_name_the_endpoints_zone() -> None:
    zone = zone_of(alias("example.com", "A", *API), alias("example.com", "AAAA", *API))
    assert zone.records[(dnsnames.wire("example.com"), "A", "")].alias is not None
    (problem,) = problems(zone_of(), alias("example.com", "A", API[0], "Z2OJLYMUO9EFXC"))
    assert problem.endswith("but the alias target name does not lie within the target zone")
    assert problems(zone_of(), alias("example.com", "MX", *API))


def test_a_health_check_must_exist() -> None:
    with pytest.raises(NoSuchHealthCheck):
        apply(zone_of(), [change("a.example.com", "A", "192.0.2.1", HealthCheckId="nope", **WEIGHTED)], CHECKS)
    zone_of(change("a.example.com", "A", "192.0.2.1", HealthCheckId="check-a", **WEIGHTED))


def test_a_batch_is_bounded() -> None:
    many = [change(f"n{n}.example.com", "A", "192.0.2.1", action="UPSERT") for n in range(501)]
    assert problems(zone_of(), *many) == ["Number of records limit of 1000 exceeded."]
    long = change("a.example.com", "TXT", *(f'"{n:03d}{"x" * 250}"' for n in range(130)))
    assert problems(zone_of(), long) == ["Number of characters limit of 32000 exceeded."]


def test_faults_are_the_services_own() -> None:
    with pytest.raises(Fault):
        apply(zone_of(), [change("a.example.com", "A")], CHECKS)
