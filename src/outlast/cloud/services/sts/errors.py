"""STS's errors. https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html"""

from __future__ import annotations

from outlast.cloud.contract import Fault


class AccessDenied(Fault, status=403):
    """The caller may not assume the role, or the call is of no use to it."""


class MalformedPolicyDocument(Fault, status=400):
    """A session policy cannot be used; the message says why."""


class PackedPolicyTooLarge(Fault, status=400):
    """Session policies and tags together are too large."""


class ValidationError(Fault, status=400):
    """A value breaks a rule of the API."""


class InvalidAuthorizationMessageException(Fault, status=400):
    """The message is not one that this cloud has encoded."""
