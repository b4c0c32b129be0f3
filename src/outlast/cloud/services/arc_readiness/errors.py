"""The modelled errors of route53-recovery-readiness."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class ConflictException(Fault):
    """The name is taken, or the resource is in use."""


class ResourceNotFoundException(Fault):
    """There is no such resource."""


class ValidationException(Fault):
    """The parameters do not go together."""
