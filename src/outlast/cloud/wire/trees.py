"""Parsed JSON and CBOR documents to parameters and back: one closure per shape, compiled once.

Decoding checks JSON types and words its refusals as DynamoDB does. Unknown members and nulls are left out. Encoding
raises KeyError for a member that the shape lacks: that is a defect of the caller, not of the request.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson
from botocore.model import ListShape, MapShape, Shape, StructureShape

from outlast.cloud.wire import timestamps
from outlast.cloud.wire.cbor import Epoch
from outlast.cloud.wire.knots import Knot
from outlast.cloud.wire.messages import unreadable

Convert = Callable[[Any], Any]
Leaf = Callable[[Shape], Convert | None]
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def as_is(value: Any) -> Any:
    """Pass the value through."""
    return value


def _kind(value: Any) -> str:
    if value is True:
        return "TRUE_VALUE"
    if value is False:
        return "FALSE_VALUE"
    if isinstance(value, int):
        return "NUMBER_VALUE"
    return "DECIMAL_VALUE" if isinstance(value, float) else "STRING_VALUE"


def _refuse(value: Any, target: str, java: str) -> Exception:
    if isinstance(value, dict):
        return unreadable("Start of structure or map found where not expected")
    if isinstance(value, list):
        return unreadable(f"Unrecognized collection type class {java}")
    return unreadable(f"{_kind(value)} cannot be converted to {target}")


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    raise _refuse(value, "String", "java.lang.String")


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return value is True
    if isinstance(value, str):
        raise unreadable("Unexpected token received from parser")
    raise _refuse(value, "Boolean", "java.lang.Boolean")


def _whole(target: str, bits: int) -> Convert:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def whole(value: Any) -> int:
        if type(value) is float and math.isfinite(value):
            value = math.floor(value)
        if type(value) is int:
            return min(max(value, low), high)
        raise _refuse(value, target, f"java.lang.{target}")

    return whole


def _fraction(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    raise _refuse(value, "Double", "java.lang.Double")


def _base64(value: Any) -> bytes:
    if not isinstance(value, str):
        if isinstance(value, (dict, list)):
            raise _refuse(value, "Blob", "java.nio.ByteBuffer")
        raise unreadable("only base-64-encoded strings are convertible to bytes")
    if len(value) % 4:
        raise unreadable(f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(value)}")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise unreadable("Invalid Base64 character detected") from error


def _raw(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    if type(value) is str:
        return value.encode()
    raise unreadable("only byte strings are convertible to bytes")


def _moment(value: Any) -> float:
    if type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        try:
            return timestamps.parse(value)
        except (ValueError, OverflowError, TypeError) as error:
            raise unreadable(f"Unable to parse date: {value}") from error
    raise _refuse(value, "Timestamp", "java.util.Date")


def _json_string(shape: Shape) -> Convert:
    return _string


def _number_leaves() -> dict[str, Leaf]:
    integer, long = _whole("Integer", 32), _whole("Long", 64)
    return {
        "integer": lambda _: integer,
        "long": lambda _: long,
        "float": lambda _: _fraction,
        "double": lambda _: _fraction,
        "boolean": lambda _: _boolean,
        "string": _json_string,
        "character": _json_string,
        "timestamp": lambda _: _moment,
    }


JSON_IN: Mapping[str, Leaf] = _number_leaves() | {"blob": lambda _: _base64}
CBOR_IN: Mapping[str, Leaf] = _number_leaves() | {"blob": lambda _: _raw}


class Decoders:
    """Closures from a parsed document to parameters. `leaves` gives the scalars of the form."""

    def __init__(self, leaves: Mapping[str, Leaf], opaque: frozenset[str]) -> None:
        self._leaves = leaves
        self._opaque = opaque
        self._structures: dict[str, Convert] = {}

    def of(self, shape: Shape) -> Convert:
        """The decoder of `shape`."""
        if shape.name in self._opaque or shape.metadata.get("document"):
            return as_is
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return _list_in(self.of(shape.member))
        if isinstance(shape, MapShape):
            return _map_in(self.of(shape.value))
        return self._leaves[shape.type_name](shape) or as_is

    def _structure(self, shape: StructureShape) -> Convert:
        found = self._structures.get(shape.name)
        if found is not None:
            return found
        self._structures[shape.name] = knot = Knot()
        made = self.members(shape.members)
        knot.tie(made)
        self._structures[shape.name] = made
        return made

    def members(self, members: Mapping[str, Shape]) -> Convert:
        """The decoder of a structure that has just these members."""
        table: dict[str, tuple[str, Convert]] = {
            cast(str, shape.serialization.get("name", name)): (name, self.of(shape)) for name, shape in members.items()
        }

        def structure(value: Any) -> dict[str, Any]:
            if value.__class__ is not dict:
                raise _not_a_map(value)
            params = {}
            for key, item in value.items():
                if item is not None:
                    known = table.get(key)
                    if known is not None:
                        params[known[0]] = known[1](item)
            return params

        return structure


def _not_a_map(value: Any) -> Exception:
    if isinstance(value, list):
        return unreadable("Start of list found where not expected")
    return unreadable("Unexpected field type")


def _list_in(item_of: Convert) -> Convert:
    def items(value: Any) -> list[Any]:
        if value.__class__ is not list:
            if isinstance(value, dict):
                raise unreadable("Start of structure or map found where not expected")
            raise unreadable("Unexpected field type")
        if item_of is as_is:
            return value
        return [None if item is None else item_of(item) for item in value]

    return items


def _map_in(value_of: Convert) -> Convert:
    def entries(value: Any) -> dict[str, Any]:
        if value.__class__ is not dict:
            raise _not_a_map(value)
        if value_of is as_is:
            return cast(dict[str, Any], value)
        return {key: None if item is None else value_of(item) for key, item in value.items()}

    return entries


def _out_float(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def _out_base64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _out_time(shape: Shape) -> Convert:
    form = timestamps.as_format(shape.serialization.get("timestampFormat"), "unixTimestamp")
    if form == "unixTimestamp":
        return timestamps.unix
    return lambda seconds: timestamps.text(seconds, form)


def _plain(shape: Shape) -> None:
    return None


JSON_OUT: Mapping[str, Leaf] = {
    "integer": _plain,
    "long": _plain,
    "boolean": _plain,
    "string": _plain,
    "character": _plain,
    "float": lambda _: _out_float,
    "double": lambda _: _out_float,
    "blob": lambda _: _out_base64,
    "timestamp": _out_time,
}
CBOR_OUT: Mapping[str, Leaf] = {
    **dict.fromkeys(("integer", "long", "boolean", "string", "character"), _plain),
    "float": lambda _: float,
    "double": lambda _: float,
    "blob": lambda _: bytes,
    "timestamp": lambda _: Epoch,
}


class Encoders:
    """Closures from a result to a document; None in place of a closure means the value goes out as it is."""

    def __init__(self, leaves: Mapping[str, Leaf], opaque: frozenset[str]) -> None:
        self._leaves = leaves
        self._opaque = opaque
        self._structures: dict[str, Convert] = {}

    def of(self, shape: Shape) -> Convert | None:
        """The encoder of `shape`, or None."""
        if shape.name in self._opaque or shape.metadata.get("document"):
            return None
        if isinstance(shape, StructureShape):
            return self.structure(shape)
        if isinstance(shape, ListShape):
            return _list_out(self.of(shape.member))
        if isinstance(shape, MapShape):
            return _map_out(self.of(shape.value))
        return self._leaves[shape.type_name](shape)

    def structure(self, shape: StructureShape) -> Convert:
        """The encoder of a structure."""
        found = self._structures.get(shape.name)
        if found is not None:
            return found
        self._structures[shape.name] = knot = Knot()
        made = self.members(shape.name, shape.members)
        knot.tie(made)
        self._structures[shape.name] = made
        return made

    def members(self, owner: str, members: Mapping[str, Shape]) -> Convert:
        """The encoder of a structure that has just these members; `owner` names it in errors."""
        table: dict[str, tuple[str, Convert | None]] = {
            name: (cast(str, shape.serialization.get("name", name)), self.of(shape)) for name, shape in members.items()
        }

        def structure(value: Any) -> Any:
            if value.__class__ is orjson.Fragment:
                return value
            document = {}
            for name, item in value.items():
                if item is not None:
                    known = table.get(name)
                    if known is None:
                        raise KeyError(f"{owner} has no member {name}")
                    convert = known[1]
                    document[known[0]] = item if convert is None else convert(item)
            return document

        return structure


def _list_out(item_of: Convert | None) -> Convert | None:
    if item_of is None:
        return None

    def items(value: Any) -> Any:
        if value.__class__ is orjson.Fragment:
            return value
        return [item_of(item) for item in value]

    return items


def _map_out(value_of: Convert | None) -> Convert | None:
    if value_of is None:
        return None

    def entries(value: Any) -> Any:
        if value.__class__ is orjson.Fragment:
            return value
        return {key: value_of(item) for key, item in value.items() if item is not None}

    return entries
