"""A deployment compiled for serving: routes, methods, integrations, validators and gateway responses.

Compiled once when a stage is first asked after a deployment; then only read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from outlast.cloud.services.apigateway.serving.routing import ANY, Routes
from outlast.cloud.services.apigateway.serving.schema import Check, compile_schema
from outlast.cloud.services.apigateway.serving.templates import Inputs, Template, compile_template
from outlast.cloud.services.apigateway.serving.values import Value, compile_value

DEFAULT_TYPE: Final = "application/json"
DEFAULT_TIMEOUT_MS: Final = 29_000
LAMBDA_URI: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:apigateway:(?P<region>[a-z0-9-]+):lambda:path/2015-03-31/functions/"
    r"(?P<function>arn:aws[a-zA-Z-]*:lambda:.+|.+)/invocations"
)
_VARIABLE: Final = re.compile(r"\$\{stageVariables\.(\w+)\}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """AWS_PROXY to a Lambda function. `function` may hold stage variables."""

    function: str
    timeout_s: float

    def name(self, variables: Mapping[str, str]) -> str:
        """The function's ARN or name with the stage's variables put in."""
        return _VARIABLE.sub(lambda match: variables.get(match[1], ""), self.function)


@dataclass(frozen=True, slots=True)
class MockResponse:
    """One integration response of a MOCK: chosen by `pattern` on the status, or the default (None)."""

    status: int
    pattern: re.Pattern[str] | None
    templates: Mapping[str, Template]
    headers: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Mock:
    """MOCK: a request template gives a status, the status a response."""

    templates: Mapping[str, Template]
    passthrough: str
    responses: tuple[MockResponse, ...]

    def response(self, status: str) -> MockResponse | None:
        """The response whose pattern the status meets, else the default one."""
        for each in self.responses:
            if each.pattern is not None and each.pattern.fullmatch(status):
                return each
        return next((each for each in self.responses if each.pattern is None), None)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a request must have: names of required parameters by place, and body checks by media type."""

    parameters: tuple[tuple[str, str], ...]
    bodies: Mapping[str, Check] | None


@dataclass(frozen=True, slots=True)
class MethodPlan:
    """One method of one resource."""

    resource_id: str
    resource_path: str
    http_method: str
    signed: bool
    integration: Proxy | Mock | None
    validation: Validation | None

    @property
    def key(self) -> str:
        """As method settings name it: `~1orders~1{id}/GET`."""
        return f"{self.resource_path.replace('/', '~1')}/{self.http_method}"


@dataclass(frozen=True, slots=True)
class Customised:
    """A gateway response of the API's own."""

    status: int | None
    headers: tuple[tuple[str, Value], ...]
    templates: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """One deployment, ready to serve."""

    api_id: str
    api_name: str
    deployment_id: str
    routes: Routes
    methods: Mapping[tuple[str, str], MethodPlan]
    policy: Mapping[str, Any] | None
    binary_types: frozenset[str]
    customised: Mapping[str, Customised]
    own_endpoint: bool

    def find(self, method: str, path: str) -> tuple[MethodPlan, dict[str, str]] | None:
        """The method that a request means, and its path parameters."""
        found = self.routes.find(path)
        if found is None:
            return None
        resource, parameters = found
        plan = self.methods.get((resource, method)) or self.methods.get((resource, ANY))
        return None if plan is None else (plan, parameters)

    def is_binary(self, media_type: str) -> bool:
        """Whether a media type is one of the API's binary ones."""
        if not self.binary_types:
            return False
        plain = media_type.partition(";")[0].strip().lower()
        return bool({plain, "*/*", f"{plain.partition('/')[0]}/*"} & self.binary_types)


def compile_api(document: Mapping[str, Any], deployment_id: str) -> ApiPlan:
    """Compile an API as it was deployed; raises BadTemplate or BadSchema for a document that was never checked."""
    resources: Mapping[str, Any] = document["resources"]
    models = {name: orjson.loads(each["schema"]) for name, each in document["models"].items() if each.get("schema")}
    methods: dict[tuple[str, str], MethodPlan] = {}
    for ident, resource in resources.items():
        for name, method in resource["methods"].items():
            validator = document["validators"].get(method.get("requestValidatorId") or "")
            methods[ident, name] = MethodPlan(
                resource_id=ident,
                resource_path=resource["path"],
                http_method=name,
                signed=method["authorizationType"] == "AWS_IAM",
                integration=compile_integration(method.get("methodIntegration")),
                validation=_validation(method, validator, models.__getitem__),
            )
    policy = document.get("policy")
    return ApiPlan(
        api_id=document["id"],
        api_name=document["name"],
        deployment_id=deployment_id,
        routes=Routes((resource["path"], ident) for ident, resource in resources.items()),
        methods=methods,
        policy=orjson.loads(policy) if policy else None,
        binary_types=frozenset(each.lower() for each in document.get("binaryMediaTypes", ())),
        customised={kind: compile_customised(each) for kind, each in document["gatewayResponses"].items()},
        own_endpoint=not document.get("disableExecuteApiEndpoint", False),
    )


def compile_integration(document: Mapping[str, Any] | None) -> Proxy | Mock | None:
    """An integration ready to run; raises BadTemplate."""
    if document is None:
        return None
    if document["type"] == "AWS_PROXY":
        match = LAMBDA_URI.fullmatch(document["uri"])
        assert match is not None
        return Proxy(match["function"], document.get("timeoutInMillis", DEFAULT_TIMEOUT_MS) / 1000)
    return Mock(
        templates=_templates(document.get("requestTemplates")),
        passthrough=document.get("passthroughBehavior", "WHEN_NO_MATCH"),
        responses=tuple(_mock_response(each) for _, each in sorted(document.get("integrationResponses", {}).items())),
    )


def _mock_response(document: Mapping[str, Any]) -> MockResponse:
    pattern = document.get("selectionPattern")
    return MockResponse(
        status=int(document["statusCode"]),
        pattern=re.compile(pattern) if pattern else None,
        templates=_templates(document.get("responseTemplates")),
        headers=_headers(document.get("responseParameters"), "method.response.header."),
    )


def compile_customised(document: Mapping[str, Any]) -> Customised:
    """A gateway response ready to render; raises BadTemplate."""
    status = document.get("statusCode")
    return Customised(
        status=int(status) if status else None,
        headers=_headers(document.get("responseParameters"), "gatewayresponse.header."),
        templates=_templates(document.get("responseTemplates")),
    )


def _templates(documents: Mapping[str, Any] | None) -> dict[str, Template]:
    return {media.lower(): compile_template(text or "") for media, text in (documents or {}).items()}


def _headers(parameters: Mapping[str, str] | None, prefix: str) -> tuple[tuple[str, Value], ...]:
    return tuple(
        (target.removeprefix(prefix), compile_value(text))
        for target, text in (parameters or {}).items()
        if target.startswith(prefix)
    )


def _validation(
    method: Mapping[str, Any], validator: Mapping[str, Any] | None, lookup: Callable[[str], Any]
) -> Validation | None:
    if validator is None:
        return None
    required: list[tuple[str, str]] = []
    if validator.get("validateRequestParameters"):
        for name, needed in method.get("requestParameters", {}).items():
            kind, _, parameter = name.removeprefix("method.request.").partition(".")
            if needed:
                required.append((kind, parameter))
    bodies: dict[str, Check] | None = None
    if validator.get("validateRequestBody"):
        bodies = {
            media.lower(): compile_schema(lookup(model), lookup)
            for media, model in method.get("requestModels", {}).items()
            if model not in ("Empty",)
        }
    return Validation(tuple(required), bodies)


def choose(templates: Mapping[str, Template], media_type: str) -> Template | None:
    """The template for a media type; without one given, JSON's."""
    plain = media_type.partition(";")[0].strip().lower() or DEFAULT_TYPE
    return templates.get(plain)


NO_INPUTS: Final = Inputs("", {}, {}, {}, lambda _: "")
