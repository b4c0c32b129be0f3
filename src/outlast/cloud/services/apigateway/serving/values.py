"""Values of responses' headers: static text in single quotes, and references to the request or the context."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from outlast.cloud.services.apigateway.serving.templates import BadTemplate, Inputs, json_path

Value = Callable[[Inputs, str], str]
"""From the request's inputs and the integration's response body to a header's value."""

_STATIC: Final = re.compile(r"'(.*)'", re.DOTALL)
_REQUEST: Final = re.compile(r"method\.request\.(path|querystring|header)\.([\w.$+-]+)")


def compile_value(text: str) -> Value:
    """Compile one mapping expression; raises BadTemplate for what is not supported."""
    static = _STATIC.fullmatch(text)
    if static is not None:
        return lambda _inputs, _body: static[1]
    request = _REQUEST.fullmatch(text)
    if request is not None:
        return _of_request(request[1], request[2])
    if text.startswith("context."):
        name = text.removeprefix("context.")
        return lambda inputs, _body: inputs.context(name)
    if text.startswith("stageVariables."):
        variable = text.removeprefix("stageVariables.")
        return lambda inputs, _body: inputs.stage_variables.get(variable, "")
    if text == "integration.response.body":
        return lambda _inputs, body: body
    if text.startswith("integration.response.body."):
        path = "$." + text.removeprefix("integration.response.body.")
        json_path(None, path)
        return lambda inputs, body: _found(path, body)
    raise BadTemplate(f"the mapping {text} is not supported by this cloud")


def _of_request(kind: str, name: str) -> Value:
    if kind == "header":
        return lambda inputs, _body: inputs.headers.get(name, inputs.headers.get(name.lower(), ""))
    if kind == "path":
        return lambda inputs, _body: inputs.path.get(name, "")
    return lambda inputs, _body: inputs.query.get(name, "")


def _found(path: str, body: str) -> str:
    inputs = Inputs(body, {}, {}, {}, lambda _: "")
    value = json_path(inputs.parsed(), path)
    return value if isinstance(value, str) else ""
