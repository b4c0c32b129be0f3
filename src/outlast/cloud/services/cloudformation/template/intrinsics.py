"""Intrinsic functions, reduced as far as what is known allows.

A template is reduced twice by the same code: once when it is bound (parameters, mappings, conditions and imports are
known, resources are not) and once per resource when it is made (all it refers to exists). What cannot be reduced yet
stays in place as a function node, so a bound template is plain data and can be stored.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from outlast.cloud.services.cloudformation.template.faults import TemplateFault

NEEDS_EXTENSIONS = frozenset({"Fn::ForEach", "Fn::Length", "Fn::ToJsonString"})
CONDITION_FUNCTIONS = frozenset({"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or"})
REFUSED = frozenset({"Fn::Cidr", "Fn::GetStackOutput", "Fn::Transform"})


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NO_VALUE: Final = _Mark("NO_VALUE")
"""What a reference to AWS::NoValue gives: the member or element it stands in goes away."""

PENDING: Final = _Mark("PENDING")
"""What a scope answers for something that does not exist yet."""


class Scope(Protocol):
    """What names mean where a value stands."""

    def ref(self, name: str) -> Any:
        """The value of Ref: concrete, PENDING or NO_VALUE."""
        ...

    def attribute(self, resource: str, name: str) -> Any:
        """The value of Fn::GetAtt: concrete or PENDING."""
        ...

    def condition(self, name: str) -> bool: ...

    def mapped(self, mapping: str, top: str, second: str) -> Any: ...

    def imported(self, name: str) -> str: ...

    def zones(self, region: str) -> list[str]: ...


def reduce(value: Any, scope: Scope) -> Any:
    """`value` with every function evaluated that can be; members that reduce to NO_VALUE are dropped."""
    if isinstance(value, dict):
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            function = _FUNCTIONS.get(name)
            if function is not None:
                return function(argument, scope)
        return _members(value, scope)
    if isinstance(value, list):
        reduced = (reduce(element, scope) for element in value)
        return [element for element in reduced if element is not NO_VALUE]
    return value


def _members(value: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, member in value.items():
        if key.startswith("Fn::"):
            raise _refusal(key)
        reduced = reduce(member, scope)
        if reduced is not NO_VALUE:
            found[key] = reduced
    return found


def _refusal(name: str) -> TemplateFault:
    if name in NEEDS_EXTENSIONS or name.startswith("Fn::ForEach::"):
        return TemplateFault(
            f"Template error: {name} needs the transform AWS::LanguageExtensions, which is not supported"
        )
    if name in REFUSED:
        return TemplateFault(f"Template error: {name} is not supported")
    if name in CONDITION_FUNCTIONS:
        return TemplateFault(f"Template error: {name} cannot be used outside of the Conditions section")
    if name in _FUNCTIONS:
        return TemplateFault(f"Template error: {name} must be the only member of its object")
    return TemplateFault(f"Template error: unknown function {name}")


def is_pending(value: Any) -> bool:
    """True while a function node is left anywhere inside."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in _FUNCTIONS:
            return True
        return any(is_pending(member) for member in value.values())
    return isinstance(value, list) and any(is_pending(element) for element in value)


def references(value: Any) -> set[str]:
    """The logical ids that a reduced value still waits for."""
    if isinstance(value, dict):
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" and isinstance(argument, str):
                return {argument}
            if name == "Fn::GetAtt" and isinstance(argument, list):
                return {str(argument[0])} | references(argument[1:])
        return set().union(*(references(member) for member in value.values()))
    if isinstance(value, list):
        return set().union(*(references(element) for element in value))
    return set()


def text_of(value: Any, function: str) -> str:
    """A scalar as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise TemplateFault(f"Template error: every {function} object must be given strings")


def _ref(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, str):
        raise TemplateFault("Template format error: Every Ref object must have a single String value.")
    value = scope.ref(argument)
    return {"Ref": argument} if value is PENDING else value


def _get_att(argument: Any, scope: Scope) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) < 2 or not isinstance(parts[0], str):
        raise TemplateFault(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, "
            "the resource name and the resource attribute"
        )
    attribute = (
        reduce(parts[1], scope) if len(parts) == 2 else ".".join(text_of(part, "Fn::GetAtt") for part in parts[1:])
    )
    if not isinstance(attribute, str):
        raise TemplateFault("Template error: the attribute name of Fn::GetAtt must be a string")
    value = scope.attribute(parts[0], attribute)
    return {"Fn::GetAtt": [parts[0], attribute]} if value is PENDING else value


def _list_of(argument: Any, count: int, function: str, shape: str) -> list[Any]:
    if not isinstance(argument, list) or len(argument) != count:
        raise TemplateFault(f"Template error: every {function} object requires {shape}")
    return argument


def _join(argument: Any, scope: Scope) -> Any:
    shape = (
        "two parameters, (1) a string delimiter and (2) a list of strings to be "
        "joined or a function that returns a list of strings (such as Fn::GetAZs) "
        "to be joined."
    )
    delimiter, raw = _list_of(argument, 2, "Fn::Join", shape)
    if not isinstance(delimiter, str):
        raise TemplateFault(f"Template error: every Fn::Join object requires {shape}")
    parts = reduce(raw, scope)
    if is_pending(parts):
        return {"Fn::Join": [delimiter, parts]}
    if not isinstance(parts, list):
        raise TemplateFault(f"Template error: every Fn::Join object requires {shape}")
    return delimiter.join(text_of(part, "Fn::Join") for part in parts)


_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_.:]+\Z")


def _sub(argument: Any, scope: Scope) -> Any:
    given: Mapping[str, Any] = {}
    text = argument
    if isinstance(argument, list) and len(argument) == 2:
        text, given = argument
    if not isinstance(text, str) or not isinstance(given, dict):
        raise TemplateFault(
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected "
            "arguments. Specify a string as first argument, and an optional second argument "
            "to specify a mapping of values to replace in the string"
        )
    parts: list[Any] = []
    last = 0
    for found in _VARIABLE.finditer(text):
        parts.append(text[last : found.start()])
        parts.append(_variable(found.group(1), given, scope))
        last = found.end()
    parts.append(text[last:])
    return _join(["", [part for part in parts if part != ""]], scope)


def _variable(name: str, given: Mapping[str, Any], scope: Scope) -> Any:
    if name.startswith("!"):
        return "${" + name[1:] + "}"
    if not _VARIABLE_NAME.match(name):
        raise TemplateFault(
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric "
            "characters, underscores, periods, and colons"
        )
    if name in given:
        return reduce(given[name], scope)
    if "." in name:
        return _get_att(name, scope)
    return _ref(name, scope)


def _select(argument: Any, scope: Scope) -> Any:
    shape = "two parameters, the index and a list"
    raw_index, raw = _list_of(argument, 2, "Fn::Select", shape)
    index, choices = reduce(raw_index, scope), reduce(raw, scope)
    if is_pending(index) or (is_pending(choices) and not isinstance(choices, list)):
        return {"Fn::Select": [index, choices]}
    if not isinstance(choices, list):
        raise TemplateFault(
            "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
        )
    place = text_of(index, "Fn::Select")
    if not place.isdigit() or int(place) >= len(choices):
        raise TemplateFault(f"Template error: Fn::Select cannot select nonexistent value at index {place}")
    return choices[int(place)]


def _split(argument: Any, scope: Scope) -> Any:
    shape = (
        "two parameters, (1) a string delimiter and (2) a string to be split or "
        "a function that returns a string to be split."
    )
    delimiter, raw = _list_of(argument, 2, "Fn::Split", shape)
    source = reduce(raw, scope)
    if is_pending(source):
        return {"Fn::Split": [delimiter, source]}
    if not isinstance(delimiter, str) or not delimiter:
        raise TemplateFault(f"Template error: every Fn::Split object requires {shape}")
    return text_of(source, "Fn::Split").split(delimiter)


def _base64(argument: Any, scope: Scope) -> Any:
    source = reduce(argument, scope)
    if is_pending(source):
        return {"Fn::Base64": source}
    return base64.b64encode(text_of(source, "Fn::Base64").encode()).decode()


def _if(argument: Any, scope: Scope) -> Any:
    name, yes, no = _list_of(argument, 3, "Fn::If", "three parameters: a condition name and two values")
    if not isinstance(name, str):
        raise TemplateFault("Template error: every Fn::If object requires the name of a condition")
    return reduce(yes if scope.condition(name) else no, scope)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    if isinstance(argument, list) and len(argument) == 4:
        raise TemplateFault(
            "Template error: DefaultValue of Fn::FindInMap needs the transform AWS::LanguageExtensions, "
            "which is not supported"
        )
    shape = "three parameters, the map name, map key and the attribute for return value"
    keys = [reduce(key, scope) for key in _list_of(argument, 3, "Fn::FindInMap", shape)]
    if is_pending(keys):
        raise TemplateFault("Template error: Fn::FindInMap cannot refer to resources")
    mapping, top, second = (text_of(key, "Fn::FindInMap") for key in keys)
    return scope.mapped(mapping, top, second)


def _import_value(argument: Any, scope: Scope) -> Any:
    name = reduce(argument, scope)
    if is_pending(name):
        raise TemplateFault(
            "Template error: the attribute in Fn::ImportValue must not depend on any "
            "resources, imported values, or Fn::GetAZs"
        )
    return scope.imported(text_of(name, "Fn::ImportValue"))


def _get_azs(argument: Any, scope: Scope) -> Any:
    region = reduce(argument, scope)
    if is_pending(region):
        raise TemplateFault("Template error: Fn::GetAZs cannot depend on any resources")
    return scope.zones(text_of(region, "Fn::GetAZs"))


def _refused(name: str) -> Callable[[Any, Scope], Any]:
    def refuse(argument: Any, scope: Scope) -> Any:
        raise _refusal(name)

    return refuse


_FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Base64": _base64,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _get_azs,
}
_FUNCTIONS.update({name: _refused(name) for name in NEEDS_EXTENSIONS | CONDITION_FUNCTIONS | REFUSED})


def judge(expression: Any, scope: Scope) -> bool:
    """A condition's truth; raises TemplateFault when it is not a condition or refers to resources."""
    if not isinstance(expression, dict) or len(expression) != 1:
        raise TemplateFault("Template format error: Every Condition member must be a condition function.")
    name, argument = next(iter(expression.items()))
    if name == "Condition":
        return scope.condition(str(argument))
    if name == "Fn::Equals":
        shape = "a list of 2 string parameters."
        left, right = (reduce(side, scope) for side in _list_of(argument, 2, "Fn::Equals", shape))
        if is_pending([left, right]):
            waits = ", ".join(sorted(references([left, right])))
            raise TemplateFault(
                f"Template format error: Unresolved dependencies [{waits}]. Cannot reference "
                "resources in the Conditions block of the template"
            )
        return bool(_plain(left) == _plain(right))
    if name == "Fn::Not":
        return not judge(_list_of(argument, 1, "Fn::Not", "a list of one condition.")[0], scope)
    if name in ("Fn::And", "Fn::Or"):
        if not isinstance(argument, list) or not 2 <= len(argument) <= 10:
            raise TemplateFault(
                f"Template error: every {name} object requires a list of at least 2 and at most 10 boolean parameters."
            )
        found = [judge(one, scope) for one in argument]
        return all(found) if name == "Fn::And" else any(found)
    raise TemplateFault(f"Template format error: {name} is not a condition function")


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(element) for element in value]
    return text_of(value, "Fn::Equals") if isinstance(value, str | int | float) else value
