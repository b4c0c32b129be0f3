"""Conditions on JSON log events: `{ ($.level = "ERROR" || $.code >= 500) && $.user NOT EXISTS }`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from outlast.cloud.services.logs.patterns.values import MISSING, Selector, compare, read_selector

Rule = Callable[[Any], bool]
MAX_DEPTH: Final = 30
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<selector>\$(?:\.?\[[^\]]*\]|\.[A-Za-z0-9_\-@]+)+)|(?P<sign>&&|\|\||!=|<=|>=|=|<|>|\(|\))"
    r"|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<word>[^\s()=<>!&|\"]+))"
)


def read_json_rule(text: str) -> tuple[Rule, tuple[tuple[str, Selector], ...]]:
    """The rule in braces and the selectors it uses; raises ValueError that says what is wrong."""
    if not text.endswith("}"):
        raise ValueError("Invalid filter pattern: a JSON pattern ends with a closing brace")
    reader = _Reader(text[1:-1])
    rule = reader.either(0)
    if reader.left:
        raise ValueError(f"Invalid filter pattern: unexpected {reader.left[0][1]}")
    return rule, tuple(reader.selectors.items())


class _Reader:
    def __init__(self, text: str) -> None:
        self.left = _tokens(text)
        self.selectors: dict[str, Selector] = {}

    def _take(self, word: str) -> bool:
        if self.left and self.left[0] == ("sign", word):
            self.left = self.left[1:]
            return True
        return False

    def either(self, depth: int) -> Rule:
        """Alternatives joined by ||."""
        if depth > MAX_DEPTH:
            raise ValueError("Invalid filter pattern: nested too deeply")
        rules = [self._both(depth)]
        while self._take("||"):
            rules.append(self._both(depth))
        return rules[0] if len(rules) == 1 else lambda document: any(rule(document) for rule in rules)

    def _both(self, depth: int) -> Rule:
        rules = [self._one(depth)]
        while self._take("&&"):
            rules.append(self._one(depth))
        return rules[0] if len(rules) == 1 else lambda document: all(rule(document) for rule in rules)

    def _one(self, depth: int) -> Rule:
        if self._take("("):
            rule = self.either(depth + 1)
            if not self._take(")"):
                raise ValueError("Invalid filter pattern: a parenthesis is not closed")
            return rule
        kind, text = self._next()
        selector = read_selector(text) if kind == "selector" else None
        if selector is None:
            raise ValueError(f"Invalid filter pattern: expected a selector such as $.name, found {text or 'the end'}")
        self.selectors[text] = selector
        return self._test(selector)

    def _next(self) -> tuple[str, str]:
        if not self.left:
            return "end", ""
        (kind, text), self.left = self.left[0], self.left[1:]
        return kind, text

    def _test(self, selector: Selector) -> Rule:
        kind, text = self._next()
        word = text.upper()
        if kind == "word" and word == "IS":
            return _is(selector, self._next()[1].upper())
        if kind == "word" and word == "NOT":
            if self._next()[1].upper() != "EXISTS":
                raise ValueError("Invalid filter pattern: expected NOT EXISTS")
            return lambda document: selector.find(document) is MISSING
        if kind == "word" and word == "EXISTS":
            return lambda document: selector.find(document) is not MISSING
        if kind != "sign" or text not in ("=", "!=", "<", "<=", ">", ">="):
            raise ValueError(f"Invalid filter pattern: expected a comparison, found {text or 'the end'}")
        wanted_kind, wanted = self._next()
        if wanted_kind not in ("quoted", "word"):
            raise ValueError("Invalid filter pattern: a comparison needs a value")
        if wanted_kind == "word" and wanted.startswith("%"):
            raise ValueError("Regular expressions in filter patterns are not supported by this cloud")
        quoted = wanted_kind == "quoted"
        return lambda document: compare(selector.find(document), text, wanted, quoted)


def _is(selector: Selector, word: str) -> Rule:
    wanted = {"NULL": None, "TRUE": True, "FALSE": False}
    if word not in wanted:
        raise ValueError(f"Invalid filter pattern: IS {word} is not a condition")
    return lambda document: selector.find(document) is wanted[word]


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"Invalid filter pattern at: {text[place : place + 20].strip()}")
        place = token.end()
        kind = token.lastgroup or ""
        value = token.group(kind)
        found.append((kind, re.sub(r"\\(.)", r"\1", value) if kind == "quoted" else value))
    return found
