"""The engine's own tables: names of spaces and of Regions, kept in the store beside the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outlast.cloud.engine import layout
from outlast.cloud.engine.errors import IdentitiesUsedUp, Misplaced
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.store import Store

MAX_REGIONS = 255
USED_UP = "255 identities of Regions are known here, and there is no room for another; each lost disk takes one"


@dataclass(frozen=True, slots=True)
class SpaceRecord:
    """What is known of a space: its number and the other Regions that hold it."""

    name: str
    number: int
    replicas: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Four bytes of number, then the replicas' names separated by NUL."""
        return self.number.to_bytes(4, "big") + b"\0".join(name.encode() for name in self.replicas)

    @staticmethod
    def decode(name: str, stored: bytes) -> SpaceRecord:
        """The record in `stored`."""
        names = stored[4:].split(b"\0") if len(stored) > 4 else []
        return SpaceRecord(name, int.from_bytes(stored[:4], "big"), tuple(each.decode() for each in names))


class Catalogue:
    """Spaces and Regions by name and by number. Numbers are never used twice."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.spaces: dict[str, SpaceRecord] = {}
        self.dropped: list[int] = []
        self.regions: list[str] = []
        self._numbers: dict[str, int] = {}
        self._next = 1
        self.load()

    def load(self) -> None:
        """Read everything from the store again."""
        self.spaces = {}
        for key, stored in self._all(layout.SPACE):
            record = SpaceRecord.decode(key.decode(), stored)
            self.spaces[record.name] = record
        self.dropped = [int.from_bytes(key, "big") for key, _ in self._all(layout.DROPPED)]
        self.regions = [stored.decode() for _, stored in self._all(layout.REGION)]
        self._numbers = {name: number for number, name in enumerate(self.regions)}
        self._next = max([self._next, *(each + 1 for each in self.dropped)])
        used = self._store.get(layout.SPACE)
        if used is not None:
            self._next = max(self._next, int.from_bytes(used, "big") + 1)

    def _all(self, kind: bytes) -> list[tuple[bytes, bytes]]:
        pairs = self._store.range(kind + b"\0", layout.successor(kind))
        return [(key[1:], stored) for key, stored in pairs]

    def add_space(self, name: str, replicas: tuple[str, ...], writes: Writes) -> SpaceRecord:
        """A new record, added to `writes`."""
        record = SpaceRecord(name, self._next, replicas)
        self._next += 1
        self.spaces[name] = record
        writes[layout.SPACE] = record.number.to_bytes(4, "big")
        writes[layout.SPACE + name.encode()] = record.encode()
        return record

    def change_space(self, record: SpaceRecord, writes: Writes) -> None:
        """Replace the record of the same name."""
        self.spaces[record.name] = record
        writes[layout.SPACE] = (self._next - 1).to_bytes(4, "big")
        writes[layout.SPACE + record.name.encode()] = record.encode()

    def drop_space(self, name: str, writes: Writes) -> int:
        """Forget the name; its number waits in `dropped` until its items are gone."""
        number = self.spaces.pop(name).number
        self.dropped.append(number)
        writes[layout.SPACE + name.encode()] = None
        writes[layout.DROPPED + number.to_bytes(4, "big")] = b"\0"
        return number

    def purged(self, number: int, writes: Writes) -> None:
        """The items of a dropped space are gone."""
        self.dropped.remove(number)
        writes[layout.DROPPED + number.to_bytes(4, "big")] = None

    def replicated(self) -> list[int]:
        """The numbers of the spaces that have replicas."""
        return sorted(each.number for each in self.spaces.values() if each.replicas)

    def check_owner(self, region: str, identity: str) -> None:
        """Raise Misplaced when the folder, of that identity, is another Region's: its items would pass for our own."""
        for name in self.regions:
            owner, _, known = name.partition("#")
            if known == identity and owner != region:
                raise Misplaced(f"the data in the folder of the Region {region} is that of {owner}")

    def number(self, name: str) -> int:
        """The number of a Region; -1 when it has none."""
        return self._numbers.get(name, -1)

    def numbers(self, names: Sequence[str], writes: Writes) -> tuple[int, ...]:
        """The numbers of Regions, as `region`: of all of them or, by IdentitiesUsedUp, of none."""
        n_new = len({name for name in names if name not in self._numbers})
        if n_new and len(self.regions) + n_new > MAX_REGIONS:
            raise IdentitiesUsedUp(USED_UP)
        return tuple([self.region(name, writes) for name in names])

    def region(self, name: str, writes: Writes) -> int:
        """The number of a Region, given to it on first use. Raises IdentitiesUsedUp."""
        number = self._numbers.get(name)
        if number is None:
            number = len(self.regions)
            if number >= MAX_REGIONS:
                raise IdentitiesUsedUp(USED_UP)
            self.regions.append(name)
            self._numbers[name] = number
            writes[layout.REGION + b"\0" + bytes((number,))] = name.encode()
        return number
