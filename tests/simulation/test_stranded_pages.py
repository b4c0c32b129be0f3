"""What a peer lacks, read page by page: every write once, and each page costs a page, however long the list is."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from outlast.cloud.engine import Conflict, Side, records
from outlast.cloud.simulation import simulate
from tests.simulation.test_replication import BOTH, EAST, WEST, quiet, started, until

WRITES, PAGE, AT_ONCE = 20_000, 100, 50


def test_a_page_of_what_is_stranded_reads_no_more_than_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        for at in range(0, WRITES, AT_ONCE):
            with east.begin() as tx:
                for number in range(at, at + AT_ONCE):
                    tx.put(a, b"%05d" % number, b"v")
            await east.settled()
        read = [0]
        monkeypatch.setattr(records, "read_record", counted(read))
        monkeypatch.setattr("outlast.cloud.engine.outbox.read_record", counted(read))
        found: list[tuple[bytes, int]] = []
        worst, stamp = 0, 0
        while len(found) < WRITES:
            before = read[0]
            known = set(found[-AT_ONCE:])
            page = [(each.key, each.stamp) for each in islice(east.stranded(WEST, a, stamp), PAGE + AT_ONCE)]
            page = [each for each in page if each not in known][:PAGE]
            found += page
            stamp = page[-1][1]
            worst = max(worst, read[0] - before)
        assert [key for key, _ in found] == [b"%05d" % number for number in range(WRITES)]
        assert worst <= 60, "records of the log: a search of its length's logarithm, and a page"
        assert all(west.lacks(b, [(key, east.writer, stamp) for key, stamp in found[:200]]))
        await world.close()

    real = records.read_record

    def counted(read: list[int]):  # type: ignore[no-untyped-def]
        def reading(stored: bytes, prefix: bytes):  # type: ignore[no-untyped-def]
            read[0] += 1
            return real(stored, prefix)

        return reading

    simulate(play())


def test_the_ledger_is_read_on_by_number_though_its_oldest_entries_go(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        engine = world.engines[EAST]
        ledger = engine.replication.ledger
        ledger._max_bytes, now_ms = 60_000, engine.effects.clock.now_ms()
        for number in range(1, 301):
            with engine.begin() as tx:
                sides = [Side(region, number << 16 | place, bytes(300), b"") for place, region in enumerate(BOTH)]
                ledger.add(Conflict("t", b"%d" % (number % 7), sides[1], sides[0], now_ms), None, tx.writes)
            await engine.settled()
        kept = [each.number for each in engine.conflicts()]
        assert kept == list(range(kept[0], 301))
        assert len(kept) == len(ledger) < 100
        found: list[int] = []
        while page := [each.number for each in islice(engine.conflicts(after=found[-1] if found else 0), 10)]:
            found += page
        assert found == kept
        assert [each.number for each in engine.conflicts(after=5)] == kept, "those that went are passed over"
        assert sorted(each.number for each in ledger.of_item("t", b"3")) == [each for each in kept if each % 7 == 3]
        await world.close()

    simulate(play())


def test_the_ledger_lets_go_of_what_is_older_than_seven_days(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        engine = world.engines[EAST]
        ledger, now_ms = engine.replication.ledger, engine.effects.clock.now_ms()
        week_ms = 7 * 24 * 3600 * 1000

        def note(number: int, noticed_ms: int) -> None:
            with engine.begin() as tx:
                sides = [Side(region, number << 16 | place, b"item", b"") for place, region in enumerate(BOTH)]
                ledger.add(Conflict("t", b"%d" % number, sides[1], sides[0], noticed_ms), None, tx.writes)

        def listed() -> list[int]:
            return [each.number for each in engine.conflicts()]

        note(1, now_ms - week_ms - 1)
        note(2, now_ms - week_ms + 60_000)
        await engine.settled()
        assert listed() == [2], "what is too old is not listed, though it may still be there"
        assert len(ledger) == 2
        note(3, now_ms)
        await engine.settled()
        assert listed() == [2, 3]
        assert len(ledger) == 2, "the next conflict makes it go"
        assert list(ledger.of_item("t", b"1")) == []
        assert len(list(ledger.of_item("t", b"2"))) == 1
        await world.close()

    simulate(play())
