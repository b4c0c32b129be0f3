"""Patterns of policies: `*` and `?` wildcards and `${variables}`, compiled to predicates.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html#reference_policies_elements_resource_wildcards
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Context = Mapping[str, Sequence[str]]
"""Condition keys in lower case and their values in a request."""
Test = Callable[[str], bool]
ContextTest = Callable[[str, Context], bool]

STAR = 0
ANY_ONE = 1
Token = str | int
"""Text that stands for itself, or one of the two wildcards."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"([^,]*?)\s*,\s*'(.*)'\s*", re.DOTALL)
_LITERALS = frozenset("*?$")


class BadVariable(ValueError):
    """A `${…}` that cannot be read."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable: the context key in lower case, and the value that stands in when the key is not there."""

    key: str
    default: str | None
    spelled: str
    """The key as the policy writes it."""


Piece = Token | Variable


def pieces_of(pattern: str, *, variables: bool, wildcards: bool = True) -> tuple[Piece, ...]:
    """The pattern taken apart. `variables` holds for policies of version 2012-10-17 only."""
    found: list[Piece] = []
    at = 0
    for match in _VARIABLE.finditer(pattern) if variables else ():
        found.extend(_tokens(pattern[at : match.start()], wildcards))
        name = match[1]
        found.append(name if name in _LITERALS else _variable(name))
        at = match.end()
    found.extend(_tokens(pattern[at:], wildcards))
    return tuple(found)


def _tokens(text: str, wildcards: bool) -> list[Token]:
    if not wildcards:
        return [text] if text else []
    return [STAR if part == "*" else ANY_ONE if part == "?" else part for part in re.split(r"([*?])", text) if part]


def _variable(name: str) -> Variable:
    with_default = _DEFAULT.fullmatch(name)
    key, default = (with_default[1], with_default[2]) if with_default else (name, None)
    key = key.strip()
    if not key or "," in key or " " in key.partition("/")[0]:
        raise BadVariable(name)
    return Variable(key.lower(), default, key)


@lru_cache(maxsize=8192)
def glob(tokens: tuple[Token, ...], fold_case: bool = False) -> Test:
    """A predicate for the whole of a text. Runs in time linear in the text for each run between stars."""
    if fold_case:
        plain = glob(tuple(token.lower() if isinstance(token, str) else token for token in tokens))
        return lambda text: plain(text.lower())
    if all(isinstance(token, str) for token in tokens):
        literal = "".join(str(token) for token in tokens)
        return lambda text: text == literal
    if set(tokens) == {STAR}:
        return lambda _text: True
    if tokens[-1] == STAR and all(isinstance(token, str) for token in tokens[:-1]):
        prefix = "".join(str(token) for token in tokens[:-1])
        return lambda text: text.startswith(prefix)
    return _stars(tokens)


def _stars(tokens: tuple[Token, ...]) -> Test:
    """Match the runs between stars from left to right, each at its first place; that finds a match if there is one."""
    runs: list[str] = [""]
    for token in tokens:
        if token == STAR:
            runs.append("")
        else:
            runs[-1] += "." if token == ANY_ONE else re.escape(str(token))
    if len(runs) == 1:
        whole = re.compile(runs[0], re.DOTALL)
        return lambda text: whole.fullmatch(text) is not None
    first = re.compile(runs[0], re.DOTALL)
    middle = [re.compile(run, re.DOTALL) for run in runs[1:-1] if run]
    last = re.compile(f"(?:{runs[-1]})\\Z", re.DOTALL)
    last_length = sum(1 if token == ANY_ONE else len(str(token)) for token in _after_last_star(tokens))

    def matches(text: str) -> bool:
        found = first.match(text)
        for run in middle:
            if found is None:
                return False
            found = run.search(text, found.end())
        if found is None:
            return False
        start = len(text) - last_length
        return start >= found.end() and last.match(text, start) is not None

    return matches


def _after_last_star(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    return tokens[len(tokens) - tokens[::-1].index(STAR) :]


def resolve(pieces: tuple[Piece, ...], context: Context) -> tuple[Token, ...] | None:
    """The pattern with its variables filled in; what they stand for is taken literally. None when one is unknown."""
    filled: list[Token] = []
    for piece in pieces:
        if isinstance(piece, Variable):
            values = context.get(piece.key)
            if values is not None and len(values) == 1:
                filled.append(values[0])
            elif piece.default is not None:
                filled.append(piece.default)
            else:
                return None
        else:
            filled.append(piece)
    return tuple(filled)


def variables_in(pieces: tuple[Piece, ...]) -> dict[str, str]:
    """The context keys that a pattern needs: in lower case, and as the policy writes them."""
    return {piece.key: piece.spelled for piece in pieces if isinstance(piece, Variable)}


def context_glob(pieces: tuple[Piece, ...], fold_case: bool = False) -> ContextTest:
    """A predicate that fills in variables from the request's context; an unknown one matches nothing."""
    if not variables_in(pieces):
        fixed = glob(tuple(piece for piece in pieces if not isinstance(piece, Variable)), fold_case)
        return lambda text, _context: fixed(text)

    def test(text: str, context: Context) -> bool:
        tokens = resolve(pieces, context)
        return tokens is not None and glob(tokens, fold_case)(text)

    return test


def any_of(patterns: Sequence[str], *, fold_case: bool = False) -> Test:
    """A predicate for a text that matches at least one of the patterns, without variables."""
    exact = frozenset(p.lower() if fold_case else p for p in patterns if "*" not in p and "?" not in p)
    globs = [glob(_fixed(p), fold_case) for p in patterns if "*" in p or "?" in p]

    def test(text: str) -> bool:
        if (text.lower() if fold_case else text) in exact:
            return True
        return any(matches(text) for matches in globs)

    return test


def _fixed(pattern: str) -> tuple[Token, ...]:
    return tuple(_tokens(pattern, wildcards=True))
