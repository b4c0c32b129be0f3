"""Resource policies: who else may invoke a function."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.lambda_ import policies
from outlast.cloud.services.lambda_.errors import (
    PolicyLengthExceededException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from outlast.cloud.services.lambda_.model import Function
from outlast.cloud.services.lambda_.names import Reference
from outlast.cloud.services.lambda_.operations.common import check_revision, function_arn
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import LambdaState


def _statements(call: Call[LambdaState], reference: Reference) -> tuple[Function, Mapping[str, Any]]:
    found = call.state.find(reference)
    return found.function, found.function.policies.get(reference.qualifier or "", {})


def _store(call: Call[LambdaState], function: Function, reference: Reference, statements: Mapping[str, Any]) -> None:
    qualifier = reference.qualifier or ""
    kept = {name: each for name, each in function.policies.items() if name != qualifier}
    if statements:
        kept[qualifier] = statements
    call.state.replace(replace(function, policies=kept))


def _revision(statements: Mapping[str, Any]) -> str:
    """A revision that changes with the policy's content."""
    digest = hashlib.sha256(orjson.dumps(statements, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


@lambda_.operation(resource=function_arn, control_plane=True)
def add_permission(
    call: Call[LambdaState],
    *,
    function_name: str,
    statement_id: str,
    action: str,
    principal: str,
    source_arn: str | None = None,
    source_account: str | None = None,
    qualifier: str | None = None,
    revision_id: str | None = None,
    principal_org_id: str | None = None,
) -> Reply:
    """Let a service, account or role act on the function, or on one of its versions or aliases."""
    reference = call.state.reference(function_name, qualifier)
    function, statements = _statements(call, reference)
    if revision_id is not None:
        check_revision(revision_id, _revision(statements))
    if statement_id in statements:
        raise ResourceConflictException(
            f"The statement id ({statement_id}) provided already exists. Please provide a new statement id, or remove "
            "the existing statement.",
            Type="User",
        )
    made = policies.statement(
        statement_id, action, principal, call.state.arn(reference), source_arn, source_account, principal_org_id
    )
    changed = {**statements, statement_id: made}
    if len(orjson.dumps(policies.document(changed))) > policies.MAX_POLICY_BYTES:
        raise PolicyLengthExceededException("The final policy size is bigger than the limit (20480).")
    _store(call, function, reference, changed)
    return {"Statement": orjson.dumps(made).decode()}


@lambda_.operation(resource=function_arn, control_plane=True)
def remove_permission(
    call: Call[LambdaState],
    *,
    function_name: str,
    statement_id: str,
    qualifier: str | None = None,
    revision_id: str | None = None,
) -> Reply:
    """Take a permission back."""
    reference = call.state.reference(function_name, qualifier)
    function, statements = _statements(call, reference)
    if statement_id not in statements:
        raise ResourceNotFoundException(f"Statement {statement_id} is not found in resource policy.", Type="User")
    if revision_id is not None:
        check_revision(revision_id, _revision(statements))
    _store(call, function, reference, {sid: each for sid, each in statements.items() if sid != statement_id})
    return {}


@lambda_.operation(resource=function_arn, control_plane=True)
def get_policy(call: Call[LambdaState], *, function_name: str, qualifier: str | None = None) -> Reply:
    """The resource policy as JSON text."""
    reference = call.state.reference(function_name, qualifier)
    _, statements = _statements(call, reference)
    if not statements:
        raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")
    return {"Policy": orjson.dumps(policies.document(statements)).decode(), "RevisionId": _revision(statements)}
