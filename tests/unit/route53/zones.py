"""Zones written down in few words, for the tests."""

from __future__ import annotations

from typing import Any

from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.changes import apply
from outlast.cloud.services.route53.model import NameServer, RecordSet, Zone, first_records

SERVERS = tuple(
    NameServer(f"ns-{n}.awsdns-0{n}.{domain}", region)
    for n, domain, region in (
        (1, "com", "us-east-1"),
        (2, "net", "us-west-2"),
        (3, "org", "us-east-2"),
        (4, "co.uk", "eu-west-1"),
    )
)
CHECKS = {f"check-{letter}" for letter in "abcdefghij"}


def change(
    name: str, kind: str, *values: str, action: str = "CREATE", ttl: int | None = 60, **more: Any
) -> dict[str, Any]:
    """A change of the API; aliases give `AliasTarget` and no values."""
    record: dict[str, Any] = {"Name": name, "Type": kind, **more}
    if values:
        record |= {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}
    return {"Action": action, "ResourceRecordSet": record}


def alias(
    name: str, kind: str, target: str, zone_id: str = "Z1", *, evaluate: bool = True, **more: Any
) -> dict[str, Any]:
    """A change that makes an alias record."""
    where = {"HostedZoneId": zone_id, "DNSName": target, "EvaluateTargetHealth": evaluate}
    return change(name, kind, AliasTarget=where, **more)


def empty_zone(name: str = "example.com", zone_id: str = "Z1") -> Zone:
    wire = dnsnames.wire(name)
    return Zone(zone_id, wire, "reference", SERVERS, 0, first_records(wire, SERVERS))


def zone_of(*changes: dict[str, Any], name: str = "example.com", zone_id: str = "Z1") -> Zone:
    """The zone after these changes."""
    return apply(empty_zone(name, zone_id), changes, CHECKS)


def group_of(*changes: dict[str, Any]) -> tuple[RecordSet, ...]:
    """The record sets of the changes, which have one name and type."""
    return tuple(RecordSet.read(each["ResourceRecordSet"]) for each in changes)
