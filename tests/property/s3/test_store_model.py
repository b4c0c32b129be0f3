"""The object store against a plain model: random puts, deletions, markers and removals of versions."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, cast

import pytest

from outlast.cloud.contract import Region
from outlast.cloud.engine import Engine
from outlast.cloud.services.s3.model import CHUNK_BYTES, Version
from outlast.cloud.services.s3.store import ObjectStore
from outlast.cloud.simulation import SimulatedEngines, simulate

KEYS = ["a", "a/b", "a0", "b", "é", "z"]


class Model:
    """Versions of each key, newest first: (version id, is it a marker, bytes)."""

    def __init__(self) -> None:
        self.versions: dict[str, list[tuple[str, bool, bytes]]] = {}

    def add(self, key: str, version_id: str, marker: bool, body: bytes) -> None:
        others = [each for each in self.versions.get(key, []) if version_id != "null" or each[0] != "null"]
        self.versions[key] = [(version_id, marker, body), *others]

    def current(self, key: str) -> bytes | None:
        versions = self.versions.get(key)
        return versions[0][2] if versions and not versions[0][1] else None


class Opened:
    """What the store needs of a Region."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.entropy = engine.effects.entropy


def step(store: ObjectStore, model: Model, dice: random.Random, now_ms: int) -> None:
    key, versioned = dice.choice(KEYS), dice.random() < 0.5
    action = dice.choice(["put", "put", "mark", "remove"])
    if action == "put":
        body = dice.randbytes(dice.choice([0, 1, CHUNK_BYTES, CHUNK_BYTES + 5]))
        version = store.put("box", Version(key, "", 0, now_ms, size=len(body)), body, versioned=versioned)
        model.add(key, version.version_id, False, body)
    elif action == "mark":
        marker = store.mark("box", key, now_ms, versioned=versioned)
        model.add(key, marker.version_id, True, b"")
    elif model.versions.get(key):
        chosen = dice.choice(model.versions[key])
        found = store.version("box", key, chosen[0])
        assert found is not None
        store.remove("box", found)
        model.versions[key].remove(chosen)


def compare(store: ObjectStore, model: Model) -> None:
    for key in KEYS:
        version, expected = store.current("box", key), model.current(key)
        assert (version is None) == (expected is None)
        if version is not None:
            assert store.read(version, 0, version.size) == expected
        seen = [(each.version_id, each.is_marker) for each in store.versions_of("box", key)]
        assert seen == [each[:2] for each in model.versions.get(key, [])]
    listed = [raw.decode() for raw, _ in store.listed("box", "")]
    assert listed == [key for key in sorted(KEYS) if model.current(key) is not None]
    prefixed = [raw.decode() for raw, _ in store.listed("box", "a")]
    assert prefixed == [key for key in listed if key.startswith("a")]


@pytest.mark.parametrize("seed", range(8))
def test_the_store_is_what_the_model_says(tmp_path: Path, seed: int) -> None:
    async def play() -> None:
        world = SimulatedEngines(tmp_path, ("us-east-1",), seed)
        engine = await world.start("us-east-1")
        store = ObjectStore(cast(Region, Opened(engine)))
        model, dice = Model(), random.Random(seed)
        for number in range(60):
            step(store, model, dice, 1000 - number % 3)
            compare(store, model)
            if number % 20 == 19:
                await engine.settled()
        for versions in list(model.versions):
            for version_id, _, _ in list(model.versions[versions]):
                found = store.version("box", versions, version_id)
                assert found is not None
                store.remove("box", found)
        await engine.settled()
        await asyncio.sleep(0)
        left: Any = list(engine.space("s3/chunks").range())
        assert (store.is_empty("box"), left) == (True, [])
        await world.close()

    simulate(play())
