"""OpenAPI 2.0 and 3.0 documents, with Amazon's extensions, as APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html. Extensions that this
cloud does not have are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import yaml

from outlast.cloud.services.apigateway import documents
from outlast.cloud.services.apigateway.documents import METHODS, Document
from outlast.cloud.services.apigateway.errors import BadRequestException
from outlast.cloud.services.apigateway.serving.refusals import TYPES
from outlast.cloud.wire.documents import MAX_DEPTH, Loader, levels

Identifier = Callable[[int], str]
X: Final = "x-amazon-apigateway-"
TOP: Final = frozenset(
    {f"{X}{name}" for name in ("binary-media-types", "gateway-responses", "request-validator", "request-validators",
                               "policy", "endpoint-configuration")}
)  # fmt: skip
MAX_JSON_BYTES: Final = 6 * 1024 * 1024
MAX_YAML_BYTES: Final = 1024 * 1024
PLACES: Final = {"query": "querystring", "header": "header", "path": "path"}


def read(body: bytes) -> Mapping[str, Any]:
    """The document, JSON or YAML; raises BadRequestException.

    AWS takes documents of up to 6 MB
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html#api-gateway-execution-service-limits-table);
    one in YAML, which takes long to read, may have 1 MB here.
    """
    if len(body) > MAX_JSON_BYTES:
        raise BadRequestException("The API definition is larger than 6 MB")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _yaml(body)
    if len(levels(document)) > MAX_DEPTH:
        raise BadRequestException("Unable to parse API definition: it is nested too deeply")
    if not isinstance(document, dict) or not (document.get("swagger") or document.get("openapi")):
        raise BadRequestException("Invalid OpenAPI input.")
    extra = sorted(name for name in document if str(name).startswith(X) and name not in TOP)
    if extra:
        raise BadRequestException(f"The extension {extra[0]} is not supported by this cloud.")
    return document


def _yaml(body: bytes) -> Any:
    if len(body) > MAX_YAML_BYTES:
        raise BadRequestException("The API definition is larger than 1 MB and not in JSON")
    try:
        return yaml.load(body, Loader=Loader)  # noqa: S506  a SafeLoader, narrowed
    except yaml.MarkedYAMLError as error:
        why = str(error.problem or "a malformed document")
        raise BadRequestException(f"Unable to parse API definition because of {why}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise BadRequestException("Unable to parse API definition because of a malformed document") from error


def merge(api: Document, document: Mapping[str, Any], identifier: Identifier, *, overwrite: bool) -> Document:
    """The API changed by the document; raises BadRequestException for whatever is not as it must be."""
    try:
        return _Import(api, document, identifier).run(overwrite)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRequestException("Invalid OpenAPI input.") from error


class _Import:
    def __init__(self, api: Document, document: Mapping[str, Any], identifier: Identifier) -> None:
        self._api = api
        self._document = document
        self._identifier = identifier
        self._validators: dict[str, str] = {}

    def run(self, overwrite: bool) -> Document:
        api, document = self._api, self._document
        if overwrite:
            root = api["rootResourceId"]
            api["resources"] = {root: {"id": root, "path": "/", "methods": {}}}
            api["models"], api["validators"], api["gatewayResponses"] = {}, {}, {}
        info = document.get("info") or {}
        api["name"] = info.get("title") or api["name"]
        if not api["name"]:
            raise BadRequestException("info.title must not be empty")
        for member, target in (("description", "description"), ("version", "version")):
            if info.get(member) is not None:
                api[target] = str(info[member])
        if f"{X}binary-media-types" in document:
            api["binaryMediaTypes"] = list(document[f"{X}binary-media-types"])
        if f"{X}policy" in document:
            api["policy"] = orjson.dumps(document[f"{X}policy"]).decode()
        self._read_models()
        self._read_validators()
        self._read_responses()
        for path, item in (document.get("paths") or {}).items():
            self._read_path(path, item)
        return api

    def _read_models(self) -> None:
        schemas = self._document.get("definitions") or (self._document.get("components") or {}).get("schemas") or {}
        for name, schema in schemas.items():
            text = orjson.dumps(_pointed(schema, self._api["id"])).decode()
            self._api["models"][name] = {
                "id": self._identifier(6),
                "name": name,
                "schema": text,
                "contentType": "application/json",
            }
        for name in schemas:
            documents.check_schema(self._api, self._api["models"][name]["schema"])

    def _read_validators(self) -> None:
        for name, each in (self._document.get(f"{X}request-validators") or {}).items():
            ident = self._identifier(6)
            self._validators[name] = ident
            self._api["validators"][ident] = {
                "id": ident,
                "name": name,
                "validateRequestBody": bool(each.get("validateRequestBody")),
                "validateRequestParameters": bool(each.get("validateRequestParameters")),
            }

    def _read_responses(self) -> None:
        for kind, each in (self._document.get(f"{X}gateway-responses") or {}).items():
            if kind not in TYPES:
                raise BadRequestException(f"Invalid gateway response type {kind}")
            status = each.get("statusCode")
            self._api["gatewayResponses"][kind] = {
                "responseType": kind,
                **({"statusCode": str(status)} if status else {}),
                "responseParameters": documents.check_values(each.get("responseParameters"), "gatewayresponse."),
                "responseTemplates": documents.check_templates(each.get("responseTemplates")),
            }

    def _resource(self, path: str) -> Document:
        resources: dict[str, Document] = self._api["resources"]
        by_path = {resource["path"]: resource for resource in resources.values()}
        whole = ""
        parent = resources[self._api["rootResourceId"]]
        for part in [part for part in path.split("/") if part]:
            whole += f"/{documents.check_part(part)}"
            if whole not in by_path:
                ident = self._identifier(6)
                made: Document = {"id": ident, "parentId": parent["id"], "pathPart": part, "path": whole, "methods": {}}
                resources[ident] = by_path[whole] = made
            parent = by_path[whole]
        return parent

    def _read_path(self, path: str, item: Mapping[str, Any]) -> None:
        resource = self._resource(path)
        for verb, method in item.items():
            name = "ANY" if verb == f"{X}any-method" else str(verb).upper()
            if name in METHODS:
                resource["methods"][name] = self._method(name, method, item.get("parameters") or [])
            elif str(verb).startswith(X):
                raise BadRequestException(f"The extension {verb} is not supported by this cloud.")

    def _method(self, name: str, method: Mapping[str, Any], shared: list[Mapping[str, Any]]) -> Document:
        made: Document = {
            "httpMethod": name,
            "authorizationType": self._authorization(method),
            "apiKeyRequired": False,
            "requestParameters": {},
            "requestModels": {},
            "methodResponses": {
                str(status): {"statusCode": str(status)}
                for status in (method.get("responses") or {})
                if str(status).isdigit()
            },
        }
        for parameter in [*shared, *(method.get("parameters") or [])]:
            place = PLACES.get(parameter.get("in", ""))
            if place is not None:
                made["requestParameters"][f"method.request.{place}.{parameter['name']}"] = bool(
                    parameter.get("required")
                )
            elif parameter.get("in") == "body":
                self._body(made, "application/json", parameter.get("schema") or {})
        for media, content in ((method.get("requestBody") or {}).get("content") or {}).items():
            self._body(made, media, content.get("schema") or {})
        validator = method.get(f"{X}request-validator", self._document.get(f"{X}request-validator"))
        if validator:
            if validator not in self._validators:
                raise BadRequestException(f"Invalid request validator {validator}")
            made["requestValidatorId"] = self._validators[validator]
        integration = method.get(f"{X}integration")
        if integration is not None:
            made["methodIntegration"] = self._integration(integration)
        extra = sorted(
            each for each in method
            if str(each).startswith(X) and each not in (f"{X}integration", f"{X}request-validator", f"{X}auth")
        )  # fmt: skip
        if extra:
            raise BadRequestException(f"The extension {extra[0]} is not supported by this cloud.")
        return made

    def _body(self, made: Document, media: str, schema: Mapping[str, Any]) -> None:
        reference = schema.get("$ref")
        if reference is None:
            if schema:
                name = f"Model{self._identifier(6)}"
                text = orjson.dumps(_pointed(schema, self._api["id"])).decode()
                documents.check_schema(self._api, text)
                self._api["models"][name] = {
                    "id": self._identifier(6), "name": name, "schema": text, "contentType": media,
                }  # fmt: skip
                made["requestModels"][media] = name
            return
        made["requestModels"][media] = str(reference).rpartition("/")[2]

    def _authorization(self, method: Mapping[str, Any]) -> str:
        kind = (method.get(f"{X}auth") or {}).get("type", "")
        if kind:
            return documents.check_authorization(kind.upper())
        schemes = (
            self._document.get("securityDefinitions")
            or (self._document.get("components") or {}).get("securitySchemes")
            or {}
        )
        for requirement in method.get("security", self._document.get("security")) or ():
            for name in requirement:
                scheme = schemes.get(name) or {}
                if scheme.get(f"{X}authtype") == "awsSigv4":
                    return "AWS_IAM"
                raise BadRequestException(
                    f"The security scheme {name} is not supported by this cloud; it has awsSigv4."
                )
        return "NONE"

    def _integration(self, given: Mapping[str, Any]) -> Document:
        document = {
            **given,
            "type": str(given.get("type", "")).upper(),
            "passthroughBehavior": str(given.get("passthroughBehavior", "when_no_match")).upper(),
            "cacheNamespace": self._identifier(6),
        }
        made = documents.check_integration(document)
        responses: dict[str, Document] = {}
        for pattern, each in (given.get("responses") or {}).items():
            response = {**each, "selectionPattern": None if pattern == "default" else str(pattern)}
            response["statusCode"] = str(each.get("statusCode", ""))
            responses[response["statusCode"]] = documents.check_integration_response(response)
        if responses:
            made["integrationResponses"] = responses
        return made


def _pointed(schema: Any, api: str) -> Any:
    """A schema with references to other schemas of the document as references to models."""
    if isinstance(schema, dict):
        return {
            key: f"https://apigateway.amazonaws.com/restapis/{api}/models/{str(value).rpartition('/')[2]}"
            if key == "$ref" and str(value).startswith(("#/definitions/", "#/components/schemas/"))
            else _pointed(value, api)
            for key, value in schema.items()
        }
    return [_pointed(each, api) for each in schema] if isinstance(schema, list) else schema
