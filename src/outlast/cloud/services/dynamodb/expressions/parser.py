"""What the parsers of conditions, updates and projections share: a cursor, paths, names, and errors kept by rank.

A grammar rule is a generator that yields the rules it needs and returns a node; `run` keeps the pending rules on its
own stack, so that no depth of parentheses exhausts Python's. An expression may break several rules at once; AWS names
the one of the highest rank, so errors are noted while parsing goes on and raised at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.expressions.reserved import is_reserved
from outlast.cloud.services.dynamodb.expressions.tokens import Token, check_text, syntax_fault, tokenize
from outlast.cloud.services.dynamodb.expressions.tree import Path, PathParts, ValueRef

Node = TypeVar("Node")
Rule = Generator[Any, Any, Node]
Values = Mapping[str, dict[str, Any]]
ValueCheck = Callable[[Values], str | None]
MAX_OPERATORS = 300
MAX_PATH_DEPTH = 32
DEFERRED = ("name", "count", "distinct", "type")


CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
"""The functions of conditions, and how many operands each has."""
UPDATE_FUNCTIONS = frozenset({"if_not_exists", "list_append"})


def run(rule: Rule[Node]) -> Node:
    """Drive a rule, and the rules that it yields, to its result."""
    pending: list[Rule[Any]] = [rule]
    result: Any = None
    while True:
        try:
            pending.append(pending[-1].send(result))
            result = None
        except StopIteration as stop:
            pending.pop()
            result = stop.value
            if not pending:
                return result  # type: ignore[no-any-return]


class Parser:
    """A cursor over the tokens of one expression, and what it has found out."""

    def __init__(self, text: str, label: str, names: Mapping[str, str]) -> None:
        check_text(text, label)
        self.text = text
        self.label = label
        self.names = names
        self.tokens = tokenize(text)
        self.at = 0
        self.operators = 0
        self.used_names: set[str] = set()
        self.used_values: dict[str, None] = {}
        self.errors: dict[str, str] = {}
        self.value_checks: list[ValueCheck] = []
        self.check_places: list[int] = []
        self.paths: list[PathParts] = []

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fault(self, at: int | None = None) -> ValidationException:
        """The syntax fault at the current token."""
        return syntax_fault(self.text, self.tokens, self.at if at is None else at, self.label)

    def take(self) -> Token:
        """The current token; moves on."""
        token = self.tokens[self.at]
        self.at += 1
        return token

    def accept(self, symbol: str) -> bool:
        """Move past `symbol` when it is next."""
        token = self.tokens[self.at]
        if token.kind == "symbol" and token.text == symbol:
            self.at += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        """Move past `symbol`, or raise."""
        if not self.accept(symbol):
            raise self.fault()

    def check_later(self, check: ValueCheck) -> None:
        """Keep a check for when values are bound, and its place among the values used."""
        self.value_checks.append(check)
        self.check_places.append(len(self.used_values))

    def keyword(self, word: str) -> bool:
        """Move past the keyword when it is next."""
        token = self.tokens[self.at]
        if token.kind == "name" and token.text.upper() == word:
            self.at += 1
            return True
        return False

    def note(self, rank: str, message: str) -> None:
        """Keep the first error of a rank."""
        self.errors.setdefault(rank, message)

    def count_operator(self) -> None:
        """Count one operator against the limit of 300."""
        self.operators += 1
        if self.operators == MAX_OPERATORS + 1:
            self.note("operators", f"The expression contains too many operators; operator count: {self.operators}")

    def finish(self, ranks: tuple[str, ...]) -> None:
        """Demand the end of the text and raise the error of the highest rank."""
        if self.token.kind != "end":
            raise self.fault()
        for rank in ("operators", *ranks):
            if rank in self.errors:
                raise ValidationException(f"Invalid {self.label}: {self.errors[rank]}")

    def path_element(self, keywords: frozenset[str]) -> str:
        """One attribute name of a path, by itself or by its #name."""
        token = self.token
        if token.kind == "hash":
            self.at += 1
            return self.resolve(token.text)
        if token.kind != "name" or token.text.upper() in keywords:
            raise self.fault()
        self.at += 1
        if is_reserved(token.text):
            self.note("reserved", f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        return token.text

    def resolve(self, reference: str) -> str:
        """The attribute name behind a #name."""
        name = self.names.get(reference)
        if name is None:
            self.note(
                "name",
                f"An expression attribute name used in the document path is not defined; attribute name: {reference}",
            )
            return reference
        self.used_names.add(reference)
        return name

    def value_ref(self) -> ValueRef:
        """The `:value` that is next."""
        token = self.take()
        self.used_values[token.text] = None
        return ValueRef(token.text)

    def path(self, keywords: frozenset[str] = frozenset()) -> Path:
        """A document path from its first name on."""
        return self.path_tail([self.path_element(keywords)], keywords)

    def path_tail(self, parts: list[str | int], keywords: frozenset[str] = frozenset()) -> Path:
        """The rest of a path: [index] and .name, any number of times."""
        while True:
            if self.accept("["):
                token = self.token
                if token.kind != "number":
                    raise self.fault()
                self.at += 1
                self.expect("]")
                parts.append(self._index(token.text))
            elif self.accept("."):
                parts.append(self.path_element(keywords))
            else:
                break
        if len(parts) > MAX_PATH_DEPTH:
            self.note("depth", f"The document path has too many nesting elements; nesting levels: {len(parts)}")
        found = tuple(parts)
        self.paths.append(found)
        return Path(found)

    def _index(self, text: str) -> int:
        digits = text.lstrip("0") or "0"
        if len(digits) > 10 or int(digits) > 2**31 - 1:
            self.note("index", f"List index is not within the allowable range; index: [{text}]")
            return 0
        return int(digits)


def bound(values: Values, name: str) -> dict[str, Any]:
    """The value behind `:name` when the call defines it, for checks that come before it is demanded."""
    return values.get(name) or {}
