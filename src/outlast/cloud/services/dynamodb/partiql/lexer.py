"""The words of a PartiQL statement.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from outlast.cloud.contract.fault import ValidationException

MALFORMED = "Statement wasn't well formed, can't be processed: "
_SPACE = re.compile(r"(?:[ \t\r\n\f]+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
_ENDING = re.compile(r";(?:[ \t\r\n\f]+|--[^\n]*|/\*.*?\*/)*\Z", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_$][A-Za-z0-9_$]*)"
    r"|(?P<text>'(?:[^']|'')*')"
    r'|(?P<quoted>"(?:[^"]|"")*")'
    r"|(?P<symbol><<|>>|<=|>=|<>|!=|[=<>()\[\]{},.:?*+-])",
    re.DOTALL,
)
MAX_EXPONENT = 2**31 - 1


class Word(NamedTuple):
    """One token: kind (number, word, text, quoted, symbol, end), its meaning, and its place."""

    kind: str
    text: str
    start: int


def malformed(what: str) -> ValidationException:
    """The fault for a statement that cannot be read."""
    return ValidationException(f"{MALFORMED}{what}")


def _check_scale(number: str) -> None:
    """A number's exponent, and its digits after the point less the exponent, fit 32 bits."""
    mantissa, _, exponent = number.lower().partition("e")
    if exponent:
        power = int(exponent) if len(exponent) <= 12 else MAX_EXPONENT + 1
        if max(abs(power), len(mantissa.partition(".")[2]) - power) > MAX_EXPONENT:
            raise malformed("")


def words(statement: str) -> list[Word]:
    """The tokens of a statement; the last is of kind `end`. Raises ValidationException."""
    found: list[Word] = []
    place = _SPACE.match(statement).end()  # type: ignore[union-attr]
    while place < len(statement):
        match = _TOKEN.match(statement, place)
        if match is None and _ENDING.match(statement, place):
            break
        if match is None:
            raise malformed("")
        kind, text = str(match.lastgroup), match.group()
        if kind == "text":
            text = text[1:-1].replace("''", "'")
        elif kind == "quoted":
            text = text[1:-1].replace('""', '"')
        elif kind == "number":
            _check_scale(text)
        found.append(Word(kind, text, place))
        place = _SPACE.match(statement, match.end()).end()  # type: ignore[union-attr]
    found.append(Word("end", "", len(statement)))
    return found
