"""Tags: TagResource, UntagResource, ListTagsOfResource.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html
"""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import AccessDeniedException, ValidationException
from outlast.cloud.services.dynamodb.errors import ResourceNotFoundException, invalid
from outlast.cloud.services.dynamodb.names import arn_resource, table_of_arn
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import NOT_FOUND, DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.tagging import check_tags


def tagged(call: Call[DynamoDB], arn: str) -> Table:
    """The table that an ARN names; raises Fault."""
    if not arn.startswith("arn:"):
        raise invalid(f"ARNs must start with 'arn:': {arn}")
    region, account, name, rest = table_of_arn(arn)
    if not name or rest:
        raise ValidationException(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if account != call.region.account_id or region != call.region.name:
        raise AccessDeniedException(
            f"User: {call.principal.arn} is not authorized to perform: dynamodb:{call.operation} on resource: {arn}"
        )
    table = call.state.tables.get(name)
    if table is None:
        raise ResourceNotFoundException(f"{NOT_FOUND}: ResourcArn: {arn} not found")
    return table


@dynamodb.operation(resource=arn_resource("ResourceArn"), control_plane=True)
def tag_resource(call: Call[DynamoDB], *, resource_arn: str, tags: list[Any]) -> Reply:
    """Add tags to a table, or give tags that it has other values."""
    table = tagged(call, resource_arn)
    if not tags:
        raise ValidationException("Atleast one Tag needs to be provided as input.")
    table.doc["Tags"] = check_tags(table.doc.get("Tags") or {}, tags)
    call.state.save(table)
    return {}


@dynamodb.operation(resource=arn_resource("ResourceArn"), control_plane=True)
def untag_resource(call: Call[DynamoDB], *, resource_arn: str, tag_keys: list[str]) -> Reply:
    """Take tags off a table; those that it lacks do no harm."""
    table = tagged(call, resource_arn)
    if not tag_keys:
        raise ValidationException("Atleast one Tag Key needs to be provided as input.")
    tags = table.doc.get("Tags") or {}
    table.doc["Tags"] = {key: value for key, value in tags.items() if key not in tag_keys}
    call.state.save(table)
    return {}


@dynamodb.operation(resource=arn_resource("ResourceArn"), control_plane=True)
def list_tags_of_resource(call: Call[DynamoDB], *, resource_arn: str, next_token: str | None = None) -> Reply:
    """A table's tags; all of them fit into one answer."""
    tags = sorted((tagged(call, resource_arn).doc.get("Tags") or {}).items())
    if next_token is not None:
        raise ValidationException("Invalid NextToken")
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags]}
