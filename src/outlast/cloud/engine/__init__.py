"""Ordered durable items: encrypted, transactional, replicated between Regions."""

from __future__ import annotations

from outlast.cloud.engine.engine import Engine
from outlast.cloud.engine.errors import (
    Damaged,
    EngineBusy,
    EngineError,
    StorageUnavailable,
    Unwritable,
    WrongKey,
)
from outlast.cloud.engine.space import Change, Replica, Space
from outlast.cloud.engine.transaction import Transaction

__all__ = [
    "Change",
    "Damaged",
    "Engine",
    "EngineBusy",
    "EngineError",
    "Replica",
    "Space",
    "StorageUnavailable",
    "Transaction",
    "Unwritable",
    "WrongKey",
]
