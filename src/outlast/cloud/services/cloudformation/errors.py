"""The modelled errors of CloudFormation."""

from __future__ import annotations

from outlast.cloud.contract import Fault, ValidationException


class AlreadyExistsException(Fault):
    """A stack or change set of this name exists."""


class InsufficientCapabilitiesException(Fault):
    """The template makes IAM resources and the request did not acknowledge that."""


class ChangeSetNotFoundException(Fault, code="ChangeSetNotFound", status=404):
    """No such change set."""


class InvalidChangeSetStatusException(Fault, code="InvalidChangeSetStatus"):
    """The change set cannot be used in its present status."""


class LimitExceededException(Fault):
    """There are as many stacks as an account may have."""


class TokenAlreadyExistsException(Fault):
    """The client request token was used for another operation."""


def no_such_stack(name: str) -> ValidationException:
    """What AWS answers to the name or id of a stack that is not there."""
    kind = "with id " if not name.startswith("arn:") else ""
    return ValidationException(f"Stack {kind}{name} does not exist")
