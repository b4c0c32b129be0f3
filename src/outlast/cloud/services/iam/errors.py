"""IAM's modelled errors. https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""

from __future__ import annotations

from outlast.cloud.contract import Fault


class NoSuchEntity(Fault, status=404):
    """The entity that was named does not exist."""


class EntityAlreadyExists(Fault, status=409):
    """Another entity has the name."""


class DeleteConflict(Fault, status=409):
    """Something else must be removed first."""


class LimitExceeded(Fault, status=409):
    """A quota of the account would be exceeded."""


class MalformedPolicyDocument(Fault, status=400):
    """The policy document cannot be used; the message says why."""


class InvalidInput(Fault, status=400):
    """A value is not acceptable."""


class UnmodifiableEntity(Fault, status=400):
    """AWS owns the entity."""


class PolicyNotAttachable(Fault, status=400):
    """The policy cannot be attached to this."""


class ValidationError(Fault, status=400):
    """A value does not have the form that the API asks for."""
