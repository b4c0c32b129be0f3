"""The errors of the FIS API."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class ValidationException(Fault):
    """The template or the request breaks a rule."""


class ResourceNotFoundException(Fault):
    """There is no such template, experiment or action."""


class ConflictException(Fault):
    """The request cannot be carried out in the present state, or its client token was used for another one."""


class ServiceQuotaExceededException(Fault):
    """Too many templates or experiments."""
