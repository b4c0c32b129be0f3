"""The door to randomness."""

from __future__ import annotations

import os
import random
import uuid
from typing import Protocol


class Entropy(Protocol):
    """Unpredictable bytes and the identifiers made of them."""

    def token(self, n_bytes: int) -> bytes:
        """`n_bytes` fresh bytes, fit for keys."""
        ...

    def hex(self, n_chars: int) -> str:
        """`n_chars` lower-case hexadecimal digits."""
        ...

    def uuid(self) -> str:
        """A version 4 UUID in its usual text form."""
        ...

    def uniform(self) -> float:
        """A number in [0, 1), for choices and delays; never for secrets."""
        ...


class RealEntropy:
    """The operating system's generator."""

    __slots__ = ()

    def token(self, n_bytes: int) -> bytes:
        return os.urandom(n_bytes)

    def hex(self, n_chars: int) -> str:
        return os.urandom((n_chars + 1) // 2).hex()[:n_chars]

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=os.urandom(16), version=4))

    def uniform(self) -> float:
        return random.random()  # a forked process seeds it anew
