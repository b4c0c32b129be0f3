"""Scalars of a template in the form an API wants them.

A template says `"10"` where an API wants 10 (every parameter is text), and `true` where it wants "true".
CloudFormation converts between the two by the resource's schema; here the API's own model is that schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from outlast.cloud.wire import UnknownService, load

_INTEGER = re.compile(r"[+-]?\d+\Z")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
_BOOLEANS = {"true": True, "false": False}


def settle(service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with every scalar in its modelled type, where it can be read as one; all else as it is."""
    shape = _input(service, operation)
    return dict(params) if shape is None else _structure(params, shape)


@lru_cache(maxsize=512)
def _input(service: str, operation: str) -> Any:
    try:
        model = load(service)
    except UnknownService:
        return None
    return model.boto_operation(operation).input_shape if operation in model.operations else None


def _structure(value: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    members = shape.members
    return {name: _settled(each, members[name]) if name in members else each for name, each in value.items()}


def _settled(value: Any, shape: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(value, shape) if isinstance(value, dict) else value
    if kind == "list":
        return [_settled(each, shape.member) for each in value] if isinstance(value, list | tuple) else value
    if kind == "map":
        return {name: _settled(each, shape.value) for name, each in value.items()} if isinstance(value, dict) else value
    if kind == "string":
        return _text(value)
    if isinstance(value, str):
        if kind in ("integer", "long") and _INTEGER.match(value):
            return int(value)
        if kind in ("float", "double") and _NUMBER.match(value):
            return float(value)
        if kind == "boolean":
            return _BOOLEANS.get(value.lower(), value)
    if kind in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
