"""What a model tells of itself, and where models come from."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from outlast.cloud.wire import Member, Request, UnknownService, load, snake

TINY = {
    "metadata": {
        "apiVersion": "2026-01-01",
        "endpointPrefix": "tiny",
        "jsonVersion": "1.1",
        "protocol": "json",
        "serviceId": "Tiny",
        "targetPrefix": "Tiny",
        "uid": "tiny",
    },
    "operations": {
        "Greet": {
            "name": "Greet",
            "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": "GreetRequest"},
            "output": {"shape": "GreetReply"},
            "documentation": "long",
        }
    },
    "shapes": {
        "GreetRequest": {"type": "structure", "required": ["Name"], "members": {"Name": {"shape": "Text"}}},
        "GreetReply": {"type": "structure", "members": {"Greeting": {"shape": "Text"}}},
        "Text": {"type": "string", "documentation": "long"},
    },
}


def test_a_model_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    place = tmp_path / "tiny" / "2026-01-01"
    place.mkdir(parents=True)
    (place / "service-2.json").write_bytes(orjson.dumps(TINY))

    model = load("tiny", folder=tmp_path)
    request = Request("POST", "/", "", {"x-amz-target": "Tiny.Greet"}, b'{"Name":"Ann"}')
    operation, protocol, labels = model.match(request)

    assert operation.decode(request, protocol, labels) == {"Name": "Ann"}
    assert operation.encode(protocol, {"Greeting": "Hello"}, "r").body == b'{"Greeting":"Hello"}'


def test_an_unknown_service() -> None:
    with pytest.raises(UnknownService, match="nonsense"):
        load("nonsense")


def test_models_are_loaded_once() -> None:
    assert load("sts") is load("sts")


def test_what_the_declaration_of_an_operation_needs() -> None:
    operation = load("lambda").operations["Invoke"]

    assert operation.members["function_name"] == Member("FunctionName", True, "NamespacedFunctionName", "string")
    assert operation.members["payload"].type_name == "blob"
    assert "ResourceNotFoundException" in operation.error_codes
    assert (operation.http.method, operation.http.uri) == ("POST", "/2015-03-31/functions/{FunctionName}/invocations")
    assert not operation.has_streaming_input
    assert load("s3").operations["PutObject"].has_streaming_input


def test_names_of_the_service() -> None:
    streams, metrics = load("dynamodbstreams"), load("cloudwatch")

    assert (streams.signing_name, streams.iam_prefix, streams.api_version) == ("dynamodb", "dynamodb", "2012-08-10")
    assert (metrics.signing_name, metrics.iam_prefix, metrics.endpoint_prefix) == (
        "monitoring",
        "cloudwatch",
        "monitoring",
    )


def test_errors_are_found_by_shape_and_by_wire_code() -> None:
    errors = load("iam").errors

    assert errors["NoSuchEntity"] is errors["NoSuchEntityException"]
    assert (errors["NoSuchEntity"].status, errors["NoSuchEntity"].is_sender) == (404, True)


@pytest.mark.parametrize(("name", "expected"), [("KMSKeyId", "kms_key_id"), ("TTL", "ttl"), ("SSEType", "sse_type")])
def test_snake(name: str, expected: str) -> None:
    assert snake(name) == expected
