"""Resource policies: PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
"""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.errors import PolicyNotFoundException, ResourceNotFoundException
from outlast.cloud.services.dynamodb.names import arn_resource, table_of_arn
from outlast.cloud.services.dynamodb.policies import policy_entry
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import NOT_FOUND, DynamoDB
from outlast.cloud.services.dynamodb.table import Table

NO_POLICY = "NO_POLICY"
NO_SUCH_POLICY = "Resource-based policy not found for the provided ResourceArn"


def _guarded(call: Call[DynamoDB], arn: str) -> tuple[Table, str]:
    """(table, "table" or "stream") of an ARN; raises Fault."""
    region, account, name, rest = table_of_arn(arn)
    kind = "stream" if rest.startswith("/stream/") else "table"
    if not name or (rest and kind == "table"):
        raise ValidationException(f"Invalid ResourceArn: {arn}")
    table = call.state.tables.get(name)
    if table is None or (region, account) != (call.region.name, call.region.account_id):
        raise ResourceNotFoundException(f"{NOT_FOUND}: Table: {name} not found")
    return table, kind


def _check_revision(table: Table, present: Any, expected: str | None) -> None:
    if expected is None:
        return
    revision = present["RevisionId"] if present else NO_POLICY
    if expected == revision:
        return
    if present is None:
        found = f"but no policy is associated to target table {table.name}."
    elif expected == NO_POLICY:
        raise PolicyNotFoundException(
            f"{NO_SUCH_POLICY}: Requested policy update expecting none to be present for table {table.name}, "
            f"but a policy exists with revision id {revision}."
        )
    else:
        found = f"but the policy associated to target table {table.name} has revision id {revision}."
    raise PolicyNotFoundException(f"{NO_SUCH_POLICY}: Requested update for policy with revision id {expected}, {found}")


@dynamodb.operation(
    resource=arn_resource("ResourceArn"), ignored=("ConfirmRemoveSelfResourceAccess",), control_plane=True
)
def put_resource_policy(
    call: Call[DynamoDB], *, resource_arn: str, policy: str, expected_revision_id: str | None = None
) -> Reply:
    """Attach a policy to a table or a stream, in the place of the one it has."""
    table, kind = _guarded(call, resource_arn)
    policies = table.doc.setdefault("Policies", {})
    _check_revision(table, policies.get(kind), expected_revision_id)
    entry = policy_entry(call, policy)
    present = policies.get(kind)
    if present is not None and present["Document"] == entry["Document"]:
        return {"RevisionId": present["RevisionId"]}
    policies[kind] = entry
    call.state.save(table)
    return {"RevisionId": entry["RevisionId"]}


@dynamodb.operation(resource=arn_resource("ResourceArn"), control_plane=True)
def get_resource_policy(call: Call[DynamoDB], *, resource_arn: str) -> Reply:
    """The policy of a table or a stream."""
    table, kind = _guarded(call, resource_arn)
    present = (table.doc.get("Policies") or {}).get(kind)
    if present is None:
        raise PolicyNotFoundException(f"{NO_SUCH_POLICY}: {resource_arn}")
    return {"Policy": present["Text"], "RevisionId": present["RevisionId"]}


@dynamodb.operation(resource=arn_resource("ResourceArn"), control_plane=True)
def delete_resource_policy(
    call: Call[DynamoDB], *, resource_arn: str, expected_revision_id: str | None = None
) -> Reply:
    """Take the policy off a table or a stream."""
    table, kind = _guarded(call, resource_arn)
    policies = table.doc.get("Policies") or {}
    _check_revision(table, policies.get(kind), expected_revision_id)
    present = policies.pop(kind, None)
    if present is None:
        return {}
    call.state.save(table)
    return {"RevisionId": present["RevisionId"]}
