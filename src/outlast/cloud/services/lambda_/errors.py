"""The errors of Lambda, one class each, with AWS's texts."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class ResourceNotFoundException(Fault):
    """There is no such function, version, alias or policy."""

    @classmethod
    def function(cls, arn: str) -> ResourceNotFoundException:
        return cls(f"Function not found: {arn}", Type="User")


class ResourceConflictException(Fault):
    """The name is taken, or the function is busy changing."""


class InvalidParameterValueException(Fault):
    """A parameter has a value that Lambda, or this cloud, does not accept."""


class InvalidRequestContentException(Fault):
    """The payload is no JSON."""


class RequestTooLargeException(Fault):
    """The payload is over the limit of its invocation type."""


class PreconditionFailedException(Fault):
    """The revision is not the one the caller knows."""


class PolicyLengthExceededException(Fault):
    """The resource policy would be larger than 20 KB."""


class CodeStorageExceededException(Fault):
    """The account's functions would take more than their share of storage."""


class ServiceException(Fault):
    """The process that runs functions cannot be had."""


class LambdaAccessDenied(Fault, code="AccessDeniedException", status=403):
    """The function's role cannot be assumed."""


class TooManyRequestsException(Fault):
    """No concurrency is left, or the queue of asynchronous events is full."""

    @classmethod
    def reserved(cls) -> TooManyRequestsException:
        return cls("Rate Exceeded.", Reason="ReservedFunctionConcurrentInvocationLimitExceeded", Type="User")

    @classmethod
    def account(cls) -> TooManyRequestsException:
        return cls("Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User")
