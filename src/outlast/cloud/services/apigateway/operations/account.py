"""The account's settings for API Gateway in this Region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Fault, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.errors import BadRequestException
from outlast.cloud.services.apigateway.operations.common import Document, operation
from outlast.cloud.services.apigateway.serving.throttle import ACCOUNT_BURST, ACCOUNT_RATE
from outlast.cloud.services.apigateway.state import ApiState

RULES: Final = {"/cloudwatchRoleArn": patching.keyed(patching.text, "cloudwatchRoleArn")}


def _shape(document: Mapping[str, Any]) -> Document:
    return {
        **document,
        "throttleSettings": {"burstLimit": ACCOUNT_BURST, "rateLimit": ACCOUNT_RATE},
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    }


@operation()
def get_account(call: Call[ApiState]) -> Reply:
    """The settings."""
    return _shape(call.state.account)


@operation(role="cloudwatchRoleArn")
async def update_account(call: Call[ApiState], *, patch_operations: Sequence[Mapping[str, Any]] | None = None) -> Reply:
    """Name the role that logs are written with; API Gateway must be able to assume it."""
    document = patching.apply(call.state.account, patch_operations, RULES)
    role = document.get("cloudwatchRoleArn")
    if not role:
        document.pop("cloudwatchRoleArn", None)
    else:
        try:
            params = {"RoleArn": role, "RoleSessionName": "BackplaneAssumeRoleSession"}
            await call.region.aws("sts", "AssumeRole", params, principal=call.region.service_principal("apigateway"))
        except Fault as fault:
            raise BadRequestException(
                "The role ARN does not have required permissions configured. Please grant trust permission for API "
                "Gateway and add the required role policy."
            ) from fault
    call.state.put_account(document)
    return _shape(document)
