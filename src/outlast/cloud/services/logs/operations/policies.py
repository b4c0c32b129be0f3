"""Resource policies: what services may write into this Region's logs."""

from __future__ import annotations

from typing import Any, Final

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.logs.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from outlast.cloud.services.logs.operations.paging import page
from outlast.cloud.services.logs.service import logs
from outlast.cloud.services.logs.state import LogStore

MAX_POLICIES: Final = 10
MAX_BYTES: Final = 5_120


@logs.operation(control_plane=True)
def put_resource_policy(
    call: Call[LogStore], *, policy_name: str | None = None, policy_document: str | None = None
) -> Reply:
    """Keep a policy of the account in this Region."""
    if not policy_name or not policy_document:
        raise InvalidParameterException("policyName and policyDocument must be specified.")
    if len(policy_document.encode()) > MAX_BYTES:
        raise InvalidParameterException(f"A resource policy may have at most {MAX_BYTES} bytes.")
    try:
        document = orjson.loads(policy_document)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise InvalidParameterException("The policy document is not valid: it must be JSON with statements.")
    if policy_name not in call.state.policies and len(call.state.policies) >= MAX_POLICIES:
        raise LimitExceededException("Resource limit exceeded.")
    call.state.policies.put(policy_name, {"document": policy_document, "updated_ms": call.now_ms})
    return {"resourcePolicy": _show(call.state, policy_name)}


def _show(state: LogStore, name: str) -> dict[str, Any]:
    document = state.policies.get(name) or {}
    return {
        "policyName": name,
        "policyDocument": document["document"],
        "lastUpdatedTime": document["updated_ms"],
        "policyScope": "ACCOUNT",
    }


@logs.operation(control_plane=True)
def describe_resource_policies(call: Call[LogStore], *, next_token: str | None = None, limit: int = 50) -> Reply:
    """The policies of this Region."""
    found, more = page(call.state.policies.keys(), next_token, limit)
    return {"resourcePolicies": [_show(call.state, one) for one in found], **more}


@logs.operation(control_plane=True)
def delete_resource_policy(call: Call[LogStore], *, policy_name: str | None = None) -> Reply:
    """Remove a policy."""
    if policy_name is None or not call.state.policies.delete(policy_name):
        raise ResourceNotFoundException(f"Policy with name [{policy_name}] does not exist.")
    return {}
