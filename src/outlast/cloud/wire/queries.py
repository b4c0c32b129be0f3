"""The query protocol's request: a flat form with dotted names becomes parameters.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html: lists are `Name.member.N` (or `Name.N` when
flattened), maps are `Name.entry.N.key` and `.value`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape

from outlast.cloud.wire.knots import Knot
from outlast.cloud.wire.messages import Request, WireError
from outlast.cloud.wire.xmltrees import scalar_from_text

Node = dict[str, Any]
"""Names one level down to nodes; the text of the level itself stands under the empty name."""
Read = Callable[[Node], Any]
MAX_FIELDS = 20_000
MAX_DEPTH = 64


def fields(request: Request, body: bytes) -> dict[str, str]:
    """The form's fields, from the query string and the body; raises WireError."""
    pairs: dict[str, str] = {}
    try:
        for source in (request.query, body.decode("utf-8")):
            if source:
                pairs.update(parse_qsl(source, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except (ValueError, UnicodeDecodeError) as error:
        raise WireError("MalformedQueryString", "The query string is malformed.") from error
    return pairs


def tree(pairs: Mapping[str, str]) -> Node:
    """Split dotted names into levels; raises WireError when they nest too deeply."""
    root: Node = {}
    for name, text in pairs.items():
        parts = name.split(".")
        if len(parts) > MAX_DEPTH:
            raise WireError("MalformedInput", f"{name[:100]} is nested too deeply")
        if "" in parts:
            raise WireError("MalformedInput", f"{name[:100]} has an empty part")
        node = root
        for part in parts:
            node = node.setdefault(part, {})
        node[""] = text
    return root


class Readers:
    """Closures from a node of the form to a value."""

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

        kind, name = shape.type_name, shape.name

        def scalar(node: Node) -> Any:
            text = node.get("")
            if text is None:
                raise WireError("MalformedInput", f"Unexpected complex element for {name}")
            try:
                return convert(text)
            except (ValueError, TypeError, OverflowError) as error:
                raise WireError("MalformedInput", f"'{text[:200]}' is no valid {kind}") from error

        return scalar

    def structure(self, shape: StructureShape) -> Read:
        """The reader of a structure."""
        found = self._structures.get(shape.name)
        if found is not None:
            return found
        self._structures[shape.name] = knot = Knot()
        table: dict[str, tuple[str, Read]] = {}
        for name, member in shape.members.items():
            table[_wire_name(name, member)] = (name, self.of(member))

        def structure(node: Node) -> dict[str, Any]:
            params = {}
            for key, child in node.items():
                known = table.get(key)
                if known is not None:
                    params[known[0]] = known[1](child)
            return params

        knot.tie(structure)
        self._structures[shape.name] = structure
        return structure

    def _list(self, shape: ListShape) -> Read:
        item = self.of(shape.member)
        inner = (
            "" if shape.serialization.get("flattened") else cast(str, shape.member.serialization.get("name", "member"))
        )

        def items(node: Node) -> list[Any]:
            holder = node.get(inner, {}) if inner else node
            return [item(child) for child in _numbered(holder)]

        return items

    def _map(self, shape: MapShape) -> Read:
        key_name = cast(str, shape.key.serialization.get("name", "key"))
        value_name = cast(str, shape.value.serialization.get("name", "value"))
        value_of = self.of(shape.value)
        flattened = bool(shape.serialization.get("flattened"))

        def entries(node: Node) -> dict[str, Any]:
            result = {}
            for entry in _numbered(node if flattened else node.get("entry", {})):
                key, value = entry.get(key_name), entry.get(value_name)
                if key is None or value is None or "" not in key:
                    raise WireError("MalformedInput", "A map entry needs a key and a value")
                result[key[""]] = value_of(value)
            return result

        return entries


def _wire_name(name: str, member: Shape) -> str:
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        inner = member.member.serialization.get("name")
        if inner:
            return cast(str, inner)
    return cast(str, member.serialization.get("name", name))


def _numbered(holder: Any) -> list[Node]:
    """The children named by numbers, in the order of their numbers."""
    if not isinstance(holder, dict):
        return []
    numbered = [
        (int(key), child) for key, child in holder.items() if key.isdecimal() and key.isascii() and len(key) < 10
    ]
    numbered.sort(key=lambda pair: pair[0])
    return [child for _, child in numbered]
