"""A cursor over the words of a statement, and the values and paths that it reads."""

from __future__ import annotations

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.errors import ValueFault, invalid
from outlast.cloud.services.dynamodb.expressions.parser import Rule
from outlast.cloud.services.dynamodb.expressions.tree import Path
from outlast.cloud.services.dynamodb.partiql.lexer import Word, malformed, words
from outlast.cloud.services.dynamodb.values import Value

KEYWORDS = frozenset({"SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "ORDER", "BY", "SET",
                      "REMOVE", "RETURNING", "INSERT", "INTO", "VALUE", "UPDATE", "DELETE", "ASC", "DESC"})  # fmt: skip
RESERVED = KEYWORDS | {"AS", "CASE", "CAST", "CROSS", "ELSE", "END", "EXCEPT", "FULL", "GROUP", "HAVING", "INNER",
                       "INTERSECT", "JOIN", "LEFT", "NATURAL", "ON", "OUTER", "RIGHT", "THEN",
                       "UNION", "WHEN"}  # fmt: skip
"""Words that may not stand after the dot of a path."""
MAX_NESTING = 31
MAX_INDEX = 2**31 - 1
MISCOUNTED = "Number of parameters in request and statement don't match."


class Cursor:
    """A cursor over the words of one statement."""

    def __init__(self, statement: str, parameters: list[Value]) -> None:
        self.text = statement
        self.words = words(statement)
        self.at = 0
        self.parameters = parameters
        self.taken = 0

    @property
    def token(self) -> Word:
        return self.words[self.at]

    def place(self, word: Word) -> str:
        """Where a word stands, as messages tell it: line, column and length."""
        before = self.text[: word.start]
        return f"{before.count(chr(10)) + 1}:{word.start - before.rfind(chr(10))}:{len(word.text)}"

    @property
    def calls(self) -> bool:
        """Whether a function's name and its opening parenthesis are next."""
        token = self.token
        return token.kind == "word" and self.words[self.at + 1].text == "(" and token.text.upper() not in KEYWORDS

    def keyword(self, *wanted: str) -> str | None:
        """The keyword that is next, when it is one of these; moves past it."""
        token = self.token
        if token.kind == "word" and token.text.upper() in wanted:
            self.at += 1
            return token.text.upper()
        return None

    def need(self, word: str) -> None:
        if self.keyword(word) is None:
            raise malformed(f"Expected {word}")

    def symbol(self, text: str) -> bool:
        token = self.token
        if token.kind == "symbol" and token.text == text:
            self.at += 1
            return True
        return False

    def need_symbol(self, text: str) -> None:
        if not self.symbol(text):
            raise malformed(f"Expected '{text}'")

    def name(self, wanted: str = "Expected identifier") -> str:
        token = self.token
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text.upper() in KEYWORDS):
            raise malformed(wanted)
        self.at += 1
        return token.text

    def path(self) -> Path:
        parts: list[str | int] = [self.name()]
        while True:
            if self.symbol("."):
                if self.token.kind == "word" and self.token.text.upper() in RESERVED:
                    raise malformed("Invalid path dot component")
                parts.append(self.name())
            elif self.symbol("["):
                parts.append(self.subscript())
                self.need_symbol("]")
            else:
                return Path(tuple(parts))

    def subscript(self) -> str | int:
        """What stands in brackets after a name: a list index or a name in quotes."""
        signed = self.symbol("-")
        token = self.token
        if token.kind == "text" and not signed:
            self.at += 1
            return token.text
        if token.kind != "number" or not token.text.isdigit():
            raise malformed("Expected a list index")
        self.at += 1
        if len(token.text) > 10 or int(token.text) > (0 if signed else MAX_INDEX):
            raise ValidationException(
                "List index is not within the allowable range; "
                f"index: [{'-' if signed else ''}{token.text}] at {self.place(token)}"
            )
        return int(token.text)

    def value(self, depth: int = 0, path: str = "root") -> Rule[Value]:
        """A literal or a parameter; `path` is where in a value it stands, empty for an item itself."""
        if depth > MAX_NESTING:
            raise ValidationException(f"{av.TOO_DEEP_SHORT} under {path}")
        token = self.token
        if depth and token.text == "?" and token.kind == "symbol":
            raise ValidationException(f"Unsupported data type: Parameter under key {path} at {self.place(token)}")
        if token.kind == "end":
            raise malformed("Unexpected term")
        if self.calls:
            raise ValidationException(f"Unsupported data type: {token.text} under key {path} at {self.place(token)}")
        self.at += 1
        if token.kind == "text":
            return {"S": token.text}
        if token.kind == "number":
            return _number(token.text, path)
        if token.kind == "symbol":
            compound: Value = yield self.compound(token.text, depth, path)
            return compound
        if token.kind == "word" and token.text.lower() in ("true", "false"):
            return {"BOOL": token.text.lower() == "true"}
        if token.kind == "word" and token.text.lower() == "null":
            return {"NULL": True}
        raise malformed("Unexpected token")

    def compound(self, opening: str, depth: int, path: str) -> Rule[Value]:
        if opening == "?":
            if self.taken >= len(self.parameters):
                raise ValidationException(MISCOUNTED)
            self.taken += 1
            return self.parameters[self.taken - 1]
        if opening in ("-", "+"):
            return self.signed(opening, path)
        if opening == "[":
            return {"L": (yield self.members("]", depth, path))}
        if opening == "<<":
            start = self.at
            members = yield self.members(">>", depth, path)
            written = "".join(word.text for word in self.words[start : self.at - 1])
            return _set(members, written.replace(",", ", "), path)
        if opening == "{":
            item: Value = yield self.tuple(depth, path)
            return item
        raise malformed("Unexpected token")

    def signed(self, sign: str, path: str) -> Value:
        """A number after its sign; more signs may stand between."""
        while self.token.kind == "symbol" and self.token.text in ("-", "+"):
            sign = "-" if sign != self.token.text else "+"
            self.at += 1
        if self.token.kind != "number":
            raise malformed("Unexpected token")
        self.at += 1
        return _number(sign + self.words[self.at - 1].text, path)

    def members(self, closing: str, depth: int, path: str) -> Rule[list[Value]]:
        found: list[Value] = []
        if self.symbol(closing):
            return found
        found.append((yield self.value(depth + 1, f"{path}[0]")))
        while self.symbol(","):
            found.append((yield self.value(depth + 1, f"{path}[{len(found)}]")))
        self.need_symbol(closing)
        return found

    def tuple(self, depth: int, path: str) -> Rule[Value]:
        members: dict[str, Value] = {}
        if self.symbol("}"):
            return {"M": members}
        while True:
            token = self.token
            if token.kind not in ("text", "quoted"):
                raise malformed("Expected an attribute name in quotes")
            self.at += 1
            self.need_symbol(":")
            members[token.text] = yield self.value(depth + 1 if path else 0, f"{path}.{token.text}" if path else "root")
            if not self.symbol(","):
                break
        self.need_symbol("}")
        return {"M": members}


def _number(text: str, path: str) -> Value:
    value: Value = {"N": text}
    try:
        av.check_value(value)
    except ValueFault as fault:
        raise ValidationException(f"{fault.older} under {path}") from None
    return value


def _set(members: list[Value], written: str, path: str) -> Value:
    """The set of a bag's members; `written` is how a bag of numbers reads in the statement."""
    if not members:
        raise ValidationException("Empty bags are not supported")
    kinds = {av.type_of(member) for member in members}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise ValidationException("A set must hold members of one type: strings, numbers or binaries")
    (kind,) = kinds
    value: Value = {f"{kind}S": [member[kind] for member in members]}
    try:
        av.check_value(value)
    except ValueFault as fault:
        if fault.older == av.REPEATED_NUMBERS:
            raise invalid(f"Input collection [{written}] contains duplicates! under {path}") from None
        raise fault.in_older_words() from None
    return value
