"""The errors of DynamoDB's API, one class for each modelled shape that this service raises."""

from __future__ import annotations

from outlast.cloud.contract.fault import Fault, ValidationException

__all__ = [
    "BackupInUseException",
    "BackupNotFoundException",
    "ConditionalCheckFailedException",
    "ContinuousBackupsUnavailableException",
    "DuplicateItemException",
    "ExpiredIteratorException",
    "ExportNotFoundException",
    "GlobalTableNotFoundException",
    "IdempotentParameterMismatchException",
    "ImportNotFoundException",
    "IndexNotFoundException",
    "InvalidExportTimeException",
    "InvalidRestoreTimeException",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "PointInTimeRecoveryUnavailableException",
    "PolicyNotFoundException",
    "ReplicaAlreadyExistsException",
    "ReplicaNotFoundException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "SerializationException",
    "TableAlreadyExistsException",
    "TableInUseException",
    "TableNotFoundException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "TrimmedDataAccessException",
    "UnknownOperationException",
    "ValidationException",
    "invalid",
]


PROTECTED = (
    "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
)


class SerializationException(Fault):
    """The JSON does not have the type that the shape asks for."""


class ResourceNotFoundException(Fault):
    """The table, index, stream or other resource does not exist."""


class ResourceInUseException(Fault):
    """The resource is being changed, or a name is taken."""


class LimitExceededException(Fault):
    """Too many of something, or too many control plane operations at once."""


class ConditionalCheckFailedException(Fault):
    """The condition was false; `Item` may hold what it was judged on."""


class ItemCollectionSizeLimitExceededException(Fault):
    """An item collection of a table with local indexes would pass 10 GB."""


class TransactionCanceledException(Fault):
    """No action of the transaction took place; `CancellationReasons` tells why, action by action."""


class TransactionConflictException(Fault):
    """The item is part of a transaction that is under way."""


class GlobalTableNotFoundException(Fault):
    """There is no global table of version 2017.11.29 with this name."""


class IdempotentParameterMismatchException(Fault):
    """A client token came again with other parameters."""


class DuplicateItemException(Fault):
    """PartiQL INSERT found an item with the same key."""


class TableNotFoundException(Fault):
    """Backup operations say this where others say ResourceNotFoundException."""


class TableAlreadyExistsException(Fault):
    """A restore names a table that exists."""


class TableInUseException(Fault):
    """A restore names a table that is being created or deleted."""


class BackupNotFoundException(Fault):
    """No backup has this ARN."""


class BackupInUseException(Fault):
    """Another backup operation is under way on the table."""


class ValueFault(ValidationException, code="ValidationException"):
    """An attribute value that breaks a rule, in the words of today's operations; `older` is how older ones say it.

    GetItem, PutItem, UpdateItem, DeleteItem, BatchGetItem and Query speak today's words, the others the older.
    """

    def __init__(self, message: str, older: str | None = None) -> None:
        super().__init__(message)
        self.older = message if older is None else older

    def in_older_words(self) -> ValidationException:
        """The same fault as BatchWriteItem, Scan, transactions and PartiQL word it."""
        return ValidationException(self.older)


class ContinuousBackupsUnavailableException(Fault):
    """Backups cannot be made of this table now."""


class PointInTimeRecoveryUnavailableException(Fault):
    """Point in time recovery is not enabled for the table."""


class InvalidRestoreTimeException(Fault):
    """The time lies outside of the recovery window."""


class InvalidExportTimeException(Fault):
    """The time to export lies outside of the recovery window, or the period is too short or too long."""


class ExportNotFoundException(Fault):
    """There is no such export."""


class ImportNotFoundException(Fault):
    """There is no such import."""


class UnknownOperationException(Fault):
    """The API has the operation; this cloud checks its parameters and does not do it."""


class IndexNotFoundException(Fault):
    """The index does not exist."""


class PolicyNotFoundException(Fault):
    """The resource has no policy."""


class ReplicaAlreadyExistsException(Fault):
    """The Region has a replica of the table already."""


class ReplicaNotFoundException(Fault):
    """The Region has no replica of the table."""


class TrimmedDataAccessException(Fault):
    """The records asked for are older than a stream keeps."""


class ExpiredIteratorException(Fault):
    """The shard iterator is older than fifteen minutes."""


def invalid(detail: str) -> ValidationException:
    """The fault that DynamoDB words `One or more parameter values were invalid: DETAIL`."""
    return ValidationException(f"One or more parameter values were invalid: {detail}")
