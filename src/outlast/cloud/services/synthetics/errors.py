"""The errors of Synthetics."""

from __future__ import annotations

from outlast.cloud.contract import Fault, ValidationException

__all__ = [
    "BadRequestException",
    "ConflictException",
    "NotFoundException",
    "ResourceNotFoundException",
    "ValidationException",
]


class ResourceNotFoundException(Fault):
    """There is no such canary."""

    @classmethod
    def canary(cls, name: str) -> ResourceNotFoundException:
        return cls(f"Canary with name {name} was not found.")


class ConflictException(Fault):
    """The canary's state does not allow this now."""


class NotFoundException(Fault):
    """There is nothing of that ARN to tag."""


class BadRequestException(Fault):
    """The ARN is of nothing that has tags."""
