"""CBOR as the rpc-v2-cbor protocol uses it (RFC 8949; https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html).

Decoding takes definite and indefinite lengths, half, single and double floats and tag 1 (a time: it becomes its
number); other tags are passed over. Depth and counts are bounded by the input. Encoding writes definite lengths;
`Epoch` is a float that is written as a tagged time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 128
_BREAK = object()
_HALF = struct.Struct(">e")
_SINGLE = struct.Struct(">f")
_DOUBLE = struct.Struct(">d")


class Malformed(ValueError):
    """The bytes are not one well-formed CBOR item."""


class Epoch(float):
    """Epoch seconds to be written with tag 1."""

    __slots__ = ()


def loads(data: bytes) -> Any:
    """Decode exactly one item; raises Malformed."""
    value, position = _item(data, 0, 0)
    if position != len(data):
        raise Malformed("bytes follow the item")
    if value is _BREAK:
        raise Malformed("a break stands alone")
    return value


def _length(data: bytes, position: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, position
    if info > 27:
        raise Malformed("a reserved length")
    size = 1 << (info - 24)
    end = position + size
    if end > len(data):
        raise Malformed("the item is cut short")
    return int.from_bytes(data[position:end], "big"), end


def _item(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise Malformed("nested too deeply")
    if position >= len(data):
        raise Malformed("the item is cut short")
    first = data[position]
    major, info = first >> 5, first & 31
    position += 1
    if major == 7:
        return _simple(data, position, info)
    if info == 31:
        return _indefinite(data, position, major, depth)
    number, position = _length(data, position, info)
    if major == 0:
        return number, position
    if major == 1:
        return -1 - number, position
    if major <= 3:
        return _string(data, position, number, major)
    if major == 4:
        items, position = _items(data, position, number, depth)
        return items, position
    if major == 5:
        items, position = _items(data, position, number * 2, depth)
        return _pairs(items), position
    value, position = _item(data, position, depth + 1)
    if value is _BREAK:
        raise Malformed("a tag without a value")
    if number == 1 and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise Malformed("a time that is no number")
    return value, position


def _string(data: bytes, position: int, size: int, major: int) -> tuple[Any, int]:
    end = position + size
    if end > len(data):
        raise Malformed("a string is cut short")
    chunk = data[position:end]
    if major == 2:
        return bytes(chunk), end
    try:
        return chunk.decode("utf-8"), end
    except UnicodeDecodeError as error:
        raise Malformed("a text is not UTF-8") from error


def _items(data: bytes, position: int, count: int, depth: int) -> tuple[list[Any], int]:
    if count > len(data) - position:
        raise Malformed("more items than bytes")
    items = []
    for _ in range(count):
        value, position = _item(data, position, depth + 1)
        if value is _BREAK:
            raise Malformed("a break inside a definite length")
        items.append(value)
    return items, position


def _pairs(items: list[Any]) -> dict[str, Any]:
    pairs = dict(zip(items[::2], items[1::2], strict=True)) if all(type(key) is str for key in items[::2]) else None
    if pairs is None:
        raise Malformed("a map key is no text")
    return pairs


def _indefinite(data: bytes, position: int, major: int, depth: int) -> tuple[Any, int]:
    if major not in (2, 3, 4, 5):
        raise Malformed("no indefinite length here")
    items: list[Any] = []
    while True:
        if major <= 3 and position < len(data) and data[position] != 0xFF and not _is_chunk(data[position], major):
            raise Malformed("a chunk of another kind")
        value, position = _item(data, position, depth + 1)
        if value is _BREAK:
            break
        items.append(value)
    if major == 2:
        return b"".join(items), position
    if major == 3:
        return "".join(items), position
    if major == 4:
        return items, position
    if len(items) % 2:
        raise Malformed("a key without a value")
    return _pairs(items), position


def _is_chunk(first: int, major: int) -> bool:
    return first >> 5 == major and first & 31 != 31


def _simple(data: bytes, position: int, info: int) -> tuple[Any, int]:
    if info == 20:
        return False, position
    if info == 21:
        return True, position
    if info in (22, 23):
        return None, position
    if info == 31:
        return _BREAK, position
    form = {25: _HALF, 26: _SINGLE, 27: _DOUBLE}.get(info)
    if form is None:
        raise Malformed("an unknown simple value")
    end = position + form.size
    if end > len(data):
        raise Malformed("a float is cut short")
    return form.unpack_from(data, position)[0], end


def dumps(value: Any) -> bytes:
    """Encode None, bool, int (64 bit), float, Epoch, str, bytes, lists and maps; raises TypeError for anything else."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _head(out: bytearray, major: int, number: int) -> None:
    major <<= 5
    if number < 24:
        out.append(major | number)
    elif number < 0x100:
        out += bytes((major | 24, number))
    elif number < 0x10000:
        out.append(major | 25)
        out += number.to_bytes(2, "big")
    elif number < 0x100000000:
        out.append(major | 26)
        out += number.to_bytes(4, "big")
    else:
        out.append(major | 27)
        out += number.to_bytes(8, "big")


def _write_int(out: bytearray, value: int) -> None:
    if value >= 0:
        _head(out, 0, value)
    else:
        _head(out, 1, -1 - value)


def _write_float(out: bytearray, value: float) -> None:
    out.append(0xFB)
    out += _DOUBLE.pack(value)


def _write_epoch(out: bytearray, value: float) -> None:
    out.append(0xC1)
    if value == int(value):
        _write_int(out, int(value))
    else:
        _write_float(out, value)


def _write_text(out: bytearray, value: str) -> None:
    data = value.encode("utf-8")
    _head(out, 3, len(data))
    out += data


def _write_bytes(out: bytearray, value: bytes) -> None:
    _head(out, 2, len(value))
    out += value


def _write_list(out: bytearray, value: list[Any] | tuple[Any, ...]) -> None:
    _head(out, 4, len(value))
    for item in value:
        _write(out, item)


def _write_map(out: bytearray, value: dict[str, Any]) -> None:
    _head(out, 5, len(value))
    for key, item in value.items():
        _write_text(out, key)
        _write(out, item)


def _write_bool(out: bytearray, value: bool) -> None:
    out.append(0xF5 if value else 0xF4)


def _write_null(out: bytearray, value: None) -> None:
    out.append(0xF6)


_WRITERS: dict[type, Callable[[bytearray, Any], None]] = {
    str: _write_text,
    int: _write_int,
    float: _write_float,
    Epoch: _write_epoch,
    bool: _write_bool,
    bytes: _write_bytes,
    list: _write_list,
    tuple: _write_list,
    dict: _write_map,
    type(None): _write_null,
}


def _write(out: bytearray, value: Any) -> None:
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise TypeError(f"CBOR cannot carry a {type(value).__name__}")
    writer(out, value)
