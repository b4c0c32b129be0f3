"""Routing decisions as tables: a group, what is healthy, where the client is, and what may answer."""

from __future__ import annotations

from fractions import Fraction

import pytest

from outlast.cloud.contract.names import WorldMap
from outlast.cloud.services.route53.dnsnames import wire
from outlast.cloud.services.route53.routing import Facts, choose, is_healthy
from outlast.cloud.services.route53.tree import Group, Tree
from tests.unit.route53.zones import alias, change, group_of, zone_of

EAST, WEST, DUBLIN = "us-east-1", "us-west-2", "eu-west-1"


def facts(sick: str = "", place: str = "us-east-coast", tree: Tree | None = None) -> Facts:
    """`sick` names unhealthy checks by their last letters."""
    return Facts(
        healthy=lambda check_id: check_id[-1] not in sick,
        distance_ms=lambda region: WorldMap().distance_ms(place, region),
        group=tree.group if tree is not None else lambda _name, _kind: (),
    )


def shares(group: Group, known: Facts) -> dict[str, Fraction]:
    return {each.identifier: share for share, chosen in choose(group, known) for each in chosen}


def weighted(*weights: int) -> Group:
    """Records a, b, c … with these weights, each with a health check of its own."""
    return group_of(
        *(
            change(
                "w.example.com", "A", "192.0.2.1", SetIdentifier=letter, Weight=weight, HealthCheckId=f"check-{letter}"
            )
            for letter, weight in zip("abcdef", weights, strict=False)
        )
    )


WEIGHTED = [
    ((1, 3), "", {"a": Fraction(1, 4), "b": Fraction(3, 4)}),
    ((1, 3), "b", {"a": Fraction(1)}),
    ((1, 3), "ab", {"a": Fraction(1, 4), "b": Fraction(3, 4)}),
    ((0, 0), "", {"a": Fraction(1, 2), "b": Fraction(1, 2)}),
    ((0, 0), "a", {"b": Fraction(1)}),
    ((0, 5), "", {"b": Fraction(1)}),
    ((0, 5), "b", {"a": Fraction(1)}),
    ((0, 5), "ab", {"b": Fraction(1)}),
    ((0, 5, 0), "b", {"a": Fraction(1, 2), "c": Fraction(1, 2)}),
    ((255, 1), "", {"a": Fraction(255, 256), "b": Fraction(1, 256)}),
    ((100, 0), "", {"a": Fraction(1)}),
]


@pytest.mark.parametrize(("weights", "sick", "expected"), WEIGHTED)
def test_weighted(weights: tuple[int, ...], sick: str, expected: dict[str, Fraction]) -> None:
    assert shares(weighted(*weights), facts(sick)) == expected


LATENCY = [
    ("us-east-coast", "", "e"),
    ("us-west-coast", "", "w"),
    ("europe", "", "d"),
    ("europe", "d", "e"),
    ("us-west-coast", "w", "e"),
    ("us-west-coast", "wed", "w"),
    ("nowhere", "", "d"),
]


@pytest.mark.parametrize(("place", "sick", "expected"), LATENCY)
def test_latency(place: str, sick: str, expected: str) -> None:
    group = group_of(
        *(
            change(
                "l.example.com", "A", "192.0.2.1", SetIdentifier=letter, Region=region, HealthCheckId=f"check-{letter}"
            )
            for letter, region in (("e", EAST), ("w", WEST), ("d", DUBLIN))
        )
    )
    assert shares(group, facts(sick, place)) == {expected: 1}


@pytest.mark.parametrize(("sick", "expected"), [("", "p"), ("p", "s"), ("s", "p"), ("ps", "p")])
def test_failover(sick: str, expected: str) -> None:
    group = group_of(
        *(
            change("f.example.com", "A", "192.0.2.1", SetIdentifier=role[0].lower(), Failover=role,
                   HealthCheckId=f"check-{role[0].lower()}")
            for role in ("SECONDARY", "PRIMARY")
        )
    )  # fmt: skip
    assert shares(group, facts(sick)) == {expected: 1}


def multivalue(count: int) -> Group:
    return group_of(
        *(
            change(
                "m.example.com", "A", f"192.0.2.{n}", SetIdentifier=str(n), MultiValueAnswer=True, HealthCheckId=f"c{n}"
            )
            for n in range(count)
        )
    )


def test_multivalue_gives_all_that_are_healthy() -> None:
    ((share, chosen),) = choose(multivalue(5), facts("03"))
    assert share == 1
    assert [each.identifier for each in chosen] == ["1", "2", "4"]
    ((_, chosen),) = choose(multivalue(3), facts("012"))
    assert len(chosen) == 3


def test_multivalue_gives_eight_at_most_and_each_as_often() -> None:
    options = choose(multivalue(10), facts())
    assert {len(chosen) for _, chosen in options} == {8}
    assert sum(share for share, _ in options) == 1
    often = [sum(share for share, chosen in options if each in chosen) for each in multivalue(10)]
    assert set(often) == {Fraction(8, 10)}


def test_a_simple_record_answers_whatever_its_health() -> None:
    group = group_of(change("s.example.com", "A", "192.0.2.1"))
    assert choose(group, facts("abc")) == [(1, group)]


def test_an_alias_is_as_healthy_as_the_best_of_its_targets() -> None:
    zone = zone_of(
        change("t.example.com", "A", "192.0.2.1", SetIdentifier="a", Weight=1, HealthCheckId="check-a"),
        change("t.example.com", "A", "192.0.2.2", SetIdentifier="b", Weight=1, HealthCheckId="check-b"),
        alias("x.example.com", "A", "t.example.com"),
        alias("y.example.com", "A", "t.example.com", evaluate=False),
        alias("z.example.com", "A", "x.example.com"),
    )
    tree = Tree(zone)
    records = {name: tree.group(wire(f"{name}.example.com"), "A")[0] for name in "xyz"}
    for sick, expected in (("", True), ("a", True), ("ab", False)):
        known = facts(sick, tree=tree)
        assert is_healthy(records["x"], known) is expected
        assert is_healthy(records["z"], known) is expected
        assert is_healthy(records["y"], known)


def test_an_alias_needs_its_own_health_check_too() -> None:
    zone = zone_of(
        change("t.example.com", "A", "192.0.2.1"),
        alias("x.example.com", "A", "t.example.com", SetIdentifier="x", Weight=1, HealthCheckId="check-c"),
    )
    tree = Tree(zone)
    (record,) = tree.group(wire("x.example.com"), "A")
    assert is_healthy(record, facts("", tree=tree))
    assert not is_healthy(record, facts("c", tree=tree))


def test_an_alias_to_an_endpoint_is_judged_by_its_health_check_alone() -> None:
    (record,) = group_of(
        alias("x.example.com", "A", "d-1.execute-api.us-east-1.amazonaws.com", "Z1UJRXOUMOOFQ8",
              SetIdentifier="x", Region=EAST, HealthCheckId="check-c")
    )  # fmt: skip
    assert is_healthy(record, facts(""))
    assert not is_healthy(record, facts("c"))


def test_an_alias_that_runs_in_a_circle_is_unhealthy() -> None:
    ring = {
        wire("x.example.com"): group_of(alias("x.example.com", "A", "y.example.com")),
        wire("y.example.com"): group_of(alias("y.example.com", "A", "x.example.com")),
    }
    known = Facts(lambda _id: True, lambda _region: 0.0, lambda name, _kind: ring[name])
    assert not is_healthy(ring[wire("x.example.com")][0], known)
