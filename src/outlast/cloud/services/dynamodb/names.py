"""Names of tables and indexes, ARNs, and the resources that a request must be allowed to touch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from outlast.cloud.contract.fault import AccessDeniedException, ValidationException

if TYPE_CHECKING:
    from outlast.cloud.contract.region import Region

_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:(?P<region>[^:]*):(?P<account>[^:]*):table/(?P<name>[^/]+)(?P<rest>/.*)?")
MAX_NAME = 255
MIN_NAME = 3


def constraint(value: str, member: str, *rules: str) -> ValidationException:
    """The fault of broken constraints of one value, as the validation framework words it."""
    return ValidationException(broken_rules(value, member, rules) or "")


def broken_rules(value: str, member: str, rules: Sequence[str]) -> str | None:
    """The message of broken constraints of one value; None when none is broken."""
    if not rules:
        return None
    plural = "" if len(rules) == 1 else "s"
    shown = "; ".join(f"Value '{value}' at '{member}' failed to satisfy constraint: {rule}" for rule in rules)
    return f"{len(rules)} validation error{plural} detected: {shown}"


def plain_name(name: str, member: str = "tableName", shortest: int = 1) -> str:
    """A name that is no ARN, checked; raises ValidationException."""
    broken = plain_name_rules(name, shortest)
    if broken:
        raise constraint(name, member, *broken)
    return name


def plain_name_rules(name: str, shortest: int) -> list[str]:
    """The rules of names that a name breaks."""
    broken = []
    if not _NAME.fullmatch(name):
        broken.append(f"Member must satisfy regular expression pattern: {_NAME.pattern}")
    if len(name) < shortest:
        broken.append(f"Member must have length greater than or equal to {shortest}")
    if len(name) > MAX_NAME:
        broken.append(f"Member must have length less than or equal to {MAX_NAME}")
    return broken


def table_name(given: str, region: Region) -> str:
    """The table's name from a name or an ARN of this Region and account; raises ValidationException."""
    if not given.startswith("arn:"):
        return plain_name(given)
    match = _ARN.fullmatch(given)
    if match is None or match["rest"]:
        raise ValidationException(f"Invalid table ARN; arn: {given}")
    if match["region"] != region.name:
        raise ValidationException(f"Invalid region in table ARN; region: {match['region']}")
    if match["account"] != region.account_id:
        raise AccessDeniedException(f"No resource-based policy of account {match['account']} allows this access")
    return plain_name(match["name"])


def table_arn(region: Region, name: str) -> str:
    """The ARN of a table of this Region."""
    return f"arn:aws:dynamodb:{region.name}:{region.account_id}:table/{name}"


@lru_cache(maxsize=4096)
def table_of_arn(arn: str) -> tuple[str, str, str, str]:
    """(Region, account, table, what follows) of an ARN of a table, index, stream or backup; empty when malformed."""
    match = _ARN.fullmatch(arn)
    if match is None:
        return "", "", "", ""
    return match["region"], match["account"], match["name"], match["rest"] or ""


def _arn(given: str, region: Region) -> str:
    return given if given.startswith("arn:") else table_arn(region, given)


def table_resource(params: Mapping[str, Any], region: Region) -> str:
    """The ARN of the table that `TableName` names."""
    given = params.get("TableName") or "*"
    if given.__class__ is not str:
        return "*"
    return given if given.startswith("arn:") else f"arn:aws:dynamodb:{region.name}:{region.account_id}:table/{given}"


def index_resource(params: Mapping[str, Any], region: Region) -> str:
    """The ARN of the table, or of its index when `IndexName` is given."""
    table = table_resource(params, region)
    index = params.get("IndexName")
    return f"{table}/index/{index}" if index else table


def batch_resources(action: str) -> Any:
    """The pairs (action, table ARN) of a batch's RequestItems."""

    def resources(params: Mapping[str, Any], region: Region) -> Iterable[tuple[str, str]]:
        named = params.get("RequestItems") or {}
        return [(action, _arn(name, region)) for name in named] or [(action, "*")]

    return resources


_TRANSACT_ACTIONS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Get": "dynamodb:GetItem",
}


def transact_resources(params: Mapping[str, Any], region: Region) -> Iterable[tuple[str, str]]:
    """The pairs (action, table ARN) of a transaction's actions."""
    found: dict[tuple[str, str], None] = {}
    for entry in params.get("TransactItems") or ():
        for kind, action in entry.items():
            if kind in _TRANSACT_ACTIONS and isinstance(action, dict):
                found[_TRANSACT_ACTIONS[kind], _arn(str(action.get("TableName") or "*"), region)] = None
    return list(found)


def arn_resource(member: str) -> Any:
    """The ARN that a member of the request holds itself."""

    def resource(params: Mapping[str, Any], region: Region) -> str:
        del region
        return str(params.get(member) or "*")

    return resource
