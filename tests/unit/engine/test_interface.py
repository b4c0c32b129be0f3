"""The promises of the engine's interface."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from outlast.cloud.engine import (
    Change,
    Damaged,
    Engine,
    EngineBusy,
    EngineError,
    Misplaced,
    Transaction,
    Unwritable,
    WrongKey,
)
from outlast.cloud.engine.base import Base
from tests.unit.engine.conftest import KEY, Opener, effects


async def test_reads_see_applied_writes_before_they_are_synced(engine: Engine) -> None:
    space = engine.space("a")
    with engine.begin() as tx:
        tx.put(space, b"k", b"v")
    assert not bool(engine.is_settled)
    assert space.get(b"k") == b"v"
    assert list(space.range()) == [(b"k", b"v")]
    await engine.settled()
    assert bool(engine.is_settled)
    assert space.get(b"k") == b"v"


async def test_a_patient_transaction_is_made_durable_by_the_first_who_waits(engine: Engine) -> None:
    space = engine.space("a")
    await engine.settled()
    for number in range(3):
        with engine.begin(soon=False) as tx:
            tx.put(space, b"k", b"%d" % number)
        await asyncio.sleep(0.01)
        assert not bool(engine.is_settled)
    told: list[object] = []
    engine.when_settled(told.append)
    for _ in range(500):
        if told:
            break
        await asyncio.sleep(0.01)
    assert told == [None]
    assert bool(engine.is_settled)
    with engine.begin(soon=False) as tx:
        tx.put(space, b"k", b"late")
    await engine.settled()
    assert bool(engine.is_settled)


async def test_a_patient_transaction_goes_with_the_next_one(engine: Engine) -> None:
    space = engine.space("a")
    await engine.settled()
    with engine.begin(soon=False) as tx:
        tx.put(space, b"k", b"patient")
    with engine.begin() as tx:
        tx.put(space, b"l", b"v")
    for _ in range(500):
        if engine.is_settled:
            break
        await asyncio.sleep(0.01)
    assert bool(engine.is_settled)


async def test_a_patient_transaction_is_kept_by_a_close(reopen: Opener) -> None:
    engine = await reopen()
    space = engine.space("a")
    with engine.begin(soon=False) as tx:
        tx.put(space, b"k", b"patient")
    engine = await reopen()
    assert engine.space("a").get(b"k") == b"patient"


async def test_a_reopened_engine_has_its_data(reopen: Opener) -> None:
    engine = await reopen()
    with engine.begin() as tx:
        tx.put(engine.space("a"), b"k", b"v")
    await engine.settled()
    engine = await reopen()
    assert engine.spaces() == ("a",)
    assert engine.space("a").get(b"k") == b"v"
    assert engine.space("b").get(b"k") is None


async def test_a_range_merges_synced_and_fresh_both_ways(engine: Engine) -> None:
    space = engine.space("a")
    engine.space("b")
    with engine.begin() as tx:
        for number in range(200):
            tx.put(space, b"%03d" % number, b"old")
    await engine.settled()
    with engine.begin() as tx:
        for number in range(0, 200, 3):
            tx.put(space, b"%03d" % number, b"new")
        for number in range(1, 200, 3):
            tx.delete(space, b"%03d" % number)
        tx.put(space, b"\xff\xff", b"last")
    expected = [(b"%03d" % n, b"new" if n % 3 == 0 else b"old") for n in range(200) if n % 3 != 1]
    expected.append((b"\xff\xff", b"last"))
    assert list(space.range()) == expected
    assert list(space.range(reverse=True)) == expected[::-1]
    assert list(space.range(b"010", b"020")) == [pair for pair in expected if b"010" <= pair[0] < b"020"]
    await engine.settled()
    assert list(space.range()) == expected
    assert list(space.range(b"010", b"020", reverse=True)) == [p for p in expected if b"010" <= p[0] < b"020"][::-1]


async def test_a_transaction_reads_its_own_writes(engine: Engine) -> None:
    space = engine.space("a")
    with engine.begin() as tx:
        tx.put(space, b"a", b"1")
        tx.put(space, b"b", b"2")
    with engine.begin() as tx:
        tx.put(space, b"c", b"3")
        tx.delete(space, b"a")
        assert tx.get(space, b"a") is None
        assert tx.get(space, b"c") == b"3"
        assert list(tx.range(space)) == [(b"b", b"2"), (b"c", b"3")]
        assert list(tx.range(space, reverse=True)) == [(b"c", b"3"), (b"b", b"2")]


async def test_an_exception_discards_the_transaction(engine: Engine) -> None:
    space = engine.space("a")
    with pytest.raises(ZeroDivisionError), engine.begin() as tx:  # noqa: PT012
        tx.put(space, b"k", b"v")
        raise ZeroDivisionError
    assert space.get(b"k") is None
    with engine.begin() as tx:
        tx.put(space, b"k", b"w")
    assert space.get(b"k") == b"w"


async def test_transactions_do_not_nest(engine: Engine) -> None:
    with engine.begin(), pytest.raises(EngineError, match="already open"):
        engine.begin()


async def test_derive_runs_inside_the_transaction(engine: Engine) -> None:
    changes: list[Change] = []
    index = engine.space("index")

    def derive(change: Change, tx: Transaction) -> None:
        changes.append(change)
        if change.new is not None:
            tx.put(index, change.new + b"/" + change.key, b"")

    space = engine.space("a", derive=derive)
    with engine.begin() as tx:
        tx.put(space, b"k", b"v", context=b"who")
        assert list(tx.range(index)) == [(b"v/k", b"")]
    with engine.begin() as tx:
        tx.put(space, b"k", b"w")
    with engine.begin() as tx:
        tx.delete(space, b"k")
        tx.delete(space, b"missing")
    assert [(c.old, c.new, c.context) for c in changes] == [
        (None, b"v", b"who"),
        (b"v", b"w", b""),
        (b"w", None, b""),
    ]
    assert [c.origin for c in changes] == ["us-east-1"] * 3
    assert changes[0].stamp < changes[1].stamp < changes[2].stamp
    assert not changes[0].replicated


async def test_a_failing_derive_discards_the_transaction(engine: Engine) -> None:
    def derive(change: Change, tx: Transaction) -> None:
        raise ValueError("no")

    space = engine.space("a", derive=derive)
    with pytest.raises(ValueError, match="no"), engine.begin() as tx:
        tx.put(space, b"k", b"v")
    assert space.get(b"k") is None


async def test_a_dropped_space_is_gone_and_its_name_is_free(reopen: Opener) -> None:
    engine = await reopen()
    space = engine.space("a")
    with engine.begin() as tx:
        for number in range(1200):
            tx.put(space, b"%d" % number, b"v")
    engine.drop(space)
    assert engine.spaces() == ()
    assert list(engine.space("a").range()) == []
    engine = await reopen()
    assert list(engine.space("a").range()) == []


async def test_spaces_are_listed_by_prefix(engine: Engine) -> None:
    for name in ("x/2", "y/1", "x/1"):
        engine.space(name)
    assert engine.spaces("x/") == ("x/1", "x/2")
    assert engine.space("x/1") is engine.space("x/1")


async def test_replicas_are_kept(reopen: Opener) -> None:
    engine = await reopen()
    engine.space("a", replicas=("us-west-2", "us-east-1"))
    engine = await reopen()
    assert engine.space("a").replicas == ("us-west-2",)


async def test_a_second_engine_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineBusy, match="another process"):
        await Engine.open(tmp_path / "data", region="us-east-1", key=KEY, effects=effects())


async def test_another_regions_folder_is_refused_and_left_as_it_was(reopen: Opener, tmp_path: Path) -> None:
    engine = await reopen()
    with engine.begin() as tx:
        tx.put(engine.space("t"), b"k", b"v")
    await engine.close()
    for _ in range(2):
        with pytest.raises(Misplaced, match="us-west-2 is that of us-east-1"):
            await Engine.open(tmp_path / "data", region="us-west-2", key=KEY, effects=effects())
    assert (await reopen()).space("t").get(b"k") == b"v"


async def test_a_wrong_key_gives_one_line(reopen: Opener, tmp_path: Path) -> None:
    engine = await reopen()
    await engine.close()
    with pytest.raises(WrongKey) as caught:
        await Engine.open(tmp_path / "data", region="us-east-1", key=bytes(32), effects=effects())
    assert "\n" not in str(caught.value)
    await reopen()


async def test_a_damaged_key_file_is_named(reopen: Opener, tmp_path: Path) -> None:
    await (await reopen()).close()
    keys = tmp_path / "data" / "keys"
    damaged = bytearray(keys.read_bytes())
    damaged[30] ^= 1
    keys.write_bytes(damaged)
    with pytest.raises(Damaged, match="keys"):
        await Engine.open(tmp_path / "data", region="us-east-1", key=KEY, effects=effects())
    damaged[30] ^= 1
    keys.write_bytes(damaged)


async def test_an_unusable_folder_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be used"):
        await Engine.open(tmp_path / "file" / "data", region="us-east-1", key=KEY, effects=effects())


async def test_no_plain_text_in_any_file(engine: Engine, tmp_path: Path) -> None:
    space = engine.space("orders-of-customers")
    with engine.begin() as tx:
        for number in range(50):
            tx.put(space, b"secret-key-%d" % number, b"secret-value-%d" % number, context=b"secret-context")
    await engine.settled()
    await engine.store.drain()  # the base too
    with engine.begin() as tx:
        tx.put(space, b"secret-key-again", b"secret-value-again")
    await engine.settled()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) > 2000
    for path in files:
        contents = path.read_bytes()
        for plain in (b"secret-", b"customers", b"SQLite", KEY):
            assert plain not in contents, path
        assert path.stat().st_mode & 0o077 == 0, path


async def test_many_waiters_share_a_sync(engine: Engine) -> None:
    space = engine.space("a")

    async def write(number: int) -> None:
        with engine.begin() as tx:
            tx.put(space, b"%d" % number, b"v")
        await engine.settled()

    await asyncio.gather(*(write(number) for number in range(100)))
    assert len(list(space.range())) == 100


async def test_at_rest_it_keeps_neither_tables_nor_pages_in_memory_and_serves_all_the_same(reopen: Opener) -> None:
    engine = await reopen()
    space = engine.space("a")
    for start in range(0, 3000, 100):
        with engine.begin() as tx:
            for number in range(start, start + 100):
                tx.put(space, b"%06d" % number, b"v" * 1000)
        await engine.settled()
    await engine.rest()
    base = engine.store.base
    assert base.flushed == engine.store.synced, "what was written is in the base"
    assert not engine.store._table.data
    for number in range(0, 3000, 10):
        assert len(list(space.range(b"%06d" % number, b"%06d" % (number + 5)))) == 5
    pages, remembered = cached_bytes(base), base._lately_bytes
    assert pages > 2_000_000
    assert remembered > 1_000_000
    await engine.rest()
    assert cached_bytes(base) < pages / 20
    assert base._lately_bytes == 0
    with engine.begin() as tx:
        tx.put(space, b"000001", b"new")
    assert [value for _, value in space.range(b"000000", b"000003")] == [b"v" * 1000, b"new", b"v" * 1000]


async def test_at_rest_a_handful_of_writes_stays_in_memory(engine: Engine) -> None:
    """They would cost a segment of the log and a write of the base each time."""
    space = engine.space("a")
    with engine.begin() as tx:
        tx.put(space, b"k", b"v")
    await engine.settled()
    await engine.rest()
    assert engine.store._table.data
    assert space.get(b"k") == b"v"


def cached_bytes(base: Base) -> int:
    """What the base's pages take in memory."""
    return base._reader.status(apsw.SQLITE_DBSTATUS_CACHE_USED)[0]
