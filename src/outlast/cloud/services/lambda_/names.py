"""How functions are named: plain names, partial and full ARNs, qualifiers.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (FunctionName)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.lambda_.errors import InvalidParameterValueException, ResourceNotFoundException

LATEST: Final = "$LATEST"
_FORM: Final = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
_ALIAS: Final = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """A function, and perhaps one of its versions or aliases (None: unqualified)."""

    name: str
    qualifier: str | None = None


def parse(text: str, qualifier: str | None, region: str, account: str) -> Reference:
    """Read a FunctionName with the Qualifier beside it; raises InvalidParameterValueException and not-found.

    A function of another Region or account is not found here.
    """
    match = _FORM.fullmatch(text)
    if match is None or len(match["name"]) > 64:
        raise InvalidParameterValueException(f"{text} is not a function name or ARN.")
    inner = match["qualifier"]
    if inner is not None and qualifier is not None and inner != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    if match["region"] not in (None, region) or match["account"] not in (None, account):
        raise ResourceNotFoundException.function(text)
    return Reference(match["name"], inner if inner is not None else qualifier)


def arn(region: str, account: str, reference: Reference) -> str:
    """The ARN of a function, qualified when the reference is."""
    tail = "" if reference.qualifier is None else f":{reference.qualifier}"
    return f"arn:aws:lambda:{region}:{account}:function:{reference.name}{tail}"


def is_version(qualifier: str) -> bool:
    """Whether a qualifier is a version's number."""
    return qualifier.isdigit()


def is_alias_name(name: str) -> bool:
    """Whether an alias may have this name: not only digits."""
    return _ALIAS.fullmatch(name) is not None and len(name) <= 128
