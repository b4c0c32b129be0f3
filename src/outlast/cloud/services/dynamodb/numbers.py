"""DynamoDB's number: up to 38 significant digits, magnitude 1E-130 to 9.99…E+125, exact.

Normal form is plain decimal notation without leading or trailing zeros, as GetItem returns it. Key form is bytes whose
order is the order of the numbers. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import decimal
import re
from functools import lru_cache

from outlast.cloud.services.dynamodb.errors import ValueFault

MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130
_CACHED_LENGTH = 48
_SHAPE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)([0-9]+))?", re.ASCII)
_EXACT = decimal.Context(prec=MAX_DIGITS, traps=[decimal.Inexact, decimal.Overflow, decimal.InvalidOperation])
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
MAX_POWER = 2**63 - 1
_INT = 2**31

ZERO_KEY = b"\x80"
_POSITIVE = 0xC0
_NEGATIVE = 0x40
_COMPLEMENT = bytes(255 - each for each in range(256))


def _parts(text: str) -> tuple[bool, str, int]:
    """(negative, significant digits, exponent of the last digit); digits are empty for zero."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise _not_numeric(text)
    sign, whole, fraction, exponent_sign, exponent_digits = match.groups()
    fraction = fraction or ""
    if not whole and not fraction:
        raise _not_numeric(text)
    digits = (whole + fraction).lstrip("0")
    power = _power(text, exponent_sign, exponent_digits) if exponent_digits else 0
    if not digits:
        _check_range(text, power, power)
        return False, "", 0
    exponent = power - len(fraction)
    stripped = digits.rstrip("0")
    return sign == "-", stripped, exponent + len(digits) - len(stripped)


def _not_numeric(text: str) -> ValueFault:
    return ValueFault(f"{NOT_NUMERIC}: {text}", f"{NOT_NUMERIC}: {text}" if text else NOT_NUMERIC)


def _power(text: str, sign: str, digits: str) -> int:
    """The exponent as it is written; raises ValueFault for one that 64 bits do not hold."""
    shown = digits.lstrip("0") or "0"
    if len(shown) > 19 or int(shown) > MAX_POWER:
        raise _not_numeric(text)
    return -int(shown) if sign == "-" else int(shown)


def _check_range(text: str, magnitude: int, power: int) -> None:
    if magnitude > MAX_EXPONENT:
        raise ValueFault(OVERFLOW, _older_range(text, OVERFLOW, magnitude, power))
    if magnitude < MIN_EXPONENT:
        raise ValueFault(UNDERFLOW, _older_range(text, UNDERFLOW, magnitude, power))


def _older_range(text: str, said: str, magnitude: int, power: int) -> str:
    """What the older operations say: they reckon in 32 bits, so that a great exponent fails or turns round."""
    if not -_INT < power < _INT:
        return f"{NOT_NUMERIC}: {text}"
    if magnitude + 1 >= _INT:
        return UNDERFLOW
    return OVERFLOW if magnitude + 1 < -_INT else said


def _canonical(text: str) -> tuple[str, int]:
    negative, digits, exponent = _parts(text)
    if not digits:
        return "0", 1
    point = len(digits) + exponent
    if not MIN_EXPONENT < point <= MAX_EXPONENT + 1:
        _check_range(text, point - 1, exponent)
    if len(digits) > MAX_DIGITS:
        raise ValueFault(TOO_PRECISE)
    if exponent >= 0:
        plain, size = digits + "0" * exponent, 1 + (len(digits) + 1) // 2
    elif point <= 0:
        plain, size = "0." + "0" * -point + digits, 1 + (len(digits) + 1) // 2
    else:
        plain = f"{digits[:point]}.{digits[point:]}"
        size = 1 + (point + 1) // 2 + (len(digits) - point + 1) // 2
    return (f"-{plain}", size + 1) if negative else (plain, size)


_cached_canonical = lru_cache(maxsize=8192)(_canonical)


def canonical(text: str) -> tuple[str, int]:
    """The normal form of a number and the bytes that it counts for in an item's size.

    Raises ValueFault with AWS's text for what is not a number, too large, too small or too precise. The
    size is 1 + ceil(digits before the point / 2) + ceil(digits after it / 2), one more when negative.
    """
    if len(text) <= MAX_DIGITS and text.isdecimal() and text.isascii() and text[0] != "0":
        return text, 1 + (len(text.rstrip("0")) + 1) // 2
    if len(text) <= _CACHED_LENGTH:
        return _cached_canonical(text)
    return _canonical(text)


def normal(text: str) -> str:
    """The normal form of a number; raises ValidationException."""
    return canonical(text)[0]


@lru_cache(maxsize=8192)
def key_bytes(text: str) -> bytes:
    """Bytes that order as the numbers do; no encoding is a prefix of another. `text` is in normal form."""
    negative, digits, exponent = _parts(text)
    if not digits:
        return ZERO_KEY
    magnitude = len(digits) + exponent - 1 - MIN_EXPONENT
    padded = digits if len(digits) % 2 == 0 else digits + "0"
    body = bytes([magnitude, *(int(padded[at : at + 2]) + 1 for at in range(0, len(padded), 2)), 0])
    if negative:
        return bytes([_NEGATIVE]) + body.translate(_COMPLEMENT)
    return bytes([_POSITIVE]) + body


def add(left: str, right: str) -> str:
    """left + right in normal form; raises ValidationException when it cannot be held exactly."""
    return _combine(left, right, _EXACT.add)


def subtract(left: str, right: str) -> str:
    """left - right in normal form; raises ValidationException when it cannot be held exactly."""
    return _combine(left, right, _EXACT.subtract)


def _combine(left: str, right: str, operation: object) -> str:
    try:
        result = operation(decimal.Decimal(left), decimal.Decimal(right))  # type: ignore[operator]
    except decimal.Inexact:
        raise ValueFault(OVERFLOW) from None
    return normal(str(result))


def less(left: str, right: str) -> bool:
    """Whether left < right; both in normal form."""
    return decimal.Decimal(left) < decimal.Decimal(right)
