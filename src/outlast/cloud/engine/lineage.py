"""Who a Region is, told so that an older copy of its folder cannot pass for it.

An identity is made with the folder. Every start begins a *life* of it, noted in the first commit of that life with a
random token and the number of the last commit before it. What a Region says of itself is its *standing*: identity,
life, newest durable commit. A peer keeps the newest standing that it has heard, the *proof*, in the same commits as
what it vouches for: items that came with it, cursors that moved by it. So a peer never holds a write of a Region, nor
counts anything as delivered to it, that is newer than its proof.

A folder *descends* from a proof when the proof's life is one of its own and reached the proof's commit. A folder that
was killed at any moment does, for only durable commits are told. A folder put back from an older copy does not, when a
peer holds anything that the copy lacks, however much was written since: a new life began at the copy's commit.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cloud.engine import layout
from outlast.cloud.engine.errors import StorageUnavailable
from outlast.cloud.engine.layout import Writes

if TYPE_CHECKING:
    from outlast.cloud.engine.catalogue import Catalogue
    from outlast.cloud.engine.engine import Engine

IDENTITY_CHARS = 16
TOKEN_BYTES = 8
MAX_LIVES = 256
ENDED = 2**64 - 1
"""The life in the proof of an identity that its Region has given up: no folder descends from it."""
STANDING = struct.Struct(">16sQ8sQ")
LIFE = struct.Struct(">Q8sQQ")
PROOF = struct.Struct(">Q8sQ")
NO_TOKEN = bytes(TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class Standing:
    """Up to which commit of which life of an identity something is known to be durable. Life 0: nothing is known."""

    identity: bytes
    life: int = 0
    token: bytes = NO_TOKEN
    commit: int = 0

    def pack(self) -> bytes:
        """Forty bytes."""
        return STANDING.pack(self.identity, self.life, self.token, self.commit)

    @staticmethod
    def read(packed: bytes) -> Standing:
        """The standing in forty bytes; raises ValueError."""
        if len(packed) != STANDING.size:
            raise ValueError("a standing of another length")
        identity, life, token, commit = STANDING.unpack(packed)
        return Standing(identity.rstrip(b"\0"), life, token, commit)


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a folder: its token, the last commit before it, and the clock then."""

    number: int
    token: bytes
    began: int
    stamp: int


def descends(lives: Sequence[Life], proof: Standing) -> bool:
    """Whether a folder with these lives, oldest first and the present one last, has what the proof vouches for.

    A proof older than the oldest life that is remembered is compared by its commit alone.
    """
    for at, life in enumerate(lives):
        if life.number == proof.life:
            return life.token == proof.token and (life is lives[-1] or proof.commit <= lives[at + 1].began)
    return proof.life < lives[0].number and proof.commit <= lives[0].began


def read_lives(packed: bytes) -> list[Life]:
    """Lives as a greeting tells them; raises ValueError."""
    if not packed or len(packed) % LIFE.size or len(packed) > MAX_LIVES * LIFE.size:
        raise ValueError("no list of lives")
    return [Life(*fields) for fields in LIFE.iter_unpack(packed)]


class Lineage:
    """The identity and the lives of this folder, and the proofs that it keeps of its peers."""

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._store = store = engine.store
        self._region = engine.region
        self._entropy = engine.effects.entropy
        self._catalogue = catalogue
        self._began = store.applied
        self._noted_at: int | None = None
        self._proofs: dict[str, Standing] = {}
        self._unkept: dict[str, None] = {}
        self._read()
        self._earlier = self.lives[-1] if self.lives else None
        number = 1 if self._earlier is None else self._earlier.number + 1
        self.lives.append(Life(number, self._entropy.token(TOKEN_BYTES), self._began, store.stamp()))
        self.identity, self.origin = self._identify()

    def _read(self) -> None:
        self.lives = [
            Life(*LIFE.unpack(stored)) for _, stored in self._store.range(layout.LIFE, layout.successor(layout.LIFE))
        ]
        for key, stored in self._store.range(layout.PROOF, layout.successor(layout.PROOF)):
            name = key[1:].decode()
            self._proofs[name] = Standing(name.partition("#")[2].encode(), *PROOF.unpack(stored))
        self._read_confirmed()

    def _read_confirmed(self) -> None:
        stored = self._store.range(layout.CONFIRMED, layout.successor(layout.CONFIRMED))
        self._confirmed = {key[1:].decode(): int.from_bytes(number, "big") for key, number in stored}

    def _identify(self) -> tuple[bytes, int]:
        """This folder's own identity: a Region that lost its data comes back as another."""
        writes: Writes = {}
        identity = self._store.get(layout.IDENTITY_KEY)
        if identity is None:
            identity = self._entropy.hex(IDENTITY_CHARS).encode()
            writes[layout.IDENTITY_KEY] = identity
        else:
            self._catalogue.check_owner(self._region, identity.decode())
        number = self._catalogue.region(f"{self._region}#{identity.decode()}", writes)
        if writes or self._is_writable:
            self._note(writes)
            self._store.submit(writes)
        return identity, number

    # ---- this folder

    def note_again(self, writes: Writes) -> None:
        """Note identity and life again when the store has lost them, or could not take them at the start."""
        if self._store.get(layout.IDENTITY_KEY) != self.identity:
            writes[layout.IDENTITY_KEY] = self.identity
        self.origin = self._catalogue.region(f"{self._region}#{self.identity.decode()}", writes)
        if self._noted_at is None:
            self._note(writes)

    def note(self) -> None:
        """Note this life, if that has not been done: before anything of it becomes durable."""
        if self._noted_at is None:
            writes: Writes = {}
            self._note(writes)
            self._store.submit(writes)

    def _note(self, writes: Writes) -> None:
        life = self.lives[-1]
        writes[_life_key(life.number)] = LIFE.pack(life.number, life.token, life.began, life.stamp)
        while len(self.lives) > MAX_LIVES:
            writes[_life_key(self.lives.pop(0).number)] = None
        self._noted_at = self._store.applied + 1

    def lost(self) -> None:
        """Applied writes were lost: what was not durable is to be noted again."""
        if self._noted_at is not None and self._noted_at > self._store.synced:
            self._noted_at = None
        self._unkept.update(dict.fromkeys(self._proofs))
        self._read_confirmed()

    @property
    def _is_writable(self) -> bool:
        try:
            self._store.check()
        except StorageUnavailable:
            return False
        return True

    def renew(self, writes: Writes) -> tuple[int, int]:
        """Take another identity: the numbers of the one before and of the new one. Raises IdentitiesUsedUp."""
        before = self.origin
        identity = self._entropy.hex(IDENTITY_CHARS).encode()
        self.origin = self._catalogue.region(f"{self._region}#{identity.decode()}", writes)
        writes[layout.IDENTITY_KEY] = self.identity = identity
        return before, self.origin

    @property
    def writer(self) -> str:
        """How writes made here are known everywhere: the Region and this folder's identity."""
        return f"{self._region}#{self.identity.decode()}"

    def unproven_since(self, peer: str) -> int:
        """The clock when the first life began in which this peer has not found this folder to be the newest."""
        confirmed = self._confirmed.get(peer, 0)
        return next((life.stamp for life in self.lives if life.number > confirmed), self.lives[-1].stamp)

    def standing(self) -> bytes:
        """This Region's standing with all that is applied: for what leaves only after `settled`."""
        if self._is_writable:
            self.note()
        return self._standing(self._store.applied)

    def standing_now(self) -> bytes:
        """This Region's standing with what is durable already."""
        return self._standing(self._store.synced)

    def _standing(self, reached: int) -> bytes:
        if self._noted_at is not None and reached >= self._noted_at:
            return Standing(self.identity, self.lives[-1].number, self.lives[-1].token, reached).pack()
        if self._earlier is None:
            return Standing(self.identity).pack()
        return Standing(self.identity, self._earlier.number, self._earlier.token, self._began).pack()

    def packed_lives(self) -> bytes:
        """This folder's lives, for a greeting."""
        return b"".join(
            [LIFE.pack(life.number, life.token, life.began, life.stamp) for life in self.lives[-MAX_LIVES:]]
        )

    def is_older_than(self, proof: Standing) -> bool:
        """Whether a peer's proof of this identity tells of more than this folder has."""
        return proof.identity == self.identity and not descends(self.lives, proof)

    # ---- peers

    def proofs_of(self, peer: str) -> bytes:
        """What is known here of every identity that a peer has had, packed."""
        return b"".join([proof.pack() for name, proof in self._proofs.items() if name.partition("#")[0] == peer])

    def trusts(self, peer: str, standing: Standing, lives: Sequence[Life]) -> bool:
        """Whether a peer that says this of itself has all that it was known to have."""
        proof = self._proofs.get(f"{peer}#{standing.identity.decode()}")
        return proof is None or descends(lives, proof)

    def accept(self, peer: str, standing: Standing) -> None:
        """A peer was greeted, and each is what the other knows: keep that, once for each life of either."""
        before = self._proofs.get(f"{peer}#{standing.identity.decode()}")
        for name in self._proofs:
            if name.partition("#")[0] == peer and self._proofs[name].identity != standing.identity:
                self._hear(name, Standing(self._proofs[name].identity, ENDED))
        self.hear(peer, standing)
        confirmed = self._confirmed.get(peer) == self.lives[-1].number
        if (confirmed and before is not None and before.life == standing.life) or not self._is_writable:
            return
        self._confirmed[peer] = self.lives[-1].number
        writes: Writes = {layout.CONFIRMED + peer.encode(): self.lives[-1].number.to_bytes(8, "big")}
        self.keep(writes)
        self._store.submit(writes)

    def hear(self, peer: str, standing: Standing) -> None:
        """A greeted peer tells how far it is."""
        self._hear(f"{peer}#{standing.identity.decode()}", standing)

    def _hear(self, name: str, standing: Standing) -> None:
        known = self._proofs.get(name)
        if known is None or (standing.life, standing.commit) > (known.life, known.commit):
            self._proofs[name] = standing
            self._unkept[name] = None

    def keep(self, writes: Writes) -> None:
        """Add the proofs that have moved to `writes`, with the cursors that moved by them."""
        for name in self._unkept:
            self._keep(name, writes)
        self._unkept.clear()

    def vouch(self, peer: str, standing: Standing, writes: Writes) -> None:
        """Add a peer's proof to `writes`, which hold what came with that standing."""
        self.hear(peer, standing)
        self._keep(f"{peer}#{standing.identity.decode()}", writes)

    def _keep(self, name: str, writes: Writes) -> None:
        proof = self._proofs[name]
        writes[layout.PROOF + name.encode()] = PROOF.pack(proof.life, proof.token, proof.commit)


def _life_key(number: int) -> bytes:
    return layout.LIFE + number.to_bytes(8, "big")
