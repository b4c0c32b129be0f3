"""The IAM service: one control plane for the world, its data in every Region.

https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Region, Service
from outlast.cloud.services.iam.resources import RESOURCE_TYPES
from outlast.cloud.services.iam.state import HOME, ROLE, USER, IamState, Kind

iam: Service[IamState] = Service(
    "iam",
    open=IamState,
    home=HOME,
    provides={"identities": lambda state: state.identities, "iam": lambda state: state},
    resource_types=RESOURCE_TYPES,
)


@iam.starter
async def catch_up(state: IamState) -> None:
    """No judgement by a copy that is older than the home Region's."""
    await state.catching_up.run()


def _entity_arn(kind: Kind, params: Mapping[str, Any], region: Region) -> str:
    state: IamState = region.capabilities["iam"]
    name = params.get(f"{kind.title}Name")
    if name is None:
        return state.arn(kind.noun, "*")
    if "Path" in params:
        return state.arn(kind.noun, name, params["Path"])
    return state.arn_of(kind, name)


def user_arn(params: Mapping[str, Any], region: Region) -> str:
    """The ARN of the user that a request names."""
    return _entity_arn(USER, params, region)


def role_arn(params: Mapping[str, Any], region: Region) -> str:
    """The ARN of the role that a request names."""
    return _entity_arn(ROLE, params, region)


def new_policy_arn(params: Mapping[str, Any], region: Region) -> str:
    """The ARN that a new managed policy will have."""
    state: IamState = region.capabilities["iam"]
    return state.arn("policy", params["PolicyName"], params.get("Path", "/"))
