"""The grammar of WHERE, and of what stands right of = in SET.

Rules are generators that `run` drives, so no nesting exhausts Python's stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.expressions.conditions import ORDERED
from outlast.cloud.services.dynamodb.expressions.parser import Rule
from outlast.cloud.services.dynamodb.expressions.tree import (
    CONDITIONS,
    Arithmetic,
    Between,
    Compare,
    Condition,
    IfNotExists,
    In,
    ListAppend,
    Literal,
    Operand,
    Path,
    Predicate,
    SetChange,
    Size,
    all_of,
    any_of,
    negate,
)
from outlast.cloud.services.dynamodb.partiql.cursor import KEYWORDS, Cursor
from outlast.cloud.services.dynamodb.partiql.lexer import malformed

COMPARATORS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
PREDICATES = {"begins_with": 2, "contains": 2, "attribute_type": 2, "attribute_exists": 1, "attribute_not_exists": 1}


class Conditions(Cursor):
    """What a condition and an operand may be."""

    def condition(self) -> Rule[Condition]:
        return _condition((yield self.disjunction()))

    def disjunction(self) -> Rule[Any]:
        node = yield self.conjunction()
        terms = [node]
        while self.keyword("OR"):
            terms.append((yield self.conjunction()))
        return node if len(terms) == 1 else any_of([_condition(term) for term in terms])

    def conjunction(self) -> Rule[Any]:
        node = yield self.negation()
        terms = [node]
        while self.keyword("AND"):
            terms.append((yield self.negation()))
        return node if len(terms) == 1 else all_of([_condition(term) for term in terms])

    def negation(self) -> Rule[Any]:
        turns = 0
        while self.keyword("NOT"):
            turns += 1
        node = yield self.comparison()
        if not turns:
            return node
        return negate(_condition(node)) if turns % 2 else _condition(node)

    def comparison(self) -> Rule[Any]:
        left = yield self.primary()
        token = self.token
        if token.kind == "symbol" and token.text in COMPARATORS and not isinstance(left, CONDITIONS):
            self.at += 1
            right = _operand((yield self.primary()))
            operator = COMPARATORS[token.text]
            if operator not in ("=", "<>"):
                _check_ordered(operator, (left, right))
            return Compare(operator, left, right)
        if self.keyword("BETWEEN"):
            low = _operand((yield self.primary()))
            self.need("AND")
            return Between(_operand(left), low, _operand((yield self.primary())))
        if self.keyword("IN"):
            return In(_operand(left), (yield self.options()))
        if self.keyword("IS"):
            return self.state(_operand(left))
        return left

    def state(self, operand: Operand) -> Condition:
        """IS [NOT] MISSING, IS [NOT] NULL."""
        turned = self.keyword("NOT") is not None
        word = self.keyword("MISSING", "NULL")
        if word is None:
            raise malformed("Expected MISSING or NULL")
        if word == "MISSING":
            return Predicate("attribute_exists" if turned else "attribute_not_exists", (operand,))
        holds = Predicate("attribute_type", (operand, Literal({"S": "NULL"})))
        return negate(holds) if turned else holds

    def options(self) -> Rule[tuple[Operand, ...]]:
        """What follows IN: a list in brackets or parentheses, or a parameter that holds one."""
        closing = "]" if self.symbol("[") else ")" if self.symbol("(") else None
        if closing is None:
            value = yield self.value()
            members = value.get("L")
            if members is None:
                raise malformed("Expected a list after IN")
            return tuple(Literal(member) for member in members)
        found = [_operand((yield self.primary()))]
        while self.symbol(","):
            found.append(_operand((yield self.primary())))
        self.need_symbol(closing)
        return tuple(found)

    def primary(self) -> Rule[Any]:
        """Something in parentheses, a function, a literal, a parameter or a path."""
        if self.symbol("("):
            inner = yield self.disjunction()
            self.need_symbol(")")
            return inner
        token = self.token
        following = self.words[self.at + 1].text if token.kind != "end" else ""
        if token.kind == "word" and following == "(" and token.text.upper() not in KEYWORDS:
            return (yield self.function())
        if token.kind == "quoted" or (token.kind == "word" and token.text.lower() not in ("true", "false", "null")):
            return self.path()
        return Literal((yield self.value()))

    def function(self) -> Rule[Any]:
        name = self.token.text.lower()
        self.at += 2
        arguments = [_operand((yield self.primary()))]
        while self.symbol(","):
            arguments.append(_operand((yield self.primary())))
        self.need_symbol(")")
        if name == "size" and len(arguments) == 1:
            return Size(arguments[0])
        if PREDICATES.get(name) != len(arguments):
            raise ValidationException(f"Invalid function name or number of operands; function: {name}")
        if name == "begins_with":
            for argument in arguments:
                _check_types(name, argument, frozenset({"S", "B"}))
        return Predicate(name, tuple(arguments))

    def assigned(self) -> Rule[Operand]:
        """What stands right of = in SET."""
        left: Operand = yield self.assignable()
        token = self.token
        if token.kind == "symbol" and token.text in ("+", "-"):
            self.at += 1
            return Arithmetic(token.text, left, (yield self.assignable()))
        if token.kind == "symbol" and token.text == "||":
            raise malformed("Unexpected operator")
        return left

    def assignable(self) -> Rule[Operand]:
        token = self.token
        following = self.words[self.at + 1].text if token.kind != "end" else ""
        if token.kind == "word" and following == "(":
            called: Operand = yield self.update_function()
            return called
        if self.symbol("("):
            inner: Operand = yield self.assigned()
            self.need_symbol(")")
            return inner
        if token.kind == "quoted" or (token.kind == "word" and token.text.lower() not in ("true", "false", "null")):
            return self.path()
        return Literal((yield self.value()))

    def update_function(self) -> Rule[Operand]:
        name = self.token.text.lower()
        self.at += 2
        first = yield self.assignable()
        self.need_symbol(",")
        second = yield self.assignable()
        self.need_symbol(")")
        if name == "list_append":
            return ListAppend(first, second)
        if name == "if_not_exists" and isinstance(first, Path):
            return IfNotExists(first, second)
        if name in ("set_add", "set_delete") and isinstance(first, Path):
            return SetChange(name, first, second)
        raise ValidationException(f"Invalid function name; function: {name}")


def _condition(node: Any) -> Condition:
    if isinstance(node, CONDITIONS):
        return node
    raise malformed("Expected a condition")


def _operand(node: Any) -> Operand:
    if isinstance(node, CONDITIONS):
        raise malformed("Unexpected condition")
    found: Operand = node
    return found


def _check_ordered(operator: str, operands: Sequence[Operand]) -> None:
    for operand in operands:
        _check_types(operator, operand, ORDERED)


def _check_types(function: str, operand: Operand, allowed: frozenset[str]) -> None:
    if isinstance(operand, Literal) and av.type_of(operand.value) not in allowed:
        raise ValidationException(
            "Incorrect operand type for operator or function; "
            f"operator or function: {function}, operand type: {av.type_of(operand.value)}"
        )
