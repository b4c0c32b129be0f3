"""ACM's modelled errors. https://docs.aws.amazon.com/acm/latest/APIReference/CommonErrors.html"""

from __future__ import annotations

from outlast.cloud.contract import Fault


class ResourceNotFoundException(Fault):
    """There is no such certificate."""


class InvalidParameterException(Fault):
    """A value is not supported."""


class InvalidDomainValidationOptionsException(Fault):
    """A validation option names a domain that the certificate does not have."""


class InvalidArnException(Fault):
    """The ARN is not a certificate's."""


class RequestInProgressException(Fault):
    """The certificate is not issued yet."""


class TooManyTagsException(Fault):
    """More than fifty tags."""


class InvalidTagException(Fault):
    """A tag key is reserved."""
