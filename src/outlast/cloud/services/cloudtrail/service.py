"""The CloudTrail service of one Region; the trail itself is kept by the gateway.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from dataclasses import dataclass

from outlast.cloud.contract import Region, Service


@dataclass(frozen=True, slots=True)
class Looks:
    """Nothing is kept here: every look reads the Region's trail."""

    region: Region


cloudtrail: Service[Looks] = Service("cloudtrail", open=Looks)
