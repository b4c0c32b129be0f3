"""Parameters and results of any value cross the wire unchanged, with botocore at the other end."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from botocore.model import Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlast.cloud.wire import Request, WireError, cbor, load
from tests.unit.wire.oracle import (
    boto_operations,
    chosen,
    forms,
    from_boto,
    read_by_boto,
    without_empty,
    written_by_boto,
)

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1, max_size=12)
VISIBLE_CHARACTERS = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='",\\')
VISIBLE = st.text(VISIBLE_CHARACTERS, min_size=1, max_size=12)
TIMES = st.integers(min_value=0, max_value=4_000_000_000).map(float)
RELAXED = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def scalars(shape: Shape, place: str) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind in ("integer", "long"):
        return st.just(200) if place == "statusCode" else st.integers(-(2**31), 2**31 - 1)
    if kind in ("float", "double"):
        return st.floats(allow_nan=False, allow_infinity=False, width=32)
    if kind == "boolean":
        return st.booleans()
    if kind == "timestamp":
        return TIMES
    if kind == "blob":
        return st.binary(min_size=1, max_size=12)
    if shape.serialization.get("hostLabel"):
        return st.just("label")
    if shape.metadata.get("enum"):
        return st.sampled_from(shape.metadata["enum"])
    return VISIBLE if place in ("header", "headers", "uri", "querystring", "attribute") else TEXT


def values(shape: Shape, depth: int = 0, where: str = "") -> st.SearchStrategy[Any]:
    place = shape.serialization.get("location", where)
    if shape.metadata.get("document"):
        return st.just({"a": [1, "b"]})
    if shape.type_name == "structure":
        return structures(shape, depth, place)
    if shape.type_name == "list":
        return st.lists(values(shape.member, depth + 1, place), min_size=1, max_size=3)
    if shape.type_name == "map":
        enum = shape.key.metadata.get("enum")
        key = VISIBLE.map(str.lower) if place in ("headers", "querystring") else TEXT
        keys = st.sampled_from(enum) if enum else key
        return st.dictionaries(keys, values(shape.value, depth + 1, place), min_size=1, max_size=3)
    return scalars(shape, place)


def structures(shape: Shape, depth: int, place: str) -> st.SearchStrategy[dict[str, Any]]:
    required, optional = {}, {}
    for name, member in chosen(shape, depth + 3):
        at = "attribute" if member.serialization.get("xmlAttribute") else place
        is_required = not required or name in shape.required_members or shape.serialization.get("payload")
        (required if is_required else optional)[name] = st.deferred(
            lambda member=member, at=at: values(member, depth + 1, at)
        )
    return st.fixed_dictionaries(required, optional=optional)


@lru_cache(maxsize=64)
def operations(service: str, streams: bool) -> list[Any]:
    return [operation for operation in boto_operations(service) if streams or not operation.has_event_stream_output]


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
@RELAXED
@given(data=st.data())
def test_any_parameters(service: str, protocol: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations(service, True)))
    params = {} if operation.input_shape is None else data.draw(values(operation.input_shape))

    request = written_by_boto(operation, protocol, params)
    found, spoken, labels = load(service).match(request)
    decoded = found.decode(request, spoken, labels)

    assert found.name == operation.name
    if found.has_streaming_input and decoded.get("Body") == b"":
        del decoded["Body"]
    assert without_empty(decoded) == without_empty(params)


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
@RELAXED
@given(data=st.data())
def test_any_result(service: str, protocol: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations(service, False)))
    result = {} if operation.output_shape is None else data.draw(values(operation.output_shape))
    result.pop("ContentLength", None)

    response = load(service).operations[operation.name].encode(protocol, result, "r")

    parsed = read_by_boto(operation, protocol, response)
    del parsed["ResponseMetadata"]
    if operation.name != "GetBucketLocation":
        assert without_empty(from_boto(parsed)) == without_empty(result)


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
@settings(max_examples=40, deadline=None, derandomize=True)
@given(body=st.binary(max_size=60), query=st.text(max_size=20), data=st.data())
def test_no_body_breaks_the_decoder(service: str, protocol: str, body: bytes, query: str, data: st.DataObject) -> None:
    operation = load(service).operations[data.draw(st.sampled_from(sorted(load(service).operations)))]
    labels = dict.fromkeys((part.split("}")[0].rstrip("+") for part in operation.http.uri.split("{")[1:]), "x")

    status = status_of(lambda: operation.decode(Request("POST", "/", query, {}, body), protocol, labels))

    assert status in (200, 400)


def status_of(call: Callable[[], Any]) -> int:
    try:
        call()
    except WireError as error:
        return error.status
    return 200


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_LIKE)
def test_cbor_comes_back(value: Any) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


@given(st.binary(max_size=80))
def test_no_bytes_break_the_cbor_decoder(data: bytes) -> None:
    try:
        cbor.loads(data)
    except cbor.Malformed:
        return
