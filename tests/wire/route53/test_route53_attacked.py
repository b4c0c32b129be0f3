"""The name servers of a running world under floods, broken packets and batches that race."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest
from botocore.exceptions import ClientError

from outlast.cloud.gateway.dns_sockets import queue_of
from tests.conftest import World
from tests.wire.route53.clients import addresses, apply, change, dig, eventually, make_zone

FLOODER = "127.0.0.1"
HEADER = bytes.fromhex("1234 0100 0001 0000 0000 0000".replace(" ", ""))
WWW = b"\x03www\x07example\x00\x00\x01\x00\x01"


def opt(*options: bytes, size: int | None = None, version: int = 0) -> bytes:
    body = b"".join(options)
    length = len(body) if size is None else size
    return b"\0\0\x29\x04\xd0\0" + bytes((version,)) + b"\0\0" + length.to_bytes(2, "big") + body


def with_opt(record: bytes, additional: int = 1) -> bytes:
    return HEADER[:10] + additional.to_bytes(2, "big") + WWW + record


BROKEN = {
    "a pointer to itself": HEADER + b"\xc0\x0c\x00\x01\x00\x01",
    "two pointers in a ring": HEADER + b"\x01a\xc0\x10\xc0\x0c\x00\x01\x00\x01",
    "a pointer behind the end": HEADER + b"\xff\xff\x00\x01\x00\x01",
    "a label that does not end": HEADER + b"\x3fabc",
    "a label of a reserved kind": HEADER + b"\x80abc\x00\x00\x01\x00\x01",
    "a name of over 255 octets": HEADER + b"\x3f" * 64 * 5 + b"\x00\x00\x01\x00\x01",
    "no type": HEADER + b"\x03www\x00",
    "two questions": HEADER[:4] + b"\0\x02" + HEADER[6:] + WWW + WWW,
    "an answer in a question": HEADER[:6] + b"\0\x01" + HEADER[8:] + WWW,
    "two OPT records": with_opt(opt() + opt(), 2),
    "an option longer than its record": with_opt(opt(b"\0\x08\xff\xff\0\x01\x18\0")),
    "a record longer than the message": with_opt(opt(size=500)),
    "a subnet of a wrong family": with_opt(opt(b"\0\x08\0\x07\0\x09\x18\0\x01\x02\x03")),
    "a subnet with too many bits": with_opt(opt(b"\0\x08\0\x05\0\x01\xff\0\x01")),
    "a subnet with bits behind its end": with_opt(opt(b"\0\x08\0\x05\0\x01\x04\0\xff")),
    "half an option": with_opt(opt(b"\0\x08\0")),
}


def ask_raw(world: World, packet: bytes, region: str = "us-east-1") -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((world.config.hosts[region], world.config.dns_port))
        client.send(packet)
        return client.recv(4096)


@pytest.mark.parametrize("what", BROKEN)
def test_broken_packets_get_a_format_error_and_nothing_more(world: World, what: str) -> None:
    answer = ask_raw(world, BROKEN[what])
    assert answer[:2] == BROKEN[what][:2]
    assert answer[3] & 15 == dns.rcode.FORMERR
    assert answer[6:10] == b"\0" * 4
    assert len(answer) <= len(BROKEN[what]) + 11, "an error may be no longer than the question and an OPT record"


def test_no_answer_is_worth_forging_a_question_for(world: World) -> None:
    """Large records by UDP come back cut to less than the question's own size and a header's."""
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(name, "TXT", *(f'"{n:03d}{"x" * 200}"' for n in range(20))))
    for kind in ("TXT", "ANY", "AXFR"):
        query = dns.message.make_query(name, kind, use_edns=0, payload=4096)
        answer = ask_raw(world, query.to_wire())
        assert len(answer) <= len(query.to_wire()) + 32, kind
    assert dig(world, name, "TXT").flags & dns.flags.TC
    assert len(dig(world, name, "TXT", tcp=True).answer[0]) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one queue for all")
def test_a_flood_of_names_and_rubbish_leaves_the_api_answers_and_memory_whole(world: World) -> None:
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    (pid,) = [each["pid"] for each in world.control("status")["regions"] if each["region"] == "us-west-2"]
    before = resident_bytes(pid)
    over = threading.Event()
    floods = [threading.Thread(target=flood, args=(world, "us-west-2", name, seed, over)) for seed in range(2)]
    for each in floods:
        each.start()
    try:
        time.sleep(1.0)
        for _ in range(5):
            for elsewhere in ("127.1.9.1", "127.1.9.3"):
                assert elsewhere_by_udp(world, f"www.{name}", elsewhere) == ["192.0.2.1"]
            assert addresses_by_tcp(world, f"www.{name}") == ["192.0.2.1"]
            assert world.client("dynamodb", "us-west-2").list_tables()["ResponseMetadata"]["HTTPStatusCode"] == 200
    finally:
        over.set()
        for each in floods:
            each.join()
    eventually(lambda: answers_by_udp(world, f"www.{name}"))
    assert resident_bytes(pid) - before < 150 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one queue for all")
def test_a_flood_from_one_address_costs_clients_at_others_no_answer(world: World) -> None:
    """The flood comes while the name server gets no time at all, so it is larger than what is read of it, on any
    machine. Clients at other addresses ask once each, after it, and all are answered; the flood loses most of itself.
    """
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    server = (world.config.hosts["us-west-2"], world.config.dns_port)
    honest = list(islice((each for n in range(200) if queue_of(each := f"127.1.{n}.7") != queue_of(FLOODER)), 12))
    (pid,) = [each["pid"] for each in world.control("status")["regions"] if each["region"] == "us-west-2"]
    lost_before = lost_datagrams(server)
    with ExitStack() as opened:
        attacker, *clients = [opened.enter_context(_client(address, server)) for address in (FLOODER, *honest)]
        made_up = [dns.message.make_query(f"x{n}.{name}", "A").to_wire() for n in range(6_000)]
        question = dns.message.make_query(f"www.{name}", "A")
        os.kill(pid, signal.SIGSTOP)
        try:
            for each in made_up:
                attacker.send(each)
            for client in clients:
                client.send(question.to_wire())
        finally:
            os.kill(pid, signal.SIGCONT)
        for client in clients:
            reply = dns.message.from_wire(client.recv(4096))
            assert question.is_response(reply)
            assert [item.address for item in reply.answer[0]] == ["192.0.2.1"]
    assert lost_datagrams(server) > lost_before, "nothing was lost, so it was no flood"


def _client(address: str, server: tuple[str, int]) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind((address, 0))
    client.connect(server)
    client.settimeout(30)
    return client


def lost_datagrams(server: tuple[str, int]) -> int:
    """What the kernel threw away because it was not read in time, of all queues of a name server."""
    number = int.from_bytes(socket.inet_aton(server[0]), sys.byteorder)
    sockets = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(each[-1]) for each in sockets if each[1] == f"{number:08X}:{server[1]:04X}")


def flood(world: World, region: str, zone: str, seed: int, over: threading.Event) -> None:
    """Names that do not exist, rubbish, and questions of all cases and cookies, as fast as a thread can."""
    dice = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((FLOODER, 0))
        client.connect((world.config.hosts[region], world.config.dns_port))
        cookie = dns.edns.GenericOption(10, b"12345678")
        kind = dns.message.make_query(f"xxxxxxxx.{zone}", "A", use_edns=0, options=[cookie]).to_wire()
        while not over.is_set():
            for _ in range(50):
                packet = bytearray(kind)
                packet[13:21] = dice.randbytes(4).hex().encode()
                packet[-8:] = dice.randbytes(8)
                client.send(dice.choice((bytes(packet), dice.randbytes(60))))


def addresses_by_tcp(world: World, name: str) -> list[str]:
    """By UDP the kernel loses packets as it must when more come than are read."""
    reply = dig(world, name, region="us-west-2", tcp=True)
    return [item.address for item in reply.answer[0]]


def elsewhere_by_udp(world: World, name: str, source: str) -> list[str]:
    """Asked once, from an address that the flood does not come from."""
    assert queue_of(source) != queue_of(FLOODER)
    server = (world.config.hosts["us-west-2"], world.config.dns_port)
    reply = dns.query.udp(dns.message.make_query(name, "A"), server[0], 60, server[1], source)
    return [item.address for item in reply.answer[0]]


def answers_by_udp(world: World, name: str) -> bool:
    try:
        return addresses(world, name, region="us-west-2") == ["192.0.2.1"]
    except dns.exception.Timeout:
        return False


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_batches_that_race_are_applied_whole_one_after_the_other(world: World) -> None:
    """Each of eight clients swaps the pair for its own, naming the old one: of those who saw the same, one wins."""
    zone_id, name = make_zone(world)
    pair = [f"a.{name}", f"b.{name}"]
    apply(world, zone_id, *(change(each, "A", "192.0.2.1") for each in pair))
    outcomes: list[tuple[int, str]] = []

    def swap(number: int) -> None:
        client = world.client("route53", "us-west-2" if number % 2 else "us-east-1")
        old = [change(each, "A", "192.0.2.1", action="DELETE") for each in pair]
        new = [change(each, "A", f"192.0.2.{10 + number}", action="CREATE") for each in pair]
        try:
            client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": old + new})
            outcomes.append((number, "applied"))
        except ClientError as error:
            outcomes.append((number, error.response["Error"]["Code"]))

    clients = [threading.Thread(target=swap, args=(number,)) for number in range(8)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert Counter(outcome for _, outcome in outcomes) == {"applied": 1, "InvalidChangeBatch": 7}
    winner = next(number for number, outcome in outcomes if outcome == "applied")
    listed = world.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    found = {each["Name"]: each["ResourceRecords"][0]["Value"] for each in listed if each["Type"] == "A"}
    assert found == {f"{each}.": f"192.0.2.{10 + winner}" for each in pair}


def test_conflicting_changes_in_one_batch(world: World) -> None:
    zone_id, name = make_zone(world)
    client = world.client("route53")
    conflicts: list[list[dict[str, Any]]] = [
        [change(f"x.{name}", "A", "192.0.2.1", action="CREATE")] * 2,
        [change(f"x.{name}", "A", "192.0.2.1"), change(f"x.{name}", "CNAME", f"y.{name}")],
        [change(f"x.{name}", "A", "192.0.2.1"), change(f"x.{name}", "A", "192.0.2.2", SetIdentifier="w", Weight=1)],
        [change(f"x.{name}", "A", "192.0.2.1"), change(f"x.{name}", "A", "192.0.2.2", action="DELETE")],
        [change(name, "SOA", "a. b. 1 2 3 4 5", action="DELETE")],
    ]
    for batch in conflicts:
        with pytest.raises(ClientError) as caught:
            client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": batch})
        assert caught.value.response["Error"]["Code"] == "InvalidChangeBatch"
        assert len(client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]) == 2


def test_a_stub_like_systemd_resolved(world: World) -> None:
    """Asks A and AAAA at once from one socket, with DO and a large size, in mixed case; then by TCP when told to."""
    zone_id, name = make_zone(world)
    long = [f'"{n:03d}{"x" * 200}"' for n in range(9)]
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"), change(f"long.{name}", "TXT", *long))
    asked = f"wWw.{name.upper()}"
    queries = [
        dns.message.make_query(asked, kind, use_edns=0, payload=65494, want_dnssec=True) for kind in ("A", "AAAA")
    ]
    server = (world.config.hosts["eu-west-1"], world.config.dns_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stub:
        stub.settimeout(5)
        stub.connect(server)
        for query in queries:
            stub.send(query.to_wire())
        replies = {reply.question[0].rdtype: reply for reply in (dns.message.from_wire(stub.recv(65494)) for _ in "ab")}
    for query in queries:
        reply = replies[query.question[0].rdtype]
        assert query.is_response(reply)
        assert reply.question[0].name.to_text() == f"{asked}."
        assert reply.ednsflags & dns.flags.DO
        assert not reply.flags & dns.flags.RA
    assert replies[1].answer[0].name.to_text() == f"{asked}."
    assert not replies[28].answer
    reply, by_tcp = dns.query.udp_with_fallback(
        dns.message.make_query(f"long.{name}", "TXT", use_edns=0, payload=65494), server[0], port=server[1], timeout=5
    )
    assert (by_tcp, len(reply.answer[0])) == (True, 9)


def test_the_four_name_servers_are_in_four_regions_and_any_of_them_answers(world: World) -> None:
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    named = sorted(str(each) for each in dig(world, name, "NS").answer[0])
    delegated = world.client("route53").get_hosted_zone(Id=zone_id)["DelegationSet"]["NameServers"]
    assert named == sorted(f"{each}." for each in delegated)
    hosts = {addresses(world, each)[0] for each in delegated}
    assert len(hosts) == 4
    for host in hosts:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host], world.config.dns_port
        assert [item.address for item in resolver.resolve(f"www.{name}", "A")] == ["192.0.2.1"]


def test_any_is_refused_and_geography_is_refused_by_name(world: World) -> None:
    zone_id, name = make_zone(world)
    client = world.client("route53")
    assert [str(each) for each in dig(world, name, "ANY").answer[0]] == ['"RFC8482" ""']
    for member, value in (
        ("GeoLocation", {"CountryCode": "DE"}),
        ("GeoProximityLocation", {"AWSRegion": "us-east-1", "Bias": 1}),
        ("CidrRoutingConfig", {"CollectionId": str(uuid.uuid4()), "LocationName": "x"}),
    ):
        wanted = change(f"geo.{name}", "A", "192.0.2.1", SetIdentifier="g", **{member: value})
        with pytest.raises(ClientError, match=member):
            client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [wanted]})
