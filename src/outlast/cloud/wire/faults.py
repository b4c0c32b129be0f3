"""Errors on the wire: one function per protocol, and the names that the protocols give to common errors.

https://smithy.io/2.0/aws/protocols/ has each protocol's error form.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from outlast.cloud.wire import cbor
from outlast.cloud.wire.messages import Response
from outlast.cloud.wire.trees import Convert
from outlast.cloud.wire.xmltrees import clean

_XML_NAMES = {
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "InternalServerError": "InternalFailure",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "ServiceUnavailableException": "ServiceUnavailable",
    "ThrottlingException": "Throttling",
    "UnrecognizedClientException": "InvalidClientTokenId",
}
_S3_NAMES = {
    "InternalServerError": "InternalError",
    "MissingAuthenticationTokenException": "AccessDenied",
    "ThrottlingException": "SlowDown",
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "UnknownOperationException": "MethodNotAllowed",
}
_JSON_NAMES = {
    "AccessDenied": "AccessDeniedException",
    "InternalFailure": "InternalServerError",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
}
_STATUS = {
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "MethodNotAllowed": 405,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "SlowDown": 503,
    "TooManyRequestsException": 429,
}
_FORBIDDEN = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_CORAL = {
    "AccessDeniedException": "com.amazon.coral.service",
    "ExpiredTokenException": "com.amazon.coral.service",
    "IncompleteSignatureException": "com.amazon.coral.service",
    "InvalidSignatureException": "com.amazon.coral.service",
    "MissingAuthenticationTokenException": "com.amazon.coral.service",
    "SerializationException": "com.amazon.coral.service",
    "UnknownOperationException": "com.amazon.coral.service",
    "UnrecognizedClientException": "com.amazon.coral.service",
    "ThrottlingException": "com.amazon.coral.availability",
    "ValidationException": "com.amazon.coral.validate",
}


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """One modelled error. `code` is its name on the wire of query and XML services; `message` its message member."""

    shape_name: str
    code: str
    status: int | None
    is_sender: bool
    message: str
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a service's errors need to know of it."""

    service: str
    namespace: str
    json_version: str
    xml_namespace: str
    validation_code: str
    query_compatible: bool
    errors: Mapping[str, ErrorModel]
    tree_encoder: Callable[[str, str], Convert]
    """(protocol, error's shape name) to the encoder of its members."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error about to be written."""

    code: str
    message: str
    request_id: str
    status: int
    fields: Mapping[str, Any]
    model: ErrorModel | None

    @property
    def is_sender(self) -> bool:
        """Whether the caller is to blame."""
        return self.status < 500


def resolve(
    facts: Facts, protocol: str, code: str, message: str, request_id: str, status: int | None, fields: Mapping[str, Any]
) -> Failure:
    """Name the error as the protocol does and find its status."""
    model = facts.errors.get(code)
    is_xml = protocol in ("query", "rest-xml")
    if model is None:
        code = _common_name(facts, code, is_xml)
        model = facts.errors.get(code)
    if model is not None:
        code = model.code if is_xml else model.shape_name
    if status is None:
        status = model.status if model is not None and model.status is not None else _status_of(code, protocol)
    return Failure(code, message, request_id, status, fields, model)


def _common_name(facts: Facts, code: str, is_xml: bool) -> str:
    if code == "ValidationException":
        return facts.validation_code
    if facts.service == "s3" and code in _S3_NAMES:
        return _S3_NAMES[code]
    return _XML_NAMES.get(code, code) if is_xml else _JSON_NAMES.get(code, code)


def _status_of(code: str, protocol: str) -> int:
    if code in _STATUS:
        return _STATUS[code]
    if code in _FORBIDDEN and protocol not in ("json", "smithy-rpc-v2-cbor"):
        return 403
    return 429 if code == "ThrottlingException" and protocol == "rest-json" else 400


def encode(facts: Facts, protocol: str, failure: Failure) -> Response:
    """The response for the error in the protocol's form."""
    return _FORMS[protocol](facts, failure)


def bare(service: str, protocol: str, status: int, code: str, message: str, request_id: str) -> Response:
    """The response for an error of a service whose model is not at hand."""
    facts = Facts(service, "com.amazon.coral.service", "1.0", "", "", False, {}, _no_members)
    return encode(facts, protocol, Failure(code, message, request_id, status, {}, None))


def _no_members(_protocol: str, name: str) -> Convert:
    raise KeyError(name)


def _document(facts: Facts, protocol: str, failure: Failure) -> dict[str, Any]:
    model = failure.model
    document: dict[str, Any] = {}
    if failure.fields:
        if model is None:
            document.update(failure.fields)
        else:
            document.update(facts.tree_encoder(protocol, model.shape_name)(failure.fields))
    if failure.message:
        document[model.message if model is not None and model.message else "message"] = failure.message
    return document


def _query_error(facts: Facts, failure: Failure) -> tuple[tuple[str, str], ...]:
    if not facts.query_compatible:
        return ()
    code = failure.model.code if failure.model is not None else failure.code
    return (("x-amzn-query-error", f"{code};{'Sender' if failure.is_sender else 'Receiver'}"),)


def _json(facts: Facts, failure: Failure) -> Response:
    name = failure.code
    if facts.json_version == "1.0":
        space = facts.namespace if failure.model is not None else _CORAL.get(name, facts.namespace)
        if facts.service.startswith("dynamodb"):
            space = _CORAL.get(name, space) if name == "ValidationException" else space
        name = f"{space}#{name}"
    body = orjson.dumps({"__type": name} | _document(facts, "json", failure))
    headers = (
        ("x-amzn-RequestId", failure.request_id),
        ("Content-Type", f"application/x-amz-json-{facts.json_version}"),
        *_query_error(facts, failure),
    )
    return Response(failure.status, headers + checksum(facts, body), body)


_SERVER = ("Server", "Server")


def checksum(facts: Facts, body: bytes) -> tuple[tuple[str, str], ...]:
    """The headers that DynamoDB alone sends: its x-amz-crc32 and its Server."""
    return (("x-amz-crc32", str(zlib.crc32(body))), _SERVER) if facts.service.startswith("dynamodb") else ()


def _rest_json(facts: Facts, failure: Failure) -> Response:
    headers = (
        ("x-amzn-RequestId", failure.request_id),
        ("x-amzn-ErrorType", failure.code),
        ("Content-Type", "application/json"),
    )
    return Response(failure.status, headers, orjson.dumps(_document(facts, "rest-json", failure)))


def _cbor(facts: Facts, failure: Failure) -> Response:
    body = {"__type": f"{facts.namespace}#{failure.code}"} | _document(facts, "smithy-rpc-v2-cbor", failure)
    headers = (
        ("x-amzn-RequestId", failure.request_id),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("Content-Type", "application/cbor"),
        *_query_error(facts, failure),
    )
    return Response(failure.status, headers, cbor.dumps(body))


def _xml_error(failure: Failure, with_type: bool) -> str:
    parts = ["<Error>"]
    if with_type:
        parts.append(f"<Type>{'Sender' if failure.is_sender else 'Receiver'}</Type>")
    parts.append(f"<Code>{clean(failure.code)}</Code><Message>{clean(failure.message)}</Message>")
    for name, value in failure.fields.items():
        if isinstance(value, (list, tuple)):
            parts.append(f"<{name}>{''.join(f'<member>{clean(str(item))}</member>' for item in value)}</{name}>")
        elif value is not None:
            parts.append(f"<{name}>{clean(str(value))}</{name}>")
    return "".join(parts)


def _xml(facts: Facts, failure: Failure) -> Response:
    if facts.service == "s3":
        text = f"{_xml_error(failure, False)}<RequestId>{failure.request_id}</RequestId></Error>"
        headers = (("x-amz-request-id", failure.request_id), ("Content-Type", "application/xml"))
        return Response(failure.status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode())
    space = f' xmlns="{facts.xml_namespace}"' if facts.xml_namespace else ""
    text = (
        f'<?xml version="1.0"?>\n<ErrorResponse{space}>{_xml_error(failure, True)}</Error>'
        f"<RequestId>{failure.request_id}</RequestId></ErrorResponse>"
    )
    headers = (("x-amzn-RequestId", failure.request_id), ("Content-Type", "text/xml"))
    return Response(failure.status, headers, text.encode())


_FORMS: Mapping[str, Callable[[Facts, Failure], Response]] = {
    "json": _json,
    "rest-json": _rest_json,
    "smithy-rpc-v2-cbor": _cbor,
    "query": _xml,
    "rest-xml": _xml,
}
