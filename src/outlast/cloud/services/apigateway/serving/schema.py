"""JSON Schema draft 4, the part that request models use.

https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html. A schema is compiled once;
keywords that are not supported are refused when the model is made, never ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Check = Callable[[Any], bool]
MAX_DEPTH: Final = 64
ANNOTATIONS: Final = frozenset(
    {"$schema", "id", "title", "description", "default", "example", "examples", "format", "definitions", "readOnly"}
)


class BadSchema(Exception):
    """The schema is malformed or uses what is not supported."""


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


TYPES: Final[Mapping[str, Check]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": _is_integer,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def compile_schema(schema: Any, lookup: Callable[[str], Any]) -> Check:
    """A check for values. `lookup` gives the schema of another model by name. Raises BadSchema."""
    return _Compiler(schema, lookup).compile(schema, 0)


class _Later:
    """A check that is known once the schema it belongs to has been compiled: schemas may refer to themselves."""

    check: Check

    def __call__(self, value: Any) -> bool:
        return self.check(value)


class _Compiler:
    def __init__(self, root: Any, lookup: Callable[[str], Any]) -> None:
        self._root = root
        self._lookup = lookup
        self._references: dict[str, Check] = {}

    def compile(self, schema: Any, depth: int) -> Check:
        if not isinstance(schema, dict):
            raise BadSchema("a schema must be an object")
        if depth > MAX_DEPTH:
            raise BadSchema("the schema is nested too deeply")
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]), depth)
        checks: list[Check] = []
        for keyword, value in schema.items():
            maker = KEYWORDS.get(keyword)
            if maker is not None:
                checks.append(maker(self, value, schema, depth + 1))
            elif keyword not in ANNOTATIONS and keyword not in PARTNERS:
                raise BadSchema(f"the keyword {keyword} is not supported")
        if len(checks) == 1:
            return checks[0]
        return lambda value: all(check(value) for check in checks)

    def _reference(self, reference: str, depth: int) -> Check:
        if reference not in self._references:
            later = _Later()
            self._references[reference] = later
            later.check = self.compile(self._target(reference), depth + 1)
        return self._references[reference]

    def _target(self, reference: str) -> Any:
        if "/models/" in reference and not reference.startswith("#"):
            return self._lookup(reference.rpartition("/models/")[2])
        if not reference.startswith("#"):
            raise BadSchema(f"the reference {reference} is not supported")
        target = self._root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or key not in target:
                raise BadSchema(f"the reference {reference} leads nowhere")
            target = target[key]
        return target


Maker = Callable[[_Compiler, Any, Mapping[str, Any], int], Check]


def _type(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    names = value if isinstance(value, list) else [value]
    try:
        checks = [TYPES[name] for name in names]
    except (KeyError, TypeError) as error:
        raise BadSchema(f"{value} is no type") from error
    return lambda each: any(check(each) for check in checks)


def _properties(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    checks = {name: compiler.compile(each, depth) for name, each in _object(value).items()}
    return lambda each: (
        not isinstance(each, dict) or all(check(each[name]) for name, check in checks.items() if name in each)
    )


def _pattern_properties(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    checks = [(_pattern_of(name), compiler.compile(each, depth)) for name, each in _object(value).items()]
    return lambda each: (
        not isinstance(each, dict)
        or all(check(item) for name, item in each.items() for pattern, check in checks if pattern.search(name))
    )


def _additional_properties(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    known = frozenset(schema.get("properties", ()))
    patterns = [_pattern_of(name) for name in schema.get("patternProperties", ())]
    check: Check = (lambda _: value) if isinstance(value, bool) else compiler.compile(value, depth)
    return lambda each: (
        not isinstance(each, dict)
        or all(
            check(item)
            for name, item in each.items()
            if name not in known and not any(pattern.search(name) for pattern in patterns)
        )
    )


def _required(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    names = _list(value)
    return lambda each: not isinstance(each, dict) or all(name in each for name in names)


def _items(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    if isinstance(value, list):
        checks = [compiler.compile(each, depth) for each in value]
        rest = schema.get("additionalItems", True)
        more: Check = (lambda _: bool(rest)) if isinstance(rest, bool) else compiler.compile(rest, depth)
        return lambda each: (
            not isinstance(each, list)
            or all((checks[at] if at < len(checks) else more)(item) for at, item in enumerate(each))
        )
    check = compiler.compile(value, depth)
    return lambda each: not isinstance(each, list) or all(check(item) for item in each)


def _enum(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    allowed = _list(value)
    return lambda each: any(same(each, one) for one in allowed)


def _number(compare: Callable[[float, float], bool], strict: str = "") -> Maker:
    def make(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
        if not TYPES["number"](value):
            raise BadSchema(f"{value} is no number")
        exclusive = bool(schema.get(strict, False))
        return lambda each: not TYPES["number"](each) or (compare(each, value) and not (exclusive and each == value))

    return make


def _size(of: type[str] | type[list[Any]] | type[dict[str, Any]], compare: Callable[[int, int], bool]) -> Maker:
    def make(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
        if not _is_integer(value):
            raise BadSchema(f"{value} is no size")
        return lambda each: not isinstance(each, of) or compare(len(each), value)

    return make


def _pattern(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    pattern = _pattern_of(value)
    return lambda each: not isinstance(each, str) or pattern.search(each) is not None


def _unique(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    def check(each: Any) -> bool:
        if not value or not isinstance(each, list):
            return True
        return not any(same(one, other) for at, one in enumerate(each) for other in each[:at])

    return check


def _several(decide: Callable[[int, int], bool]) -> Maker:
    def make(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
        checks = [compiler.compile(each, depth) for each in _list(value)]
        return lambda each: decide(sum(check(each) for check in checks), len(checks))

    return make


def _not(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    check = compiler.compile(value, depth)
    return lambda each: not check(each)


def _dependencies(compiler: _Compiler, value: Any, schema: Mapping[str, Any], depth: int) -> Check:
    def one(needs: Any) -> Check:
        if isinstance(needs, list):
            return lambda each: all(name in each for name in needs)
        return compiler.compile(needs, depth)

    checks = {name: one(needs) for name, needs in _object(value).items()}
    return lambda each: not isinstance(each, dict) or all(check(each) for name, check in checks.items() if name in each)


def _multiple(value: float, of: float) -> bool:
    quotient = value / of
    return math.isclose(quotient, round(quotient), rel_tol=0, abs_tol=1e-9)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadSchema(f"{value} is no object")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadSchema(f"{value} is no list with members")
    return value


def _pattern_of(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(str(value))
    except re.error as error:
        raise BadSchema(f"{value} is no pattern") from error


PARTNERS: Final = frozenset({"exclusiveMinimum", "exclusiveMaximum", "additionalItems"})
"""Keywords that another keyword reads."""

KEYWORDS: Final[Mapping[str, Maker]] = {
    "type": _type,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "items": _items,
    "enum": _enum,
    "minimum": _number(lambda value, bound: value >= bound, "exclusiveMinimum"),
    "maximum": _number(lambda value, bound: value <= bound, "exclusiveMaximum"),
    "multipleOf": _number(_multiple),
    "minLength": _size(str, lambda size, bound: size >= bound),
    "maxLength": _size(str, lambda size, bound: size <= bound),
    "minItems": _size(list, lambda size, bound: size >= bound),
    "maxItems": _size(list, lambda size, bound: size <= bound),
    "minProperties": _size(dict, lambda size, bound: size >= bound),
    "maxProperties": _size(dict, lambda size, bound: size <= bound),
    "pattern": _pattern,
    "uniqueItems": _unique,
    "allOf": _several(lambda count, total: count == total),
    "anyOf": _several(lambda count, total: count > 0),
    "oneOf": _several(lambda count, total: count == 1),
    "not": _not,
    "dependencies": _dependencies,
}
