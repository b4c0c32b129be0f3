"""botocore as the other end of the wire: its serializers write requests, its parsers read replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import OperationModel, Shape
from botocore.model import ServiceModel as BotoModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence

from outlast.cloud.wire import Request, Response, load

SERVICES = (
    "acm",
    "apigateway",
    "arc-region-switch",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "fis",
    "health",
    "iam",
    "lambda",
    "logs",
    "route53",
    "route53-recovery-cluster",
    "route53-recovery-control-config",
    "route53-recovery-readiness",
    "s3",
    "sts",
    "synthetics",
)
Leaf = Callable[[Shape, str], Any]


@lru_cache(maxsize=32)
def boto_model(service: str) -> BotoModel:
    return BotoModel(Loader().load_service_model(service, "service-2"), service)


def forms() -> Iterator[tuple[str, str]]:
    """Every service with every protocol that it speaks."""
    for service in SERVICES:
        for protocol in load(service).protocols:
            yield service, protocol


INDISTINCT = frozenset(
    {
        "GetBucketLifecycle",
        "GetBucketNotification",
        "ListDirectoryBuckets",
        "PutBucketLifecycle",
        "PutBucketNotification",
    }
)
"""S3's deprecated operations have the routes of those that replaced them; ListDirectoryBuckets has ListBuckets' own."""


def boto_operations(service: str) -> Iterator[OperationModel]:
    model = boto_model(service)
    for name in model.operation_names:
        if name not in INDISTINCT:
            yield model.operation_model(name)


def _default_leaf(shape: Shape, where: str) -> Any:
    kind = shape.type_name
    if kind in ("integer", "long"):
        return 200 if where == "statusCode" else 42
    if kind in ("float", "double"):
        return 2.5
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 1_700_000_000.0
    if kind == "blob":
        return b"\x00bytes\xff"
    if shape.metadata.get("enum"):
        return shape.metadata["enum"][0]
    if shape.serialization.get("hostLabel"):
        return "label"
    return "plain, text" if where in ("header", "headers") else "Zürich <&> 'a'/\"b\" + %25 \U0001f680"


def sample(shape: Shape | None, leaf: Leaf = _default_leaf, depth: int = 0, where: str = "") -> Any:
    """A value of the shape with every member set, down to a depth that ends recursion."""
    if shape is None:
        return {}
    place = shape.serialization.get("location", where)
    if shape.metadata.get("document"):
        return {"any": ["document", 1]}
    if shape.type_name == "structure":
        return {
            name: sample(member, leaf, depth + 1, "attribute" if member.serialization.get("xmlAttribute") else place)
            for name, member in chosen(shape, depth)
        }
    if shape.type_name == "list":
        return [sample(shape.member, leaf, depth + 1, place) for _ in range(2)]
    if shape.type_name == "map":
        key = shape.key.metadata.get("enum", ["some-key"])[0]
        return {key: sample(shape.value, leaf, depth + 1, place)}
    return leaf(shape, place)


def chosen(shape: Shape, depth: int) -> list[tuple[str, Shape]]:
    """The members to set: one of a union's, no event streams, no aggregates far down."""
    members = [pair for pair in shape.members.items() if not pair[1].serialization.get("eventstream")]
    if shape.metadata.get("union"):
        return members[:1] if depth < 7 else members[-1:]
    return [pair for pair in members if depth < 7 or pair[1].type_name not in ("structure", "list", "map")]


def to_boto(shape: Shape | None, value: Any) -> Any:
    """Our parameters as boto3's users write them: timestamps become datetimes."""
    if shape is None or shape.metadata.get("document"):
        return value
    if shape.type_name == "structure":
        return {name: to_boto(shape.members[name], item) for name, item in value.items()}
    if shape.type_name == "list":
        return [to_boto(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: to_boto(shape.value, item) for key, item in value.items()}
    return datetime.fromtimestamp(value, tz=UTC) if shape.type_name == "timestamp" else value


def from_boto(value: Any) -> Any:
    """What botocore's parsers give, in our terms."""
    if isinstance(value, Mapping):
        return {key: from_boto(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_boto(item) for item in value]
    return value.timestamp() if isinstance(value, datetime) else value


def without_empty(value: Any) -> Any:
    """Query forms cannot tell an empty structure, list or map from an absent one."""
    if isinstance(value, Mapping):
        pruned = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in ({}, [], None)}
    if isinstance(value, list):
        return [item for item in map(without_empty, value) if item != {}]
    return value


def written_by_boto(operation: OperationModel, protocol: str, params: Mapping[str, Any]) -> Request:
    """The request that boto3 would send."""
    serializer = create_serializer(protocol, include_validation=False)
    raw = serializer.serialize_to_request(to_boto(operation.input_shape, params), operation)
    body = raw["body"]
    headers = {key.lower(): str(value) for key, value in raw["headers"].items()}
    if isinstance(body, dict):
        body = urlencode(body, doseq=True).encode()
    elif isinstance(body, str):
        body = body.encode()
    path, _, literal = raw["url_path"].partition("?")
    query = (
        raw["query_string"] if isinstance(raw["query_string"], str) else percent_encode_sequence(raw["query_string"])
    )
    both = "&".join(part for part in (literal, query) if part)
    return Request(raw["method"], path, both, headers, bytes(body or b""))


def read_by_boto(operation: OperationModel, protocol: str, response: Response) -> dict[str, Any]:
    """The reply as boto3 gives it to its user, with ResponseMetadata."""
    streams = operation.has_streaming_output and response.status < 300
    body = BytesIO(response.body) if streams else response.body
    raw = {"status_code": response.status, "headers": HeadersDict(list(response.headers)), "body": body}
    parsed: dict[str, Any] = create_parser(protocol).parse(raw, operation.output_shape)
    return {key: value.read() if isinstance(value, BytesIO) else value for key, value in parsed.items()}
