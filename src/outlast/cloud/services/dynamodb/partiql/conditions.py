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
    PathParts,
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
IS_TYPES = {"NULL": "NULL", "BOOL": "BOOL", "BOOLEAN": "BOOL", "STRING": "S", "NUMBER": "N", "BINARY": "B",
            "LIST": "L", "MAP": "M", "NUMERIC": "N", "BLOB": "B", "STRUCT": "M", "TUPLE": "M"}  # fmt: skip
PREDICATES = {"begins_with": 2, "contains": 2, "attribute_type": 2, "attribute_exists": 1, "attribute_not_exists": 1}
OPERATORS = frozenset({"AND", "OR", "IN", "IS", "BETWEEN", "LIKE"})
OTHER_TYPES = frozenset({"SMALLINT", "INT2", "INT4", "INT8", "INTEGER", "INT", "BIGINT", "FLOAT", "REAL", "DOUBLE",
                         "DECIMAL", "DATE", "TIME", "TIMESTAMP", "CHARACTER", "CHAR", "VARCHAR", "SYMBOL", "CLOB",
                         "SEXP", "BAG", "ANY"})  # fmt: skip
"""Names of PartiQL's types that no attribute has."""
ENDED = "Missing right-hand side expression of infix operator"
MAX_OPTIONS = 100


class Conditions(Cursor):
    """What a condition and an operand may be."""

    def condition(self) -> Rule[Condition]:
        return _condition((yield self.disjunction()))

    def disjunction(self) -> Rule[Any]:
        node = yield self.conjunction()
        terms = [node]
        while self.infix("OR"):
            terms.append((yield self.conjunction()))
        return node if len(terms) == 1 else any_of([_condition(term) for term in terms])

    def infix(self, word: str) -> bool:
        """Whether this operator is next; something must follow it."""
        found = self.keyword(word) is not None
        if found and self.token.kind == "end":
            raise malformed(ENDED)
        return found

    def conjunction(self) -> Rule[Any]:
        node = yield self.negation()
        terms = [node]
        while self.infix("AND"):
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
        if token.kind == "symbol" and token.text in ("=", "<>", "!=") and isinstance(left, Predicate):
            self.at += 1
            return _truth(left, COMPARATORS[token.text], (yield self.primary()))
        if token.kind == "symbol" and token.text in COMPARATORS and not isinstance(left, CONDITIONS):
            self.at += 1
            if self.token.kind == "end":
                raise malformed(ENDED)
            right = _operand((yield self.primary()))
            operator = COMPARATORS[token.text]
            if operator not in ("=", "<>"):
                _check_ordered(operator, (left, right))
            return Compare(operator, left, right)
        if self.keyword("BETWEEN"):
            low = _operand((yield self.primary()))
            self.need("AND")
            high = _operand((yield self.primary()))
            for each in (low, high):
                _check_types("BETWEEN", each, ORDERED)
            return Between(_operand(left), low, high)
        if self.keyword("IN"):
            return In(_operand(left), (yield self.options()))
        if self.keyword("IS"):
            return self.state(_operand(left))
        return left

    def state(self, operand: Operand) -> Condition:
        """IS [NOT] MISSING, NULL or the name of a type."""
        turned = self.keyword("NOT") is not None
        word = self.type_name()
        if word == "MISSING":
            return Predicate("attribute_exists" if turned else "attribute_not_exists", (operand,))
        if word not in IS_TYPES:
            raise ValidationException(
                f"Unsupported data type for IS operator: {word}. Supported data types are [MISSING, NULL, BOOLEAN, "
                "BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]"
            )
        holds = Predicate("attribute_type", (operand, Literal({"S": IS_TYPES[word]})))
        return negate(holds) if turned else holds

    def type_name(self) -> str:
        """The name of a type, in capitals; raises ValidationException."""
        word = self.keyword("MISSING", *IS_TYPES, *OTHER_TYPES)
        following = {"DOUBLE": "PRECISION", "CHARACTER": "VARYING"}.get(word or "")
        if word is None or (self.keyword(following or "") is None and word == "DOUBLE"):
            raise malformed("Expected type name")
        return word

    def options(self) -> Rule[tuple[Operand, ...]]:
        """What follows IN: a list in brackets or parentheses, or a parameter that holds one."""
        closing = "]" if self.symbol("[") else ")" if self.symbol("(") else None
        if closing is None:
            value = yield self.value()
            members = value.get("L")
            if members is None:
                raise malformed("Expected a list after IN")
            return _check_count([Literal(member) for member in members])
        found = [_operand((yield self.primary()))]
        while self.symbol(","):
            found.append(_operand((yield self.primary())))
        self.need_symbol(closing)
        return _check_count(found)

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
        if token.kind == "word" and token.text.upper() in OPERATORS:
            raise malformed("Unexpected operator")
        if token.kind == "word" and token.text.upper() in KEYWORDS:
            raise malformed("Unexpected keyword")
        if token.kind == "quoted" or (token.kind == "word" and token.text.lower() not in ("true", "false", "null")):
            return self.path()
        return Literal((yield self.value()))

    def operands(self) -> Rule[list[Operand]]:
        """The operands of a call up to its closing parenthesis, which is consumed; perhaps none."""
        found: list[Operand] = []
        if self.symbol(")"):
            return found
        found.append(_operand((yield self.primary())))
        while self.symbol(","):
            found.append(_operand((yield self.primary())))
        self.need_symbol(")")
        return found

    def function(self) -> Rule[Any]:
        token = self.token
        name = token.text.lower()
        wanted = 1 if name == "size" else PREDICATES.get(name)
        if wanted is None:
            raise ValidationException(f"Unrecognized function: {name} at {self.place(token)}")
        self.at += 2
        arguments = yield self.operands()
        if wanted != len(arguments):
            raise ValidationException(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
        if name == "size":
            return Size(arguments[0])
        if name in ("attribute_exists", "attribute_not_exists") and not isinstance(arguments[0], Path):
            raise ValidationException(f"Operator or function requires a document path; operator or function: {name}")
        if name == "begins_with":
            for argument in arguments:
                _check_types(name, argument, frozenset({"S", "B"}))
        if name == "attribute_type":
            _check_types(name, arguments[1], frozenset({"S"}))
        return Predicate(name, tuple(arguments))

    def assigned(self) -> Rule[Operand]:
        """What stands right of = in SET."""
        left: Operand = yield self.assignable()
        token = self.token
        if token.kind == "symbol" and token.text in ("+", "-"):
            self.at += 1
            right = yield self.assignable()
            for operand in (left, right):
                _check_types(token.text, operand, frozenset({"N"}))
            return Arithmetic(token.text, left, right)
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

    @property
    def changes_set(self) -> bool:
        """Whether set_add or set_delete is next."""
        return self.calls and self.token.text.lower() in ("set_add", "set_delete")

    def changed_set(self, target: PathParts) -> Rule[Operand]:
        """SET path = set_add(path, set): the path is the one assigned to, and the other operand is a set."""
        token, first = self.token, self.words[self.at + 2]
        name = token.text.upper()
        self.at += 2
        found = yield self.operands()
        if len(found) != 2:
            raise ValidationException(f"{name} must have exactly two arguments at {self.place(token)}")
        path, change = found
        if not isinstance(path, Path) or path.parts != target:
            raise ValidationException(
                f"The first argument to {name} must equal the assignment value at {self.place(token)}"
            )
        if not isinstance(change, Literal) or av.type_of(change.value) not in ("SS", "NS", "BS"):
            raise ValidationException(
                f"The second argument to {name} must be a value with type SET at {self.place(first)}"
            )
        return SetChange(name.lower(), path, change)

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
        raise ValidationException(f"Invalid function name; function: {name}")


def _truth(condition: Predicate, operator: str, right: Any) -> Condition:
    """A condition compared with true or false."""
    said = right.value.get("BOOL") if isinstance(right, Literal) else None
    if said is None:
        raise malformed("Unexpected condition")
    return condition if said is (operator == "=") else negate(condition)


def _check_count(options: list[Operand]) -> tuple[Operand, ...]:
    if len(options) > MAX_OPTIONS:
        raise ValidationException(
            f"The IN operator is provided with too many operands; number of operands: {len(options)}"
        )
    return tuple(options)


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
