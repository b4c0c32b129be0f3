"""What the engine raises."""

from __future__ import annotations

import errno

import apsw

from outlast.cloud.effects import CannotTake


class EngineError(Exception):
    """The family; its text is one clear line."""


class EngineBusy(EngineError):
    """Another engine has the folder open."""


class Unwritable(EngineError):
    """The folder cannot be made or written."""


class Misplaced(EngineError):
    """The folder holds the data of another Region."""


class WrongKey(EngineError):
    """The folder was encrypted with another master key."""


class Damaged(EngineError):
    """A checksum does not hold; the damaged part is named and not served."""


class IdentitiesUsedUp(EngineError):
    """This folder knows as many identities of Regions as it can: one more cannot be told apart from them."""


class StorageUnavailable(EngineError, CannotTake):
    """A write could not be made durable: a failed sync or a full disk. Reads go on."""


def is_full(error: Exception) -> bool:
    """Whether an error says that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, apsw.FullError)
