"""Space-delimited patterns: `[ip, user, ..., status_code = 4*, bytes > 1000]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.logs.patterns.values import compare

_FIELD: Final = re.compile(r"\"([^\"]*)\"|\[([^\]]*)\]|(\S+)")
_CONDITION: Final = re.compile(r"\s*([A-Za-z_][\w\-]*)\s*(!=|<=|>=|=|<|>)\s*(?:\"([^\"]*)\"|(\S+))\s*\Z")
_NAME: Final = re.compile(r"[A-Za-z_][\w\-]*\Z")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the pattern: its name, and alternatives of conditions joined by AND."""

    name: str
    alternatives: tuple[tuple[tuple[str, str, bool], ...], ...] = ()

    def holds(self, value: str) -> bool:
        """Whether the field's conditions hold."""
        return not self.alternatives or any(
            all(compare(value, sign, wanted, quoted) for sign, wanted, quoted in both) for both in self.alternatives
        )


def read_spaced(text: str) -> Callable[[str], Mapping[str, str] | None]:
    """The predicate of a pattern in brackets; raises ValueError that says what is wrong."""
    if not text.endswith("]"):
        raise ValueError("Invalid filter pattern: a pattern of fields ends with a closing bracket")
    parts = [part.strip() for part in _split(text[1:-1])]
    if parts.count("...") > 1:
        raise ValueError("Invalid filter pattern: ... may stand once")
    gap = parts.index("...") if "..." in parts else None
    fields = [_field(part) for part in parts if part != "..."]

    def match(message: str) -> Mapping[str, str] | None:
        values = [double or square or plain for double, square, plain in _FIELD.findall(message)]
        if gap is None and len(values) != len(fields):
            return None
        if len(values) < len(fields):
            return None
        head = len(fields) if gap is None else gap
        tail = len(fields) - head
        chosen = values[:head] + (values[-tail:] if tail else [])
        if not all(field.holds(value) for field, value in zip(fields, chosen, strict=True)):
            return None
        return {f"${field.name}": value for field, value in zip(fields, chosen, strict=True)}

    return match


def _split(text: str) -> list[str]:
    parts, current, quoted = [], "", False
    for sign in text:
        if sign == '"':
            quoted = not quoted
        if sign == "," and not quoted:
            parts.append(current)
            current = ""
        else:
            current += sign
    return [*parts, current]


def _field(text: str) -> Field:
    if _NAME.match(text):
        return Field(text)
    names: set[str] = set()
    alternatives = []
    for either in text.split("||"):
        both = []
        for one in either.split("&&"):
            found = _CONDITION.match(one)
            if found is None:
                raise ValueError(f"Invalid filter pattern: the field {text} cannot be read")
            name, sign, quoted, bare = found.groups()
            if bare is not None and bare.startswith("%"):
                raise ValueError("Regular expressions in filter patterns are not supported by this cloud")
            names.add(name)
            both.append((sign, quoted if quoted is not None else bare, quoted is not None))
        alternatives.append(tuple(both))
    if len(names) != 1:
        raise ValueError(f"Invalid filter pattern: the field {text} has more than one name")
    return Field(names.pop(), tuple(alternatives))
