"""The modelled errors of CloudWatch."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class InvalidParameterValueException(Fault, code="InvalidParameterValue"):
    """A parameter's value is not valid."""


class InvalidParameterCombinationException(Fault, code="InvalidParameterCombination"):
    """Parameters that do not go together."""


class MissingRequiredParameterException(Fault, code="MissingParameter"):
    """A parameter that is needed here is missing."""


class InvalidNextToken(Fault):
    """A page token that this service did not give."""


class InvalidFormatFault(Fault, code="InvalidFormat"):
    """Data that is not the JSON it should be."""


class LimitExceededFault(Fault, code="LimitExceeded"):
    """A quota is used up."""


class ResourceNotFound(Fault, status=404):
    """No such alarm."""


class ResourceNotFoundException(Fault, status=404):
    """No such resource to tag."""


class DashboardNotFoundError(Fault, code="ResourceNotFound", status=404):
    """No such dashboard."""


class DashboardInvalidInputError(Fault, code="InvalidParameterInput"):
    """The dashboard's body is not valid; `dashboardValidationMessages` say where."""
