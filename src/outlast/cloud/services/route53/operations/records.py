"""Record sets, changes and answers.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html and its neighbours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.names import Question, RecordType
from outlast.cloud.services.route53 import changes, dnsnames
from outlast.cloud.services.route53.answers import lookup_in, texts
from outlast.cloud.services.route53.dnsnames import BadName
from outlast.cloud.services.route53.errors import InvalidChangeBatch, InvalidInput
from outlast.cloud.services.route53.model import list_key
from outlast.cloud.services.route53.operations.pages import page
from outlast.cloud.services.route53.service import route53
from outlast.cloud.services.route53.state import State

ZONE: Final = "arn:aws:route53:::hostedzone/{HostedZoneId}"
MOST_LISTED: Final = 300


@route53.operation(resource=ZONE)
def change_resource_record_sets(call: Call[State], *, hosted_zone_id: str, change_batch: Mapping[str, Any]) -> Reply:
    """Apply a batch of record changes, all or none."""
    zone = call.state.zone(hosted_zone_id)
    batch = change_batch["Changes"]
    if len(batch) > changes.MOST_VALUES:
        raise InvalidChangeBatch([f"Number of changes limit of {changes.MOST_VALUES} exceeded."])
    changed = changes.apply(zone, batch, call.state.board.checks)
    change = call.state.put_zone(changed, call.now_ms, change_batch.get("Comment", ""))
    return {"ChangeInfo": change.info()}


@route53.operation(resource="arn:aws:route53:::change/{Id}")
async def get_change(call: Call[State], *, id: str) -> Reply:
    """PENDING until every name server answers from the change, then INSYNC; one cut off holds it up."""
    return {"ChangeInfo": (await call.state.change(id)).info()}


@route53.operation(resource=ZONE)
def list_resource_record_sets(
    call: Call[State],
    *,
    hosted_zone_id: str,
    start_record_name: str | None = None,
    start_record_type: str | None = None,
    start_record_identifier: str | None = None,
    max_items: str | None = None,
) -> Reply:
    """List record sets by name with the labels reversed, then type, then set identifier."""
    zone = call.state.zone(hosted_zone_id)
    records = zone.ordered
    if start_record_type is not None and start_record_name is None:
        raise InvalidInput("The input is not valid: StartRecordType requires StartRecordName.")
    if start_record_identifier is not None and start_record_type is None:
        raise InvalidInput("The input is not valid: StartRecordIdentifier requires StartRecordType.")
    if start_record_name is not None:
        try:
            start = list_key(dnsnames.wire(start_record_name), start_record_type or "", start_record_identifier or "")
        except BadName as bad:
            raise InvalidInput(str(bad)) from None
        records = tuple(each for each in records if each.list_key >= start)
    found = page(records, max_items, MOST_LISTED)
    reply: dict[str, Any] = {
        "ResourceRecordSets": [each.document() for each in found.items],
        "IsTruncated": found.following is not None,
        "MaxItems": str(found.size),
    }
    if found.following is not None:
        reply["NextRecordName"] = dnsnames.text(found.following.name)
        reply["NextRecordType"] = found.following.type
        if found.following.identifier:
            reply["NextRecordIdentifier"] = found.following.identifier
    return reply


@route53.operation(name="TestDNSAnswer", resource=ZONE)
def explain_answer(
    call: Call[State],
    *,
    hosted_zone_id: str,
    record_name: str,
    record_type: str,
    resolver_ip: str | None = None,
    edns0_client_subnet_ip: str | None = None,
    edns0_client_subnet_mask: str | None = None,
) -> Reply:
    """What the zone's name servers would answer a resolver, with what this Region knows of health now."""
    zone = call.state.zone(hosted_zone_id)
    try:
        name = dnsnames.wire(record_name)
    except BadName as bad:
        raise InvalidInput(str(bad)) from None
    if not dnsnames.within(name, zone.name):
        raise InvalidInput(f"The record name {record_name} is not in the hosted zone {zone.text}")
    bits = _subnet_bits(edns0_client_subnet_ip, edns0_client_subnet_mask)
    resolver = resolver_ip or "0.0.0.0"  # noqa: S104 - in no client network: the place that has no other
    question = Question(name, RecordType[record_type], resolver, edns0_client_subnet_ip or resolver, bits)
    tree = call.state.plane.tree(zone.id)
    draw = lookup_in(call.state.plane.known, tree, question)
    answer = draw.answers[draw.index(call.region.entropy.uniform())]
    return {
        "Nameserver": zone.servers[0].name,
        "RecordName": record_name,
        "RecordType": record_type,
        "RecordData": texts(tree, answer),
        "ResponseCode": answer.rcode.name,
        "Protocol": "UDP",
    }


def _subnet_bits(address: str | None, mask: str | None) -> int | None:
    """The leading bits that count: 24 of IPv4 and 64 of IPv6 unless `mask` says otherwise."""
    if address is None:
        if mask is not None:
            raise InvalidInput("EDNS0ClientSubnetMask requires EDNS0ClientSubnetIP.")
        return None
    widest = ipaddress.ip_address(address).max_prefixlen
    if mask is None:
        return 24 if widest == 32 else 64
    if not mask.isdigit() or int(mask) > widest:
        raise InvalidInput(f"Invalid EDNS0 client subnet mask: {mask}")
    return int(mask)
