"""The errors of the API Gateway control plane."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class BadRequestException(Fault):
    """A value is invalid, or not supported by this cloud."""


class NotFoundException(Fault):
    """There is no such thing."""

    @classmethod
    def of(cls, kind: str) -> NotFoundException:
        """AWS's text: `Invalid KIND identifier specified`."""
        return cls(f"Invalid {kind} identifier specified")


class ConflictException(Fault):
    """It exists already, or something still uses it."""


class LimitExceededException(Fault):
    """One more would be over a quota."""
