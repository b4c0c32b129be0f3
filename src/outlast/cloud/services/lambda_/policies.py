"""Resource policies of functions: statements that AddPermission makes.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.services.lambda_.errors import InvalidParameterValueException

MAX_POLICY_BYTES: Final = 20_480
_ACCOUNT: Final = re.compile(r"\d{12}")
_SERVICE: Final = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
_ARN: Final = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+")


def principal_of(text: str) -> Any:
    """The Principal element for what AddPermission was given; raises InvalidParameterValueException."""
    if text == "*":
        return "*"
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    if _ARN.fullmatch(text):
        return {"AWS": text}
    raise InvalidParameterValueException(
        "The provided principal was invalid. Please check the principal and try again."
    )


def statement(
    sid: str,
    action: str,
    principal: str,
    resource: str,
    source_arn: str | None,
    source_account: str | None,
    organization: str | None,
) -> dict[str, Any]:
    """One statement; raises InvalidParameterValueException."""
    if not re.fullmatch(r"(lambda:[*]|lambda:[a-zA-Z]+|[*])", action):
        raise InvalidParameterValueException(f"{action} is not an action of Lambda.")
    made: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal_of(principal),
        "Action": action,
        "Resource": resource,
    }
    condition: dict[str, Any] = {}
    equals: dict[str, str] = {}
    if source_account is not None:
        equals["AWS:SourceAccount"] = source_account
    if organization is not None:
        equals["aws:PrincipalOrgID"] = organization
    if equals:
        condition["StringEquals"] = equals
    if source_arn is not None:
        condition["ArnLike"] = {"AWS:SourceArn": source_arn}
    if condition:
        made["Condition"] = condition
    return made


def document(statements: Mapping[str, Any]) -> dict[str, Any]:
    """The policy that the statements make."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements.values())}
