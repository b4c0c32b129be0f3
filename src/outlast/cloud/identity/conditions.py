"""Condition blocks of policies, compiled to predicates over a request's context.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from outlast.cloud.identity.patterns import (
    Context,
    ContextTest,
    Piece,
    Variable,
    context_glob,
    pieces_of,
    resolve,
    variables_in,
)

Quantifier = Literal["", "ForAllValues", "ForAnyValue"]


class BadCondition(ValueError):
    """A condition block that cannot be read."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. `needs` are the keys that it reads: in lower case, and as the policy writes them."""

    key: str
    holds: Callable[[Context], bool]
    needs: Mapping[str, str]


_FAMILIES = {
    "String": ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"),
    "Numeric": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
    "Date": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
    "Arn": ("Equals", "NotEquals", "Like", "NotLike"),
    "Bool": ("",),
    "Binary": ("Equals",),
    "IpAddress": ("",),
    "NotIpAddress": ("",),
    "Null": ("",),
}
_OPERATORS = {(family + form).lower(): (family, form) for family, forms in _FAMILIES.items() for form in forms}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def compile_conditions(block: Any, *, variables: bool) -> tuple[Condition, ...]:
    """Every (operator, key) of a Condition block; all must hold. Raises BadCondition."""
    if not isinstance(block, Mapping):
        raise BadCondition(str(block)[:100])
    found = []
    for name, keys in block.items():
        if not isinstance(keys, Mapping):
            raise BadCondition(name)
        for key, values in keys.items():
            found.append(_condition(name, key, _texts(values), variables))
    return tuple(found)


def _texts(values: Any) -> list[str]:
    items = values if isinstance(values, list) else [values]
    texts = []
    for item in items:
        if isinstance(item, bool):
            texts.append("true" if item else "false")
        elif isinstance(item, str | int | float):
            texts.append(str(item))
        else:
            raise BadCondition(str(item))
    return texts


def _condition(name: str, key: str, values: list[str], variables: bool) -> Condition:
    quantifier, plain = _quantifier(name)
    if_exists = plain.lower().endswith("ifexists")
    if if_exists:
        plain = plain[: -len("IfExists")]
    if plain.lower() not in _OPERATORS:
        raise BadCondition(f"Invalid Condition type : {name}.")
    family, form = _OPERATORS[plain.lower()]
    lowered = key.lower()
    if family == "Null":
        if quantifier or if_exists or any(value.lower() not in ("true", "false") for value in values):
            raise BadCondition(f"Invalid Condition type : {name}.")
        wanted = {value.lower() == "true" for value in values}
        return Condition(lowered, lambda context: (not context.get(lowered)) in wanted, {lowered: key})
    tests, needs = _tests(family, form, values, variables)
    negated = form.startswith("Not") or family.startswith("Not")
    holds = _quantified(lowered, tests, negated, if_exists, quantifier)
    return Condition(lowered, holds, {**needs, lowered: key})


def _quantifier(name: str) -> tuple[Quantifier, str]:
    lead, colon, rest = name.partition(":")
    if not colon:
        return "", name
    if lead.lower() == "forallvalues":
        return "ForAllValues", rest
    if lead.lower() == "foranyvalue":
        return "ForAnyValue", rest
    raise BadCondition(f"Invalid Condition type : {name}.")


def _quantified(
    key: str, tests: list[ContextTest], negated: bool, if_exists: bool, quantifier: Quantifier
) -> Callable[[Context], bool]:
    def one(value: str, context: Context) -> bool:
        return any(test(value, context) for test in tests)

    def holds(context: Context) -> bool:
        values = context.get(key)
        if not values:
            if quantifier == "ForAllValues" or if_exists:
                return True
            return negated and quantifier == ""
        if quantifier == "ForAllValues":
            return all(one(value, context) != negated for value in values)
        if quantifier == "ForAnyValue":
            return any(one(value, context) != negated for value in values)
        return any(one(value, context) for value in values) != negated

    return holds


def _tests(family: str, form: str, values: list[str], variables: bool) -> tuple[list[ContextTest], dict[str, str]]:
    if family == "String":
        pieces = [pieces_of(value, variables=variables, wildcards=form.endswith("Like")) for value in values]
        tests = [context_glob(piece, form.endswith("IgnoreCase")) for piece in pieces]
        return tests, _variables(pieces)
    if family == "Arn":
        pieces = [pieces_of(value, variables=variables) for value in values]
        return [_arn_test(value, variables) for value in values], _variables(pieces)
    if family == "Numeric":
        return [_compared(_number, value, _ORDER[form]) for value in values], {}
    if family == "Date":
        return [_compared(_moment, value, _ORDER[form]) for value in values], {}
    if family == "Bool":
        return [_bool_test(value) for value in values], {}
    if family == "Binary":
        return [_compared(_binary, value, operator.eq) for value in values], {}
    return [_network_test(value) for value in values], {}


def _variables(values: list[tuple[Piece, ...]]) -> dict[str, str]:
    return {key: spelled for pieces in values for key, spelled in variables_in(pieces).items()}


def _bool_test(value: str) -> ContextTest:
    wanted = value.lower()
    if wanted not in ("true", "false"):
        raise BadCondition(value)
    return lambda text, _context: text.lower() == wanted


def _compared(read: Callable[[str], Any], value: str, compare: Callable[[Any, Any], bool]) -> ContextTest:
    wanted = read(value)
    if wanted is None:
        raise BadCondition(value)

    def test(text: str, _context: Context) -> bool:
        given = read(text)
        return given is not None and compare(given, wanted)

    return test


@lru_cache(maxsize=1024)
def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number else None  # NaN equals nothing


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T.*)?")


@lru_cache(maxsize=1024)
def _moment(text: str) -> float | None:
    """Epoch seconds of a W3C ISO 8601 date or of an epoch number."""
    if not _DATE.fullmatch(text):
        return _number(text)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network_test(value: str) -> ContextTest:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise BadCondition(value) from None

    def test(text: str, _context: Context) -> bool:
        address = _address(text)
        return address is not None and address.version == network.version and address in network

    return test


def _arn_test(value: str, variables: bool) -> ContextTest:
    """Each of the six parts of an ARN is compared on its own, wildcards allowed in each."""
    pieces = pieces_of(value, variables=variables)
    if variables_in(pieces):
        return _variable_arn_test(value)
    if value == "*":
        return lambda _text, _context: True
    parts = [context_glob(pieces_of(part, variables=variables)) for part in _arn_parts(value)]

    def test(text: str, context: Context) -> bool:
        given = _arn_parts(text)
        return len(given) == len(parts) == 6 and all(
            part(piece, context) for part, piece in zip(parts, given, strict=True)
        )

    return test


def _variable_arn_test(value: str) -> ContextTest:
    """An ARN pattern whose variables are filled in, part by part, for each request."""
    parts = [pieces_of(part, variables=True) for part in _arn_parts(_shielded(value))]
    restored = [tuple(_unshielded(piece) for piece in part) for part in parts]

    def test(text: str, context: Context) -> bool:
        given = _arn_parts(text)
        if len(given) != 6 or len(restored) != 6 or any(resolve(part, context) is None for part in restored):
            return False
        return all(context_glob(part)(piece, context) for part, piece in zip(restored, given, strict=True))

    return test


_SHIELD = "\x00"


def _shielded(value: str) -> str:
    """Hide the colons inside variables, so that the ARN can be cut at the others."""
    return re.sub(r"\$\{[^}]*\}", lambda match: match[0].replace(":", _SHIELD), value)


def _unshielded(piece: Any) -> Any:
    if isinstance(piece, Variable):
        default = piece.default.replace(_SHIELD, ":") if piece.default is not None else None
        return Variable(piece.key.replace(_SHIELD, ":"), default, piece.spelled.replace(_SHIELD, ":"))
    return piece


def _arn_parts(text: str) -> list[str]:
    return text.split(":", 5)
