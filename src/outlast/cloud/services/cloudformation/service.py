"""The CloudFormation service of one Region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Region, Service
from outlast.cloud.services.cloudformation.deploy.worker import work
from outlast.cloud.services.cloudformation.resources import RESOURCE_TYPES
from outlast.cloud.services.cloudformation.state import Stacks

cloudformation: Service[Stacks] = Service("cloudformation", open=Stacks.open, resource_types=RESOURCE_TYPES)
cloudformation.timer(work)


def stack_arn(params: Mapping[str, Any], region: Region) -> str:
    """What policies see for an operation on one stack."""
    name = str(params.get("StackName", "*"))
    return name if name.startswith("arn:") else region.arn("cloudformation", f"stack/{name}/*")
