"""The door to the sockets: generations, zones of one name, faults, counts and logs."""

from __future__ import annotations

from dataclasses import replace

from outlast.cloud.contract import ActiveFault, ActiveFaults, FaultSpec
from outlast.cloud.contract.names import Question, Rcode, RecordType, WorldMap
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.dataplane import MOST_LOGGED, DataPlane
from outlast.cloud.services.route53.dnsnames import wire
from outlast.cloud.services.route53.querylog import line
from tests.unit.route53.zones import change, zone_of

HOSTS = {"us-east-1": "127.0.0.11", "us-west-2": "127.0.0.12"}


class Desk:
    """A data plane and short words for it."""

    def __init__(self) -> None:
        self.faults = ActiveFaults()
        self.plane = DataPlane(
            CloudNames(HOSTS, "us-east-1"),
            WorldMap(),
            self.faults,
            healthy=lambda _id: True,
            uniform=lambda: 0.0,
            now_ms=lambda: 1_700_000_000_123,
        )

    def ask(self, name: str) -> tuple[Rcode, list[str]]:
        question = Question(wire(name), RecordType.A, "127.0.0.1", "127.0.0.1")
        answer = self.plane.lookup(question).answers[0]
        return answer.rcode, [".".join(str(byte) for byte in record.rdata) for record in answer.answers]

    def empty(self, *names: str) -> None:
        spec = FaultSpec("dns-empty", ("us-east-1",), parameters={"names": list(names)} if names else {})
        self.faults.active = (ActiveFault("f", spec, 0, 1),)


ZONE = zone_of(change("www.example.com", "A", "192.0.2.1"))


def test_every_change_is_a_new_generation() -> None:
    desk = Desk()
    seen = [desk.plane.generation]
    desk.plane.put(ZONE)
    seen.append(desk.plane.generation)
    desk.plane.touch()
    seen.append(desk.plane.generation)
    desk.plane.drop(ZONE.id)
    seen.append(desk.plane.generation)
    desk.empty()
    seen.append(desk.plane.generation)
    assert seen == sorted(set(seen))
    assert desk.plane.generation == seen[-1]


def test_versions_tell_what_is_answered_from() -> None:
    desk = Desk()
    assert desk.plane.version("Z1") == 0
    desk.plane.put(ZONE)
    assert desk.plane.version("Z1") == ZONE.version


def test_of_zones_with_one_name_the_oldest_answers() -> None:
    desk = Desk()
    younger = replace(zone_of(change("www.example.com", "A", "192.0.2.2"), zone_id="Z2"), created_ms=5)
    desk.plane.put(younger)
    assert desk.ask("www.example.com")[1] == ["192.0.2.2"]
    desk.plane.put(ZONE)
    desk.plane.put(younger)
    assert desk.ask("www.example.com")[1] == ["192.0.2.1"]
    assert desk.plane.tree("Z2").zone is younger
    desk.plane.drop("Z1")
    assert desk.ask("www.example.com")[1] == ["192.0.2.2"]


def test_the_longest_zone_answers() -> None:
    desk = Desk()
    desk.plane.serve(
        [ZONE, zone_of(change("www.sub.example.com", "A", "192.0.2.3"), name="sub.example.com", zone_id="Z3")]
    )
    assert desk.ask("www.sub.example.com")[1] == ["192.0.2.3"]
    assert desk.ask("www.example.com")[1] == ["192.0.2.1"]


def test_a_fault_empties_all_or_some_names() -> None:
    desk = Desk()
    desk.plane.put(ZONE)
    desk.empty()
    assert desk.plane.generation
    assert desk.ask("www.example.com") == (Rcode.NOERROR, [])
    assert desk.ask("dynamodb.us-west-2.amazonaws.com") == (Rcode.NOERROR, [])
    desk.empty("us-west-2.amazonaws.com", "not..a.name")
    assert desk.plane.generation
    assert desk.ask("www.example.com")[1] == ["192.0.2.1"]
    assert desk.ask("dynamodb.us-west-2.amazonaws.com")[1] == []
    assert desk.ask("dynamodb.us-east-1.amazonaws.com")[1] == ["127.0.0.11"]
    desk.faults.active = ()
    assert desk.plane.generation
    assert desk.ask("dynamodb.us-west-2.amazonaws.com")[1] == ["127.0.0.12"]


def test_queries_are_counted_and_logged_for_zones_that_want_it() -> None:
    desk = Desk()
    desk.plane.put(ZONE)
    desk.plane.count({"Z1": 3})
    desk.plane.count({"Z1": 4})
    assert desk.plane.queries["Z1"] == 7
    question = Question(wire("www.example.com"), RecordType.A, "127.0.0.9", "198.51.100.0", 24, tcp=True)
    assert not desk.plane.lookup(question).logged
    desk.plane.logged_zones = frozenset({"Z1"})
    draw = desk.plane.lookup(question)
    assert draw.logged
    desk.plane.log(question, draw.answers[0])
    (noted,) = desk.plane.log_lines
    assert line(noted, "us-west-2") == (
        "1.0 2023-11-14T22:13:20.123Z Z1 www.example.com A NOERROR TCP PDX1 127.0.0.9 198.51.100.0/24"
    )


def test_log_lines_that_wait_are_bounded() -> None:
    desk = Desk()
    desk.plane.put(ZONE)
    question = Question(wire("www.example.com"), RecordType.A, "127.0.0.9", "127.0.0.9")
    answer = desk.plane.lookup(question).answers[0]
    for _ in range(MOST_LOGGED + 5):
        desk.plane.log(question, answer)
    assert (len(desk.plane.log_lines), desk.plane.log_dropped) == (MOST_LOGGED, 5)
