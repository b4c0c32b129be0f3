"""The hosted zones of AWS's own that an alias may name: API Gateway's Regional endpoints.

https://docs.aws.amazon.com/general/latest/gr/apigateway.html
"""

from __future__ import annotations

from typing import Final

from outlast.cloud.services.route53 import dnsnames

API_GATEWAY_ZONES: Final = {
    "us-east-1": "Z1UJRXOUMOOFQ8",
    "us-east-2": "ZOJJZC49E0EPZ",
    "us-west-1": "Z2MUQ32089INYE",
    "us-west-2": "Z2OJLYMUO9EFXC",
    "af-south-1": "Z2DHW2332DAMTN",
    "ap-east-1": "Z3FD1VL90ND7K5",
    "ap-northeast-1": "Z1YSHQZHG15GKL",
    "ap-northeast-2": "Z20JF4UZKIW1U8",
    "ap-northeast-3": "Z2YQB5RD63NC85",
    "ap-south-1": "Z3VO1THU9YC4UR",
    "ap-southeast-1": "ZL327KTPIQFUL",
    "ap-southeast-2": "Z2RPCDW04V8134",
    "ca-central-1": "Z19DQILCV0OWEC",
    "eu-central-1": "Z1U9ULNL0V5AJ3",
    "eu-north-1": "Z3UWIKFBOOGXPP",
    "eu-south-1": "Z3BT4WSQ9TDYZV",
    "eu-west-1": "ZLY8HYME6SFDD",
    "eu-west-2": "ZJ5UAJN8Y3Z2Q",
    "eu-west-3": "Z3KY65QIEKYHQQ",
    "me-south-1": "Z20ZBPC0SS8806",
    "sa-east-1": "ZCMLWB8V5SYIT",
}

_ZONES: Final = frozenset(API_GATEWAY_ZONES.values())
_EXECUTE: Final = b"execute-api"
_SUFFIX: Final = [b"amazonaws", b"com"]


def is_endpoint_zone(zone_id: str) -> bool:
    """Whether the hosted zone is one of AWS's own that an alias may name."""
    return zone_id in _ZONES


def endpoint_region(name: bytes) -> str | None:
    """The Region of a Regional API endpoint, `ID.execute-api.REGION.amazonaws.com`; None for any other name."""
    parts = dnsnames.labels(name)
    if len(parts) != 5 or parts[1] != _EXECUTE or parts[3:] != _SUFFIX:
        return None
    return parts[2].decode("ascii", "replace")


def lies_within(zone_id: str, name: bytes) -> bool:
    """Whether the endpoint called `name` belongs to the hosted zone; a Region that the table lacks takes any."""
    region = endpoint_region(name)
    return region is not None and API_GATEWAY_ZONES.get(region, zone_id) == zone_id
