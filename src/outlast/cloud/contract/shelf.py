"""Shelves: durable JSON documents for the small state of a service."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import orjson

from outlast.cloud.engine import Change, Engine

Document = dict[str, Any]
Listener = Callable[[str, Document | None], None]


class HasEngine(Protocol):
    """What a shelf needs of a Region."""

    @property
    def engine(self) -> Engine: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def name(self) -> str: ...


class Shelf:
    """An ordered, durable map from text keys to JSON documents, cached in memory.

    With `spread`, every Region of the world holds a copy that follows asynchronously; write it in the service's home
    Region only. A write is durable once the pipeline has answered (it waits for the engine to settle); a background
    task that acknowledges something itself awaits `engine.settled()`.
    """

    def __init__(self, region: HasEngine, name: str, *, spread: bool = False) -> None:
        self._engine = region.engine
        self._listeners: list[Listener] = []
        others = tuple(other for other in region.names if other != region.name)
        self._documents: dict[str, bytes] = {}
        self._space = region.engine.space(f"shelf/{name}", replicas=others if spread else ())
        for key, value in self._space.range():
            self._documents[key.decode()] = value
        self._space.subscribe(self._follow)

    def _follow(self, change: Change) -> None:
        """A change that arrived from another Region; those made here are applied where they are made."""
        if change.replicated:
            self._apply(change.key.decode(), change.new)

    def _apply(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._documents.pop(key, None)
        else:
            self._documents[key] = value
        for listener in self._listeners:
            listener(key, None if value is None else orjson.loads(value))

    def on_change(self, listener: Listener) -> None:
        """Call `listener(key, document or None)` for every change, made here or arrived from another Region."""
        self._listeners.append(listener)

    def get(self, key: str) -> Document | None:
        """A fresh copy of the document, or None."""
        value = self._documents.get(key)
        return None if value is None else orjson.loads(value)

    def put(self, key: str, document: Mapping[str, Any]) -> None:
        """Store the document under `key`."""
        value = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        with self._engine.begin() as tx:
            tx.put(self._space, key.encode(), value)
        self._apply(key, value)

    def delete(self, key: str) -> bool:
        """Remove the document; False when there was none."""
        if key not in self._documents:
            return False
        with self._engine.begin() as tx:
            tx.delete(self._space, key.encode())
        self._apply(key, None)
        return True

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that start with `prefix`, in order."""
        return sorted(key for key in self._documents if key.startswith(prefix))

    def items(self, prefix: str = "") -> Iterator[tuple[str, Document]]:
        """The documents whose keys start with `prefix`, in order of their keys."""
        for key in self.keys(prefix):
            value = self._documents.get(key)
            if value is not None:
                yield key, orjson.loads(value)

    def digest(self) -> str:
        """A digest of all that the shelf holds: equal for two Regions that hold the same."""
        whole = hashlib.sha256()
        for key in self.keys():
            for part in (key.encode(), self._documents[key]):
                whole.update(len(part).to_bytes(8, "big") + part)
        return whole.hexdigest()

    def __contains__(self, key: str) -> bool:
        return key in self._documents

    def __len__(self) -> int:
        return len(self._documents)
