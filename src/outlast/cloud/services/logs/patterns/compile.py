"""Patterns compiled to predicates: terms, JSON conditions in braces, space-delimited fields in brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from outlast.cloud.services.logs.patterns.jsonrules import read_json_rule
from outlast.cloud.services.logs.patterns.spaced import read_spaced
from outlast.cloud.services.logs.patterns.values import MISSING, read_selector

MAX_LENGTH: Final = 1024
_TERM: Final = re.compile(r"\s*([-?]?)(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\"]+))")

Extracted = Mapping[str, str]


class PatternFault(Exception):
    """A pattern that cannot be read; the text says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `match(message)` gives what it extracts, or None for no match."""

    text: str
    match: Callable[[str], Extracted | None]

    def value(self, message: str, wanted: str) -> str | None:
        """What a metric filter's value means for a message: a literal, `$.selector` or `$field`."""
        if not wanted.startswith("$"):
            return wanted
        selector = read_selector(wanted)
        if selector is not None:
            found = selector.find(parsed(message))
            return None if found is MISSING or isinstance(found, dict | list) else str(found)
        extracted = self.match(message)
        return None if extracted is None else extracted.get(wanted)


@lru_cache(maxsize=512)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern; raises PatternFault."""
    if len(text) > MAX_LENGTH:
        raise PatternFault(f"A filter pattern may have at most {MAX_LENGTH} characters")
    plain = text.strip()
    try:
        if plain.startswith("{"):
            return Pattern(text, _json(plain))
        if plain.startswith("["):
            return Pattern(text, read_spaced(plain))
    except ValueError as error:
        raise PatternFault(str(error)) from error
    return Pattern(text, _terms(plain))


def parsed(message: str) -> Any:
    """The JSON document in a message; MISSING when it is none."""
    if message.lstrip()[:1] not in ("{", "["):
        return MISSING
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError:
        return MISSING


def _json(text: str) -> Callable[[str], Extracted | None]:
    rule, selectors = read_json_rule(text)

    def match(message: str) -> Extracted | None:
        document = parsed(message)
        if document is MISSING or not rule(document):
            return None
        found = {name: selector.find(document) for name, selector in selectors}
        return {name: str(value) for name, value in found.items() if value is not MISSING}

    return match


def _terms(text: str) -> Callable[[str], Extracted | None]:
    needed: list[str] = []
    excluded: list[str] = []
    optional: list[str] = []
    place = 0
    while place < len(text):
        found = _TERM.match(text, place)
        if found is None:
            raise PatternFault(f"Invalid filter pattern at: {text[place : place + 20]}")
        place = found.end()
        mark, quoted, bare = found.groups()
        if quoted is None and bare.startswith("%"):
            raise PatternFault("Regular expressions in filter patterns are not supported by this cloud")
        if quoted is None and not re.fullmatch(r"[\w.*]+", bare):
            raise PatternFault(f"Invalid character in the term {bare}: put it in double quotes")
        term = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
        {"": needed, "-": excluded, "?": optional}[mark].append(term)
    if needed or excluded:
        optional = []

    def match(message: str) -> Extracted | None:
        good = (
            all(term in message for term in needed)
            and not any(term in message for term in excluded)
            and (not optional or any(term in message for term in optional))
        )
        return {} if good else None

    return match
