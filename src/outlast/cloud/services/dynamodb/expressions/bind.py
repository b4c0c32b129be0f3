"""Compiled expressions, cached by text, and the binding of a call's names and values to them.

Cached are the expressions with their names resolved; what depends on values (types of operands) is checked per call.
The cache is bounded and drops what was used longest ago.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.errors import ValueFault
from outlast.cloud.services.dynamodb.expressions.conditions import ConditionParser
from outlast.cloud.services.dynamodb.expressions.evaluate import Test, tester
from outlast.cloud.services.dynamodb.expressions.parser import Parser, ValueCheck
from outlast.cloud.services.dynamodb.expressions.projection import Projection, ProjectionParser
from outlast.cloud.services.dynamodb.expressions.tree import Action, Condition, PathParts
from outlast.cloud.services.dynamodb.expressions.update import Update
from outlast.cloud.services.dynamodb.expressions.updates import UpdateParser
from outlast.cloud.services.dynamodb.values import Value

CACHE_SIZE = 2000
_NAME_KEY = re.compile(r"#[0-9a-zA-Z_]+")
_VALUE_KEY = re.compile(r":[0-9a-zA-Z_]+")
MAX_REFERENCE_BYTES = 255
_NO_NAMES: Mapping[str, str] = {}


class Compiled:
    """One expression: what it uses and what must hold of the values bound to it."""

    __slots__ = ("checks", "heads", "label", "late", "paths", "places", "used_names", "used_values")

    def __init__(self, parser: Parser, late: str | None = None) -> None:
        self.label = parser.label
        self.used_names = frozenset(parser.used_names)
        self.used_values = tuple(parser.used_values)
        self.checks: tuple[ValueCheck, ...] = tuple(parser.value_checks)
        self.places = tuple(parser.check_places)
        self.paths: tuple[PathParts, ...] = tuple(parser.paths)
        self.heads = tuple(dict.fromkeys(str(path[0]) for path in self.paths))
        self.late = late

    def check_values(self, values: Mapping[str, Value]) -> None:
        """Demand that every value used is defined and has a type that fits; raises ValidationException."""
        for place, name in enumerate(self.used_values):
            if name not in values:
                self._check_before(place, values)
                raise ValidationException(
                    f"Invalid {self.label}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )
        if self.late is not None:
            raise ValidationException(f"Invalid {self.label}: {self.late}")
        for check in self.checks:
            message = check(values)
            if message is not None:
                raise ValidationException(f"Invalid {self.label}: {message}")

    def _check_before(self, place: int, values: Mapping[str, Value]) -> None:
        """A key condition names its first mistake in the order of its text, others an undefined value first."""
        if self.label == "KeyConditionExpression":
            for check, at in zip(self.checks, self.places, strict=True):
                message = check(values) if at <= place else None
                if message is not None:
                    raise ValidationException(f"Invalid {self.label}: {message}")


class CompiledCondition(Compiled):
    """A condition with its tree and its test."""

    __slots__ = ("condition", "test")

    def __init__(self, text: str, label: str, names: Mapping[str, str]) -> None:
        parser = ConditionParser(text, label, names)
        super().__init__(parser)
        self.condition: Condition = parser.condition
        self.test: Test = tester(parser.condition) if label != "KeyConditionExpression" else _never


class CompiledUpdate(Compiled):
    """An update with its actions, ready to apply."""

    __slots__ = ("actions", "update")

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        parser = UpdateParser(text, names)
        super().__init__(parser, parser.late)
        self.actions: tuple[Action, ...] = tuple(parser.actions)
        self.update = Update(self.actions)


class CompiledProjection(Compiled):
    """A projection."""

    __slots__ = ("projection",)

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        parser = ProjectionParser(text, names)
        super().__init__(parser)
        self.projection: Projection = parser.projection


def _never(_item: Any, _values: Any) -> bool:
    return False


_cache: OrderedDict[tuple[str, str, tuple[tuple[str, str], ...]], Compiled] = OrderedDict()


def _cached(label: str, text: str, names: Mapping[str, str], compile_: Callable[[], Compiled]) -> Any:
    key = (label, text, tuple(names.items()) if names else ())
    found = _cache.get(key)
    if found is not None:
        _cache.move_to_end(key)
        return found
    found = compile_()
    if len(text) <= 4096 and sum(map(len, names.values())) <= 4096:
        _cache[key] = found
        if len(_cache) > CACHE_SIZE:
            _cache.popitem(last=False)
    return found


def condition(text: str, label: str, names: Mapping[str, str] = _NO_NAMES) -> CompiledCondition:
    """The compiled ConditionExpression, FilterExpression or KeyConditionExpression; raises ValidationException."""
    compiled: CompiledCondition = _cached(label, text, names, lambda: CompiledCondition(text, label, names))
    return compiled


def update(text: str, names: Mapping[str, str] = _NO_NAMES) -> CompiledUpdate:
    """The compiled UpdateExpression; raises ValidationException."""
    compiled: CompiledUpdate = _cached("UpdateExpression", text, names, lambda: CompiledUpdate(text, names))
    return compiled


def projection(text: str, names: Mapping[str, str] = _NO_NAMES) -> CompiledProjection:
    """The compiled ProjectionExpression; raises ValidationException."""
    compiled: CompiledProjection = _cached("ProjectionExpression", text, names, lambda: CompiledProjection(text, names))
    return compiled


class Prepared(NamedTuple):
    """All expressions of one request, compiled together; its names are known to be defined and used."""

    update: CompiledUpdate | None
    condition: CompiledCondition | None
    key: CompiledCondition | None
    filter: CompiledCondition | None
    projection: CompiledProjection | None
    used_values: frozenset[str]
    checked: tuple[Compiled, ...]

    @property
    def all(self) -> tuple[Compiled, ...]:
        """The expressions there are, in the order in which AWS looks at them."""
        each = (self.update, self.condition, self.key, self.filter, self.projection)
        return tuple(compiled for compiled in each if compiled is not None)


class Texts(NamedTuple):
    """The expressions of one request as they were sent."""

    update: str | None = None
    condition: str | None = None
    key: str | None = None
    filter: str | None = None
    projection: str | None = None


_prepared: OrderedDict[tuple[Texts, tuple[tuple[str, str], ...]], Prepared] = OrderedDict()


def prepare(
    texts: Texts, names: Mapping[str, str] | None, values: Mapping[str, Value] | None
) -> tuple[Prepared, Mapping[str, Value]]:
    """The expressions of a request with its values checked and bound; raises ValidationException.

    A request whose texts and names came before costs one look-up and the checks of its values.
    """
    if values is not None and values.__class__ is not dict:
        raise av.mistyped(values, "structure")
    try:
        key = (texts, tuple(names.items()) if names else ())
        found = _prepared.get(key) if names != {} else None
    except TypeError:
        key, found = (texts, ()), None
    if found is None or (values.keys() if values else _NO_KEYS) != found.used_values:
        found, bound_values = _prepare(texts, names, values)
        _prepared[key] = found
        if len(_prepared) > CACHE_SIZE:
            _prepared.popitem(last=False)
        return found, bound_values
    if not values:
        check_values(values)  # refuses an empty map
        return found, _NO_VALUES
    for name, value in values.items():
        try:
            av.check_value(value)
        except ValidationException as fault:
            raise _invalid_value(fault, name) from None
    for compiled in found.checked:
        compiled.check_values(values)
    return found, values


def _prepare(
    texts: Texts, names: Mapping[str, str] | None, values: Mapping[str, Value] | None
) -> tuple[Prepared, Mapping[str, Value]]:
    """The same, step by step in AWS's order, so that the first mistake is the one that is named."""
    bound_names, bound_values = check_names(names), check_values(values)
    compiled: list[Compiled | None] = []
    for kind, text in zip(texts._fields, texts, strict=True):
        each = None if text is None else _COMPILERS[kind](text, bound_names)
        if each is not None:
            each.check_values(bound_values)
        compiled.append(each)
    present = [each for each in compiled if each is not None]
    check_unused(bound_names, bound_values, present)
    used = frozenset(name for each in present for name in each.used_values)
    checked = tuple(each for each in present if each.checks or each.late is not None)
    made: Any = Prepared
    prepared: Prepared = made(*compiled, used, checked)
    return prepared, bound_values


_COMPILERS: Mapping[str, Callable[[str, Mapping[str, str]], Compiled]] = {
    "update": update,
    "condition": lambda text, names: condition(text, "ConditionExpression", names),
    "key": lambda text, names: condition(text, "KeyConditionExpression", names),
    "filter": lambda text, names: condition(text, "FilterExpression", names),
    "projection": projection,
}
_NO_KEYS: frozenset[str] = frozenset()
_NO_VALUES: Mapping[str, Value] = {}


def check_names(names: Mapping[str, str] | None) -> Mapping[str, str]:
    """The ExpressionAttributeNames of a call, checked; an empty map when it has none."""
    if names is None:
        return _NO_NAMES
    if not names:
        raise ValidationException("ExpressionAttributeNames must not be empty")
    for key, name in names.items():
        if not _NAME_KEY.fullmatch(key):
            raise ValidationException(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{key}"')
        if len(key) > MAX_REFERENCE_BYTES:
            raise ValidationException(
                f"ExpressionAttributeNames contains invalid key: The expression attribute name's size has exceeded "
                f'the maximum allowed size; key: "{key}"'
            )
        if name.__class__ is not str:
            raise av.mistyped(name, "String")
        if not name:
            raise ValidationException(
                f'ExpressionAttributeNames contains invalid value: Empty attribute name for key "{key}"'
            )
        if len(name) > av.MAX_NAME_BYTES // 4 and av.text_bytes(name) > av.MAX_NAME_BYTES:
            raise av.name_fault(av.text_bytes(name))
    return names


def check_values(values: Mapping[str, Value] | None) -> Mapping[str, Value]:
    """The ExpressionAttributeValues of a call, checked and in normal form; an empty map when it has none."""
    if values is None:
        return {}
    if not values:
        raise ValidationException("ExpressionAttributeValues must not be empty")
    for key, value in values.items():
        if not _VALUE_KEY.fullmatch(key):
            raise ValidationException(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{key}"')
        try:
            av.check_value(value)
        except ValidationException as fault:
            raise _invalid_value(fault, key) from None
    return values


def _invalid_value(fault: ValidationException, key: str) -> ValidationException:
    """The fault of a value in ExpressionAttributeValues: only the older operations name its key."""
    if fault.message == av.TOO_DEEP:
        return fault
    older = fault.older if isinstance(fault, ValueFault) else fault.message
    return ValueFault(fault.message, f"ExpressionAttributeValues contains invalid value: {older} for key {key}")


def check_unused(names: Mapping[str, str], values: Mapping[str, Value], compiled: Sequence[Compiled]) -> None:
    """Refuse names and values that no expression uses; raises ValidationException."""
    if names:
        unused = [name for name in names if not any(name in each.used_names for each in compiled)]
        if unused:
            raise ValidationException(
                f"Value provided in ExpressionAttributeNames unused in expressions: keys: {{{', '.join(unused)}}}"
            )
    if values:
        idle = [name for name in values if not any(name in each.used_values for each in compiled)]
        if idle:
            raise ValidationException(
                f"Value provided in ExpressionAttributeValues unused in expressions: keys: {{{', '.join(idle)}}}"
            )
