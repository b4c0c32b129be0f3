"""What the wire tests ask: names of their own, DNS by dnspython, and waiting for what becomes true."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rdatatype

from tests.conftest import World

API_ZONES = {"us-east-1": "Z1UJRXOUMOOFQ8", "us-west-2": "Z2OJLYMUO9EFXC"}
EAST, WEST = "192.0.2.0", "198.51.100.0"


def fresh_name() -> str:
    """A domain that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}.example"


def make_zone(world: World, name: str | None = None) -> tuple[str, str]:
    """A hosted zone: its bare id and its name without the dot."""
    name = name or fresh_name()
    made = world.client("route53").create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex)
    return made["HostedZone"]["Id"].rpartition("/")[2], name


def change(name: str, kind: str, *values: str, action: str = "UPSERT", ttl: int = 60, **more: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": name, "Type": kind, **more}
    if values:
        record |= {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}
    return {"Action": action, "ResourceRecordSet": record}


def apply(world: World, zone_id: str, *changes: dict[str, Any]) -> str:
    """Send one batch and wait until it is in sync; the change's id."""
    client = world.client("route53")
    reply = client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": list(changes)})
    change_id: str = reply["ChangeInfo"]["Id"]
    eventually(lambda: client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC")
    return change_id


def dig(
    world: World, name: str, kind: str = "A", *, region: str = "us-east-1", subnet: str | None = None, tcp: bool = False
) -> dns.message.Message:
    """Ask one Region's name server."""
    options: list[dns.edns.Option] = [dns.edns.ECSOption(subnet, 24)] if subnet else []
    query = dns.message.make_query(name, kind, use_edns=0, options=options)
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(query, world.config.hosts[region], port=world.config.dns_port, timeout=5)


def addresses(world: World, name: str, *, region: str = "us-east-1", subnet: str | None = None) -> list[str]:
    """The A records in the answer, sorted."""
    reply = dig(world, name, region=region, subnet=subnet)
    return sorted(item.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for item in rrset)


def eventually(true: Callable[[], bool], within_s: float = 15.0) -> float:
    """Wait until `true()` holds; how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, "it did not become true in time"
        time.sleep(0.05)
    return time.monotonic() - began
