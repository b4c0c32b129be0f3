"""Batches while name servers die and links are cut: whole ones are answered, and in the end the same ones."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.route53.clients import addresses, apply, change, dig, eventually, make_zone

HOME, KILLED, CUT_OFF = "us-east-1", "eu-west-1", "us-west-2"


def moved(name: str, number: int) -> list[dict[str, Any]]:
    """A batch that leads `a` to another target: one that it makes, and it deletes the target from before."""
    old = [change(f"b{number - 1}.{name}", "A", f"192.0.2.{number - 1}", action="DELETE")] if number > 1 else []
    made = change(f"b{number}.{name}", "A", f"192.0.2.{number}", action="CREATE")
    return [change(f"a.{name}", "CNAME", f"b{number}.{name}"), *old, made]


@dataclass
class Watcher:
    """Asks every name server again and again; what it saw that no whole batch explains, and the newest of each."""

    world: World
    name: str
    torn: list[str] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.is_set():
            for region in self.world.config.regions:
                query = dns.message.make_query(f"a.{self.name}", "A")
                try:
                    server = self.world.config.hosts[region]
                    reply = dns.query.udp(query, server, 0.5, self.world.config.dns_port)
                except (dns.exception.Timeout, OSError):
                    continue
                self._judge(region, reply)

    def _judge(self, region: str, reply: dns.message.Message) -> None:
        names = [str(rrset[0]) for rrset in reply.answer if rrset.rdtype == dns.rdatatype.CNAME]
        found = [str(rrset[0]) for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A]
        number = int(found[0].rpartition(".")[2]) if found else 0
        if names != [f"b{number}.{self.name}."]:
            self.torn.append(f"{region}: {reply}")
        if number < self.newest.get(region, 0):
            self.torn.append(f"{region} went back from {self.newest[region]} to {number}")
        self.newest[region] = max(number, self.newest.get(region, 0))


@pytest.mark.slow
def test_name_servers_die_and_are_cut_off_in_the_middle_of_batches(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    zone_id, name = make_zone(world)
    apply(world, zone_id, *moved(name, 1))
    client = world.client("route53")
    watcher = Watcher(world, name)
    watching = threading.Thread(target=watcher.run)
    watching.start()
    fault, last = "", ""
    try:
        for number in range(2, 42):
            batch = {"Changes": moved(name, number)}
            last = client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)["ChangeInfo"]["Id"]
            match number:
                case 10:
                    world.kill(KILLED)
                case 14:
                    world.control("start-region", region=KILLED)
                case 26:
                    world.kill(KILLED)
                    world.control("start-region", region=KILLED)  # before anybody may have seen that it died
                case 20:
                    fault = world.fault("region-isolated", CUT_OFF)
                    eventually(lambda: bool(watcher.newest.get(CUT_OFF)))
        assert client.get_change(Id=last)["ChangeInfo"]["Status"] == "PENDING", (
            "one that is cut off answers from before"
        )
        (before,) = addresses(world, f"a.{name}", region=CUT_OFF)
        assert before != "192.0.2.41"
        assert addresses(world, f"a.{name}", region=CUT_OFF) == [before]
        world.end_fault(fault)
        eventually(lambda: client.get_change(Id=last)["ChangeInfo"]["Status"] == "INSYNC", 60)
        for region in world.config.regions:
            assert addresses(world, f"a.{name}", region=region) == ["192.0.2.41"]
    finally:
        watcher.over.set()
        watching.join()
    assert watcher.torn == []
    assert set(watcher.newest) == set(world.config.regions), "every name server was heard"


@pytest.mark.slow
def test_a_zone_made_anew_under_its_name_while_a_name_server_is_away(make_world: Callable[..., World]) -> None:
    """One is cut off and one is down when the zone goes and another comes; both then know only the new one."""
    world = make_world("--replication-delay-ms", "none")
    client = world.client("route53")
    old_id, name = make_zone(world)
    apply(world, old_id, change(f"www.{name}", "A", "192.0.2.1"), change(f"old.{name}", "A", "192.0.2.1"))
    fault = world.fault("region-isolated", CUT_OFF)
    world.control("stop-region", region=KILLED)
    gone = [change(f"{each}.{name}", "A", "192.0.2.1", action="DELETE") for each in ("www", "old")]
    client.change_resource_record_sets(HostedZoneId=old_id, ChangeBatch={"Changes": gone})
    deleted = client.delete_hosted_zone(Id=old_id)["ChangeInfo"]["Id"]
    made = client.create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex)
    new_id = made["HostedZone"]["Id"]
    batch = {"Changes": [change(f"www.{name}", "A", "192.0.2.2")]}
    last = client.change_resource_record_sets(HostedZoneId=new_id, ChangeBatch=batch)["ChangeInfo"]["Id"]
    assert addresses(world, f"old.{name}", region=CUT_OFF) == ["192.0.2.1"], "it goes on answering what it knows"
    for each in (deleted, last):
        assert client.get_change(Id=each)["ChangeInfo"]["Status"] == "PENDING"
    world.control("start-region", region=KILLED)
    assert addresses(world, f"www.{name}", region=KILLED) == ["192.0.2.2"], "never from its old copy"
    world.end_fault(fault)
    for each in (deleted, last):
        eventually(lambda each=each: client.get_change(Id=each)["ChangeInfo"]["Status"] == "INSYNC", 60)
    servers = sorted(f"{each}." for each in made["DelegationSet"]["NameServers"])
    for region in world.config.regions:
        assert addresses(world, f"www.{name}", region=region) == ["192.0.2.2"]
        assert dig(world, f"old.{name}", region=region).rcode() == dns.rcode.NXDOMAIN
        assert sorted(map(str, dig(world, name, "NS", region=region).answer[0])) == servers
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        client.get_hosted_zone(Id=old_id)
