"""XML bodies to parameters and results to XML, for the query and rest-xml protocols; compiled once per shape.

https://smithy.io/2.0/spec/protocol-traits.html#xml-bindings. Documents with a DTD are refused.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any, cast
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from botocore.model import ListShape, MapShape, Shape, StructureShape

from outlast.cloud.wire import timestamps
from outlast.cloud.wire.knots import Knot
from outlast.cloud.wire.messages import WireError

Element = ElementTree.Element
Read = Callable[[list[Element]], Any]
Write = Callable[[list[str], str, Any], None]
MAX_DEPTH = 64


def malformed(message: str = "The XML you provided was not well-formed or did not validate.") -> WireError:
    """S3's and Route 53's word for XML that cannot be read."""
    return WireError("MalformedXML", message)


def parse(body: bytes) -> Element:
    """The root element with namespaces taken off its tags; raises WireError."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise malformed()
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - documents with a DTD were refused above
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise malformed() from error
    pending = [(root, 0)]
    while pending:
        element, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise malformed()
        element.tag = element.tag.rpartition("}")[2]
        pending.extend((child, depth + 1) for child in element)
    return root


def scalar_from_text(shape: Shape, form: timestamps.Format) -> Callable[[str], Any]:
    """The reader of a scalar written as text; raises ValueError."""
    kind = shape.type_name
    if kind in ("integer", "long"):
        return int
    if kind in ("float", "double"):
        return float
    if kind == "boolean":
        return _boolean
    if kind == "timestamp":
        return timestamps.parse
    if kind == "blob":
        return _blob
    return str


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    raise ValueError(f"no boolean: {text}")


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def scalar_to_text(shape: Shape, form: timestamps.Format) -> Callable[[Any], str]:
    """The writer of a scalar as text; `form` is the place's default for timestamps."""
    kind = shape.type_name
    if kind == "boolean":
        return lambda value: "true" if value else "false"
    if kind == "timestamp":
        chosen = timestamps.as_format(shape.serialization.get("timestampFormat"), form)
        return lambda value: timestamps.text(value, chosen)
    if kind == "blob":
        return lambda value: base64.b64encode(value).decode("ascii")
    if kind in ("float", "double"):
        return float_text
    return str


def float_text(value: float) -> str:
    """A float as the XML and query forms write it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


class Readers:
    """Closures from the elements of one name to a value."""

    def __init__(self) -> None:
        self._structures: dict[str, Read] = {}

    def of(self, shape: Shape) -> Read:
        """The reader of `shape`."""
        if isinstance(shape, StructureShape):
            return self.structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        convert = scalar_from_text(shape, "iso8601")

        def scalar(elements: list[Element]) -> Any:
            try:
                return convert(elements[-1].text or "")
            except (ValueError, TypeError, OverflowError) as error:
                raise malformed() from error

        return scalar

    def structure(self, shape: StructureShape) -> Read:
        """The reader of a structure."""
        found = self._structures.get(shape.name)
        if found is not None:
            return found
        self._structures[shape.name] = knot = Knot()
        made = self.members(shape.members)
        knot.tie(made)
        self._structures[shape.name] = made
        return made

    def members(self, members: Mapping[str, Shape]) -> Read:
        """The reader of a structure with just these members."""
        table: dict[str, tuple[str, Read]] = {}
        attributes: list[tuple[str, str]] = []
        for name, shape in members.items():
            wire = cast(str, shape.serialization.get("name", name))
            if shape.serialization.get("xmlAttribute"):
                attributes.append((name, wire.rpartition(":")[2]))
                continue
            entry = (name, self.of(shape))
            table[wire] = entry
            if isinstance(shape, ListShape) and shape.serialization.get("flattened"):
                table.setdefault(cast(str, shape.member.serialization.get("name", wire)), entry)

        def structure(elements: list[Element]) -> dict[str, Any]:
            element = elements[-1]
            groups: dict[str, list[Element]] = {}
            for child in element:
                groups.setdefault(child.tag, []).append(child)
            params = {}
            for tag, group in groups.items():
                known = table.get(tag)
                if known is not None:
                    params[known[0]] = known[1](group)
            for name, attribute in attributes:
                for key, text in element.attrib.items():
                    if key.rpartition("}")[2].rpartition(":")[2] == attribute:
                        params[name] = text
            return params

        return structure

    def _list(self, shape: ListShape) -> Read:
        item = self.of(shape.member)
        if shape.serialization.get("flattened"):
            return lambda elements: [item([element]) for element in elements]
        return lambda elements: [item([child]) for child in elements[-1]]

    def _map(self, shape: MapShape) -> Read:
        key_name = cast(str, shape.key.serialization.get("name", "key"))
        value_name = cast(str, shape.value.serialization.get("name", "value"))
        value_of = self.of(shape.value)
        flattened = bool(shape.serialization.get("flattened"))

        def entries(elements: list[Element]) -> dict[str, Any]:
            result = {}
            for entry in elements if flattened else list(elements[-1]):
                key = entry.find(key_name)
                value = entry.find(value_name)
                if key is None or value is None:
                    raise malformed()
                result[key.text or ""] = value_of([value])
            return result

        return entries


class Writers:
    """Closures that append an element to a list of text pieces."""

    def __init__(self) -> None:
        self._structures: dict[str, Write] = {}

    def of(self, shape: Shape) -> Write:
        """The writer of `shape`."""
        if isinstance(shape, StructureShape):
            return self.structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        convert = scalar_to_text(shape, "iso8601")

        def scalar(out: list[str], tag: str, value: Any) -> None:
            out.append(f"<{tag}>{clean(convert(value))}</{tag}>")

        return scalar

    def structure(self, shape: StructureShape) -> Write:
        """The writer of a structure."""
        found = self._structures.get(shape.name)
        if found is not None:
            return found
        self._structures[shape.name] = knot = Knot()
        content = self.content(shape.name, shape.members)
        attributes = _attributes(shape)

        def structure(out: list[str], tag: str, value: Any) -> None:
            out.append(f"<{tag}{attributes(value)}>")
            content(out, value)
            out.append(f"</{tag}>")

        knot.tie(structure)
        self._structures[shape.name] = structure
        return structure

    def content(self, owner: str, members: Mapping[str, Shape]) -> Callable[[list[str], Any], None]:
        """The writer of a structure's members, without an element around them."""
        table: dict[str, tuple[str, Write | None]] = {}
        for name, shape in members.items():
            tag = cast(str, shape.serialization.get("name", name))
            if isinstance(shape, ListShape) and shape.serialization.get("flattened"):
                tag = cast(str, shape.member.serialization.get("name", tag))
            table[name] = (tag, None if shape.serialization.get("xmlAttribute") else self.of(shape))

        def write(out: list[str], value: Any) -> None:
            for name, item in value.items():
                if item is not None:
                    known = table.get(name)
                    if known is None:
                        raise KeyError(f"{owner} has no member {name}")
                    if known[1] is not None:
                        known[1](out, known[0], item)

        return write

    def _list(self, shape: ListShape) -> Write:
        item = self.of(shape.member)
        if shape.serialization.get("flattened"):

            def flattened(out: list[str], tag: str, value: Any) -> None:
                for element in value:
                    item(out, tag, element)

            return flattened
        name = cast(str, shape.member.serialization.get("name", "member"))

        def wrapped(out: list[str], tag: str, value: Any) -> None:
            out.append(f"<{tag}>")
            for element in value:
                item(out, name, element)
            out.append(f"</{tag}>")

        return wrapped

    def _map(self, shape: MapShape) -> Write:
        key_name = cast(str, shape.key.serialization.get("name", "key"))
        value_name = cast(str, shape.value.serialization.get("name", "value"))
        value_of = self.of(shape.value)
        flattened = bool(shape.serialization.get("flattened"))

        def entries(out: list[str], tag: str, value: Any) -> None:
            entry = tag if flattened else "entry"
            if not flattened:
                out.append(f"<{tag}>")
            for key, item in value.items():
                out.append(f"<{entry}><{key_name}>{clean(str(key))}</{key_name}>")
                value_of(out, value_name, item)
                out.append(f"</{entry}>")
            if not flattened:
                out.append(f"</{tag}>")

        return entries


def _attributes(shape: StructureShape) -> Callable[[Any], str]:
    """The attributes of a structure's start tag: namespace declarations and members bound to attributes."""
    bound = [
        (name, cast(str, member.serialization.get("name", name)))
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute")
    ]
    if not bound:
        return lambda value: ""
    space = cast(Mapping[str, str], shape.serialization.get("xmlNamespace", {}))
    prefix = space.get("prefix", "xsi")
    uri = space.get("uri", "http://www.w3.org/2001/XMLSchema-instance")
    declared = f" xmlns:{prefix}={quoteattr(uri)}"

    def attributes(value: Any) -> str:
        pairs = [f" {wire}={quoteattr(str(value[name]))}" for name, wire in bound if value.get(name) is not None]
        return declared + "".join(pairs) if pairs else ""

    return attributes


def clean(text: str) -> str:
    """Text for an XML 1.0 element; characters that XML cannot carry become U+FFFD."""
    if text.isascii() and text.isprintable():
        return escape(text)
    kept = "".join(character if _allowed(character) else "\ufffd" for character in text)
    return escape(kept, {"\r": "&#13;"})


def _allowed(character: str) -> bool:
    code = ord(character)
    if code < 0x20:
        return character in "\t\n\r"
    return not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF)
