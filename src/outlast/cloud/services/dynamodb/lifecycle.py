"""What happens to tables and indexes by and by: statuses move, indexes are filled, deleted tables vanish.

Each step is noted on the table's document before it is due, so a restart goes on with it. The steps of one table are
done one after the other, but for what waits for other Regions, which no other step waits for; tables do not wait for
one another. A step that fails comes again, later each time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.dynamodb.indexes import Index, stored_size, unpacked
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table, expiry_space_name, index_space_name

CREATE_MS = 100
UPDATE_MS = 100
DELETE_MS = 100
BACKFILL_ITEMS = 250
CONVERGE = "converge"
"""The step that asks other Regions, and may wait for their answers."""
LAST = frozenset({"delete", "delete-replica"})
"""The steps that end a table."""
FIRST_PAUSE_MS, LAST_PAUSE_MS = 200, 60_000
"""How long a step that failed waits before it is tried again: the first time, and at most."""
MOST_AHEAD_MS = 5_000
"""No step is noted longer than this before it is due."""
Step = Callable[[DynamoDB, Table, dict[str, Any]], Awaitable[None]]
log = logging.getLogger("outlast.dynamodb")


async def run(state: DynamoDB) -> None:
    """Do what is due, then sleep until something else is, or until a table changes."""
    task = asyncio.current_task()
    steps = _Steps(state)
    try:
        while task is None or not task.cancelling():  # Python 3.11's wait_for can lose a cancellation
            state.wake.clear()
            upcoming = steps.begin_due()
            if not state.wake.is_set():
                await wait(state, None if upcoming is None else max(upcoming - state.region.clock.now_ms(), 0) / 1000)
    finally:
        await steps.stop()


class _Steps:
    """The steps that are being done, and those that failed and wait until they are tried again."""

    def __init__(self, state: DynamoDB) -> None:
        self._state = state
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        """By the table's name, and CONVERGE or nothing: one of each a table."""
        self._paused: dict[int, tuple[dict[str, Any], int, int]] = {}
        """By the step's identity: the step itself, when it is tried again, and the pause after that, in ms."""

    def begin_due(self) -> int | None:
        """Begin what is due of every table that does nothing else; when the next step is due (epoch ms), or None."""
        now_ms = self._state.region.clock.now_ms()
        upcoming: int | None = None
        due = sorted(self._state.due(), key=lambda entry: entry[0])
        self._paused = {id(step): self._paused[id(step)] for _, _, step in due if id(step) in self._paused}
        for at_ms, table, step in due:
            lane = table.name, CONVERGE if step["Step"] == CONVERGE else ""
            if lane in self._running or (step["Step"] in LAST and (table.name, CONVERGE) in self._running):
                continue  # its end wakes the loop
            if at_ms > now_ms + MOST_AHEAD_MS:
                at_ms = now_ms  # the clock was set back since
            if id(step) in self._paused:
                at_ms = max(at_ms, min(self._paused[id(step)][1], now_ms + LAST_PAUSE_MS))
            if at_ms <= now_ms:
                self._running[lane] = asyncio.ensure_future(self._do(table, step, lane))
            elif upcoming is None or at_ms < upcoming:
                upcoming = at_ms
        return upcoming

    async def _do(self, table: Table, step: dict[str, Any], lane: tuple[str, str]) -> None:
        state = self._state
        try:
            await STEPS[step["Step"]](state, table, step)
            self._paused.pop(id(step), None)
        except Exception as error:
            known = self._paused.get(id(step))
            pause_ms = FIRST_PAUSE_MS if known is None else known[2]
            if known is None:
                shown = None if isinstance(error, StorageUnavailable) else error
                log.error(
                    "%s: %s of table %s waits: %s", state.region.name, step["Step"], table.name, error, exc_info=shown
                )
            again = state.region.clock.now_ms() + pause_ms
            self._paused[id(step)] = (step, again, min(pause_ms * 2, LAST_PAUSE_MS))
        finally:
            del self._running[lane]
            state.wake.set()

    async def stop(self) -> None:
        """Leave what is being done where it is; it goes on after a restart."""
        running = list(self._running.values())
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def wait(state: DynamoDB, seconds: float | None) -> None:
    """Until a table changes, at most `seconds`."""
    if seconds is None:
        await state.wake.wait()
        return
    woken = asyncio.ensure_future(state.wake.wait())
    slept = asyncio.ensure_future(state.region.clock.sleep(seconds))
    try:
        await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (woken, slept):
            each.cancel()
        await asyncio.gather(woken, slept, return_exceptions=True)


def done(table: Table, step: dict[str, Any]) -> None:
    """Take the step off the table's document; the caller saves the table."""
    table.doc["Due"] = [each for each in table.doc.get("Due") or () if each is not step]


async def _active(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    done(table, step)
    if table.status in ("CREATING", "UPDATING"):
        table.doc["Status"] = "ACTIVE"
    state.save(table)


async def delete(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Forget the table, unless another has taken its name; one whose past is being restored waits for that."""
    if state.tables.get(table.name) is not table:
        return
    if any(each["Step"] == "restore" and each.get("Source") == table.name for _, _, each in state.due()):
        done(table, step)
        state.schedule(table, "delete", DELETE_MS)
        state.save(table)
        return
    state.remove(table)


def _entry(table: Table, name: str) -> dict[str, Any] | None:
    return next((entry for entry in table.doc["Indexes"] if entry["IndexName"] == name), None)


async def _fill(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Fill a new index from the items there are; writes made meanwhile reach it by themselves."""
    entry = _entry(table, step["Index"])
    index = table.index(step["Index"])
    if entry is None or index is None:
        done(table, step)
        state.save(table)
        return
    entry["Backfilling"] = True
    state.save(table)
    cursor: bytes | None = b""
    while cursor is not None and state.tables.get(table.name) is table and entry["Status"] == "CREATING":
        cursor = _fill_some(state, table, index, cursor)
        await state.engine.settled()
        await state.region.clock.sleep(0)
    done(table, step)
    if entry in table.doc["Indexes"] and entry["Status"] == "CREATING":
        entry["Status"] = "ACTIVE"
        entry.pop("Backfilling", None)
        table.filling.discard(entry["Number"])
    if state.tables.get(table.name) is table:
        table.doc["Status"] = "ACTIVE" if table.status == "UPDATING" else table.status
        state.save(table)


def _fill_some(state: DynamoDB, table: Table, index: Index, cursor: bytes) -> bytes | None:
    """Write the entries of the next items; the cursor to go on from, or None at the end."""
    space = table.index_spaces[index.name]
    last: bytes | None = None
    with state.engine.begin() as tx:
        entries = []
        for count, (key, stored) in enumerate(tx.range(table.items, cursor), 1):
            entry = index.entry(unpacked(stored), key, stored)
            if entry is not None:
                entries.append(entry)
            if count == BACKFILL_ITEMS:
                last = key
                break
        counts = table.index_counts[index.number]
        for entry_key, value in entries:
            if tx.get(space, entry_key) is None:
                counts[0] += 1
                counts[1] += stored_size(value)
            tx.put(space, entry_key, value)
    return None if last is None else last + b"\x00"


async def _drop_index(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    from outlast.cloud.services.dynamodb.operations.updates import add_index

    entry = _entry(table, step["Index"])
    done(table, step)
    if entry is not None and entry["Status"] == "DELETING":
        table.doc["Indexes"].remove(entry)
        if entry.get("Next") is not None:
            add_index(table, entry["Next"], table.doc["AttributeDefinitions"])
            state.schedule(table, "fill-index", 0, Index=step["Index"])
        _prune_definitions(table)
        name = index_space_name(table.doc, entry["Number"])
        if name in state.engine.spaces(name):
            state.engine.drop(state.engine.space(name))
    table.doc["Status"] = "ACTIVE" if table.status == "UPDATING" else table.status
    state.save(table)


def _prune_definitions(table: Table) -> None:
    """Forget definitions of attributes that are no part of a key any more."""
    doc = table.doc
    used = {each["AttributeName"] for part in (doc, *doc["Indexes"]) for each in part["KeySchema"]}
    doc["AttributeDefinitions"] = [each for each in doc["AttributeDefinitions"] if each["AttributeName"] in used]


async def _fill_expiry(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Note the expiry times of the items there are."""
    cursor: bytes | None = b""
    while cursor is not None and state.tables.get(table.name) is table and table.expiry is not None:
        cursor = _note_some(state, table, cursor)
        await state.engine.settled()
        await state.region.clock.sleep(0)
    done(table, step)
    if state.tables.get(table.name) is table:
        state.save(table)


def _note_some(state: DynamoDB, table: Table, cursor: bytes) -> bytes | None:
    expiry = table.expiry
    assert expiry is not None
    last: bytes | None = None
    with state.engine.begin() as tx:
        notes = []
        for count, (key, stored) in enumerate(tx.range(table.items, cursor), 1):
            place = expiry.place(key, unpacked(stored))
            if place is not None:
                notes.append(place)
            if count == BACKFILL_ITEMS:
                last = key
                break
        for place in notes:
            tx.put(expiry.space, place, b"")
    return None if last is None else last + b"\x00"


async def _drop_expiry(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    done(table, step)
    name = expiry_space_name(table.doc)
    if table.expiry is None and name in state.engine.spaces(name):
        state.engine.drop(state.engine.space(name))
    state.save(table)


STEPS: dict[str, Step] = {
    "active": _active,
    "delete": delete,
    "fill-index": _fill,
    "drop-index": _drop_index,
    "fill-expiry": _fill_expiry,
    "drop-expiry": _drop_expiry,
}
