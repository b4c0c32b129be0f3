"""The modelled errors of route53-recovery-cluster."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class ConflictException(Fault):
    """A safety rule does not allow the change."""


class EndpointTemporarilyUnavailableException(Fault):
    """This endpoint cannot answer now; another one may."""


class ResourceNotFoundException(Fault):
    """There is no such routing control, control panel or safety rule."""


class ServiceLimitExceededException(Fault):
    """Too many states in one request."""


class ThrottlingException(Fault):
    """Too many changes in one second."""


class ValidationException(Fault):
    """The parameters do not go together."""


def no_such(noun: str, resource_type: str, arn: str) -> ResourceNotFoundException:
    """The error for something that is not there."""
    return ResourceNotFoundException(f"There is no {noun} {arn}.", resourceId=arn, resourceType=resource_type)
