"""Expressions read: text to a tree.

or      := and (("OR" | "||") and)*
and     := compare (("AND" | "&&") compare)*
compare := sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)*
sum     := product (("+" | "-") product)*
product := unary (("*" | "/") unary)*
unary   := ("-" | "!") unary | power
power   := primary ("^" unary)?
primary := number | string | id | NAME "(" list ")" | "[" list "]" | "(" or ")"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_LENGTH = 2048
MAX_DEPTH = 60


class MathFault(Exception):
    """An expression that cannot be read or evaluated; the text says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a bare word such as REPEAT."""

    value: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function applied to arguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator applied to one or two operands."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """A list of time series."""

    elements: tuple[Expression, ...]


Expression = Number | Text | Name | Function | Operation | Array

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<sign><=|>=|==|!=|&&|\|\||[-+*/^()\[\],<>!]))"
)
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "==", "!="})


@lru_cache(maxsize=512)
def parse(text: str) -> Expression:
    """The expression's tree; raises MathFault."""
    if len(text) > MAX_LENGTH:
        raise MathFault(f"An expression may have at most {MAX_LENGTH} characters")
    reader = _Reader(list(_tokens(text)))
    found = reader.either()
    reader.end()
    return found


def names(expression: Expression) -> Iterator[str]:
    """Ids that an expression refers to, bare words such as REPEAT among them."""
    if isinstance(expression, Name):
        yield expression.value
    elif isinstance(expression, Function):
        for each in expression.arguments:
            yield from names(each)
    elif isinstance(expression, Operation):
        for each in expression.operands:
            yield from names(each)
    elif isinstance(expression, Array):
        for each in expression.elements:
            yield from names(each)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise MathFault(f"Unexpected character at position {place}: {text[place : place + 10].strip()}")
        kind = found.lastgroup or ""
        yield ("text" if kind in ("single", "double") else kind), found.group(kind)
        place = found.end()


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")

    def _take(self, *words: str) -> str | None:
        kind, word = self._peek()
        if kind in ("sign", "name") and word in words:
            self._place += 1
            return word
        return None

    def _expect(self, word: str) -> None:
        if self._take(word) is None:
            raise MathFault(f"Expected {word}, found {self._peek()[1] or 'the end'}")

    def end(self) -> None:
        """Raise unless everything has been read."""
        if self._peek()[0] != "end":
            raise MathFault(f"Unexpected {self._peek()[1]}")

    def either(self) -> Expression:
        """Alternatives joined by OR."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise MathFault("The expression is nested too deeply")
        found = self._both()
        while self._take("OR", "||"):
            found = Operation("||", (found, self._both()))
        self._depth -= 1
        return found

    def _both(self) -> Expression:
        found = self._comparison()
        while self._take("AND", "&&"):
            found = Operation("&&", (found, self._comparison()))
        return found

    def _comparison(self) -> Expression:
        found = self._sum()
        while (sign := self._take(*_COMPARISONS)) is not None:
            found = Operation(sign, (found, self._sum()))
        return found

    def _sum(self) -> Expression:
        found = self._product()
        while (sign := self._take("+", "-")) is not None:
            found = Operation(sign, (found, self._product()))
        return found

    def _product(self) -> Expression:
        found = self._unary()
        while (sign := self._take("*", "/")) is not None:
            found = Operation(sign, (found, self._unary()))
        return found

    def _unary(self) -> Expression:
        signs = []
        while (sign := self._take("-", "!")) is not None:
            signs.append("negate" if sign == "-" else "!")
            if len(signs) > MAX_DEPTH:
                raise MathFault("The expression is nested too deeply")
        found = self._primary()
        if self._take("^"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise MathFault("The expression is nested too deeply")
            found = Operation("^", (found, self._unary()))
            self._depth -= 1
        for sign in reversed(signs):
            found = Operation(sign, (found,))
        return found

    def _primary(self) -> Expression:
        kind, word = self._peek()
        self._place += 1
        if kind == "number":
            return Number(float(word))
        if kind == "text":
            return Text(word)
        if kind == "name":
            if self._take("("):
                return Function(word.upper(), self._list(")"))
            return Name(word)
        if word == "[":
            return Array(self._list("]"))
        if word == "(":
            found = self.either()
            self._expect(")")
            return found
        raise MathFault(f"Unexpected {word}" if kind != "end" else "Unexpected end of the expression")

    def _list(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        if self._take(closing):
            return ()
        while True:
            found.append(self.either())
            if self._take(closing):
                return tuple(found)
            self._expect(",")
