"""The modelled errors of route53-recovery-control-config."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class ConflictException(Fault):
    """The resource is in use, or its name is taken."""


class ResourceNotFoundException(Fault):
    """There is no such resource."""


class ServiceQuotaExceededException(Fault):
    """The account has as many as it may have."""


class ValidationException(Fault):
    """The parameters do not go together."""


def no_such(noun: str, arn: str) -> ResourceNotFoundException:
    """The error for a resource that is not there."""
    return ResourceNotFoundException(f"There is no {noun} {arn}.")
