"""Patch operations: `op`, `path` and `value` on a document, each path with a rule of its own.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlast.cloud.services.apigateway.errors import BadRequestException

Document = dict[str, Any]
Convert = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a path changes the document. `ops` are those allowed; `at` names where the value goes."""

    ops: frozenset[str]
    convert: Convert
    at: tuple[str, ...]
    listed: bool = False


def text(value: str) -> str:
    """Any text."""
    return value


def boolean(value: str) -> bool:
    """`true` or `false`; raises BadRequestException."""
    if value.lower() not in ("true", "false"):
        raise BadRequestException(f"Invalid boolean value: {value}")
    return value.lower() == "true"


def number(value: str) -> float:
    """A number; raises BadRequestException."""
    try:
        return float(value)
    except ValueError as error:
        raise BadRequestException(f"Invalid number: {value}") from error


def whole(value: str) -> int:
    """A whole number; raises BadRequestException."""
    try:
        return int(value)
    except ValueError as error:
        raise BadRequestException(f"Invalid integer: {value}") from error


def refused(what: str) -> Convert:
    """A value that may only be what it is already: false or empty."""

    def check(value: str) -> Any:
        if value not in ("", "false", "0"):
            raise BadRequestException(f"{what} is not supported by this cloud.")
        return False if value == "false" else None

    return check


def replacing(convert: Convert, *at: str) -> Rule:
    """A single value that may be replaced."""
    return Rule(frozenset({"replace", "add"}), convert, at)


def keyed(convert: Convert, *at: str) -> Rule:
    """A value that may come, change and go; the last name of `at` may be taken from the path."""
    return Rule(frozenset({"add", "replace", "remove"}), convert, at)


def listing(*at: str) -> Rule:
    """A list of texts, named in the path."""
    return Rule(frozenset({"add", "remove", "replace"}), text, at, listed=True)


def segments(path: str) -> tuple[str, ...]:
    """The parts of a JSON pointer, unescaped."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])


def _match(path: tuple[str, ...], rules: Mapping[str, Rule]) -> tuple[Rule, dict[str, str]] | None:
    for template, rule in rules.items():
        parts = template.split("/")[1:]
        if len(parts) != len(path):
            continue
        pairs = list(zip(parts, path, strict=True))
        if all(part.startswith("{") or part == given for part, given in pairs):
            return rule, {part[1:-1]: given for part, given in pairs if part.startswith("{")}
    return None


def apply(document: Document, operations: Sequence[Mapping[str, Any]] | None, rules: Mapping[str, Rule]) -> Document:
    """The document after all operations; raises BadRequestException and then nothing has changed."""
    changed: Document = _copy(document)
    for operation in operations or ():
        op, path = operation.get("op", ""), operation.get("path", "")
        found = _match(segments(path), rules)
        if found is None:
            raise BadRequestException(f"Invalid patch path '{path}' specified for op '{op}'.")
        rule, names = found
        if op not in rule.ops:
            raise BadRequestException(f"Invalid patch operation '{op}' specified for path '{path}'.")
        _change(changed, op, rule, names, operation.get("value"))
    return changed


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return list(value) if isinstance(value, list) else value


def _change(document: Document, op: str, rule: Rule, names: Mapping[str, str], value: str | None) -> None:
    at = [names.get(name[1:-1], name) if name.startswith("{") else name for name in rule.at]
    if rule.listed:
        _change_list(document, op, at, value)
        return
    for name in at[:-1]:
        document = document.setdefault(name, {})
    if op == "remove":
        document.pop(at[-1], None)
        return
    if value is None:
        raise BadRequestException("Invalid patch value specified: a value is required.")
    document[at[-1]] = rule.convert(value)


def _change_list(document: Document, op: str, at: Sequence[str], value: str | None) -> None:
    *where, member = at
    for name in where[:-1]:
        document = document.setdefault(name, {})
    values: list[str] = document.setdefault(where[-1], [])
    if op in ("remove", "replace") and member in values:
        values.remove(member)
    if op == "add" and member not in values:
        values.append(member)
    if op == "replace" and value is not None:
        values.append(value)
