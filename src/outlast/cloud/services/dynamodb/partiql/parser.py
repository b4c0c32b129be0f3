"""The grammar of statements.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.statements.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.errors import ValueFault
from outlast.cloud.services.dynamodb.expressions.parser import Rule, run
from outlast.cloud.services.dynamodb.expressions.tree import Action, Assign, Condition, PathParts, Remove
from outlast.cloud.services.dynamodb.partiql.conditions import Conditions
from outlast.cloud.services.dynamodb.partiql.cursor import KEYWORDS, MISCOUNTED
from outlast.cloud.services.dynamodb.partiql.lexer import malformed
from outlast.cloud.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Statement, Update
from outlast.cloud.services.dynamodb.values import Value

LEFTOVER = "Unexpected token after expression"


def parse(statement: str, parameters: Sequence[Value] | None) -> Statement:
    """The meaning of a statement with its parameters; raises ValidationException."""
    given = check_parameters(parameters)
    parser = _Parser(statement, given)
    found: Statement = run(parser.statement())
    if parser.token.kind != "end":
        raise malformed(LEFTOVER)
    if parser.taken != len(given):
        raise ValidationException(MISCOUNTED)
    return found


def check_parameters(parameters: Sequence[Value] | None) -> list[Value]:
    """The parameters of a statement, checked and in normal form; raises ValidationException."""
    given = list(parameters or ())
    try:
        for parameter in given:
            av.check_value(parameter)
    except ValueFault as fault:
        raise fault.in_older_words() from None
    return given


class _Parser(Conditions):
    """What a statement may be."""

    def statement(self) -> Rule[Statement]:
        rules: dict[str, Callable[[], Rule[Statement]]] = {
            "SELECT": self.select,
            "INSERT": self.insert,
            "UPDATE": self.update,
            "DELETE": self.delete,
            "EXISTS": self.exists,
            "FROM": self.update_from,
        }
        word = self.keyword(*rules)
        if word is None:
            raise self.unsupported()
        found: Statement = yield rules[word]()
        return found

    def unsupported(self) -> ValidationException:
        """The fault of a statement that is no data manipulation: a bare type test is named."""
        following = self.words[self.at + 1 : self.at + 2]
        if self.token.kind in ("word", "quoted") and following and following[0].text.upper() == "IS":
            self.at += 2
            self.keyword("NOT")
            self.type_name()
            if self.token.kind == "end":
                return ValidationException("Unsupported operation: IsType")
        return malformed("Expected data manipulation")

    def exists(self) -> Rule[Exists]:
        self.need_symbol("(")
        self.need("SELECT")
        inner = yield self.select()
        self.need_symbol(")")
        return Exists(inner)

    def select(self) -> Rule[Select]:
        paths: list[PathParts] | None = None
        called: str | None = None
        if self.calls:
            called = f"Unexpected path component at {self.place(self.token)}"
            self.skip_call()
        elif not self.symbol("*"):
            paths = [self.path().parts]
            while self.symbol(","):
                paths.append(self.path().parts)
        self.need("FROM")
        if self.token.kind == "end":
            raise malformed("Unexpected term")
        table, index = self.source()
        where: Condition | None = None
        if self.keyword("WHERE"):
            where = yield self.condition()
        order: list[tuple[str, bool]] = []
        if self.keyword("ORDER"):
            self.need("BY")
            order.append(self.ordering())
            while self.symbol(","):
                order.append(self.ordering())
        return Select(table, index, None if paths is None else tuple(paths), where, tuple(order), called)

    def skip_call(self) -> None:
        """Move past a function call, whatever its operands."""
        self.at += 1
        depth = 0
        while self.token.kind != "end":
            depth += {"(": 1, ")": -1}.get(self.token.text, 0) if self.token.kind == "symbol" else 0
            self.at += 1
            if depth == 0:
                return
        raise malformed("Unexpected term")

    def ordering(self) -> tuple[str, bool]:
        """(attribute, descending) of one ORDER BY term."""
        parts = self.path().parts
        return str(parts[0]), self.keyword("ASC", "DESC") == "DESC"

    def source(self, may_alias: bool = True, wanted: str = "Expected identifier") -> tuple[str, str | None]:
        """The table, and perhaps its index, after FROM."""
        parts = [self.name(wanted)]
        while self.symbol("."):
            parts.append(self.name())
        if len(parts) > 2:
            raise ValidationException("A path may contain at most 2 components in the FROM clause")
        if not all(parts):
            raise ValidationException("Path component cannot be an empty string")
        token = self.token
        if may_alias and (token.kind == "quoted" or (token.kind == "word" and token.text.upper() not in KEYWORDS)):
            raise ValidationException("Aliasing is not supported")
        return parts[0], parts[1] if len(parts) == 2 else None

    def target(self, may_alias: bool = True, wanted: str = "Expected identifier") -> str:
        """The table of a write."""
        table, index = self.source(may_alias, wanted)
        if index is not None:
            raise ValidationException("Writes to an index are not supported: a statement must name its table only")
        return table

    def insert(self) -> Rule[Insert]:
        self.need("INTO")
        table = self.target(may_alias=False)
        if self.keyword("VALUE") is None:
            raise malformed(LEFTOVER)
        value = yield self.value(0, "")
        item = value.get("M")
        if item is None:
            raise malformed("Expected a tuple to insert")
        return Insert(table, item)

    def update(self) -> Rule[Update]:
        table = self.target()
        actions = yield self.actions()
        where = (yield self.condition()) if self.keyword("WHERE") else None
        return Update(table, actions, where, self.returning())

    def update_from(self) -> Rule[Update]:
        """FROM table WHERE … SET … REMOVE …: an UPDATE that names its item first."""
        table = self.target()
        where = (yield self.condition()) if self.keyword("WHERE") else None
        actions = yield self.actions()
        return Update(table, actions, where, self.returning())

    def actions(self) -> Rule[tuple[Action, ...]]:
        """SET and REMOVE, any number of times; at least one."""
        actions: list[Action] = []
        while True:
            word = self.keyword("SET", "REMOVE")
            if word is None:
                break
            while True:
                path = self.path().parts
                if word == "SET":
                    self.need_symbol("=")
                    operand = yield self.changed_set(path) if self.changes_set else self.assigned()
                    actions.append(Assign(path, operand))
                else:
                    actions.append(Remove(path))
                if not self.symbol(","):
                    break
        if not actions:
            raise malformed("Expected SET or REMOVE")
        return tuple(actions)

    def delete(self) -> Rule[Delete]:
        self.need("FROM")
        table = self.target(wanted="Expected identifier for simple path")
        where = (yield self.condition()) if self.keyword("WHERE") else None
        returning = self.returning()
        if returning not in (None, "ALL OLD"):
            raise ValidationException(
                f"Invalid returning clause: RETURNING {returning} *. Only RETURNING ALL OLD * is allowed in DELETE "
                "statements."
            )
        return Delete(table, where, returning)

    def returning(self) -> str | None:
        if not self.keyword("RETURNING"):
            return None
        scope, moment = self.keyword("ALL", "MODIFIED"), self.keyword("OLD", "NEW")
        if scope is None or moment is None:
            raise malformed("Expected ALL or MODIFIED, then OLD or NEW")
        self.need_symbol("*")
        return f"{scope} {moment}"
