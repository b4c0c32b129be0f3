"""Global tables (version 2019.11.21): replicas that come and go, and settings that all of them share.

Every member keeps the whole membership. Of each thing in it what changed it last stands (`merging`): an epoch, then the
Region that raised it. The member that changed something tells the others, one message that says everything, again and
again until each has answered; a timer asks now and then anyway, so a Region that was lost, or that missed a farewell,
comes to agree. Items travel by the engine's own replication of the items' space.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from outlast.cloud.contract import Call
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.effects import LinkDown
from outlast.cloud.services.dynamodb import membership, merging, overrides
from outlast.cloud.services.dynamodb.errors import PROTECTED, invalid
from outlast.cloud.services.dynamodb.lifecycle import STEPS, delete, done
from outlast.cloud.services.dynamodb.membership import CHANNEL, STREAM_VIEW, regions_of, settings
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table

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
    if not members:
        members[here] = {"RegionName": here, "Status": "ACTIVE", "Arn": table.arn}
        protect(table, here)
    for update in updates:
        if update.get("Delete") is not None:
            members[update["Delete"]["RegionName"]].update(Status="DELETING", SinceMs=call.now_ms)
            continue
        given = update.get("Create") or update["Update"]
        region = given["RegionName"]
        entry = members.setdefault(region, {"RegionName": region, "Status": "CREATING", "SinceMs": call.now_ms})
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
        merging.things(settings(doc), doc.get("Replicas") or {}),
        doc["Epoch"],
        doc["By"],
    )
    doc["Told"] = {}
    if not any(step["Step"] == "converge" for step in doc.get("Due") or ()):
        state.schedule(table, "converge", 0, RetryMs=RETRY_MS)


async def _converge(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Tell every member that has not heard of this epoch; come again while anything is open."""
    doc = table.doc
    for region in regions_of(doc, state.region.name):
        if (doc.get("Told") or {}).get(region) != [doc["Epoch"], doc["By"]]:
            await _tell(state, table, region)
            if state.tables.get(table.name) is not table:
                return
    _follow_up(state, table)
    done(table, step)
    if _is_open(state, table):
        state.schedule(table, "converge", step["RetryMs"], RetryMs=min(step["RetryMs"] * 2, MAX_RETRY_MS))
    elif table.status == "UPDATING" and not doc.get("Due"):
        doc["Status"] = "ACTIVE"
    if state.tables.get(table.name) is table:
        state.save(table)


async def _say_farewell(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Send what the members lack, tell them that the table goes, as far as they can be reached; then let it go."""
    now_ms = state.region.clock.now_ms()
    since_ms = step.get("SinceMs", now_ms)
    if now_ms - since_ms < membership.GIVE_UP_MS and membership.draining(state, table):
        done(table, step)
        state.schedule(table, "delete-replica", DRAIN_MS, SinceMs=since_ms)
        state.save(table)
        return
    membership.depart(state, table)
    farewell = orjson.dumps({"farewell": table.doc["Items"]})
    asked = [
        state.region.network.ask(region, CHANNEL, farewell, 1.0) for region in regions_of(table.doc, state.region.name)
    ]
    await asyncio.gather(*asked, return_exceptions=True)
    await delete(state, table, step)


STEPS["converge"] = _converge
STEPS["delete-replica"] = _say_farewell


def _is_open(state: DynamoDB, table: Table) -> bool:
    """Whether some member has not heard, or some replica is not there or gone yet."""
    doc = table.doc
    for region, entry in (doc.get("Replicas") or {}).items():
        if entry["Status"] in ("CREATING", "DELETING"):
            return True
        if region != state.region.name and (doc.get("Told") or {}).get(region) != [doc["Epoch"], doc["By"]]:
            return True
    return False


async def _tell(state: DynamoDB, table: Table, region: str) -> None:
    """Send the membership to one member and take in its answer."""
    doc = table.doc
    told = [doc["Epoch"], doc["By"]]
    try:
        raw = await state.region.network.ask(region, CHANNEL, orjson.dumps(membership.message(table)), 3.0)
    except LinkDown:
        return
    answer = orjson.loads(raw)
    members = doc.get("Replicas") or {}
    if answer.get("left"):
        if region in members:
            entry = members.pop(region)
            if answer.get("lost"):
                membership.exchange(table, entry)
            changed(state, table)
        return
    if answer.get("busy"):
        return
    if answer.get("protected"):
        if region in members:
            members[region].update(Status="ACTIVE", Protected=True)
            changed(state, table)
        return
    if answer.get("fresh") and region in members:
        # The replica is empty: whatever the engine had sent to a Region of that name before is gone.
        table.items.set_replicas(tuple(other for other in table.items.replicas if other != region))
        membership.exchange(table, members[region])
        members[region].update(Status="CREATING", SinceMs=state.region.clock.now_ms())
        members[region].pop("Filled", None)
        changed(state, table)
        return
    if answer.get("refused"):
        if region in members and members[region]["Status"] == "CREATING":
            members[region].update(Status="CREATION_FAILED", ReplicaStatusDescription=answer["refused"])
            changed(state, table)
        return
    both, _, _ = merging.merged(membership.message(table), answer)
    if membership.newer(answer, doc) and state.region.name not in both["replicas"]:
        membership.leave(state, table)  # the others removed this replica while it could not be reached
        return
    if membership.take_in(state, table, answer):
        return
    doc.setdefault("Told", {})[region] = told


def _follow_up(state: DynamoDB, table: Table) -> None:
    """Let replicas become ACTIVE once the engine has sent them everything, and give up on those that are gone."""
    doc = table.doc
    members = doc.get("Replicas") or {}
    membership.follow_members(state, table)
    statuses = table.items.replica_status()
    moved = False
    now_ms = state.region.clock.now_ms()
    for region, entry in list(members.items()):
        if entry["Status"] == "CREATING" and (doc.get("Told") or {}).get(region) is not None:
            status = statuses.get(region)
            if status is None or status.status != "ACTIVE" or doc["By"] != state.region.name:
                continue
            if not entry.get("Filled"):
                entry["Filled"] = True  # told to the replica first: it takes requests before anyone says so
                moved = True
            elif doc["Told"].get(region) == [doc["Epoch"], doc["By"]]:
                del entry["Filled"]
                entry["Status"] = "ACTIVE"
                entry["Arn"] = f"arn:aws:dynamodb:{region}:{state.region.account_id}:table/{table.name}"
                moved = True
        elif entry["Status"] == "DELETING" and now_ms - entry.get("SinceMs", now_ms) > membership.GIVE_UP_MS:
            del members[region]
            membership.exchange(table, entry)
            moved = True
    if moved:
        changed(state, table)
        doc["Status"] = "UPDATING" if table.status == "ACTIVE" and _is_open(state, table) else table.status
    membership.drop_lonely(state, table)


async def agree(state: DynamoDB) -> None:
    """Compare memberships with every other member, once."""
    for table in list(state.tables.values()):
        for region in regions_of(table.doc, state.region.name):
            if state.tables.get(table.name) is table and not table.doc.get("Due"):
                before = (table.doc.get("Epoch"), table.doc.get("By"))
                await _tell(state, table, region)
                if (table.doc.get("Epoch"), table.doc.get("By")) != before and state.tables.get(table.name) is table:
                    state.save(table)


def serve_peers(state: DynamoDB) -> None:
    """Answer the DynamoDB services of other Regions, and count what replication achieves."""

    async def handle(peer: str, raw: bytes) -> bytes:
        answer = membership.receive(state, peer, orjson.loads(raw))
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
        for latency_ms, count in Counter(report.latencies_ms).items():
            series.add(float(latency_ms), count)

    state.engine.observe(delivered)
