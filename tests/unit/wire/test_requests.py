"""Whatever boto3 sends for an operation is decoded to the parameters that its user gave."""

from __future__ import annotations

import pytest

from outlast.cloud.wire import load
from tests.unit.wire.oracle import boto_operations, forms, sample, without_empty, written_by_boto


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
def test_every_operation_of_boto3_is_matched_and_decoded(service: str, protocol: str) -> None:
    model = load(service)
    for operation in boto_operations(service):
        params = sample(operation.input_shape)
        request = written_by_boto(operation, protocol, params)

        found, spoken, labels = model.match(request)

        assert (found.name, spoken) == (operation.name, protocol)
        assert without_empty(found.decode(request, spoken, labels)) == without_empty(params), operation.name


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
def test_required_members_alone_are_enough(service: str, protocol: str) -> None:
    model = load(service)
    for operation in boto_operations(service):
        shape = operation.input_shape
        params = {name: sample(shape.members[name]) for name in shape.required_members} if shape is not None else {}
        request = written_by_boto(operation, protocol, params)

        found, spoken, labels = model.match(request)

        assert found.name == operation.name
        decoded = found.decode(request, spoken, labels)
        if found.has_streaming_input and decoded.get("Body") == b"":
            del decoded["Body"]  # a stream that is not sent is an empty one
        assert without_empty(decoded) == without_empty(params), operation.name
