"""Files that people write: read within bounds, and held to the JSON Schema that says their form.

A file may come from anybody, so it is read no further than `LIMIT_BYTES`, nests no deeper than `MAX_DEPTH`, and has no
aliases: a few lines of those can stand for more text than any machine holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import Node

from outlast.ops.outcome import UsageError

LIMIT_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 30
KINDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda read: isinstance(read, str),
    "number": lambda read: isinstance(read, int | float) and not isinstance(read, bool) and math.isfinite(read),
    "integer": lambda read: isinstance(read, int) and not isinstance(read, bool),
    "array": lambda read: isinstance(read, list),
    "object": lambda read: isinstance(read, dict),
    "boolean": lambda read: isinstance(read, bool),
    "null": lambda read: read is None,
}
WORDS: Final[Mapping[str, str]] = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
    "null": "absent",
}


def text_of(path: Path) -> str:
    """The text of a file; raises UsageError when it cannot be read, is no UTF-8, or is longer than `LIMIT_BYTES`."""
    try:
        with path.open("rb") as file:
            read = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if len(read) > LIMIT_BYTES:
        raise UsageError(f"{path} is longer than {LIMIT_BYTES} bytes.")
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.") from None


class _Loader(yaml.SafeLoader):
    """SafeLoader without aliases and without depth."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed here")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def yaml_of(text: str, source: str) -> Any:
    """What a YAML text says; raises UsageError in one line."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader, narrowed
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{source} is not YAML: {' '.join(str(error).split())}") from error


def hold(read: Any, schema: Mapping[str, Any], where: str) -> None:
    """Raise UsageError that names what in `read` does not keep `schema`: a JSON Schema of the words used here."""
    _hold(read, schema, schema.get("$defs", {}), where)


def _hold(read: Any, schema: Mapping[str, Any], named: Mapping[str, Any], where: str) -> None:
    if "$ref" in schema:
        _hold(read, named[str(schema["$ref"]).rpartition("/")[2]], named, where)
        return
    kinds: list[str] = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if kinds and not any(KINDS[kind](read) for kind in kinds):
        raise UsageError(f"{where} must be {' or '.join(WORDS[kind] for kind in kinds)}.")
    if "const" in schema and read != schema["const"]:
        raise UsageError(f"{where} must be {schema['const']}.")
    if "enum" in schema and read not in schema["enum"]:
        raise UsageError(f"{where} must be one of {', '.join(map(str, schema['enum']))}.")
    if isinstance(read, dict):
        _hold_members(read, schema, named, where)
    elif isinstance(read, list):
        _hold_list(read, schema, named, where)
    elif isinstance(read, str):
        _hold_text(read, schema, where)
    elif KINDS["number"](read):
        _hold_number(read, schema, where)
    elif not (read is None or isinstance(read, bool)):
        raise UsageError(f"{where} must be text, a number, true or false.")


def _hold_members(read: Mapping[Any, Any], schema: Mapping[str, Any], named: Mapping[str, Any], where: str) -> None:
    known: Mapping[str, Any] = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False
    others = {} if closed else schema.get("additionalProperties", {})
    for name in read:
        if not isinstance(name, str) or (closed and name not in known):
            raise UsageError(f"{where} has no member {name}; it has {', '.join(sorted(known))}.")
    for name in schema.get("required", ()):
        if name not in read:
            raise UsageError(f"{where}: the member {name} is missing.")
    for name, value in read.items():
        _hold(value, known.get(name, others), named, f"{where}: {name}")


def _hold_list(read: list[Any], schema: Mapping[str, Any], named: Mapping[str, Any], where: str) -> None:
    if len(read) < schema.get("minItems", 0) or len(read) > schema.get("maxItems", len(read)):
        raise UsageError(f"{where} does not have as many members as it must.")
    for number, value in enumerate(read, 1):
        _hold(value, schema.get("items", {}), named, f"{where}: number {number}")
    if schema.get("uniqueItems") and any(value in read[:place] for place, value in enumerate(read)):
        raise UsageError(f"{where} names something twice.")


def _hold_text(read: str, schema: Mapping[str, Any], where: str) -> None:
    if len(read) < schema.get("minLength", 0):
        raise UsageError(f"{where} must not be empty.")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], read):
        raise UsageError(f"{where} must be like {schema['pattern']}, not {read[:80]!r}.")


def _hold_number(read: float, schema: Mapping[str, Any], where: str) -> None:
    if read < schema.get("minimum", read) or read > schema.get("maximum", read):
        raise UsageError(f"{where} must be from {schema.get('minimum', '…')} to {schema.get('maximum', '…')}.")
    if read <= schema.get("exclusiveMinimum", -math.inf):
        raise UsageError(f"{where} must be more than {schema['exclusiveMinimum']}.")
