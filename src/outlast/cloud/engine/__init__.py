"""Ordered durable items: encrypted, transactional, replicated between Regions."""

from __future__ import annotations

from outlast.cloud.engine.engine import Engine
from outlast.cloud.engine.errors import (
    Damaged,
    EngineBusy,
    EngineError,
    Misplaced,
    StorageUnavailable,
    Unwritable,
    WrongKey,
)
from outlast.cloud.engine.ledger import Conflict, Side
from outlast.cloud.engine.renewal import OlderCopy
from outlast.cloud.engine.rotation import rotate_data_key, rotate_master_key
from outlast.cloud.engine.sender import Delivered
from outlast.cloud.engine.space import Change, Replica, Space
from outlast.cloud.engine.stranded import Stranded
from outlast.cloud.engine.transaction import Transaction

__all__ = [
    "Change",
    "Conflict",
    "Damaged",
    "Delivered",
    "Engine",
    "EngineBusy",
    "EngineError",
    "Misplaced",
    "OlderCopy",
    "Replica",
    "Side",
    "Space",
    "StorageUnavailable",
    "Stranded",
    "Transaction",
    "Unwritable",
    "WrongKey",
    "rotate_data_key",
    "rotate_master_key",
]
