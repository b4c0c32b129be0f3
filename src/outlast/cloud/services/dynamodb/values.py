"""Attribute values in wire form ({"S": "x"}): checked, brought to normal form, measured and compared.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html and, for sizes,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

import binascii
from decimal import Decimal
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import numbers
from outlast.cloud.services.dynamodb.errors import SerializationException, ValueFault, invalid

Value = dict[str, Any]
Item = dict[str, Value]

TYPES = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
_KNOWN = frozenset(TYPES)
MAX_CONTAINERS = 31
MAX_ITEM_BYTES = 409_600
MAX_NAME_BYTES = 65_535
TOO_DEEP_SHORT = "Nesting Levels have exceeded supported limits"
TOO_DEEP = f"{TOO_DEEP_SHORT}: Attributes in the item have nested levels beyond supported limit"
REPEATED_NUMBERS = "Input collection contains duplicates"
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
ITEM_TOO_LARGE = "Item size has exceeded the maximum allowed size"


def text_bytes(text: str) -> int:
    """The length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _json_kind(raw: object) -> str:
    if raw is True:
        return "TRUE_VALUE"
    if raw is False:
        return "FALSE_VALUE"
    if isinstance(raw, int):
        return "NUMBER_VALUE"
    if isinstance(raw, float):
        return "DECIMAL_VALUE"
    return "STRING_VALUE"


def mistyped(raw: object, wanted: str) -> SerializationException:
    """The fault for JSON of the wrong type where `wanted` (String, Blob, Boolean, list, structure) is modelled."""
    if isinstance(raw, dict):
        return SerializationException("Start of structure or map found where not expected")
    if isinstance(raw, list):
        return SerializationException("Start of list found where not expected")
    if wanted == "list":
        return SerializationException("Unexpected field type")
    if wanted == "structure":
        return SerializationException("Unexpected value type in payload")
    return SerializationException(f"{_json_kind(raw)} cannot be converted to {wanted}")


def binary_bytes(text: object) -> int:
    """The decoded length of base64 text; raises SerializationException as AWS does for what is not base64."""
    if not isinstance(text, str):
        raise mistyped(text, "Blob")
    length = len(text)
    if length % 4:
        raise SerializationException(
            f"'{text}' can not be converted to a Blob: "
            f"Base64 encoded length is expected a multiple of 4 bytes but found: {length}"
        )
    if not length:
        return 0
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise SerializationException(f"'{text}' can not be converted to a Blob: Invalid Base64 character") from None
    if text[-1] == "=" and binascii.b2a_base64(decoded, newline=False)[-4:] != text[-4:].encode():
        raise SerializationException(
            f"'{text}' can not be converted to a Blob: Invalid last non-pad Base64 character dectected"
        )
    return len(decoded)


def decode_binary(text: str) -> bytes:
    """The bytes of checked base64 text."""
    return binascii.a2b_base64(text)


def encode_binary(raw: bytes) -> str:
    """Bytes as base64 text."""
    return binascii.b2a_base64(raw, newline=False).decode()


def check_value(value: Any, containers: int = 0) -> int:
    """Check one attribute value, bring its numbers to normal form in place, and return its size in bytes.

    `containers` is how many lists and maps hold it already. Raises ValidationException or SerializationException.
    """
    if value.__class__ is not dict:
        raise mistyped(value, "structure")
    if len(value) != 1:
        _only_type(value)
    for kind, raw in value.items():
        if kind == "S":
            if raw.__class__ is str:
                return len(raw) if raw.isascii() else len(raw.encode())
        elif kind == "N":
            if raw.__class__ is str:
                value["N"], size = numbers.canonical(raw)
                return size
        elif kind == "M":
            return _check_map(raw, containers)
        elif kind == "L":
            return _check_list(raw, containers)
        return _check_other(kind, raw, value)
    raise ValidationException(EMPTY)


def _only_type(value: dict[str, Any]) -> None:
    """Reduce a value of several members to the one that counts, or raise."""
    for kind in [kind for kind, raw in value.items() if kind not in _KNOWN or raw is None]:
        del value[kind]
    if not value:
        raise ValidationException(EMPTY)
    if len(value) > 1:
        for kind, raw in list(value.items()):
            check_value({kind: raw})
        raise ValidationException(SEVERAL)


def _check_map(raw: Any, containers: int) -> int:
    if raw is None:
        raise ValidationException(EMPTY)
    if raw.__class__ is not dict:
        raise mistyped(raw, "structure")
    if containers >= MAX_CONTAINERS:
        raise ValidationException(TOO_DEEP)
    size = 3
    for name, member in raw.items():
        size += 1 + (len(name) if name.isascii() else len(name.encode())) + check_value(member, containers + 1)
    return size


def _check_list(raw: Any, containers: int) -> int:
    if raw is None:
        raise ValidationException(EMPTY)
    if raw.__class__ is not list:
        raise mistyped(raw, "list")
    if containers >= MAX_CONTAINERS:
        raise ValidationException(TOO_DEEP)
    size = 3 + len(raw)
    for member in raw:
        size += check_value(member, containers + 1)
    return size


def _check_other(kind: str, raw: Any, value: dict[str, Any]) -> int:
    """Binary, booleans, nulls, sets, and every mistake."""
    if kind not in _KNOWN or raw is None:
        raise ValidationException(EMPTY)
    if kind == "B":
        return binary_bytes(raw)
    if kind == "BOOL":
        if raw is True or raw is False:
            return 1
        raise mistyped(raw, "Boolean")
    if kind == "NULL":
        if raw is True:
            return 1
        if raw is False:
            raise invalid("Null attribute value types must have the value of true")
        raise mistyped(raw, "Boolean")
    if kind in ("S", "N"):
        raise mistyped(raw, "String")
    if raw.__class__ is not list:
        raise mistyped(raw, "list")
    if kind == "SS":
        size = _check_string_set(raw)
    elif kind == "NS":
        size = _check_number_set(raw, value)
    else:
        size = _check_binary_set(raw)
    if len(raw) > 1:
        value[kind] = in_order(kind, value[kind])
    return size


def _check_string_set(raw: list[Any]) -> int:
    if not raw:
        raise invalid("An string set  may not be empty")
    size = 0
    for member in raw:
        if member.__class__ is not str:
            raise _set_member_fault(member, "String")
        size += text_bytes(member)
    if len(set(raw)) != len(raw):
        raise _duplicates(", ".join(f'"{member}"' for member in _until_repeat(raw)), ", ".join(raw), "")
    return size


def _until_repeat(raw: list[str], order: Any = str.encode) -> list[str]:
    """The members as today's operations list them: those before the first repeat in order, then the others as sent."""
    seen: set[str] = set()
    for place, member in enumerate(raw):
        if member in seen:
            return [*sorted(seen, key=order), *raw[place:]]
        seen.add(member)
    return raw


def _duplicates(shown: str, older: str, kind: str) -> ValueFault:
    head, tail = "One or more parameter values were invalid: Input collection [", f"]{kind} contains duplicates."
    return ValueFault(head + shown + tail, head + older + tail)


def _check_number_set(raw: list[Any], value: dict[str, Any]) -> int:
    if not raw:
        raise invalid("An number set  may not be empty")
    size = 0
    normals = []
    for member in raw:
        if member.__class__ is not str:
            raise _set_member_fault(member, "String")
        text, each = numbers.canonical(member)
        normals.append(text)
        size += each
    if len(set(normals)) != len(normals):
        raise ValueFault(
            "One or more parameter values were invalid: Input collection contains duplicates.",
            REPEATED_NUMBERS,
        )
    value["NS"] = normals
    return size


def _check_binary_set(raw: list[Any]) -> int:
    if not raw:
        raise invalid("Binary sets should not be empty")
    size = 0
    for member in raw:
        if member is None:
            raise _set_member_fault(member, "Blob")
        size += binary_bytes(member)
    if len(set(raw)) != len(raw):
        shown = ",".join(f'"{member}"' for member in _until_repeat(raw, decode_binary))
        raise _duplicates(shown, ", ".join(raw), "of type BS")
    return size


def in_order(kind: str, members: list[str]) -> list[str]:
    """The members of a checked set as DynamoDB keeps them: texts and binaries by their bytes, numbers by value."""
    if kind == "SS":
        return sorted(members)
    return sorted(members, key=Decimal if kind == "NS" else decode_binary)


def _set_member_fault(member: object, wanted: str) -> Exception:
    if member is None:
        return invalid("An AttributeValue may not contain a null member of a set")
    return mistyped(member, wanted)


def check_item(item: Any) -> int:
    """Check a whole item in place and return its size in bytes; raises ValidationException, SerializationException.

    A name longer than 65,535 bytes is refused. The size itself is not judged here.
    """
    if item.__class__ is not dict:
        raise mistyped(item, "structure")
    if "" in item:
        raise name_fault(0)
    size = 0
    for name, value in item.items():
        length = len(name) if name.isascii() else len(name.encode())
        if length > MAX_NAME_BYTES:
            raise name_fault(length)
        if value.__class__ is dict and len(value) == 1 and "S" in value:  # as check_value, for most attributes
            raw = value["S"]
            if raw.__class__ is str:
                size += length + (len(raw) if raw.isascii() else len(raw.encode()))
                continue
        size += length + check_value(value)
    return size


def name_fault(length: int) -> ValidationException:
    """The fault for an attribute name of a length that names may not have."""
    if length == 0:
        return ValidationException("Empty attribute name")
    return invalid(f"Attribute name is too large, must be less than {MAX_NAME_BYTES + 1} bytes")


def _decoded_length(text: str) -> int:
    return len(text) // 4 * 3 - text.count("=", -2)


def value_size(value: Value) -> int:
    """The size in bytes of a value that was checked before."""
    for kind, raw in value.items():
        if kind == "S":
            return text_bytes(raw)
        if kind == "N":
            return numbers.canonical(raw)[1]
        if kind == "B":
            return _decoded_length(raw)
        if kind in ("BOOL", "NULL"):
            return 1
        if kind == "M":
            return 3 + sum(1 + text_bytes(name) + value_size(member) for name, member in raw.items())
        if kind == "L":
            return 3 + len(raw) + sum(map(value_size, raw))
        if kind == "SS":
            return sum(map(text_bytes, raw))
        if kind == "NS":
            return sum(numbers.canonical(member)[1] for member in raw)
        return sum(map(_decoded_length, raw))
    return 0


def item_size(item: Item) -> int:
    """The size in bytes of an item that was checked before: names and values."""
    return sum(text_bytes(name) + value_size(value) for name, value in item.items())


def value_depth(value: Value) -> int:
    """How many lists and maps lie one in another in a checked value."""
    for kind, raw in value.items():
        if kind == "M":
            return 1 + max(map(value_depth, raw.values()), default=0)
        if kind == "L":
            return 1 + max(map(value_depth, raw), default=0)
    return 0


def type_of(value: Value) -> str:
    """The type of a checked value."""
    return next(iter(value))


def equal(left: Value, right: Value) -> bool:
    """Whether two checked values are the same: same type, same content, sets without order."""
    if left == right:
        return True
    kind = next(iter(left))
    if kind not in right:
        return False
    a, b = left[kind], right[kind]
    if kind in ("SS", "NS", "BS"):
        return len(a) == len(b) and set(a) == set(b)
    if kind == "L":
        return len(a) == len(b) and all(map(equal, a, b))
    if kind == "M":
        return len(a) == len(b) and all(name in b and equal(member, b[name]) for name, member in a.items())
    return False


def ordering(value: Value) -> Any:
    """What orders a scalar among values of its type: text, Decimal or bytes; None for types without an order."""
    for kind, raw in value.items():
        if kind == "S":
            return raw
        if kind == "N":
            return Decimal(raw)
        if kind == "B":
            return decode_binary(raw)
    return None
