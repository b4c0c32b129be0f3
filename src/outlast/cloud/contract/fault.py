"""Faults: the one family of errors that a service raises and the pipeline turns into wire errors."""

from __future__ import annotations

from typing import Any, ClassVar


class Fault(Exception):
    """An error of an AWS API. A subclass is one modelled error; its name is the wire code unless `code` says otherwise.

    `fields` are further members of the modelled error shape, by their AWS names. `status` is the HTTP status where
    the model gives none; None takes the model's, else 400.
    """

    code: ClassVar[str] = "ValidationException"
    status: ClassVar[int | None] = None

    def __init_subclass__(cls, *, code: str | None = None, status: int | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = code if code is not None else cls.__name__
        if status is not None:
            cls.status = status

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class ValidationException(Fault):
    """The input breaks a rule of the API."""


class AccessDeniedException(Fault):
    """The caller may not do this; query and XML services call it AccessDenied."""


class ServiceUnavailable(Fault, code="ServiceUnavailable", status=503):
    """The service cannot answer now: its control plane is out of reach, or its storage refuses writes."""


class ThrottlingException(Fault):
    """The request came too soon after others."""


class InternalServerError(Fault, status=500):
    """Raised only by an injected fault or by a defect that was caught at the pipeline's edge."""


class RemoteFault(Fault, code="ValidationException"):
    """A fault that another Region's service answered: its code and status are values, not a class."""

    def __init__(self, code: str, message: str, status: int | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]
