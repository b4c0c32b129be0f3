"""Hosted zones.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dnsnames import BadName
from outlast.cloud.services.route53.errors import (
    HostedZoneAlreadyExists,
    HostedZoneNotEmpty,
    InvalidDomainName,
    InvalidInput,
    TooManyHostedZones,
    no_such_zone,
    unsupported,
)
from outlast.cloud.services.route53.model import Zone, bare_id, first_records
from outlast.cloud.services.route53.operations.pages import page
from outlast.cloud.services.route53.service import ZONE, route53
from outlast.cloud.services.route53.state import State

MOST_ZONES: Final = 500
LOCATION: Final = "https://route53.amazonaws.com/2013-04-01"


def described(zone: Zone) -> dict[str, Any]:
    """As the API's HostedZone."""
    config: dict[str, Any] = {"PrivateZone": False}
    if zone.comment:
        config["Comment"] = zone.comment
    return {
        "Id": f"/hostedzone/{zone.id}",
        "Name": zone.text,
        "CallerReference": zone.caller_reference,
        "Config": config,
        "ResourceRecordSetCount": len(zone.records),
    }


def delegation(zone: Zone) -> dict[str, Any]:
    """As the API's DelegationSet."""
    return {"NameServers": [server.name for server in zone.servers]}


@route53.operation(resource="*")
def create_hosted_zone(
    call: Call[State],
    *,
    name: str,
    caller_reference: str,
    hosted_zone_config: Mapping[str, Any] | None = None,
    vpc: Mapping[str, Any] | None = None,
    delegation_set_id: str | None = None,
) -> Reply:
    """Make a public hosted zone with its four name servers. Private zones and delegation sets are refused by name."""
    config = hosted_zone_config or {}
    if vpc is not None or config.get("PrivateZone"):
        raise unsupported("A private hosted zone")
    if delegation_set_id is not None:
        raise unsupported("The parameter DelegationSetId of CreateHostedZone")
    try:
        wire_name = dnsnames.wire(name)
    except BadName as bad:
        raise InvalidDomainName(str(bad)) from None
    if wire_name == b"\0" or call.state.plane.known.cloud.owns(wire_name):
        raise InvalidDomainName(f"{name} is reserved by AWS!")
    zones = call.state.zones
    if any(zone.caller_reference == caller_reference for zone in zones.values()):
        raise HostedZoneAlreadyExists(
            f"A hosted zone has already been created with the specified caller reference {caller_reference}"
        )
    if len(zones) >= MOST_ZONES:
        raise TooManyHostedZones(f"Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more than {MOST_ZONES}.")
    servers = call.state.delegation()
    zone = Zone(
        id=call.state.new_id("Z"),
        name=wire_name,
        caller_reference=caller_reference,
        servers=servers,
        created_ms=call.now_ms,
        records=first_records(wire_name, servers),
        comment=config.get("Comment", ""),
    )
    change = call.state.put_zone(zone, call.now_ms)
    return {
        "HostedZone": described(zone),
        "ChangeInfo": change.info(),
        "DelegationSet": delegation(zone),
        "Location": f"{LOCATION}/hostedzone/{zone.id}",
    }


@route53.operation(resource=ZONE)
def get_hosted_zone(call: Call[State], *, id: str) -> Reply:
    """Describe a hosted zone and its name servers."""
    zone = call.state.zone(id)
    return {"HostedZone": described(zone), "DelegationSet": delegation(zone)}


@route53.operation(resource=ZONE)
def update_hosted_zone_comment(call: Call[State], *, id: str, comment: str = "") -> Reply:
    """Change, or remove, the comment."""
    zone = replace(call.state.zone(id), comment=comment)
    call.state.replace_zone(zone)
    return {"HostedZone": described(zone)}


@route53.operation(resource=ZONE)
def delete_hosted_zone(call: Call[State], *, id: str) -> Reply:
    """Delete a hosted zone that holds nothing but its own SOA and NS records."""
    zone = call.state.zone(id)
    own = {(zone.name, "SOA", ""), (zone.name, "NS", "")}
    if zone.records.keys() - own:
        raise HostedZoneNotEmpty(
            "The specified hosted zone contains non-required resource record sets  and so cannot be deleted."
        )
    for key, document in list(call.state.log_configs.items()):
        if document["HostedZoneId"] == zone.id:
            call.state.log_configs.delete(key)
    return {"ChangeInfo": call.state.delete_zone(zone, call.now_ms).info()}


@route53.operation(resource="*")
def list_hosted_zones(
    call: Call[State],
    *,
    marker: str | None = None,
    max_items: str | None = None,
    delegation_set_id: str | None = None,
    hosted_zone_type: str | None = None,
) -> Reply:
    """List hosted zones, by id."""
    if delegation_set_id is not None:
        raise unsupported("The parameter DelegationSetId of ListHostedZones")
    zones = [call.state.zones[key] for key in sorted(call.state.zones)]
    if hosted_zone_type == "PrivateHostedZone":
        zones = []
    if marker is not None:
        if marker not in call.state.zones:
            raise no_such_zone(marker)
        zones = [zone for zone in zones if zone.id >= marker]
    found = page(zones, max_items)
    reply: dict[str, Any] = {
        "HostedZones": [described(zone) for zone in found.items],
        "IsTruncated": found.following is not None,
        "MaxItems": str(found.size),
    }
    if marker is not None:
        reply["Marker"] = marker
    if found.following is not None:
        reply["NextMarker"] = found.following.id
    return reply


@route53.operation(resource="*")
def list_hosted_zones_by_name(
    call: Call[State], *, dns_name: str | None = None, hosted_zone_id: str | None = None, max_items: str | None = None
) -> Reply:
    """List hosted zones ordered by name with the labels reversed, from `dns_name` (and `hosted_zone_id`) on."""
    if hosted_zone_id is not None and dns_name is None:
        raise InvalidInput("The parameter HostedZoneId requires the parameter DNSName.")
    zones = sorted(call.state.zones.values(), key=_name_key)
    if dns_name is not None:
        try:
            start = (dnsnames.sort_key(dnsnames.wire(dns_name)), bare_id(hosted_zone_id or ""))
        except BadName as bad:
            raise InvalidDomainName(str(bad)) from None
        zones = [zone for zone in zones if _name_key(zone) >= start]
    found = page(zones, max_items)
    reply: dict[str, Any] = {
        "HostedZones": [described(zone) for zone in found.items],
        "IsTruncated": found.following is not None,
        "MaxItems": str(found.size),
    }
    if dns_name is not None:
        reply["DNSName"] = dns_name
    if hosted_zone_id is not None:
        reply["HostedZoneId"] = hosted_zone_id
    if found.following is not None:
        reply["NextDNSName"] = found.following.text
        reply["NextHostedZoneId"] = found.following.id
    return reply


def _name_key(zone: Zone) -> tuple[str, str]:
    return (dnsnames.sort_key(zone.name), zone.id)


@route53.operation(resource="*")
def get_hosted_zone_count(call: Call[State]) -> Reply:
    """How many hosted zones there are."""
    return {"HostedZoneCount": len(call.state.zones)}


@route53.operation(resource=ZONE.replace("{Id}", "{HostedZoneId}"), name="GetDNSSEC")
def get_dnssec(call: Call[State], *, hosted_zone_id: str) -> Reply:
    """Zones are never signed here."""
    call.state.zone(hosted_zone_id)
    return {"Status": {"ServeSignature": "NOT_SIGNING"}, "KeySigningKeys": []}
