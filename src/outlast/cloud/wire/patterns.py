"""The models' patterns are Java regular expressions; this makes Python ones of them, or none where that cannot be.

Java's POSIX and Unicode classes are written out as ranges of the basic plane; code points beyond it are accepted.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import lru_cache

MAX_CHECKED_LENGTH = 8192
"""Longer text is not matched: a pattern that backtracks must not hold the Region up."""
_ASCII = {
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Upper": "A-Z",
    "Lower": "a-z",
    "Punct": r"!-/:-@\[-`{-~",
    "ASCII": r"\x00-\x7f",
    "Space": r" \t\n\x0b\f\r",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Print": r"\x20-\x7e",
    "Graph": r"\x21-\x7e",
}
_PROPERTY = re.compile(r"\\p(?:\{(?:Is)?([A-Za-z]+)\}|([A-Z]))")


@lru_cache(maxsize=1)
def _categories() -> dict[str, str]:
    """Ranges of the basic plane for every general category and its first letter, ready for a character class."""
    runs: dict[str, list[list[int]]] = {}
    for code in range(0x10000):
        if 0xD800 <= code <= 0xDFFF:
            continue
        category = unicodedata.category(chr(code))
        for name in (category, category[0]):
            ranges = runs.setdefault(name, [])
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    beyond = "\\U00010000-\\U0010ffff"
    return {
        name: "".join(f"\\u{low:04x}-\\u{high:04x}" for low, high in ranges) + beyond for name, ranges in runs.items()
    }


def translate(pattern: str) -> str | None:
    """The pattern in Python's syntax, or None when it uses what Python lacks."""
    out = []
    in_class = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        match = _PROPERTY.match(pattern, position)
        if match is not None:
            name = match.group(1) or match.group(2)
            ranges = _ASCII.get(name) or _categories().get(name)
            if ranges is None:
                return None
            out.append(ranges if in_class else f"[{ranges}]")
            position = match.end()
            continue
        if character == "\\":
            out.append(_escape(pattern[position : position + 2]))
            position += 2
            continue
        if character == "[" and not in_class:
            in_class = True
        elif character == "]" and in_class and out[-1] not in ("[", "[^"):
            in_class = False
        elif in_class and (character == "[" or pattern.startswith("&&", position)):
            return None
        out.append("[^" if character == "[" and pattern.startswith("[^", position) else character)
        position += len(out[-1])
    return "".join(out)


def _escape(pair: str) -> str:
    return {"\\z": "\\Z", "\\h": " ", "\\/": "/"}.get(pair, pair)


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], object] | None:
    """A function that tells whether a text satisfies the pattern, or None when Python cannot judge it.

    AWS matches the whole text, unless the pattern anchors one end only.
    """
    translated = translate(pattern)
    if translated is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(translated)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError):
        return None
    starts, ends = pattern.startswith("^"), pattern.endswith("$")
    if starts == ends:
        return compiled.fullmatch
    return compiled.match if starts else compiled.search
