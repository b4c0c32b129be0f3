"""The grammar of ConditionExpression, FilterExpression and KeyConditionExpression.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.expressions.parser import (
    CONDITION_FUNCTIONS,
    UPDATE_FUNCTIONS,
    Parser,
    Rule,
    Values,
    bound,
    run,
)
from outlast.cloud.services.dynamodb.expressions.tree import (
    CONDITIONS,
    Between,
    Compare,
    Condition,
    In,
    Not,
    Operand,
    Path,
    Predicate,
    Size,
    ValueRef,
    all_of,
    any_of,
    negate,
    path_text,
)

KEYWORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
ORDERED = frozenset({"S", "N", "B"})
MAX_IN = 100
RANKS = ("parens", "function", "misused", "index", "reserved", "depth")
_TYPE_NAMES = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"


class _Unknown:
    """An operand that stands for a function that does not exist or may not stand here."""

    def __init__(self, name: str) -> None:
        self.name = name


class ConditionParser(Parser):
    """Parses one condition; afterwards `condition` and the deferred checks are there."""

    def __init__(self, text: str, label: str, names: Mapping[str, str]) -> None:
        super().__init__(text, label, names)
        self.grouped: set[int] = set()
        self.kept: list[Any] = []
        self.key_condition = label == "KeyConditionExpression"
        node = run(self.disjunction())
        if self.token.kind != "end":
            raise self.fault()
        self.condition = self.as_condition(node)
        ranks = RANKS[1:] if self.key_condition else RANKS
        self.finish((*ranks, "name", "count", "distinct"))

    def as_condition(self, node: Any) -> Condition:
        """Demand a condition; a bare operand is a syntax error at what follows it."""
        if isinstance(node, CONDITIONS):
            return node
        if isinstance(node, (_Unknown, Size)):
            name = node.name if isinstance(node, _Unknown) else "size"
            self.note("misused", _misused(name))
            return Predicate(name, ())
        raise self.fault()

    def as_operand(self, node: Any) -> Operand:
        """Demand an operand; a condition function in its place is misused."""
        if isinstance(node, Predicate):
            self.note("misused", _misused(node.function))
            return Path(("",))
        if isinstance(node, _Unknown):
            return Path(("",))
        if isinstance(node, CONDITIONS):
            raise self.fault()
        return cast(Operand, node)

    def disjunction(self) -> Rule[Any]:
        node = yield self.conjunction()
        if not self.keyword("OR"):
            return node
        terms = [self.as_condition(node)]
        while True:
            self.count_operator()
            terms.append(self.as_condition((yield self.conjunction())))
            if not self.keyword("OR"):
                return any_of(terms)

    def conjunction(self) -> Rule[Any]:
        node = yield self.negation()
        if not self.keyword("AND"):
            return node
        terms = [self.as_condition(node)]
        while True:
            self.count_operator()
            terms.append(self.as_condition((yield self.negation())))
            if not self.keyword("AND"):
                return all_of(terms)

    def negation(self) -> Rule[Any]:
        turns = 0
        while self.keyword("NOT"):
            self.count_operator()
            turns += 1
        node = yield self.comparison()
        if not turns:
            return node
        term = self.as_condition(node)
        if self.key_condition:
            return Not(term)
        return negate(term) if turns % 2 else term

    def comparison(self) -> Rule[Any]:
        left = yield self.primary()
        token = self.token
        if token.kind == "symbol" and token.text in COMPARATORS:
            if isinstance(left, CONDITIONS) and not isinstance(left, Predicate):
                raise self.fault()
            self.at += 1
            self.count_operator()
            right = yield self.primary()
            return self.compare(token.text, self.as_operand(left), self.as_operand(right))
        if isinstance(left, CONDITIONS) and not isinstance(left, Predicate):
            return left
        if self.keyword("BETWEEN"):
            self.count_operator()
            low = yield self.primary()
            if not self.keyword("AND"):
                raise self.fault()
            high = yield self.primary()
            return self.between(self.as_operand(left), self.as_operand(low), self.as_operand(high))
        if self.keyword("IN"):
            self.count_operator()
            self.expect("(")
            options = yield self.arguments()
            return self.in_list(self.as_operand(left), tuple(map(self.as_operand, options)))
        return left

    def primary(self) -> Rule[Any]:
        """A function call, a value, a path, or anything in parentheses."""
        token = self.token
        if token.kind == "value":
            return self.value_ref()
        if token.kind == "symbol" and token.text == "(":
            return (yield self.group())
        following = self.tokens[self.at + 1] if token.kind != "end" else token
        if token.kind == "name" and following.text == "(" and token.text.upper() not in KEYWORDS:
            self.at += 2
            arguments = yield self.arguments()
            return self.function(token.text, tuple(map(self.as_operand, arguments)))
        return self.path(KEYWORDS)

    def group(self) -> Rule[Any]:
        self.expect("(")
        node = yield self.disjunction()
        self.expect(")")
        if id(node) in self.grouped:
            self.note("parens", "The expression has redundant parentheses;")
        if isinstance(node, Path) and self.token.text in (".", "["):
            self.paths.pop()
            return self.path_tail(list(node.parts), KEYWORDS)
        self.grouped.add(id(node))
        self.kept.append(node)
        return node

    def arguments(self) -> Rule[list[Any]]:
        """Operands up to the closing parenthesis, which is consumed; at least one."""
        found = [(yield self.primary())]
        while self.accept(","):
            found.append((yield self.primary()))
        self.expect(")")
        return found

    def compare(self, operator: str, left: Operand, right: Operand) -> Condition:
        self.distinct(operator, (left, right))
        if operator not in ("=", "<>"):
            for operand in (left, right):
                self.demand_types(operator, operand, ORDERED)
        return Compare(operator, left, right)

    def between(self, operand: Operand, low: Operand, high: Operand) -> Condition:
        for each in (operand, low, high):
            self.demand_types("BETWEEN", each, ORDERED)
        if isinstance(low, ValueRef) and isinstance(high, ValueRef):
            lower, upper = low.name, high.name
            self.check_later(lambda values: _bounds_fault(bound(values, lower), bound(values, upper)))
        return Between(operand, low, high)

    def in_list(self, operand: Operand, options: tuple[Operand, ...]) -> Condition:
        if len(options) > MAX_IN:
            self.note(
                "count", f"The IN operator is provided with too many operands; number of operands: {len(options)}"
            )
        return In(operand, options)

    def function(self, name: str, arguments: tuple[Operand, ...]) -> Any:
        wanted = CONDITION_FUNCTIONS.get(name)
        if wanted is None:
            elsewhere = "The function is not allowed in a condition expression"
            self.note(
                "function", f"{elsewhere if name in UPDATE_FUNCTIONS else 'Invalid function name'}; function: {name}"
            )
            return _Unknown(name)
        if wanted != len(arguments):
            self.note(
                "count",
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}",
            )
            return Path(("",)) if name == "size" else Predicate(name, arguments)
        self.distinct(name, arguments)
        if name in ("attribute_exists", "attribute_not_exists"):
            if not isinstance(arguments[0], Path):
                self.note_type(f"Operator or function requires a document path; operator or function: {name}")
        elif name == "begins_with":
            for argument in arguments:
                self.demand_types(name, argument, frozenset({"S", "B"}))
        elif name == "attribute_type":
            self.demand_type_name(arguments[1])
        elif name == "size":
            self.demand_types(name, arguments[0], frozenset(av.TYPES) - {"N", "BOOL", "NULL"})
            return Size(arguments[0])
        return Predicate(name, arguments)

    def note_type(self, message: str) -> None:
        self.check_later(lambda _values: message)

    def demand_types(self, function: str, operand: Operand, allowed: frozenset[str]) -> None:
        """Refuse, once values are bound, an operand whose type is known not to fit."""
        if isinstance(operand, Size):
            if "N" not in allowed:
                self.note_type(_type_fault(function, "N"))
        elif isinstance(operand, ValueRef):
            name = operand.name

            def check(values: Values) -> str | None:
                kind = next(iter(bound(values, name)), None)
                return None if kind is None or kind in allowed else _type_fault(function, kind)

            self.check_later(check)

    def demand_type_name(self, operand: Operand) -> None:
        if not isinstance(operand, ValueRef):
            kind = "N" if isinstance(operand, Size) else "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
            self.note_type(_type_fault("attribute_type", kind))
            return
        name = operand.name

        def check(values: Values) -> str | None:
            value = bound(values, name)
            kind = next(iter(value), "S")
            if kind != "S":
                return _type_fault("attribute_type", kind)
            if value and value["S"] not in av.TYPES:
                return f"Invalid attribute type name found; type: {value['S']}, valid types: {_TYPE_NAMES}"
            return None

        self.check_later(check)

    def distinct(self, function: str, arguments: tuple[Operand, ...]) -> None:
        if len(arguments) == 2 and isinstance(arguments[0], Path) and arguments[0] == arguments[1]:
            self.note(
                "distinct",
                "The first operand must be distinct from the remaining operands for this operator or function; "
                f"operator: {function}, first operand: {path_text(arguments[0].parts)}",
            )


def _misused(function: str) -> str:
    return f"The function is not allowed to be used this way in an expression; function: {function}"


def _type_fault(function: str, kind: str) -> str:
    return f"Incorrect operand type for operator or function; operator or function: {function}, operand type: {kind}"


def _bounds_fault(low: dict[str, Any], high: dict[str, Any]) -> str | None:
    if not low or not high:
        return None
    low_type, high_type = av.type_of(low), av.type_of(high)
    shown = (
        f"lower bound operand: AttributeValue: {{{low_type}:{low[low_type]}}}, "
        f"upper bound operand: AttributeValue: {{{high_type}:{high[high_type]}}}"
    )
    if low_type != high_type:
        return f"The BETWEEN operator requires same data type for lower and upper bounds; {shown}"
    if av.ordering(low) > av.ordering(high):
        return f"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {shown}"
    return None
