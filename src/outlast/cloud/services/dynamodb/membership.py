"""The membership of a global table: the message that tells it, and what a member makes of one.

the table is unknown here             make it, unless its name is taken or it was deleted here
this Region is not a member           delete the table: the replica was removed, unless it is protected from that
something in the message is newer     take over that: members, indexes, shared settings (`merging`)
nothing in it is                      answer with what is here
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from outlast.cloud.services.dynamodb import merging, overrides
from outlast.cloud.services.dynamodb.index_adoption import adopt_indexes
from outlast.cloud.services.dynamodb.names import table_arn
from outlast.cloud.services.dynamodb.sightings import sight, was_lost
from outlast.cloud.services.dynamodb.table import Document, Table

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.state import DynamoDB

CHANNEL = "dynamodb"
STREAM_VIEW = "NEW_AND_OLD_IMAGES"
SCHEMA = ("AttributeDefinitions", "KeySchema")
CHANGING = ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput", "TableClass")
SHARED = (*SCHEMA, *CHANGING)
OWN_OF_INDEX = frozenset({"Status", "Number", "Backfilling", "Counted", "Base", "Next"})
Message = Mapping[str, Any]


def settings(doc: Message) -> Document:
    """What all replicas have in common."""
    shared: Document = {member: overrides.shared(doc, member) for member in SHARED}
    shared = {member: value for member, value in shared.items() if value is not None}
    there = [entry if entry["Status"] != "DELETING" else entry.get("Next") for entry in doc["Indexes"]]
    shared["Indexes"] = [
        {member: overrides.shared(entry, member) for member in entry if member not in OWN_OF_INDEX}
        for entry in there
        if entry is not None
    ]
    sse = doc.get("SSE")
    shared["SSEType"] = sse["SSEType"] if sse else None
    ttl = doc.get("TimeToLive")
    shared["TimeToLive"] = dict(ttl) if ttl else None
    return shared


def message(table: Table) -> Document:
    """Everything a member must know."""
    doc = table.doc
    return {
        "table": table.name,
        "items": doc["Items"],
        "epoch": doc["Epoch"],
        "by": doc["By"],
        "exchange": doc.get("Exchange", 0),
        "replicas": members_told(doc),
        "settings": settings(doc),
        "marks": doc.get("Marks") or {},
    }


def members_told(doc: Message) -> Document:
    """The members as others are told of them: a replica that is filled shows itself as ACTIVE before anyone says so."""
    members = doc.get("Replicas") or doc.get("Alone") or {}
    return {
        region: {**entry, "Status": "CREATING"} if entry.get("Filled") and entry["Status"] == "ACTIVE" else entry
        for region, entry in members.items()
    }


def birth(state: DynamoDB, table: Table) -> list[Any]:
    """What tells a replica that is made now from each of the same Region that was known of before."""
    return [table.doc.get("Epoch", 0) + 1, state.region.name]


def born(doc: Message, region: str) -> list[Any]:
    """A member's birth; of one that is not known, and one that was made before births were noted, the least."""
    entry: Message = (doc.get("Replicas") or {}).get(region) or {}
    return list(entry.get("Born") or merging.UNKNOWN[:2])


def newer(told: Message, doc: Message) -> bool:
    """Whether a message or answer is newer than what a document says."""
    return (told.get("epoch", 0), told.get("by", "")) > (doc.get("Epoch", 0), doc.get("By", ""))


def is_newer_here(doc: Message, told: Message) -> bool:
    """Whether a document is newer than a message."""
    return (doc.get("Epoch", 0), doc.get("By", "")) > (told["epoch"], told["by"])


def regions_of(doc: Message, here: str) -> list[str]:
    """The other members, those that are leaving included, those that never came about not."""
    members = doc.get("Replicas") or {}
    return [region for region, entry in members.items() if region != here and entry["Status"] != "CREATION_FAILED"]


def receive(state: DynamoDB, peer: str, told: Message) -> Document:
    """Take in a member's message and answer it."""
    if "farewell" in told:
        return forget(state, peer, told["farewell"], told.get("born"))
    here = state.region.name
    table = state.tables.get(told["table"])
    mine = table if table is not None and table.doc["Items"] == told["items"] else None
    both = told if mine is None or mine.status == "DELETING" else merging.merged(message(mine), told)[0]
    entry = both["replicas"].get(here)
    gone = state.departed.get(told["items"])
    if gone is not None and (mine is None or mine.status == "DELETING"):
        is_old = told["epoch"] <= gone["Epoch"]
        if entry is not None and "Born" in entry and "Born" in gone:
            is_old = entry["Born"] <= gone["Born"]
        if entry is None or entry["Status"] != "CREATING" or is_old:
            return {"left": True}
        if mine is not None:
            return {"busy": True}
        state.departed.delete(told["items"])
    if entry is None or entry["Status"] == "DELETING":
        if mine is not None and entry is not None and mine.doc.get("DeletionProtectionEnabled"):
            return {"protected": True}
        if mine is not None and (newer(told, mine.doc) or mine.status == "DELETING" or mine.doc.get("Marks")):
            if entry is not None:
                if take_in(state, mine, told):  # so that the others hear of it from here, too
                    state.save(mine)
                if draining(state, mine):
                    return {"busy": True}
            leave(state, mine)
        if mine is None:
            return {"left": True, "lost": True}  # neither the table nor that it left is known here: the disk is another
        return {"left": True} if mine.status == "DELETING" else message(mine)
    if mine is None:
        if table is not None:
            return {"refused": f"A table called {told['table']} exists in {here} already"}
        mine = state.add(new_replica(state, told))
        follow_members(state, mine)
        state.save(mine)
        return {**message(mine), "fresh": True}
    if take_in(state, mine, told):
        state.save(mine)
    elif entry["Status"] == "ACTIVE" and mine.status == "CREATING" and not is_newer_here(mine.doc, told):
        return {**message(mine), "fresh": True}  # it was said before, but the answer did not arrive
    return message(mine)


def take_in(state: DynamoDB, table: Table, told: Message) -> bool:
    """Take over what is newer in a message or answer; whether there was anything. The caller saves the table.

    Where something here is newer too, both stand, and the members are told of it as of another change.
    """
    from outlast.cloud.services.dynamodb.replicas import changed

    both, of_ours, of_theirs = merging.merged(message(table), told)
    is_newer = newer(told, table.doc)
    if not is_newer and not of_theirs:
        return False
    if of_ours or not is_newer:
        adopt(state, table, both)
        if table.doc.get("Replicas"):
            changed(state, table)
    else:
        adopt(state, table, told)
    return True


def forget(state: DynamoDB, peer: str, items: str, birth: list[Any] | None) -> Document:
    """The peer deletes its replica of that birth: it is a member no more."""
    from outlast.cloud.services.dynamodb.replicas import changed

    for table in state.tables.values():
        members = table.doc.get("Replicas") or {}
        if table.doc["Items"] == items and peer in members and birth in (None, born(table.doc, peer)):
            del members[peer]
            changed(state, table)
            follow_members(state, table)
            drop_lonely(state, table)
            state.save(table)
            break
    return {}


def new_replica(state: DynamoDB, told: Message) -> Document:
    """The document of a replica's table."""
    from outlast.cloud.services.dynamodb.operations.tables import shard_id

    shared, region = told["settings"], state.region
    now_ms = region.clock.now_ms()
    doc: Document = {
        "TableName": told["table"],
        "TableId": region.entropy.uuid(),
        "Items": told["items"],
        "CreatedMs": now_ms,
        "Status": "CREATING",
        **{member: shared[member] for member in SHARED if member in shared},
        "Indexes": [
            {**entry, "Status": "ACTIVE", "Number": f"{place:06d}"} for place, entry in enumerate(shared["Indexes"], 1)
        ],
        "IndexCount": len(shared["Indexes"]),
        "StreamCount": 1,
        "Stream": {
            "Enabled": True,
            "ViewType": STREAM_VIEW,
            "Label": stream_label(now_ms),
            "Number": "000001",
            "CreatedMs": now_ms,
            "Shards": [{"Id": shard_id(now_ms, region.entropy.hex(8)), "First": 1, "OpenedMs": now_ms}],
        },
    }
    adopt_into(state, doc, told)
    doc["Status"] = doc["Replicas"][region.name]["Status"] = "CREATING"
    return doc


def stream_label(now_ms: int) -> str:
    """A stream's label: the moment it began."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now_ms % 1000:03d}"


def adopt_into(state: DynamoDB, doc: Document, told: Message) -> None:
    """Take over members, epoch and plain settings."""
    here = state.region.name
    doc["Replicas"] = told["replicas"]
    doc["Epoch"], doc["By"] = told["epoch"], told["by"]
    doc["Marks"] = told.get("marks") or {}
    doc["Exchange"] = max(doc.get("Exchange", 0), told.get("exchange", 0))
    doc["Told"] = {}
    shared = told["settings"]
    overrides.undo(doc)
    if "PAY_PER_REQUEST" in (doc["BillingMode"], shared["BillingMode"]):
        doc["BilledOnDemandMs"] = doc.get("BilledOnDemandMs") or state.region.clock.now_ms()
    for member in CHANGING:
        if shared.get(member) is not None:
            doc[member] = shared[member]
        else:
            doc.pop(member, None)
    own = told["replicas"].get(here)
    _encrypt(state, doc, shared["SSEType"], None if own is None else own.get("KMSMasterKeyId"))
    if doc.get("TimeToLive") != shared["TimeToLive"]:
        doc["TimeToLive"] = shared["TimeToLive"]
        at_ms = state.region.clock.now_ms()
        step = "drop-expiry" if shared["TimeToLive"] is None else "fill-expiry"
        doc.setdefault("Due", []).append({"AtMs": at_ms, "Step": step})
    overrides.apply(doc, here)
    if own is not None:
        if own.get("Filled") and own["Status"] == "CREATING":
            own["Status"] = "ACTIVE"
        if own["Status"] == "ACTIVE" and doc["Status"] == "CREATING":
            doc["Status"] = "ACTIVE"


def _encrypt(state: DynamoDB, doc: Document, sse_type: str | None, own_key: str | None) -> None:
    """The type of encryption is shared; the key is the replica's own, or the Region's default."""
    if sse_type is None:
        doc["SSE"] = None
        return
    if own_key is None and doc.get("SSE"):
        return
    key = own_key or "alias/aws/dynamodb"
    arn = key if key.startswith("arn:") else state.region.arn("kms", key if key.startswith("alias/") else f"key/{key}")
    doc["SSE"] = {"Status": "ENABLED", "SSEType": sse_type, "KMSMasterKeyArn": arn}


def adopt(state: DynamoDB, table: Table, told: Message) -> None:
    """Take over a newer membership, with indexes that came or went. The caller saves the table."""
    doc, shared = table.doc, told["settings"]
    overrides.undo(doc)
    adopt_indexes(state, table, shared)
    exchanged = doc.get("Exchange", 0)
    before: Message = doc.get("Replicas") or {}
    is_lost = any(was_lost(state, table, region) for region in before if region not in told["replicas"])
    births = {region: born(doc, region) for region in before}
    adopt_into(state, doc, told)
    reborn = {region for region, birth in births.items() if born(doc, region) != birth}
    table.items.set_replicas(tuple(region for region in table.items.replicas if region not in reborn))
    follow_members(state, table)
    if doc.get("Exchange", 0) > exchanged or is_lost:
        table.items.send_again()
    drop_lonely(state, table)


def follow_members(state: DynamoDB, table: Table) -> None:
    """Let the engine replicate to exactly the other members; one that leaves still sends what it took."""
    members = table.doc.get("Replicas") or {}
    for region, entry in members.items():
        sight(state, table, region, entry["Status"])
    table.sightings = {region: seen for region, seen in table.sightings.items() if region in members}
    others = tuple(
        region
        for region, entry in members.items()
        if region != state.region.name and entry["Status"] != "CREATION_FAILED"
    )
    table.items.set_replicas(others)


def drop_lonely(state: DynamoDB, table: Table) -> None:
    """A table that is its only replica is a plain table again."""
    members = table.doc.get("Replicas")
    if members is not None and set(members) == {state.region.name}:
        table.doc["Alone"] = table.doc.pop("Replicas")  # what others that come back are told
        table.items.set_replicas(())


def exchange(table: Table, entry: Message) -> None:
    """A member's data is gone: let every survivor send all that it has, for each may have got what others did not.

    Nothing to do for a member that never took requests. The caller calls `replicas.changed`.
    """
    if entry.get("Arn") or entry.get("Filled"):
        table.doc["Exchange"] = table.doc.get("Exchange", 0) + 1
        table.items.send_again()


def draining(state: DynamoDB, table: Table) -> bool:
    """Take no more requests, and say whether a member still lacks a write that was acknowledged here."""
    if table.status != "DELETING":
        table.doc["Status"] = "DELETING"
        table.doc["Due"] = [each for each in table.doc.get("Due") or () if each["Step"] == "backup"]
        state.save(table)
    return any(replica.backlog for replica in table.items.replica_status().values())


def leave(state: DynamoDB, table: Table) -> None:
    """Delete the table of a replica that was removed."""
    from outlast.cloud.services.dynamodb.operations.tables import begin_delete

    depart(state, table)
    begin_delete(state, table)


def depart(state: DynamoDB, table: Table) -> None:
    """Remember that the table was here, so that a member that does not know yet is told."""
    doc = table.doc
    if doc.get("Epoch"):
        gone = {"Epoch": doc["Epoch"], "AtMs": state.region.clock.now_ms()}
        if state.region.name in (doc.get("Replicas") or {}):
            gone["Born"] = born(doc, state.region.name)
        state.departed.put(doc["Items"], gone)
    table.items.set_replicas(())


def arn_in(state: DynamoDB, region: str, name: str) -> str:
    """The ARN of a table's replica."""
    return table_arn(state.region, name).replace(f":{state.region.name}:", f":{region}:")
