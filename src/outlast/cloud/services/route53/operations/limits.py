"""What an account and a zone may hold.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
"""

from __future__ import annotations

from typing import Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.route53.changes import MOST_RECORDS
from outlast.cloud.services.route53.errors import InvalidInput
from outlast.cloud.services.route53.operations.checks import MOST_CHECKS
from outlast.cloud.services.route53.operations.zones import MOST_ZONES
from outlast.cloud.services.route53.service import route53
from outlast.cloud.services.route53.state import State

ACCOUNT_LIMITS: Final = {
    "MAX_HEALTH_CHECKS_BY_OWNER": MOST_CHECKS,
    "MAX_HOSTED_ZONES_BY_OWNER": MOST_ZONES,
    "MAX_REUSABLE_DELEGATION_SETS_BY_OWNER": 100,
    "MAX_TRAFFIC_POLICIES_BY_OWNER": 50,
    "MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER": 5,
}


@route53.operation(resource="*")
def get_account_limit(call: Call[State], *, type: str) -> Reply:
    """A limit of the account, and how much of it is used; kinds that this cloud does not make count zero."""
    used = {
        "MAX_HEALTH_CHECKS_BY_OWNER": len(call.state.board.checks),
        "MAX_HOSTED_ZONES_BY_OWNER": len(call.state.zones),
    }
    return {"Limit": {"Type": type, "Value": ACCOUNT_LIMITS[type]}, "Count": used.get(type, 0)}


@route53.operation(resource="arn:aws:route53:::hostedzone/{HostedZoneId}")
def get_hosted_zone_limit(call: Call[State], *, type: str, hosted_zone_id: str) -> Reply:
    """A limit of one hosted zone, and how much of it is used."""
    zone = call.state.zone(hosted_zone_id)
    if type != "MAX_RRSETS_BY_ZONE":
        raise InvalidInput(f"The limit {type} is for private hosted zones, which this cloud does not have.")
    return {"Limit": {"Type": type, "Value": MOST_RECORDS}, "Count": len(zone.records)}
