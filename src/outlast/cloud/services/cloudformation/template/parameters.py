"""Template parameters: what they declare and the values a request gives them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from outlast.cloud.services.cloudformation.template.faults import TemplateFault

MAX_VALUE_BYTES = 4_096
LIST_TYPES = frozenset({"CommaDelimitedList", "List<Number>", "List<String>"})
PLAIN_TYPES = frozenset({"String", "Number"})
_MEMBERS = frozenset(
    {
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    }
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter; numbers are kept as the text they were written in."""

    name: str
    type: str
    default: str | None = None
    description: str = ""
    no_echo: bool = False
    allowed_values: tuple[str, ...] = ()
    allowed_pattern: str | None = None
    constraint: str = ""
    min_length: int | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None

    def value(self, text: str) -> str | list[str]:
        """What Ref gives for `text`."""
        if self.type not in LIST_TYPES:
            return text
        return [part.strip() for part in text.split(",")] if text else []


def read_parameter(name: str, declared: Any) -> Parameter:
    """Check one declaration; raises TemplateFault."""
    where = f"[/Parameters/{name}]"
    if not name.isalnum() or not name.isascii():
        raise TemplateFault(f"Template format error: Parameter name {name} is non alphanumeric.")
    if not isinstance(declared, dict):
        raise TemplateFault(f"Template format error: {where} Every Parameters member must be an object.")
    unknown = sorted(set(declared) - _MEMBERS)
    if unknown:
        raise TemplateFault(f"Invalid template parameter property '{unknown[0]}'")
    kind = declared.get("Type")
    if not isinstance(kind, str):
        raise TemplateFault(f"Template format error: {where} Every Parameters object must contain a Type member.")
    if kind not in LIST_TYPES and kind not in PLAIN_TYPES:
        if kind.startswith(("AWS::", "List<AWS::")):
            raise TemplateFault(f"Template format error: Parameter type {kind} of {name} is not supported")
        raise TemplateFault(f"Template format error: Unrecognized parameter type: {kind}")
    found = Parameter(
        name=name,
        type=kind,
        default=_default(declared.get("Default"), where),
        description=str(declared.get("Description", "")),
        no_echo=str(declared.get("NoEcho", "false")).lower() == "true",
        allowed_values=tuple(_scalar(value, f"{where} AllowedValues") for value in _list(declared, "AllowedValues")),
        allowed_pattern=_pattern(name, declared.get("AllowedPattern")),
        constraint=str(declared.get("ConstraintDescription", "")),
        min_length=_whole(declared, "MinLength", where),
        max_length=_whole(declared, "MaxLength", where),
        min_value=_number(declared, "MinValue", where),
        max_value=_number(declared, "MaxValue", where),
    )
    if found.default is not None:
        check_value(found, found.default)
    return found


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateFault(f"Template format error: {where} must be a string or a number.")


def _default(value: Any, where: str) -> str | None:
    return None if value is None else _scalar(value, f"{where} Default")


def _list(declared: Mapping[str, Any], member: str) -> list[Any]:
    value = declared.get(member, [])
    if not isinstance(value, list):
        raise TemplateFault(f"Template format error: {member} must be a list.")
    return value


def _pattern(name: str, value: Any) -> str | None:
    if value is None:
        return None
    try:
        re.compile(str(value))
    except re.error:
        raise TemplateFault(f"Template format error: AllowedPattern of parameter {name} is not valid.") from None
    return str(value)


def _number(declared: Mapping[str, Any], member: str, where: str) -> float | None:
    if member not in declared:
        return None
    text = _scalar(declared[member], f"{where} {member}")
    if not _NUMBER.match(text):
        raise TemplateFault(f"Template format error: {where} {member} must be a number.")
    return float(text)


def _whole(declared: Mapping[str, Any], member: str, where: str) -> int | None:
    number = _number(declared, member, where)
    return None if number is None else int(number)


def check_value(parameter: Parameter, text: str) -> None:
    """Hold `text` against the parameter's constraints; raises TemplateFault with AWS's text."""
    if len(text.encode()) > MAX_VALUE_BYTES:
        raise TemplateFault(f"Parameter '{parameter.name}' exceeds the limit of {MAX_VALUE_BYTES} bytes")
    problem = _problem(parameter, text)
    if problem is None:
        return
    if parameter.constraint:
        raise TemplateFault(f"Parameter {parameter.name} failed to satisfy constraint: {parameter.constraint}")
    raise TemplateFault(f"Parameter '{parameter.name}' {problem}")


def _problem(parameter: Parameter, text: str) -> str | None:
    parts = parameter.value(text) if parameter.type in LIST_TYPES else [text]
    for part in parts:
        if parameter.type in ("Number", "List<Number>"):
            problem = _number_problem(parameter, part)
            if problem is not None:
                return problem
        if parameter.allowed_values and part not in parameter.allowed_values:
            return "must be one of AllowedValues"
    if parameter.type == "String":
        if parameter.min_length is not None and len(text) < parameter.min_length:
            return f"must contain at least {parameter.min_length} characters"
        if parameter.max_length is not None and len(text) > parameter.max_length:
            return f"must contain at most {parameter.max_length} characters"
        if parameter.allowed_pattern is not None and not re.fullmatch(parameter.allowed_pattern, text):
            return f"must match pattern {parameter.allowed_pattern}"
    return None


def _number_problem(parameter: Parameter, text: str) -> str | None:
    if not _NUMBER.match(text):
        return "must be a number"
    number = float(text)
    if parameter.min_value is not None and number < parameter.min_value:
        return f"must be a number not less than {parameter.min_value:g}"
    if parameter.max_value is not None and number > parameter.max_value:
        return f"must be a number not greater than {parameter.max_value:g}"
    return None


def settle_parameters(
    declared: Mapping[str, Parameter], given: Iterable[Mapping[str, Any]], previous: Mapping[str, str]
) -> dict[str, str]:
    """The text of every parameter: what the request gives, what the stack had (UsePreviousValue) or the default.

    Raises TemplateFault naming parameters that are unknown, lack a value or break a constraint.
    """
    values: dict[str, str] = {}
    unknown: list[str] = []
    for entry in given:
        name = str(entry.get("ParameterKey", ""))
        if name not in declared:
            unknown.append(name)
        elif name in values:
            raise TemplateFault(f"Parameter {name} is given twice")
        elif entry.get("UsePreviousValue"):
            if entry.get("ParameterValue"):
                raise TemplateFault(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue "
                    "as true and non empty value for a parameter"
                )
            if name in previous:
                values[name] = previous[name]
        elif "ParameterValue" in entry:
            values[name] = str(entry["ParameterValue"])
    if unknown:
        raise TemplateFault(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing: list[str] = []
    for name, parameter in declared.items():
        if name not in values:
            if parameter.default is None:
                missing.append(name)
                continue
            values[name] = parameter.default
        check_value(parameter, values[name])
    if missing:
        raise TemplateFault(f"Parameters: [{', '.join(missing)}] must have values")
    return values
