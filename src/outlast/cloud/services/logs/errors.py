"""The modelled errors of CloudWatch Logs."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class InvalidParameterException(Fault):
    """A parameter is not valid."""


class LimitExceededException(Fault):
    """A quota is used up."""


class ResourceAlreadyExistsException(Fault):
    """The log group or stream exists."""


class ResourceNotFoundException(Fault):
    """No such log group, stream, filter or policy."""


class InvalidOperationException(Fault):
    """The operation does not apply to this log group."""


class TooManyTagsException(Fault):
    """A resource may have fifty tags."""
