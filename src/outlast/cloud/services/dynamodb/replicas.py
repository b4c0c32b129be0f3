"""Global tables (version 2019.11.21): replicas that come and go, and settings that all of them share.

Every member keeps the whole membership. Of each thing in it what changed it last stands (`merging`): an epoch, then the
Region that raised it. The member that changed something tells the others, one message that says everything, again and
again until each has answered; a timer asks now and then anyway, so a Region that was lost, or that missed a farewell,
comes to agree. Items travel by the engine's own replication of the items' space.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from outlast.cloud.contract import Call
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.effects import LinkDown
from outlast.cloud.services.dynamodb import membership, merging, overrides, sightings
from outlast.cloud.services.dynamodb.errors import PROTECTED, invalid
from outlast.cloud.services.dynamodb.lifecycle import CONVERGE, STEPS, delete, done
from outlast.cloud.services.dynamodb.membership import CHANNEL, STREAM_VIEW, regions_of, settings
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.watching import fills

ASK_S = 3.0
RETRY_MS = 250
MAX_RETRY_MS = 2000
DRAIN_MS = 200
Given = Mapping[str, Any]

__all__ = ["begin_updates", "changed", "check_updates", "observe", "serve_peers", "settings"]


def check_updates(call: Call[DynamoDB], table: Table, updates: Sequence[Given]) -> None:
    """Raise the fault of replica updates that cannot be done."""
    present = table.doc.get("Replicas") or {}
    for update in updates:
        if update.get("Disassociate") is not None:
            raise ValidationException("ReplicaUpdates.Disassociate is not supported by this cloud.")
        kinds = [kind for kind in ("Create", "Update", "Delete") if update.get(kind) is not None]
        if len(kinds) != 1:
            raise invalid("Exactly one of Create, Update, Delete must be given in each ReplicaUpdate")
        region = update[kinds[0]]["RegionName"]
        if region not in call.region.names:
            raise ValidationException(f"Region {region} is not available to this account")
        if region == call.region.name:
            raise invalid(
                "Cannot add, delete, or update the local region through ReplicaUpdates. Use CreateTable, DeleteTable, "
                "or UpdateTable as required."
            )
        if kinds[0] == "Create":
            _check_create(table, region, present)
        elif region not in present:
            raise ValidationException(
                "Update global table operation failed because one or more replicas were not part of the global table."
            )
        if kinds[0] == "Delete":
            if present[region].get("Protected"):
                raise ValidationException(PROTECTED)
        else:
            overrides.check(table.doc, update[kinds[0]])


def _check_create(table: Table, region: str, present: Given) -> None:
    if region in present:
        raise ValidationException(
            f"Failed to create a the new replica of table with name: '{table.name}' because one or more replicas "
            "already existed as tables."
        )


def begin_updates(call: Call[DynamoDB], table: Table, updates: Sequence[Given]) -> None:
    """Note what is to become of the replicas; the timer does it. The caller saves the table."""
    from outlast.cloud.services.dynamodb.operations.updates import set_stream

    doc, here = table.doc, call.region.name
    if not (doc.get("Stream") or {}).get("Enabled"):
        set_stream(call, table, {"StreamEnabled": True, "StreamViewType": STREAM_VIEW})
    members = doc.setdefault("Replicas", {})
    born = membership.birth(call.state, table)
    if not members:
        members.update(doc.pop("Alone", None) or {})
    if here not in members:
        members[here] = {"RegionName": here, "Status": "ACTIVE", "Arn": table.arn, "Born": born}
        protect(table, here)
    for update in updates:
        if update.get("Delete") is not None:
            members[update["Delete"]["RegionName"]].update(Status="DELETING")
            continue
        given = update.get("Create") or update["Update"]
        region = given["RegionName"]
        entry = members.setdefault(region, {"RegionName": region, "Status": "CREATING", "Born": born})
        overrides.note(entry, given)
    changed(call.state, table)


def protect(table: Table, here: str) -> None:
    """Let the other members know whether this replica may be removed. The caller calls `changed`."""
    table.doc["Replicas"][here]["Protected"] = bool(table.doc.get("DeletionProtectionEnabled"))


def changed(state: DynamoDB, table: Table) -> None:
    """Raise the epoch and let the timer tell the members; the caller saves the table."""
    doc = table.doc
    doc["Epoch"] = doc.get("Epoch", 0) + 1
    doc["By"] = state.region.name
    doc["Marks"] = merging.mark(
        doc.get("Marks") or {},
        merging.things(settings(doc), membership.members_told(doc)),
        doc["Epoch"],
        doc["By"],
    )
    doc["Told"] = {}
    if not any(step["Step"] == CONVERGE for step in doc.get("Due") or ()):
        state.schedule(table, CONVERGE, 0, RetryMs=RETRY_MS)


async def _converge(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Tell every member that has not heard of this epoch; come again while anything is open."""
    doc = table.doc
    ignorant = [region for region in regions_of(doc, state.region.name) if not _knows(doc, region)]
    results = await asyncio.gather(*[_tell(state, table, region) for region in ignorant], return_exceptions=True)
    if state.tables.get(table.name) is not table:
        return
    for failure in results:
        if isinstance(failure, BaseException):
            raise failure
    _follow_up(state, table)
    done(table, step)
    if _is_open(state, table):
        state.schedule(table, CONVERGE, step["RetryMs"], RetryMs=min(step["RetryMs"] * 2, MAX_RETRY_MS))
    others = [each for each in doc.get("Due") or () if each["Step"] != CONVERGE]
    silent = [region for region, answered in zip(ignorant, results, strict=True) if not answered]
    is_heard = all(_knows(doc, region) or region in silent for region in regions_of(doc, state.region.name))
    if table.status == "UPDATING" and not others and is_heard and not _is_moving(state, table):
        doc["Status"] = "ACTIVE"
    if state.tables.get(table.name) is table:
        state.save(table)


async def _say_farewell(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Send what the members lack, tell them that the table goes, as far as they can be reached; then let it go."""
    here = state.region.name
    sightings.sight(state, table, here, "DELETING")
    if not sightings.is_late(state, table, here) and membership.draining(state, table):
        done(table, step)
        state.schedule(table, "delete-replica", DRAIN_MS)
        state.save(table)
        return
    born = membership.born(table.doc, here)
    membership.depart(state, table)
    farewell = orjson.dumps({"farewell": table.doc["Items"], "born": born})
    asked = [
        state.region.network.ask(region, CHANNEL, farewell, 1.0) for region in regions_of(table.doc, state.region.name)
    ]
    await asyncio.gather(*asked, return_exceptions=True)
    await delete(state, table, step)


STEPS[CONVERGE] = _converge
STEPS["delete-replica"] = _say_farewell


def _is_open(state: DynamoDB, table: Table) -> bool:
    """Whether some member has not heard, or some replica is not there or gone yet."""
    doc = table.doc
    members = doc.get("Replicas") or {}
    is_moving = any(entry["Status"] in ("CREATING", "DELETING") for entry in members.values())
    return is_moving or not all(_knows(doc, region) for region in regions_of(doc, state.region.name))


def _is_moving(state: DynamoDB, table: Table) -> bool:
    """Whether some replica is not there or gone yet, unless that has taken long already.

    A table that other Regions never answer about can be changed: else none of them could be declared lost.
    """
    members = table.doc.get("Replicas") or {}
    return any(
        entry["Status"] in ("CREATING", "DELETING") and not sightings.is_late(state, table, region)
        for region, entry in members.items()
    )


def _maker(doc: Given, region: str) -> str | None:
    """The member that sees to it that a replica becomes ACTIVE: the one that made it, or the first of the others."""
    members = doc["Replicas"]
    others = [name for name in sorted(members) if name != region and members[name]["Status"] == "ACTIVE"]
    made_by: str = membership.born(doc, region)[1]
    return made_by if made_by in others else next(iter(others), None)


def _knows(doc: Given, region: str) -> bool:
    """Whether a member has heard of this epoch."""
    return bool((doc.get("Told") or {}).get(region) == [doc["Epoch"], doc["By"]])


async def _tell(state: DynamoDB, table: Table, region: str) -> bool:
    """Send the membership to one member and take in its answer; whether there was one."""
    doc = table.doc
    told, born = [doc["Epoch"], doc["By"]], membership.born(doc, region)
    try:
        message = {**membership.message(table), "fills": fills(table, region)}
        raw = await state.region.network.ask(region, CHANNEL, orjson.dumps(message), ASK_S)
    except LinkDown:
        return False
    answer = orjson.loads(raw)
    if state.tables.get(table.name) is not table or answer.get("busy"):
        return True
    if "replicas" not in answer or answer.get("fresh"):
        if region in (doc.get("Replicas") or {}) and membership.born(doc, region) == born:
            _take_word(state, table, region, answer)
        return True  # else the answer is about a replica that was there before
    both, _, _ = merging.merged(membership.message(table), answer)
    if (membership.newer(answer, doc) or doc.get("Marks")) and state.region.name not in both["replicas"]:
        membership.leave(state, table)  # the others removed this replica while it could not be reached
        return True
    if not membership.take_in(state, table, answer):
        doc.setdefault("Told", {})[region] = told
    return True


def _take_word(state: DynamoDB, table: Table, region: str, answer: Given) -> None:
    """What a member says of itself: that it left, that it is new, or why it does not do what it was told."""
    members = table.doc["Replicas"]
    entry = members[region]
    if answer.get("left"):
        del members[region]
        if answer.get("lost"):
            membership.exchange(table, entry)
    elif answer.get("protected"):
        entry.update(Status="ACTIVE", Protected=True, Born=membership.birth(state, table))
    elif answer.get("fresh"):
        # The replica is empty: whatever the engine had sent to a Region of that name before is gone.
        table.items.set_replicas(tuple(other for other in table.items.replicas if other != region))
        membership.exchange(table, entry)
        entry.update(Status="CREATING", Born=membership.birth(state, table))
        entry.pop("Filled", None)
    elif answer.get("refused") and entry["Status"] == "CREATING":
        entry.update(Status="CREATION_FAILED", ReplicaStatusDescription=answer["refused"])
    else:
        return
    changed(state, table)


def _follow_up(state: DynamoDB, table: Table) -> None:
    """Let replicas become ACTIVE once the engine has sent them everything, and give up on those that are gone."""
    doc = table.doc
    members = doc.get("Replicas") or {}
    membership.follow_members(state, table)
    statuses = table.items.replica_status()
    moved = False
    here = state.region.name
    for region, entry in list(members.items()):
        if entry["Status"] == "CREATING" and (doc.get("Told") or {}).get(region) is not None:
            status = statuses.get(region)
            if status is None or status.status != "ACTIVE" or _maker(doc, region) != here:
                continue
            if not entry.get("Filled"):
                entry["Filled"] = True  # told to the replica first: it takes requests before anyone says so
                moved = True
            elif _knows(doc, region):
                del entry["Filled"]
                entry["Status"] = "ACTIVE"
                entry["Arn"] = f"arn:aws:dynamodb:{region}:{state.region.account_id}:table/{table.name}"
                moved = True
        elif entry["Status"] == "DELETING" and region != here and sightings.is_late(state, table, region):
            del members[region]
            membership.exchange(table, entry)
            moved = True
    if moved:
        changed(state, table)
        doc["Status"] = "UPDATING" if table.status == "ACTIVE" and _is_moving(state, table) else table.status
    membership.drop_lonely(state, table)


async def agree(state: DynamoDB) -> None:
    """Compare memberships with every other member, once; one that does not answer is asked about one table only."""
    silent: set[str] = set()
    for table in list(state.tables.values()):
        for region in regions_of(table.doc, state.region.name):
            if region not in silent and state.tables.get(table.name) is table and not table.doc.get("Due"):
                before = (table.doc.get("Epoch"), table.doc.get("By"))
                if not await _tell(state, table, region):
                    silent.add(region)
                if (table.doc.get("Epoch"), table.doc.get("By")) != before and state.tables.get(table.name) is table:
                    state.save(table)


def serve_peers(state: DynamoDB) -> None:
    """Answer the DynamoDB services of other Regions, and count what replication achieves."""

    async def handle(peer: str, raw: bytes) -> bytes:
        told = orjson.loads(raw)
        if "fills" in told:
            state.healing.heard(peer, told["table"], told["fills"])
        answer = membership.receive(state, peer, told)
        await state.engine.settled()
        return orjson.dumps(answer)

    state.region.network.serve(CHANNEL, handle)
    observe(state)


def observe(state: DynamoDB) -> None:
    """ReplicationLatency, milliseconds from commit here to apply there, by table and receiving Region."""

    def delivered(report: Any) -> None:
        table = state.by_space.get(report.space)
        if table is None:
            return
        series = table.metrics.named("ReplicationLatency", "Milliseconds", ReceivingRegion=report.peer)
        for latency_ms, count in report.latencies_ms.items():
            series.add(float(latency_ms), count)

    state.engine.observe(delivered)
