"""One operation in one protocol: a decoder of requests and an encoder of results, compiled at first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast

import orjson
from botocore.model import OperationModel, Shape, StructureShape

from outlast.cloud.wire import cbor, queries, trees, xmltrees
from outlast.cloud.wire.bodies import plain_body
from outlast.cloud.wire.constraints import Checks
from outlast.cloud.wire.faults import Facts, checksum
from outlast.cloud.wire.messages import Request, Response, WireError, unreadable
from outlast.cloud.wire.rest import Reader, ReadPayload, Writer, split_members

Params = dict[str, Any]
_S3_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


class Form(Protocol):
    """One operation's codec in one protocol."""

    def decode(self, request: Request, labels: Mapping[str, str]) -> Params:
        """Parameters by AWS member names; raises WireError."""
        ...

    def encode(self, result: Mapping[str, Any], request_id: str) -> Response:
        """The reply; raises KeyError for a member that the output lacks."""
        ...


@dataclass
class Kit:
    """The compilers of one service; each keeps the structures it has compiled, so operations share them."""

    facts: Facts
    shape_for: Callable[[str], Shape]
    opaque: frozenset[str] = frozenset()

    @cached_property
    def json_in(self) -> trees.Decoders:
        """JSON documents to parameters."""
        return trees.Decoders(trees.JSON_IN, self.opaque)

    @cached_property
    def json_out(self) -> trees.Encoders:
        """Results to JSON documents."""
        return trees.Encoders(trees.JSON_OUT, self.opaque)

    @cached_property
    def cbor_in(self) -> trees.Decoders:
        """CBOR documents to parameters."""
        return trees.Decoders(trees.CBOR_IN, self.opaque)

    @cached_property
    def cbor_out(self) -> trees.Encoders:
        """Results to CBOR documents."""
        return trees.Encoders(trees.CBOR_OUT, self.opaque)

    @cached_property
    def query_in(self) -> queries.Readers:
        """Query forms to parameters."""
        return queries.Readers()

    @cached_property
    def xml_in(self) -> xmltrees.Readers:
        """XML bodies to parameters."""
        return xmltrees.Readers()

    @cached_property
    def xml_out(self) -> xmltrees.Writers:
        """Results to XML."""
        return xmltrees.Writers()

    @cached_property
    def checks(self) -> Checks:
        """Constraints."""
        return Checks(self.opaque, self.shape_for)

    def form(self, protocol: str, operation: OperationModel) -> Form:
        """Compile the operation in the protocol."""
        return _FORMS[protocol](self, operation)


def _shapes(operation: OperationModel) -> tuple[StructureShape | None, StructureShape | None]:
    return operation.input_shape, operation.output_shape


def _no_streams() -> None:
    raise WireError("NotImplemented", "This operation answers with an event stream, which is not supported", 501)


def _load_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unreadable() from error


class JsonForm:
    """AWS JSON 1.0 and 1.1."""

    def __init__(self, kit: Kit, operation: OperationModel) -> None:
        source, target = _shapes(operation)
        self._decode = kit.json_in.members(source.members if source is not None else {})
        self._encode = None if target is None else kit.json_out.structure(target)
        self._facts = kit.facts
        self._type = ("Content-Type", f"application/x-amz-json-{kit.facts.json_version}")
        self._streams = operation.has_event_stream_output

    def decode(self, request: Request, labels: Mapping[str, str]) -> Params:
        """See Form."""
        body = request.body if "content-encoding" not in request.headers else plain_body(request)
        return cast(Params, self._decode(_load_json(body)))

    def encode(self, result: Mapping[str, Any], request_id: str) -> Response:
        """See Form."""
        if self._streams:
            _no_streams()
        if self._encode is None:
            _refuse_members(result)
            body = b""
        else:
            body = orjson.dumps(self._encode(result))
        headers = (("x-amzn-RequestId", request_id), self._type, *checksum(self._facts, body))
        return Response(200, headers, body)


def _refuse_members(result: Mapping[str, Any]) -> None:
    for name in result:
        raise KeyError(f"the operation has no output, yet the result has {name}")


class CborForm:
    """rpc-v2-cbor."""

    def __init__(self, kit: Kit, operation: OperationModel) -> None:
        source, target = _shapes(operation)
        self._decode = kit.cbor_in.members(source.members if source is not None else {})
        self._encode = None if target is None else kit.cbor_out.structure(target)
        self._streams = operation.has_event_stream_output

    def decode(self, request: Request, labels: Mapping[str, str]) -> Params:
        """See Form."""
        body = plain_body(request)
        try:
            document = cbor.loads(body) if body else {}
        except cbor.Malformed as error:
            raise unreadable(f"The CBOR body cannot be read: {error}") from error
        return cast(Params, self._decode(document))

    def encode(self, result: Mapping[str, Any], request_id: str) -> Response:
        """See Form."""
        if self._streams:
            _no_streams()
        headers = (("x-amzn-RequestId", request_id), ("smithy-protocol", "rpc-v2-cbor"))
        if self._encode is None:
            _refuse_members(result)
            return Response(200, headers)
        body = cbor.dumps(self._encode(result))
        return Response(200, (*headers, ("Content-Type", "application/cbor")), body)


class QueryForm:
    """The query protocol: a form in, XML out."""

    def __init__(self, kit: Kit, operation: OperationModel) -> None:
        source, target = _shapes(operation)
        self._decode = kit.query_in.structure(source) if source is not None else None
        self._encode = kit.xml_out.content(target.name, target.members) if target is not None else None
        name = operation.name
        wrapper = cast(str, target.serialization.get("resultWrapper", f"{name}Result")) if target is not None else ""
        self._head = f'<{name}Response xmlns="{kit.facts.xml_namespace}">' + (f"<{wrapper}>" if wrapper else "")
        self._middle = (f"</{wrapper}>" if wrapper else "") + "<ResponseMetadata><RequestId>"
        self._tail = f"</RequestId></ResponseMetadata></{name}Response>"

    def decode(self, request: Request, labels: Mapping[str, str]) -> Params:
        """See Form."""
        if self._decode is None:
            return {}
        return cast(Params, self._decode(queries.tree(queries.fields(request, plain_body(request)))))

    def encode(self, result: Mapping[str, Any], request_id: str) -> Response:
        """See Form."""
        parts = [self._head]
        if self._encode is None:
            _refuse_members(result)
        else:
            self._encode(parts, result)
        parts += (self._middle, request_id, self._tail)
        headers = (("x-amzn-RequestId", request_id), ("Content-Type", "text/xml"))
        return Response(200, headers, "".join(parts).encode())


def _raw_payload(member: Shape) -> ReadPayload | None:
    if member.type_name == "blob":
        return bytes
    if member.type_name == "string":
        return _text_payload
    return None


def _text_payload(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable("The payload is not UTF-8") from error


def _payload_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


class RestJsonForm:
    """rest-json."""

    def __init__(self, kit: Kit, operation: OperationModel) -> None:
        source, target = _shapes(operation)
        decode = kit.json_in.members(split_members(source)[1])

        def read_body(body: bytes) -> Params:
            return cast(Params, decode(_load_json(body))) if body else {}

        def payload_of(member: Shape) -> ReadPayload:
            raw = _raw_payload(member)
            if raw is not None:
                return raw
            of_member = kit.json_in.of(member)
            return lambda body: of_member(_load_json(body))

        self._read = Reader(source, operation.http["requestUri"], read_body, payload_of)
        self._bind = Writer(target, operation.http.get("responseCode", 200))
        self._payload = cast("str | None", target.serialization.get("payload")) if target is not None else None
        self._is_raw = False
        if target is not None and self._payload is not None:
            member = target.members[self._payload]
            self._is_raw = _raw_payload(member) is not None
        self._encode = kit.json_out.members(target.name, split_members(target)[1]) if target is not None else None
        self._has_body = target is not None and bool(split_members(target)[1])
        self._streams = operation.has_event_stream_output

    def decode(self, request: Request, labels: Mapping[str, str]) -> Params:
        """See Form."""
        return self._read(request, labels)

    def encode(self, result: Mapping[str, Any], request_id: str) -> Response:
        """See Form."""
        if self._streams:
            _no_streams()
        status, headers, rest = self._bind(result)
        if self._encode is None:
            _refuse_members(rest)
            return Response(status, (("x-amzn-RequestId", request_id),))
        if self._is_raw:
            body = _payload_bytes(rest.pop(cast(str, self._payload), b""))
            _refuse_members(rest)
        else:
            document = self._encode(rest)
            body = orjson.dumps(document.get(self._document_key(document), {}) if self._payload else document)
            if not self._has_body:
                body = b""
        has_type = any(name.lower() == "content-type" for name, _ in headers)
        kind = () if has_type or not body else (("Content-Type", "application/json"),)
        return Response(status, (("x-amzn-RequestId", request_id), *kind, *_own(headers)), body)

    def _document_key(self, document: Mapping[str, Any]) -> str:
        return next(iter(document), "")


def _own(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers without the length, which belongs to whoever frames the reply."""
    return [pair for pair in headers if pair[0].lower() != "content-length"]


class RestXmlForm:
    """rest-xml, as Route 53 and S3 speak it."""

    def __init__(self, kit: Kit, operation: OperationModel) -> None:
        source, target = _shapes(operation)
        read_members = kit.xml_in.members(split_members(source)[1])

        def read_body(body: bytes) -> Params:
            return cast(Params, read_members([xmltrees.parse(body)])) if body.strip() else {}

        def payload_of(member: Shape) -> ReadPayload:
            raw = _raw_payload(member)
            if raw is not None:
                return raw
            of_member = kit.xml_in.of(member)
            return lambda body: of_member([xmltrees.parse(body)])

        self._read = Reader(source, operation.http["requestUri"], read_body, payload_of)
        self._bind = Writer(target, operation.http.get("responseCode", 200))
        self._is_s3 = kit.facts.service == "s3"
        self._is_head = operation.http["method"] == "HEAD"
        self._is_location = self._is_s3 and operation.name == "GetBucketLocation"
        self._space = f' xmlns="{kit.facts.xml_namespace}"' if kit.facts.xml_namespace else ""
        self._payload = cast("str | None", target.serialization.get("payload")) if target is not None else None
        self._raw = False
        self._element: xmltrees.Write | None = None
        self._content: Any = None
        self._root = ""
        self._streams = operation.has_event_stream_output
        if target is not None:
            self._compile_body(kit, operation, target)

    def _compile_body(self, kit: Kit, operation: OperationModel, target: StructureShape) -> None:
        if self._payload is not None:
            member = target.members[self._payload]
            self._raw = _raw_payload(member) is not None
            self._root = cast(str, member.serialization.get("name", member.name))
            if isinstance(member, StructureShape) and not self._raw:
                self._content = kit.xml_out.content(member.name, member.members)
            return
        body = split_members(target)[1]
        if body or not self._is_s3:
            default = f"{operation.name}Result" if self._is_s3 else target.name
            self._root = _S3_ROOTS.get(operation.name, default) if self._is_s3 else default
            self._content = kit.xml_out.content(target.name, body)

    def decode(self, request: Request, labels: Mapping[str, str]) -> Params:
        """See Form."""
        return self._read(request, labels)

    def encode(self, result: Mapping[str, Any], request_id: str) -> Response:
        """See Form."""
        if self._streams:
            _no_streams()
        status, headers, rest = self._bind(result)
        identity = ("x-amz-request-id" if self._is_s3 else "x-amzn-RequestId", request_id)
        body = self._body(rest)
        own = headers if self._is_head else _own(headers)
        has_type = any(name.lower() == "content-type" for name, _ in own)
        kind = () if has_type or not body or self._raw else (("Content-Type", "application/xml"),)
        return Response(status, (identity, *kind, *own), body)

    def _body(self, rest: Params) -> bytes:
        if self._raw:
            body = _payload_bytes(rest.pop(cast(str, self._payload), b""))
            _refuse_members(rest)
            return body
        if self._content is None:
            _refuse_members(rest)
            return b""
        if self._is_location:
            location = xmltrees.clean(rest.pop("LocationConstraint", None) or "")
            _refuse_members(rest)
            return f"{_XML_HEAD}<LocationConstraint{self._space}>{location}</LocationConstraint>".encode()
        content = rest
        if self._payload is not None:
            content = rest.pop(self._payload, None) or {}
            _refuse_members(rest)
        parts = [_XML_HEAD, f"<{self._root}{self._space}>"]
        self._content(parts, content)
        parts.append(f"</{self._root}>")
        return "".join(parts).encode()


_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_FORMS: Mapping[str, type[JsonForm] | type[CborForm] | type[QueryForm] | type[RestJsonForm] | type[RestXmlForm]] = {
    "json": JsonForm,
    "smithy-rpc-v2-cbor": CborForm,
    "query": QueryForm,
    "rest-json": RestJsonForm,
    "rest-xml": RestXmlForm,
}
