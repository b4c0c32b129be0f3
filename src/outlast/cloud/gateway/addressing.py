"""The stage that finds the service and the operation that a request is addressed to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from outlast.cloud.contract import Declared, Fault
from outlast.cloud.gateway import hosts, plain
from outlast.cloud.gateway.gate import Gate, Hosted
from outlast.cloud.identity.faults import SignatureFault
from outlast.cloud.identity.presented import Presented, is_presigned_by_version_two
from outlast.cloud.wire import Operation, Request, WireError

PLAIN_SERVICES = ("", "dynamodb", "streams.dynamodb")
"""Where a request that is no API call is answered as DynamoDB's front end does: at no name of AWS's, or at its own."""
CLAIMED = re.compile(r"(?:/|%2[Ff])([a-z0-9-]+)(?:/|%2[Ff])aws4_request")
"""The service of a credential scope, in a header or a query that has faults elsewhere."""
VERSION = re.compile(r"(?:^|&)Version=(\d{4}-\d{2}-\d{2})(?:&|$)")
MOST_FORM = 65_536
"""How much of an unsigned form is looked at for the version of its API."""


@dataclass(slots=True)
class Target:
    """What a request is addressed to. Made for every request, so not frozen."""

    hosted: Hosted
    operation: Operation
    protocol: str
    captures: Any
    presented: Presented | None
    refusal: SignatureFault | None


class Unsupported(Fault, code="UnknownOperationException"):
    """The API has the operation; this cloud does not."""


def address(gate: Gate, request: Request, presented: Presented | None, refusal: SignatureFault | None) -> Target:
    """Find the service and the operation; raises WireError or SignatureFault."""
    known = gate.targets.get(request.headers.get("x-amz-target", ""))
    if known is not None and request.method == "POST":
        hosted, operation, protocol = known
        return Target(hosted, operation, protocol, {}, presented, refusal)
    signing_name = presented.service if presented is not None else ""
    candidates = gate.candidates(request, signing_name)
    if not candidates and presented is None:
        candidates = unsigned_candidates(gate, request)
    problem: WireError | None = None
    for hosted in candidates:
        try:
            asked = hosts.path_of(request) if hosted.service.name == "s3" else request
            operation, protocol, captures = hosted.service.model.match(asked)
        except WireError as error:
            problem = error
            continue
        if protocol == "json":
            gate.targets[request.headers["x-amz-target"]] = (hosted, operation, protocol)
        return Target(hosted, operation, protocol, captures, presented, refusal)
    if presented is None and hosts.read(request.headers.get("host", "")).service in PLAIN_SERVICES:
        known_answer = plain.unaddressed(request, gate.region.name, gate.request_id())
        if known_answer is not None:
            raise plain.Answered(plain.shared(known_answer) if "origin" in request.headers else known_answer)
    if problem is not None:
        raise problem
    if refusal is not None:
        raise refusal
    raise Unsupported(f"This cloud has no service that signs as {signing_name}.")


def unsigned_candidates(gate: Gate, request: Request) -> list[Hosted]:
    """For requests without a readable signature: the services that host, scope or API version name, or public ones.

    A URL that was signed ahead in S3's older way can only be S3's, whatever the host.
    """
    named = hosts.read(request.headers.get("host", "")).service
    if named:
        return [hosted for hosted in gate.hosted.values() if hosted.service.model.endpoint_prefix == named]
    if "s3" in gate.hosted and is_presigned_by_version_two(request.query):
        return [gate.hosted["s3"]]
    claimed = CLAIMED.search(request.headers.get("authorization", "")) or CLAIMED.search(request.query)
    if claimed is not None and claimed[1] in gate.by_signing_name:
        return gate.by_signing_name[claimed[1]]
    version = VERSION.search(request.query) or VERSION.search(request.body[:MOST_FORM].decode("latin-1"))
    return [
        hosted
        for hosted in gate.hosted.values()
        if (version is not None and version[1] == hosted.service.model.api_version)
        or any(declared.public for declared in hosted.service.operations.values())
    ]


def declaration(target: Target) -> Declared:
    """How the operation is declared; raises Unsupported for one that this cloud lacks."""
    declared = target.hosted.service.operations.get(target.operation.name)
    if declared is None:
        raise Unsupported(f"This cloud does not support {target.hosted.service.name}:{target.operation.name}.")
    return declared
