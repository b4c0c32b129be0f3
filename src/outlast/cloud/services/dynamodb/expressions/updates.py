"""The grammar of UpdateExpression.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    Action,
    Add,
    Arithmetic,
    Assign,
    Discard,
    IfNotExists,
    ListAppend,
    Operand,
    Path,
    PathParts,
    Remove,
    ValueRef,
    path_text,
)

SECTIONS = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
RANKS = ("reserved", "function", "section", "index", "depth", "name")
DEFERRED_RANKS = ("overlap", "conflict", "operand", "type")
_SPELLED = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "NULL": "NULL",
    "BOOL": "BOOLEAN",
    "L": "LIST",
    "M": "MAP",
}


class UpdateParser(Parser):
    """Parses one update; afterwards `actions` are there.

    What ranks below an undefined value (overlapping paths, operand types) is in `late` and `value_checks`, to be
    raised once the values of a call are known to be defined.
    """

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        super().__init__(text, "UpdateExpression", names)
        self.actions: list[Action] = []
        self.sections: set[str] = set()
        self.targets: list[PathParts] = []
        self.late: str | None = None
        while True:
            self.section()
            if self.token.kind == "end":
                break
        self.finish(RANKS)
        for rank in DEFERRED_RANKS[:2]:
            self.late = self.late or self.errors.get(rank)

    def section(self) -> None:
        token = self.token
        word = token.text.upper()
        if token.kind != "name" or word not in SECTIONS:
            raise self.fault()
        self.at += 1
        if word in self.sections:
            self.note("section", f'The "{word}" section can only be used once in an update expression;')
        self.sections.add(word)
        while True:
            self.clause(word)
            if not self.accept(","):
                return

    def clause(self, word: str) -> None:
        path = self.path(SECTIONS).parts
        self.target(path)
        if word == "REMOVE":
            self.actions.append(Remove(path))
        elif word == "SET":
            self.expect("=")
            self.actions.append(Assign(path, run(self.assigned())))
        else:
            if self.token.kind != "value":
                raise self.fault()
            operand = self.value_ref()
            self.demand_operand(word, operand)
            self.actions.append(Add(path, operand) if word == "ADD" else Discard(path, operand))

    def assigned(self) -> Rule[Operand]:
        """What stands right of `=`: an operand, or two joined by + or -; parentheses may surround it."""
        if self.token.text == "(" and self.token.kind == "symbol":
            self.at += 1
            inner: Operand = yield self.assigned()
            self.expect(")")
            left = inner
        else:
            left = yield self.operand()
        token = self.token
        if token.kind == "symbol" and token.text in ("+", "-"):
            if isinstance(left, Arithmetic):
                raise self.fault()
            self.at += 1
            self.count_operator()
            right = yield self.operand()
            self.demand("type", token.text, left, "N")
            self.demand("type", token.text, right, "N")
            return Arithmetic(token.text, left, right)
        return left

    def operand(self) -> Rule[Operand]:
        token = self.token
        if token.kind == "value":
            return self.value_ref()
        if token.kind == "symbol" and token.text == "(":
            self.at += 1
            inner: Operand = yield self.operand()
            self.expect(")")
            return inner
        following = self.tokens[self.at + 1] if token.kind != "end" else token
        if token.kind == "name" and following.text == "(" and token.text.upper() not in SECTIONS:
            self.at += 2
            self.count_operator()
            arguments: list[Operand] = [(yield self.operand())]
            while self.accept(","):
                arguments.append((yield self.operand()))
            self.expect(")")
            return self.function(token.text, arguments)
        return self.path(SECTIONS)

    def function(self, name: str, arguments: list[Operand]) -> Operand:
        if name not in UPDATE_FUNCTIONS:
            elsewhere = "The function is not allowed in an update expression"
            self.note(
                "function", f"{elsewhere if name in CONDITION_FUNCTIONS else 'Invalid function name'}; function: {name}"
            )
            return Path(("",))
        if len(arguments) != 2:
            self.later(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
            return Path(("",))
        if name == "if_not_exists":
            if not isinstance(arguments[0], Path):
                self.later(f"Operator or function requires a document path; operator or function: {name}")
                return Path(("",))
            return IfNotExists(arguments[0], arguments[1])
        for argument in arguments:
            if isinstance(argument, ListAppend):
                self.note(
                    "function", f"The function is not allowed to be used this way in an expression; function: {name}"
                )
            self.demand("type", name, argument, "L")
        return ListAppend(arguments[0], arguments[1])

    def later(self, message: str) -> None:
        self.check_later(lambda _values: message)

    def demand(self, rank: str, function: str, operand: Operand, wanted: str) -> None:
        """Refuse, once values are bound, a value of another type than `wanted`."""
        del rank
        if not isinstance(operand, ValueRef):
            return
        name = operand.name

        def check(values: Values) -> str | None:
            kind = next(iter(bound(values, name)), wanted)
            if kind == wanted:
                return None
            return (
                "Incorrect operand type for operator or function; "
                f"operator or function: {function}, operand type: {kind}"
            )

        self.check_later(check)

    def demand_operand(self, word: str, operand: ValueRef) -> None:
        """ADD takes numbers and sets, DELETE takes sets."""
        name = operand.name

        def check(values: Values) -> str | None:
            kind = next(iter(bound(values, name)), "SS")
            if kind in ("SS", "NS", "BS") or (word == "ADD" and kind == "N"):
                return None
            shown = f"operator: {word}, operand type: {_SPELLED[kind]}, typeSet: ALLOWED_FOR_{word}_OPERAND"
            return f"Incorrect operand type for operator or function; {shown}"

        self.value_checks.insert(0, check)

    def target(self, path: PathParts) -> None:
        """Note an overlap or a conflict with a path that is changed already."""
        for other in self.targets:
            clash = path_clash(other, path)
            if clash is not None:
                self.note(*clash)
                return
        self.targets.append(path)


def path_clash(one: PathParts, two: PathParts) -> tuple[str, str] | None:
    """(rank, message) when one path holds the other, or when they take one place for a map and for a list."""
    shown = f"must remove or rewrite one of these paths; path one: {path_text(one)}, path two: {path_text(two)}"
    for left, right in zip(one, two, strict=False):
        if isinstance(left, int) != isinstance(right, int):
            return "conflict", f"Two document paths conflict with each other; {shown}"
        if left != right:
            return None
    return "overlap", f"Two document paths overlap with each other; {shown}"


def action_operands(action: Action) -> tuple[Any, ...]:
    """The operand of an action, if it has one."""
    return () if isinstance(action, Remove) else (action.operand,)
