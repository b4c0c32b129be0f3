"""The words of a PartiQL statement.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from outlast.cloud.contract.fault import ValidationException

MALFORMED = "Statement wasn't well formed, can't be processed: "
_SPACE = re.compile(r"(?:[ \t\r\n\f]+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
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


def words(statement: str) -> list[Word]:
    """The tokens of a statement; the last is of kind `end`. Raises ValidationException."""
    found: list[Word] = []
    place = _SPACE.match(statement).end()  # type: ignore[union-attr]
    while place < len(statement):
        match = _TOKEN.match(statement, place)
        if match is None:
            raise malformed("Unexpected character")
        kind, text = str(match.lastgroup), match.group()
        if kind == "text":
            text = text[1:-1].replace("''", "'")
        elif kind == "quoted":
            text = text[1:-1].replace('""', '"')
        elif kind == "number":
            exponent = re.search(r"[eE]([+-]?[0-9]+)$", text)
            if exponent is not None and (len(exponent[1]) > 12 or abs(int(exponent[1])) > MAX_EXPONENT):
                raise malformed("Invalid number literal")
        found.append(Word(kind, text, place))
        place = _SPACE.match(statement, match.end()).end()  # type: ignore[union-attr]
    found.append(Word("end", "", len(statement)))
    return found
