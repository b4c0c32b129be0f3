"""The generator's twin: everything follows from a seed."""

from __future__ import annotations

import random
import uuid


class SimulatedEntropy:
    """Predictable bytes."""

    __slots__ = ("_random",)

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def token(self, n_bytes: int) -> bytes:
        return self._random.randbytes(n_bytes)

    def hex(self, n_chars: int) -> str:
        return self._random.randbytes((n_chars + 1) // 2).hex()[:n_chars]

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))

    def uniform(self) -> float:
        return self._random.random()
