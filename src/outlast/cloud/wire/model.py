"""A service's model: its operations, how a request finds one, and how the service words its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from botocore.model import OperationModel, StructureShape
from botocore.model import ServiceModel as BotoModel

from outlast.cloud.wire import redacted, store
from outlast.cloud.wire.bodies import plain_body
from outlast.cloud.wire.constraints import MAX_REPORTED, Check, report
from outlast.cloud.wire.faults import ErrorModel, Facts, Failure, encode, resolve
from outlast.cloud.wire.forms import Form, Kit, Params
from outlast.cloud.wire.messages import Request, Response, WireError
from outlast.cloud.wire.names import snake
from outlast.cloud.wire.queries import fields as form_fields
from outlast.cloud.wire.routes import Routes
from outlast.cloud.wire.trees import Convert

CBOR = "smithy-rpc-v2-cbor"
_IAM_PREFIXES = {"monitoring": "cloudwatch"}
_XML_SPACES = {
    "s3": "http://s3.amazonaws.com/doc/2006-03-01/",
    "route53": "https://route53.amazonaws.com/doc/2013-04-01/",
}
_VALIDATION_CODES = {
    "apigateway": "BadRequestException",
    "cloudwatch": "ValidationError",
    "logs": "InvalidParameterException",
    "route53": "InvalidInput",
    "s3": "InvalidArgument",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One top-level member of an operation's input."""

    wire_name: str
    required: bool
    shape_name: str
    type_name: str


@dataclass(frozen=True, slots=True)
class Http:
    """The model's HTTP binding: method and URI template."""

    method: str
    uri: str


Refinement = Callable[[Mapping[str, Any]], str | None]
"""The message for parameters that a service refuses in words of its own; None for others."""
Arrangement = Callable[[Mapping[str, Any], list[str]], list[str]]
"""The violations to report, in a service's own order, of those found in parameters."""


class Operation:
    """One operation. Its codecs and checks are compiled when they are first used."""

    def __init__(self, model: ServiceModel, name: str, raw: Mapping[str, Any]) -> None:
        self.name = name
        self.http = Http(raw["http"]["method"], raw["http"]["requestUri"])
        self._model = model
        self._raw = raw
        self._forms: dict[str, Form] = {}
        self._refinement: Refinement | None = None
        self._arrangement: Arrangement | None = None

    def __repr__(self) -> str:
        return f"<Operation {self._model.name}:{self.name}>"

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """Snake-case name to the input's member."""
        shape = self._model.boto_operation(self.name).input_shape
        if shape is None:
            return {}
        required = frozenset(shape.required_members)
        return MappingProxyType(
            {
                snake(name): Member(name, name in required, member.name, member.type_name)
                for name, member in shape.members.items()
            }
        )

    @cached_property
    def error_codes(self) -> tuple[str, ...]:
        """The wire codes of the errors that the model lists."""
        names = [reference["shape"] for reference in self._raw.get("errors", ())]
        return tuple(self._model.errors[name].code for name in names)

    @property
    def has_streaming_input(self) -> bool:
        """Whether the request body is a stream of bytes rather than a document."""
        shape = self._model.boto_operation(self.name).input_shape
        if shape is None or "payload" not in shape.serialization:
            return False
        return bool(shape.members[shape.serialization["payload"]].serialization.get("streaming"))

    def _form(self, protocol: str) -> Form:
        form = self._model.kit.form(protocol, self._model.boto_operation(self.name))
        self._forms[protocol] = form
        return form

    def decode(self, request: Request, protocol: str, labels: Mapping[str, str] | None = None) -> Params:
        """Parameters by AWS member names: blobs are bytes, timestamps float epoch seconds. Raises WireError."""
        form = self._forms.get(protocol) or self._form(protocol)
        return form.decode(request, labels or {})

    @cached_property
    def _check(self) -> Check | None:
        shape = self._model.boto_operation(self.name).input_shape
        return None if shape is None else self._model.kit.checks.of(shape)

    def refine(self, refinement: Refinement) -> None:
        """Let a service say in its own words what the model's constraints would say otherwise."""
        self._refinement = refinement

    def arrange(self, arrangement: Arrangement) -> None:
        """Let a service choose and order the violations that it reports."""
        self._arrangement = arrangement

    def constrain(self, params: Mapping[str, Any], code: str | None = None) -> None:
        """Hold the parameters against the model's constraints; raises WireError with all that is broken.

        The code is the service's own for invalid input (ValidationException, ValidationError …) unless given.
        """
        if self._refinement is not None:
            message = self._refinement(params)
            if message is not None:
                raise WireError(code or self._model.validation_code, message)
        check = self._check
        if check is None:
            return
        found: list[str] = []
        check(params, "", found)
        if found:
            if self._arrangement is not None:
                found = self._arrangement(params, found)
            raise WireError(code or self._model.validation_code, report(found[:MAX_REPORTED]))

    def redacted(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as an audit trail may keep them; see `redacted.management`. Not for the hot path."""
        return redacted.management(self._model.boto_operation(self.name).input_shape, params)

    def redacted_reply(self, reply: Mapping[str, Any]) -> dict[str, Any]:
        """The same for what the operation answers."""
        return redacted.management(self._model.boto_operation(self.name).output_shape, reply)

    def encode(self, protocol: str, result: Mapping[str, Any], request_id: str) -> Response:
        """The reply for a result by AWS member names; raises KeyError for a member that the output lacks."""
        form = self._forms.get(protocol) or self._form(protocol)
        return form.encode(result, request_id)

    def encode_fault(
        self,
        protocol: str,
        code: str,
        message: str,
        request_id: str,
        status: int | None = None,
        fields: Mapping[str, Any] = MappingProxyType({}),
    ) -> Response:
        """The reply for an error; see ServiceModel.encode_fault."""
        response = self._model.encode_fault(protocol, code, message, request_id, status, fields)
        return Response(response.status, response.headers) if self.http.method == "HEAD" else response


class ServiceModel:
    """A service as its model describes it. Get one from `load`."""

    def __init__(self, name: str, raw: store.RawModel, opaque: frozenset[str]) -> None:
        self.name = name
        self._boto = BotoModel(raw.description, name)
        metadata = raw.description["metadata"]
        self.endpoint_prefix: str = metadata["endpointPrefix"]
        self.signing_name: str = metadata.get("signingName", self.endpoint_prefix)
        self.iam_prefix: str = _IAM_PREFIXES.get(self.signing_name, self.signing_name)
        self.api_version: str = metadata["apiVersion"]
        self.service_id: str = metadata.get("serviceId", name)
        self.protocols: tuple[str, ...] = tuple(metadata.get("protocols") or (metadata["protocol"],))
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.operations: Mapping[str, Operation] = MappingProxyType(
            {key: Operation(self, key, operation) for key, operation in raw.description["operations"].items()}
        )
        self.errors: Mapping[str, ErrorModel] = MappingProxyType(_errors(raw.errors))
        self._raw_operations: Mapping[str, dict[str, Any]] = raw.description["operations"]
        self.kit = Kit(self._facts(metadata), self._boto.shape_for, opaque)

    def _facts(self, metadata: Mapping[str, Any]) -> Facts:
        return Facts(
            service=self.name,
            namespace=_namespace(self.name, self.service_id, self.api_version),
            json_version=metadata.get("jsonVersion", "1.0"),
            xml_namespace=metadata.get("xmlNamespace") or _XML_SPACES.get(self.name, ""),
            validation_code=self.validation_code,
            query_compatible="awsQueryCompatible" in metadata,
            errors=self.errors,
            tree_encoder=self._error_encoder,
        )

    def _error_encoder(self, protocol: str, shape_name: str) -> Convert:
        encoders = self.kit.cbor_out if protocol == CBOR else self.kit.json_out
        return encoders.structure(cast(StructureShape, self._boto.shape_for(shape_name)))

    @property
    def validation_code(self) -> str:
        """The code under which this service reports input that breaks the model's constraints."""
        if self.name in _VALIDATION_CODES:
            return _VALIDATION_CODES[self.name]
        return "ValidationError" if self.protocols[0] == "query" else "ValidationException"

    def boto_operation(self, name: str) -> OperationModel:
        """A fresh view of the operation by botocore, for compiling; nobody keeps it."""
        return OperationModel(self._raw_operations[name], self._boto, name)

    @cached_property
    def _routes(self) -> Routes:
        routes = Routes()
        current_first = sorted(self.operations, key=lambda name: bool(self._raw_operations[name].get("deprecated")))
        for name in current_first:
            operation = self.operations[name]
            queries, headers = self._required_bindings(name)
            routes.add(name, operation.http.method, operation.http.uri, queries, headers)
        return routes

    def _required_bindings(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Wire names of the required members bound to the query string and to headers. Only S3 tells by them."""
        shape = self.boto_operation(name).input_shape if self.name == "s3" else None
        if shape is None:
            return (), ()
        queries, headers = [], []
        for member_name in shape.required_members:
            member = shape.members[member_name]
            wire = cast(str, member.serialization.get("name", member_name))
            if member.serialization.get("location") == "querystring":
                queries.append(wire)
            elif member.serialization.get("location") == "header":
                headers.append(wire.lower())
        return tuple(queries), tuple(headers)

    def protocol_of(self, request: Request) -> str:
        """The protocol that the request is written in, as far as one can tell."""
        if CBOR in self.protocols and (
            request.headers.get("smithy-protocol") == "rpc-v2-cbor" or request.path.startswith("/service/")
        ):
            return CBOR
        if "json" in self.protocols and ("x-amz-target" in request.headers or "query" not in self.protocols):
            return "json"
        if "query" in self.protocols:
            return "query"
        return "json" if "json" in self.protocols else self.protocols[0]

    def match(self, request: Request) -> tuple[Operation, str, Mapping[str, str]]:
        """The operation asked for, the protocol, and the values of the path's labels; raises WireError."""
        protocol = self.protocol_of(request)
        if protocol == "json":
            return self._by_target(request), protocol, {}
        if protocol == "query":
            return self._by_action(request), protocol, {}
        if protocol == CBOR:
            return self._by_path(request), protocol, {}
        found = self._routes.find(request.method, request.path, request.query, request.headers)
        if found is None:
            raise WireError("UnknownOperationException", "", 405 if self.name == "s3" else 404)
        return self.operations[found[0]], protocol, found[1]

    def _by_target(self, request: Request) -> Operation:
        prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
        operation = self.operations.get(name) if prefix == self.target_prefix and request.method == "POST" else None
        if operation is None:
            raise WireError("UnknownOperationException")
        return operation

    def _by_path(self, request: Request) -> Operation:
        parts = request.path.strip("/").split("/")
        if len(parts) >= 4 and parts[-4] == "service" and parts[-2] == "operation" and request.method == "POST":
            operation = self.operations.get(parts[-1])
            if operation is not None and request.headers.get("smithy-protocol") == "rpc-v2-cbor":
                return operation
        raise WireError("UnknownOperationException", "", 404)

    def _by_action(self, request: Request) -> Operation:
        pairs = form_fields(request, plain_body(request))
        action, version = pairs.get("Action"), pairs.get("Version", self.api_version)
        if not action:
            raise WireError("MissingAction", "The request must contain the parameter Action")
        operation = self.operations.get(action)
        if operation is None or version != self.api_version:
            raise WireError("InvalidAction", f"Could not find operation {action} for version {version}")
        return operation

    def encode_fault(
        self,
        protocol: str,
        code: str,
        message: str,
        request_id: str,
        status: int | None = None,
        fields: Mapping[str, Any] = MappingProxyType({}),
    ) -> Response:
        """The reply for an error: `code` is a wire code or an error shape's name, `fields` its further members.

        Common errors are renamed as the protocol names them (AccessDeniedException, AccessDenied). The status is the
        model's unless given.
        """
        failure: Failure = resolve(self.kit.facts, protocol, code, message, request_id, status, fields)
        return encode(self.kit.facts, protocol, failure)


def _namespace(name: str, service_id: str, api_version: str) -> str:
    if name.startswith("dynamodb"):
        return f"com.amazonaws.dynamodb.v{api_version.replace('-', '')}"
    return f"com.amazonaws.{service_id.replace(' ', '').replace('-', '').lower()}"


def _errors(shapes: Mapping[str, Mapping[str, Any]]) -> dict[str, ErrorModel]:
    """Errors by shape name and by wire code; a shape's own name goes first."""
    found: dict[str, ErrorModel] = {}
    for name, shape in shapes.items():
        error = shape.get("error", {})
        members = frozenset(shape.get("members", {}))
        message = next((member for member in members if member.lower() == "message"), "")
        is_sender = bool(error.get("senderFault", not shape.get("fault", False)))
        status = error.get("httpStatusCode") or (500 if shape.get("fault") else None)
        found[name] = ErrorModel(name, error.get("code", name), status, is_sender, message, members)
    for model in list(found.values()):
        found.setdefault(model.code, model)
    return found


@lru_cache(maxsize=128)
def load(service: str, opaque: frozenset[str] = frozenset(), folder: Path | None = None) -> ServiceModel:
    """The model of `service` (botocore's name); raises UnknownService. Cached.

    Shapes named in `opaque` pass through as parsed JSON both ways and are not constrained. `folder` is one more place
    to look for models, laid out as botocore's data folder.
    """
    return ServiceModel(service, store.read(service, folder), opaque)
