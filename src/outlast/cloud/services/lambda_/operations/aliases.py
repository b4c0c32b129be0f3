"""Aliases: names for versions, with a share of traffic for a second one.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.lambda_.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from outlast.cloud.services.lambda_.model import Alias, Function
from outlast.cloud.services.lambda_.names import LATEST, Reference, is_alias_name
from outlast.cloud.services.lambda_.operations.common import check_revision, page, paged, plain_name, unqualified_arn
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import LambdaState


def _function(call: Call[LambdaState], function_name: str) -> Function:
    return call.state.function(Reference(plain_name(call.state.reference(function_name))))


def _alias(call: Call[LambdaState], function: Function, name: str) -> Alias:
    alias = function.aliases.get(name)
    if alias is None:
        arn = call.state.arn(Reference(function.name, name))
        raise ResourceNotFoundException(f"Cannot find alias arn: {arn}", Type="User")
    return alias


def _check_target(call: Call[LambdaState], function: Function, number: str) -> None:
    if number != LATEST and number not in function.versions:
        raise ResourceNotFoundException.function(call.state.arn(Reference(function.name, number)))


def _weights(
    call: Call[LambdaState], function: Function, main: str, routing: Mapping[str, Any] | None
) -> dict[str, float]:
    weights = dict((routing or {}).get("AdditionalVersionWeights") or {})
    if len(weights) > 1:
        raise InvalidParameterValueException("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for number, weight in weights.items():
        _check_target(call, function, number)
        if number == main:
            raise InvalidParameterValueException(
                f"Invalid function version {main}. Function version {main} is already included in routing "
                "configuration."
            )
        if number == LATEST or main == LATEST:
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if not 0.0 <= weight <= 1.0:
            raise InvalidParameterValueException("The weight of a version must be between 0.0 and 1.0.")
    return weights


def _shape(call: Call[LambdaState], function: Function, alias: Alias) -> Reply:
    return alias.shape(call.region.name, call.region.account_id, function.name)


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def create_alias(
    call: Call[LambdaState],
    *,
    function_name: str,
    name: str,
    function_version: str,
    description: str = "",
    routing_config: Mapping[str, Any] | None = None,
) -> Reply:
    """Make an alias."""
    function = _function(call, function_name)
    if not is_alias_name(name):
        raise InvalidParameterValueException(f"{name} is not a name that an alias may have.")
    if name in function.aliases:
        arn = call.state.arn(Reference(function.name, name))
        raise ResourceConflictException(f"Alias already exists: {arn}", Type="User")
    _check_target(call, function, function_version)
    weights = _weights(call, function, function_version, routing_config)
    alias = Alias(name, function_version, call.region.entropy.uuid(), description, weights)
    call.state.replace(replace(function, aliases={**function.aliases, name: alias}))
    return _shape(call, function, alias)


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def update_alias(
    call: Call[LambdaState],
    *,
    function_name: str,
    name: str,
    function_version: str | None = None,
    description: str | None = None,
    routing_config: Mapping[str, Any] | None = None,
    revision_id: str | None = None,
) -> Reply:
    """Point an alias elsewhere; what is not given stays."""
    function = _function(call, function_name)
    alias = _alias(call, function, name)
    check_revision(revision_id, alias.revision_id)
    main = alias.version if function_version is None else function_version
    _check_target(call, function, main)
    weights = alias.weights if routing_config is None else _weights(call, function, main, routing_config)
    text = alias.description if description is None else description
    alias = Alias(name, main, call.region.entropy.uuid(), text, weights)
    call.state.replace(replace(function, aliases={**function.aliases, name: alias}))
    return _shape(call, function, alias)


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def get_alias(call: Call[LambdaState], *, function_name: str, name: str) -> Reply:
    """One alias."""
    function = _function(call, function_name)
    return _shape(call, function, _alias(call, function, name))


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def delete_alias(call: Call[LambdaState], *, function_name: str, name: str) -> Reply:
    """Remove an alias; no error when there is none."""
    function = _function(call, function_name)
    kept = {each: alias for each, alias in function.aliases.items() if each != name}
    policies = {qualifier: each for qualifier, each in function.policies.items() if qualifier != name}
    call.state.replace(replace(function, aliases=kept, policies=policies))
    return {}


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def list_aliases(
    call: Call[LambdaState],
    *,
    function_name: str,
    function_version: str | None = None,
    marker: str | None = None,
    max_items: int | None = None,
) -> Reply:
    """Aliases by name, perhaps only those that point to one version."""
    function = _function(call, function_name)
    aliases = [alias for _, alias in sorted(function.aliases.items()) if function_version in (None, alias.version)]
    some, following = page(aliases, lambda alias: alias.name, marker, max_items)
    return paged("Aliases", [dict(_shape(call, function, alias)) for alias in some], following)
