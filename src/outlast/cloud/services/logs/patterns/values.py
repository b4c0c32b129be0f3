"""Values of log events: selectors into JSON, comparison with what a pattern wants."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Any, Final


class Missing:
    """What a selector finds where there is nothing."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
_STEP: Final = re.compile(r"\.([A-Za-z0-9_\-@]+)|\.?\[\s*(?:\"([^\"]*)\"|'([^']*)'|(\d+))\s*\]")


@dataclass(frozen=True, slots=True)
class Selector:
    """A path into a JSON document: `$.a.b[0]`."""

    steps: tuple[str | int, ...]

    def find(self, document: Any) -> Any:
        """What stands at the path; MISSING when nothing does."""
        found = document
        for step in self.steps:
            if isinstance(step, int):
                if not isinstance(found, list) or step >= len(found):
                    return MISSING
                found = found[step]
            elif isinstance(found, dict) and step in found:
                found = found[step]
            else:
                return MISSING
        return found


def read_selector(text: str) -> Selector | None:
    """The selector in `text`; None when it is none."""
    if not text.startswith("$"):
        return None
    steps: list[str | int] = []
    place = 1
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            return None
        name, double, single, index = found.groups()
        steps.append(int(index) if index is not None else name or double or single or "")
        place = found.end()
    return Selector(tuple(steps)) if steps else None


def number_of(value: Any) -> float | None:
    """A value as a number, as CloudWatch reads it (with K, M, G); None when it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        text = value.strip()
        factor = {"K": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:].upper(), 1.0)
        try:
            return float(text[:-1] if factor != 1.0 else text) * factor
        except ValueError:
            return None
    return None


def text_matches(value: str, wanted: str) -> bool:
    """Whether a text is what is wanted; `*` stands for any characters."""
    if "*" not in wanted:
        return value == wanted
    escaped = wanted.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(value, escaped)


def compare(value: Any, sign: str, wanted: str, quoted: bool) -> bool:
    """Whether `value` stands to `wanted` as `sign` says; a missing or unlike value never does, but for !=."""
    if value is MISSING or isinstance(value, dict | list) or value is None:
        return False
    right = None if quoted else number_of(wanted)
    left = number_of(value) if right is not None else None
    if left is not None and right is not None:
        return {
            "=": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[sign]
    if sign not in ("=", "!="):
        return False
    shown = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return text_matches(shown, wanted) == (sign == "=")
