"""Keys read back from their bytes: what `keys.table_key` and `numbers.key_bytes` wrote."""

from __future__ import annotations

import binascii

from outlast.cloud.services.dynamodb import numbers
from outlast.cloud.services.dynamodb.schema import KeySchema
from outlast.cloud.services.dynamodb.values import Item, Value

HASH_BYTES = 4
LENGTH_BYTES = 2
COMPLEMENT = bytes(255 - each for each in range(256))


def read_key(raw: bytes, schema: KeySchema) -> Item:
    """The primary key of a stored item, as an item of its key attributes alone."""
    start = HASH_BYTES + LENGTH_BYTES
    length = int.from_bytes(raw[HASH_BYTES:start], "big")
    (partition,) = schema.partition
    key: Item = {partition.name: read_scalar(raw[start : start + length], partition.type)}
    for attribute in schema.sort:
        key[attribute.name] = read_scalar(raw[start + length :], attribute.type)
    return key


def read_scalar(raw: bytes, kind: str) -> Value:
    """One key value of the type S, N or B."""
    if kind == "S":
        return {"S": raw.decode()}
    if kind == "N":
        return {"N": read_number(raw)}
    return {"B": binascii.b2a_base64(raw, newline=False).decode()}


def read_number(raw: bytes) -> str:
    """The normal form of a number from its key form."""
    if raw == numbers.ZERO_KEY:
        return "0"
    negative, body = raw[0] < numbers.ZERO_KEY[0], raw[1:]
    if negative:
        body = body.translate(COMPLEMENT)
    digits = "".join(f"{each - 1:02d}" for each in body[1:-1])
    exponent = body[0] + numbers.MIN_EXPONENT
    return numbers.normal(f"{'-' if negative else ''}{digits[0]}.{digits[1:]}e{exponent}")
