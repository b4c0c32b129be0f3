"""Greetings: two Regions tell each other who they are and what they know of one another, before anything else counts.

Nothing is taken from a peer, and no answer of it counts, before each has found that the other's folder, and its own, is
not an older copy (`lineage`). A Region that finds its own to be one takes another identity (`renewal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from outlast.cloud.engine.lineage import NO_TOKEN, STANDING, Standing, read_lives
from outlast.cloud.engine.messages import HELLO, pack

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication

CLOCK_BYTES = 8


class Greetings:
    """Whom this process has greeted."""

    def __init__(self, replication: Replication) -> None:
        self._home = replication
        self._lineage = replication.lineage
        self._greeted: dict[str, tuple[bytes, frozenset[bytes]]] = {}

    def hello(self, peer: str) -> bytes:
        """The greeting of a peer."""
        return pack([HELLO, *self.words(peer)])

    def words(self, peer: str) -> list[bytes]:
        """What this Region says of itself and of the peer; of itself alone while it changes its identity."""
        lineage = self._lineage
        if self._home.renewal.is_running:
            return [lineage.standing_now()]
        clock = self._home.engine.clock.last.to_bytes(CLOCK_BYTES, "big")
        return [lineage.standing_now(), lineage.packed_lives(), lineage.proofs_of(peer), clock]

    def take(self, peer: str, words: Sequence[bytes]) -> bool:
        """What a peer has said at a greeting; whether the two may exchange data from now on. Raises ValueError."""
        if len(words) < 4 or self._home.renewal.is_running:
            return False
        standing, lives = Standing.read(words[0]), read_lives(words[1])
        if len(words[3]) != CLOCK_BYTES:
            raise ValueError("a clock of another length")
        for at in range(0, len(words[2]), STANDING.size):
            if self._lineage.is_older_than(Standing.read(words[2][at : at + STANDING.size])):
                self._home.renewal.begin(peer, int.from_bytes(words[3], "big"))
                return False
        if not self._lineage.trusts(peer, standing, lives):
            self._greeted.pop(peer, None)
            return False
        self._greeted[peer] = standing.identity, frozenset([NO_TOKEN, *(life.token for life in lives)])
        self._lineage.accept(peer, standing)
        self._home.meet(peer, standing.identity)
        return True

    def knows(self, peer: str, standing: Standing) -> bool:
        """Whether the peer that says this of itself is the one that was greeted."""
        identity, tokens = self._greeted.get(peer, (b"", frozenset()))
        return identity == standing.identity and standing.token in tokens and not self._home.renewal.is_running

    def heard(self, peer: str, packed: bytes) -> bool:
        """A peer's standing came with an answer; whether the answer counts. Raises ValueError."""
        standing = Standing.read(packed)
        if not self.knows(peer, standing):
            return False
        self._lineage.hear(peer, standing)
        return True

    def forget(self) -> None:
        """This Region is another from now on: everybody is to be greeted anew."""
        self._greeted.clear()
