"""The words of an expression, and the syntax fault that shows where one goes wrong."""

from __future__ import annotations

import re
from typing import NamedTuple

from outlast.cloud.contract.fault import ValidationException

MAX_EXPRESSION_BYTES = 4096
_SPACE = re.compile(r"[ \t\r\n\f]*")
_TOKEN = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<hash>#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>[0-9]+)"
    r"|(?P<symbol><=|>=|<>|[<>=()\[\],.+-])|(?P<other>.)",
    re.DOTALL,
)


class Token(NamedTuple):
    """One word: its kind (name, hash, value, number, symbol, other, end), text and place."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`; the last is of kind `end`."""
    tokens: list[Token] = []
    place = _SPACE.match(text).end()  # type: ignore[union-attr]
    while place < len(text):
        match = _TOKEN.match(text, place)
        assert match is not None
        tokens.append(Token(str(match.lastgroup), match.group(), place, match.end()))
        place = _SPACE.match(text, match.end()).end()  # type: ignore[union-attr]
    end = tokens[-1].end if tokens else len(text)
    tokens.append(Token("end", "<EOF>", end, end))
    return tokens


def check_text(text: str, label: str) -> None:
    """Refuse an expression that is empty or longer than 4 KB; raises ValidationException."""
    if not text.strip():
        raise ValidationException(f"Invalid {label}: The expression can not be empty;")
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_EXPRESSION_BYTES:
        told = "" if label == "UpdateExpression" else f" expression size: {size}"
        raise ValidationException(f"Invalid {label}: Expression size has exceeded the maximum allowed size;{told}")


def syntax_fault(text: str, tokens: list[Token], at: int, label: str) -> ValidationException:
    """The fault for an unexpected token: it shows the token with its neighbours."""
    token = tokens[at]
    first = tokens[at - 1] if at > 0 else token
    last = tokens[at + 1] if at + 1 < len(tokens) else token
    near = text[first.start : last.end]
    return ValidationException(f'Invalid {label}: Syntax error; token: "{token.text}", near: "{near}"')
