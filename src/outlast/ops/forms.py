"""Files that people write: read within bounds, and held to the JSON Schema that says their form.

A file may come from anybody, so it is read no further than `LIMIT_BYTES`, nests no deeper than `MAX_DEPTH`, and has no
aliases: a few lines of those can stand for more text than any machine holds. What is wrong in it is named by its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from outlast.ops.outcome import UsageError

Place = tuple[str | int, ...]
"""Where something stands in a file: the names of members and the numbers of list members, from 1, that lead to it."""
LIMIT_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 30
LARGEST: Final = 1e300
"""No number in a file is larger: a whole number may be longer than any that can be reckoned with."""
KINDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda read: isinstance(read, str),
    "number": lambda read: isinstance(read, int | float) and not isinstance(read, bool) and abs(read) <= LARGEST,
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


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote: `read` is what it says, `source` where it is from, `lines` where each part stands."""

    read: Any
    source: str
    lines: Mapping[Place, int] = field(default_factory=dict)

    def at(self, place: Place, culprit: Place = ()) -> str:
        """The place in words; the line is that of `culprit` if there is one, of what it is in where it has none."""
        line_of = culprit or place
        while line_of and line_of not in self.lines:
            line_of = line_of[:-1]
        line = f", line {self.lines[line_of]}" if line_of in self.lines else ""
        words = [f"number {each}" if isinstance(each, int) else each for each in place]
        return ": ".join([f"{self.source}{line}", *words])

    def hold(self, schema: Mapping[str, Any]) -> None:
        """Raise UsageError that names what does not keep `schema`: a JSON Schema of the words used here."""
        _Holder(self, schema.get("$defs", {})).hold(self.read, schema, ())


def yaml_of(text: str, source: str) -> Written:
    """What a YAML text says; raises UsageError in one line."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Place, int] = {}
        if node is not None:
            _note_lines(node, (), lines, source)
        return Written(None if node is None else loader.construct_document(node), source, lines)
    except yaml.MarkedYAMLError as error:
        raise UsageError(_not_yaml(source, error)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{source} is not YAML: {' '.join(str(error).split())}.") from error
    except (LookupError, AttributeError) as error:  # what YAML's own tags make of a text that they do not fit
        raise UsageError(f"{source} is not YAML: a tag such as !!int stands before what it cannot be.") from error


def _not_yaml(source: str, error: yaml.MarkedYAMLError) -> str:
    """The problem and its line first, as every other message has it."""
    mark = error.problem_mark or error.context_mark
    line = f", line {mark.line + 1}," if mark else ""
    context = f" {error.context}" if error.context else ""
    return f"{source}{line} is not YAML: {error.problem or 'it cannot be read'}{context}."


def _note_lines(node: Node, place: Place, lines: dict[Place, int], source: str) -> None:
    """Note the lines of everything below a node. Raises UsageError where a member is there twice: one of the two would
    count for nothing."""
    if isinstance(node, SequenceNode):
        for number, member in enumerate(node.value, 1):
            lines[*place, number] = member.start_mark.line + 1
            _note_lines(member, (*place, number), lines, source)
    elif isinstance(node, MappingNode):
        for key, member in node.value:
            if not isinstance(key, ScalarNode):
                continue  # no name: whoever holds the mapping to its form refuses it
            below, line = (*place, str(key.value)), key.start_mark.line + 1
            if below in lines:
                raise UsageError(f"{source}, line {line}: {key.value} is there already, in line {lines[below]}.")
            lines[below] = line
            _note_lines(member, below, lines, source)


def hold(read: Any, schema: Mapping[str, Any], where: str) -> None:
    """Raise UsageError that names what in `read` does not keep `schema`: a JSON Schema of the words used here."""
    Written(read, where).hold(schema)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Holds a whole and its parts to a schema. `named`: the parts of schemas that others refer to."""

    whole: Written
    named: Mapping[str, Any]

    def hold(self, read: Any, schema: Mapping[str, Any], place: Place) -> None:
        if "$ref" in schema:
            self.hold(read, self.named[str(schema["$ref"]).rpartition("/")[2]], place)
            return
        kinds: list[str] = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
        if kinds and not any(KINDS[kind](read) for kind in kinds):
            raise self._wrong(place, f"must be {' or '.join(WORDS[kind] for kind in kinds)}")
        if "const" in schema and read != schema["const"]:
            raise self._wrong(place, f"must be {schema['const']}")
        if "enum" in schema and read not in schema["enum"]:
            raise self._wrong(place, f"must be one of {', '.join(map(str, schema['enum']))}")
        if isinstance(read, dict):
            self._members(read, schema, place)
        elif isinstance(read, list):
            self._list(read, schema, place)
        elif isinstance(read, str):
            self._text(read, schema, place)
        elif KINDS["number"](read):
            self._number(read, schema, place)
        elif not (read is None or isinstance(read, bool)):
            raise self._wrong(place, "must be text, a number, true or false")

    def _wrong(self, place: Place, text: str, culprit: Place = ()) -> UsageError:
        return UsageError(f"{self.whole.at(place, culprit)} {text}.")

    def _members(self, read: Mapping[Any, Any], schema: Mapping[str, Any], place: Place) -> None:
        known: Mapping[str, Any] = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False
        others = {} if closed else schema.get("additionalProperties", {})
        for name in read:
            if not isinstance(name, str) or (closed and name not in known):
                has = f"has no member {name}; it has {', '.join(sorted(known))}"
                raise self._wrong(place, has, (*place, str(name)))
        for name in schema.get("required", ()):
            if name not in read:
                raise UsageError(f"{self.whole.at(place)}: the member {name} is missing.")
        for name, value in read.items():
            self.hold(value, known.get(name, others), (*place, name))

    def _list(self, read: list[Any], schema: Mapping[str, Any], place: Place) -> None:
        if len(read) < schema.get("minItems", 0) or len(read) > schema.get("maxItems", len(read)):
            raise self._wrong(place, "does not have as many members as it must")
        for number, value in enumerate(read, 1):
            self.hold(value, schema.get("items", {}), (*place, number))
        if schema.get("uniqueItems") and any(value in read[:before] for before, value in enumerate(read)):
            raise self._wrong(place, "names something twice")

    def _text(self, read: str, schema: Mapping[str, Any], place: Place) -> None:
        if len(read) < schema.get("minLength", 0):
            raise self._wrong(place, "must not be empty")
        if "pattern" in schema and not re.fullmatch(schema["pattern"], read):
            like = schema.get("examples", [schema["pattern"]])[0]
            raise self._wrong(place, f"must be like {like}, not {read[:80]!r}")

    def _number(self, read: float, schema: Mapping[str, Any], place: Place) -> None:
        if read < schema.get("minimum", read) or read > schema.get("maximum", read):
            if "maximum" not in schema:
                raise self._wrong(place, f"must be {schema['minimum']} or more, not {read}")
            raise self._wrong(place, f"must be from {schema.get('minimum', '…')} to {schema['maximum']}, not {read}")
        if read <= schema.get("exclusiveMinimum", -math.inf):
            raise self._wrong(place, f"must be more than {schema['exclusiveMinimum']}, not {read}")
