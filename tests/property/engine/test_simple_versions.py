"""What is done with versions of one writer without taking them apart is what is done with any versions."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.engine import version
from outlast.cloud.engine.receiver import Receiver, resolve, translate
from outlast.cloud.engine.version import Version
from outlast.cloud.simulation import SimulatedEngines, simulate

NAMES = ["us-east-1#a", "us-east-2#b", "us-west-2#c"]
NUMBERS = (2, 0, 1)
OWN = 0

origins = st.integers(0, 2)
stamps = st.integers(1, 4)
contexts = st.sampled_from([b"", b"request"])
values = st.one_of(st.none(), st.binary(max_size=5))
simple = st.builds(Version, origin=origins, stamp=stamps, context=contexts, value=values)
seen = st.lists(st.tuples(origins, stamps), max_size=2, unique_by=lambda entry: entry[0]).map(tuple)
any_version = st.builds(Version, origin=origins, stamp=stamps, seen=seen, context=contexts, value=values)


@given(simple)
def test_its_parts_are_those_of_the_version(one: Version) -> None:
    stored = version.encode(one)
    assert version.is_simple(stored)
    assert version.simple_parts(stored) == (one.stamp, one.context, one.value)
    assert version.from_origin(stored, NUMBERS[one.origin]) == version.encode(translate(one, NUMBERS))


@given(any_version)
def test_one_that_tells_of_other_writers_is_not_simple(one: Version) -> None:
    assert version.is_simple(version.encode(one)) == (not one.seen)


async def applied(folder: Path, local: Version | None, sent: Version) -> tuple[Any, ...]:
    """What a Region keeps, and what it tells, of a version that was sent to it."""
    world = SimulatedEngines(folder, ("us-east-1",), 1)
    engine = await world.start("us-east-1")
    space = engine.space("t")
    names = engine.replication.names_list
    names += NAMES[len(names) :]
    receiver = Receiver(engine.replication)
    with engine.begin() as tx:
        if local is not None:
            tx.writes[space.raw(b"k")] = version.encode(local)
        change = receiver._apply(tx, space, b"k", version.encode(sent), NUMBERS)
        kept = tx.writes.get(space.raw(b"k"))
        tombstone = any(key != space.raw(b"k") and value == b"" for key, value in tx.writes.items())
    told = None if change is None else (change.old, change.new, change.origin, change.stamp, change.context)
    await world.close()
    return kept, told, tombstone


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.none(), simple, any_version), st.one_of(simple, any_version))
def test_what_is_kept_and_told_follows_from_the_rule(local: Version | None, sent: Version) -> None:
    incoming = translate(sent, NUMBERS)
    kept = incoming
    if local is not None:
        kept, _ = resolve(local, incoming, NAMES)
        kept = local if kept is local else kept.after(local, OWN)
    with TemporaryDirectory() as folder:
        found, told, tombstone = simulate(applied(Path(folder), local, sent))
    old = None if local is None else local.value
    assert found == (None if local is None and kept is local else version.encode(kept))
    moved = kept is not local and not (kept.value is None and old is None)
    origin = NAMES[kept.origin].partition("#")[0]
    assert told == ((old, kept.value, origin, kept.stamp, kept.context) if moved else None)
    assert not (kept is not local and kept.value is None) or tombstone
