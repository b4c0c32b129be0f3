"""A request's parameters as an audit trail may keep them: without secrets, without contents, bounded.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
(requestParameters): names begin with a small letter, and what is secret reads HIDDEN_DUE_TO_SECURITY_REASONS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
SECRET_NAMES: Final = frozenset(
    {
        "Password",
        "NewPassword",
        "OldPassword",
        "SecretString",
        "PrivateKey",
        "ParameterValue",
        "TemplateBody",
        "Environment",
        "EnvironmentVariables",
        "SessionToken",
        "SecretAccessKey",
        "Authorization",
        "Token",
        "ClientRequestToken",
        "NextToken",
        "WebIdentityToken",
        "SAMLAssertion",
    }
)
"""Members that are secret, or may hold what is, although the models do not all say so."""
CONTENTS: Final = frozenset(
    {
        "Item",
        "Items",
        "Key",
        "Keys",
        "ExpressionAttributeValues",
        "AttributeUpdates",
        "Expected",
        "KeyConditions",
        "ScanFilter",
        "QueryFilter",
        "RequestItems",
        "TransactItems",
        "Statement",
        "Statements",
        "Parameters",
        "ExclusiveStartKey",
        "Payload",
        "ClientContext",
        "Body",
        "Value",
        "MetricData",
        "logEvents",
    }
)
"""What data events leave out besides: the customer's own data. S3's Key names an object, so it stays, being text."""
MOST_TEXT: Final = 1024
MOST_ENTRIES: Final = 50
MOST_DEPTH: Final = 8


def management(shape: StructureShape | None, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, or the reply, of a management event."""
    return {} if shape is None else _structure(shape, params, 0)


def data(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a data event: plain members that are no contents; cheap."""
    return {
        name[:1].lower() + name[1:]: value[:MOST_TEXT] if isinstance(value, str) else value
        for name, value in params.items()
        if isinstance(value, (str, bool, int, float)) and (name not in CONTENTS or name == "Key")
        and name not in SECRET_NAMES
    }  # fmt: skip


def _structure(shape: StructureShape, params: Mapping[str, Any], depth: int) -> dict[str, Any]:
    shown = {}
    for name, value in params.items():
        member = shape.members.get(name)
        secret = name in SECRET_NAMES or member is None
        shown[name[:1].lower() + name[1:]] = HIDDEN if secret else _value(cast(Shape, member), value, depth + 1)
    return shown


def _value(shape: Shape, value: Any, depth: int) -> Any:
    if shape.metadata.get("sensitive") or depth > MOST_DEPTH or isinstance(value, (bytes, bytearray)):
        return HIDDEN
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return _structure(shape, value, depth)
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        first = list(value.items())[:MOST_ENTRIES]
        return {str(key): _value(shape.value, each, depth + 1) for key, each in first}
    if isinstance(shape, ListShape) and isinstance(value, (list, tuple)):
        return [_value(shape.member, each, depth + 1) for each in value[:MOST_ENTRIES]]
    if isinstance(value, datetime):
        return value.isoformat()
    return value[:MOST_TEXT] if isinstance(value, str) else value if isinstance(value, (bool, int, float)) else HIDDEN
