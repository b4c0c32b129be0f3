"""The REST protocols' bindings: labels, query strings, headers, prefix headers, payloads and status codes.

https://smithy.io/2.0/spec/http-bindings.html. rest-json and rest-xml differ in the body alone; the body comes as two
closures.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson
from botocore.model import ListShape, MapShape, Shape, StructureShape

from outlast.cloud.wire import timestamps
from outlast.cloud.wire.bodies import joined_chunks, plain_body
from outlast.cloud.wire.messages import Request, WireError, unreadable
from outlast.cloud.wire.xmltrees import float_text, scalar_from_text, scalar_to_text

Params = dict[str, Any]
Fill = Callable[[Params, Request, Mapping[str, str]], None]
ReadBody = Callable[[bytes], Params]
ReadPayload = Callable[[bytes], Any]
Headers = list[tuple[str, str]]
Show = Callable[[Any], str]


def split_members(shape: StructureShape | None) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Members bound elsewhere, and members of the body."""
    bound: dict[str, Shape] = {}
    body: dict[str, Shape] = {}
    for name, member in shape.members.items() if shape is not None else ():
        (bound if member.serialization.get("location") else body)[name] = member
    return bound, body


def _text_reader(shape: Shape, default: timestamps.Format) -> Callable[[str], Any]:
    """Scalars from a header or a query string; raises WireError."""
    if shape.serialization.get("jsonvalue"):
        return _json_value
    convert, kind = scalar_from_text(shape, default), shape.type_name

    def read(text: str) -> Any:
        try:
            return convert(text)
        except (ValueError, TypeError, OverflowError) as error:
            raise unreadable(f"'{text[:200]}' is no valid {kind}") from error

    return read


def _json_value(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise unreadable("A header is no base64") from error


def _split_list(text: str) -> list[str]:
    """The values of a header list; a value with a comma or a quote stands in quotes."""
    values, current, quoted, escaped = [], "", False, False
    for character in text:
        if escaped:
            current += character
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"' and (quoted or not current.strip()):
            quoted = not quoted
        elif character == "," and not quoted:
            values.append(current.strip())
            current = ""
        else:
            current += character
    values.append(current.strip())
    return values


def _split_dates(text: str) -> list[str]:
    """HTTP dates hold a comma each."""
    parts = [part.strip() for part in text.split(",")]
    return [", ".join(pair) for pair in zip(parts[::2], parts[1::2], strict=False)]


class Reader:
    """Compiles an input shape to a function from a request to parameters."""

    def __init__(
        self, shape: StructureShape | None, uri: str, read_body: ReadBody, payload_of: Callable[[Shape], ReadPayload]
    ) -> None:
        bound, body = split_members(shape)
        payload = cast("str | None", shape.serialization.get("payload")) if shape is not None else None
        literals = {part.partition("=")[0] for part in uri.partition("?")[2].split("&")}
        claimed = literals | {_wire(name, member) for name, member in bound.items() if _place(member) == "querystring"}
        self._fills = [_fill(name, member, frozenset(claimed)) for name, member in bound.items()]
        self._payload = payload
        self._streaming = False
        self._read_payload: ReadPayload | None = None
        self._read_body: ReadBody | None = None
        if payload is not None and shape is not None:
            member = shape.members[payload]
            self._streaming = bool(member.serialization.get("streaming"))
            self._read_payload = payload_of(member)
        elif body:
            self._read_body = read_body

    def __call__(self, request: Request, labels: Mapping[str, str]) -> Params:
        params: Params = {}
        for fill in self._fills:
            fill(params, request, labels)
        if self._read_payload is not None:
            body = joined_chunks(request) if self._streaming else plain_body(request)
            if body or self._streaming:
                params[cast(str, self._payload)] = self._read_payload(body)
        elif self._read_body is not None:
            params.update(self._read_body(plain_body(request)))
        return params


def _wire(name: str, member: Shape) -> str:
    return cast(str, member.serialization.get("name", name))


def _place(member: Shape) -> str:
    return cast(str, member.serialization["location"])


def _fill(name: str, member: Shape, claimed: frozenset[str]) -> Fill:
    place, wire = _place(member), _wire(name, member)
    if place == "uri":
        read = _text_reader(member, "iso8601")

        def label(params: Params, request: Request, labels: Mapping[str, str]) -> None:
            params[name] = read(labels[wire])

        return label
    if place == "header":
        return _fill_header(name, member, wire.lower())
    if place == "headers":
        prefix = wire.lower()

        def prefixed(params: Params, request: Request, labels: Mapping[str, str]) -> None:
            found = {key[len(prefix) :]: text for key, text in request.headers.items() if key.startswith(prefix)}
            if found:
                params[name] = found

        return prefixed
    if place == "querystring":
        return _fill_query(name, member, wire, claimed)
    raise ValueError(f"{name} is bound to {place}")


def _fill_header(name: str, member: Shape, wire: str) -> Fill:
    if isinstance(member, ListShape):
        item = _text_reader(member.member, "rfc822")
        split = _split_dates if member.member.type_name == "timestamp" else _split_list

        def items(params: Params, request: Request, labels: Mapping[str, str]) -> None:
            text = request.headers.get(wire)
            if text is not None:
                params[name] = [item(part) for part in split(text)]

        return items
    read = _text_reader(member, "rfc822")

    def scalar(params: Params, request: Request, labels: Mapping[str, str]) -> None:
        text = request.headers.get(wire)
        if text is not None:
            params[name] = read(text)

    return scalar


def _pairs(request: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.query, keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise WireError("MalformedQueryString", "The query string is malformed.") from error


def _fill_query(name: str, member: Shape, wire: str, claimed: frozenset[str]) -> Fill:
    if isinstance(member, MapShape):
        is_list = isinstance(member.value, ListShape)

        def others(params: Params, request: Request, labels: Mapping[str, str]) -> None:
            found: dict[str, Any] = {}
            for key, text in _pairs(request):
                if key not in claimed:
                    if is_list:
                        found.setdefault(key, []).append(text)
                    else:
                        found[key] = text
            if found:
                params[name] = found

        return others
    is_list = isinstance(member, ListShape)
    read = _text_reader(member.member if isinstance(member, ListShape) else member, "iso8601")

    def query(params: Params, request: Request, labels: Mapping[str, str]) -> None:
        if not request.query:
            return
        texts = [text for key, text in _pairs(request) if key == wire]
        if texts:
            params[name] = [read(text) for text in texts] if is_list else read(texts[-1])

    return query


def _header_text(member: Shape) -> Show:
    if isinstance(member, ListShape):
        item = _header_text(member.member)
        quote = member.member.type_name == "string"
        return lambda values: ", ".join(_quoted(item(value)) if quote else item(value) for value in values)
    if member.serialization.get("jsonvalue"):
        return _json_text
    if member.type_name in ("float", "double"):
        return float_text
    return scalar_to_text(member, "rfc822")


def _json_text(value: Any) -> str:
    document = value.encode() if isinstance(value, str) else orjson.dumps(value)
    return base64.b64encode(document).decode("ascii")


def _quoted(text: str) -> str:
    if "," in text or '"' in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text


class Writer:
    """Compiles an output shape's bindings to a function that splits a result into status, headers and the rest."""

    def __init__(self, shape: StructureShape | None, status: int):
        bound, _ = split_members(shape)
        self._status = status
        self._status_member = ""
        self._headers: dict[str, tuple[str, Show]] = {}
        self._prefixes: dict[str, str] = {}
        for name, member in bound.items():
            place = _place(member)
            if place == "statusCode":
                self._status_member = name
            elif place == "header":
                self._headers[name] = (_wire(name, member), _header_text(member))
            elif place == "headers":
                self._prefixes[name] = _wire(name, member)

    def __call__(self, result: Mapping[str, Any]) -> tuple[int, Headers, Params]:
        status, headers, rest = self._status, [], {}
        for name, value in result.items():
            if value is None:
                continue
            if name in self._headers:
                wire, show = self._headers[name]
                headers.append((wire, show(value)))
            elif name in self._prefixes:
                prefix = self._prefixes[name]
                headers.extend((prefix + key, str(text)) for key, text in value.items())
            elif name == self._status_member:
                status = int(value)
            else:
                rest[name] = value
        if status == 200 and result.get("ContentRange"):
            status = 206
        return status, headers, rest
