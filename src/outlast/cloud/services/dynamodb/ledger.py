"""The world's own API: what AWS keeps no record of. Conflicts, stranded writes and the state of replication."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from heapq import nsmallest
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import Any

import orjson

from outlast.cloud.contract import Call, Fault, Region, Reply, Service
from outlast.cloud.engine import Engine, Space
from outlast.cloud.services.dynamodb.key_reading import read_key
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table, image

PAGE = 100
AT_ONCE = 100
"""What is read or described before other requests have their turn."""
MAX_DIGITS = 18
STAMP_SHIFT = 16


class ResourceNotFoundException(Fault):
    """There is no such table here."""


class ValidationException(Fault):
    """A token or a Region that means nothing here."""


world: Service[DynamoDB] = Service("outlast", open=DynamoDB.open, shares="dynamodb")


def table_target(params: Mapping[str, Any], region: Region) -> str:
    """The table's ARN, or all tables of this Region."""
    return region.arn("dynamodb", f"table/{params.get('TableName', '*')}")


@world.operation(resource="*")
def describe_world(call: Call[DynamoDB]) -> Reply:
    """What this Region knows of its world."""
    region = call.region
    addresses = region.addresses
    return {
        "AccountId": region.account_id,
        "Region": region.name,
        "MeasuredIn": "local",
        "ReplicationDelayMilliseconds": [float(each) for each in region.settings.get("replication_delay_ms", (0, 0))],
        "CertificateAuthority": region.certificates.authority_pem,
        "Regions": [
            {
                "Name": name,
                "Endpoint": addresses.url(name),
                "DnsServer": f"{addresses.hosts[name]}:{addresses.dns_ports[name]}",
            }
            for name in region.names
        ],
    }


@world.operation(resource=table_target)
async def list_conflicts(
    call: Call[DynamoDB],
    *,
    table_name: str | None = None,
    since: float = 0.0,
    max_results: int = PAGE,
    next_token: str | None = None,
) -> Reply:
    """Writes that a concurrent write in another Region overwrote, oldest first."""
    tables = chosen(call.state, table_name)
    after = 0 if next_token is None else read_number(next_token)
    found: list[Any] = []
    while len(found) <= max_results:
        piece = list(islice(call.region.engine.conflicts(since_ms=int(since * 1000), after=after), AT_ONCE))
        found += [each for each in piece if each.space in tables]
        if len(piece) < AT_ONCE:
            break
        after = piece[-1].number
        await call.region.clock.sleep(0)
    page = found[:max_results]
    reply: dict[str, Any] = {
        "Conflicts": [described_conflict(each, tables[each.space], call.region.name) for each in page]
    }
    if len(found) > max_results:
        reply["NextToken"] = token(str(page[-1].number))
    return reply


def read_number(text: str) -> int:
    """The place in the ledger after which a page begins; raises ValidationException."""
    (number,) = read_token(text, 1)
    if not number.isdecimal() or len(number) > MAX_DIGITS:
        raise ValidationException("The token is not one that this operation gave.")
    return int(number)


@world.operation(resource=table_target)
async def list_stranded_writes(
    call: Call[DynamoDB],
    *,
    missing_in: str,
    table_name: str | None = None,
    max_results: int = PAGE,
    next_token: str | None = None,
) -> Reply:
    """Acknowledged writes of this Region that `missing_in` has not acknowledged."""
    if missing_in not in call.region.names or missing_in == call.region.name:
        raise ValidationException(f"{missing_in} is not another Region of this world.")
    tables = chosen(call.state, table_name)
    last_space, last_place = "", (0, b"")
    if next_token is not None:
        last_space, stamp, key = read_token(next_token, 3)
        try:
            last_place = int(stamp), bytes.fromhex(key)
        except ValueError:
            raise ValidationException("The token is not one that this operation gave.") from None
    writes: list[Any] = []
    for name in sorted(tables):
        after = last_place if name == last_space else (0, b"")
        at_once = max_results + 1 if is_filling(tables[name].items, missing_in) else AT_ONCE
        while name >= last_space and len(writes) <= max_results:
            piece = owed_after(call.region.engine, tables[name].items, missing_in, after, at_once)
            writes += piece[: max_results + 1 - len(writes)]
            if len(piece) < at_once:
                break
            after = place(piece[-1])
            await call.region.clock.sleep(0)
    page, described = writes[:max_results], []
    for number, each in enumerate(page, 1):
        described.append(described_write(each, tables[each.space], call, missing_in))
        if number % AT_ONCE == 0:
            await call.region.clock.sleep(0)
    reply: dict[str, Any] = {"Writes": described}
    if len(writes) > max_results:
        reply["NextToken"] = token(page[-1].space, str(page[-1].stamp), page[-1].key.hex())
    return reply


def owed_after(engine: Engine, space: Space, peer: str, after: tuple[int, bytes], count: int) -> list[Any]:
    """The first `count` writes of `space` that `peer` has not confirmed, by stamp and key, that follow `after`.

    The writes of a transaction share their stamp. While the peer is being filled, items that wait come first in the
    engine's order, whatever their stamps.
    """
    owed = (each for each in engine.stranded(peer, space, after[0]) if place(each) > after)
    if is_filling(space, peer):
        return nsmallest(count, owed, key=place)
    together = (sorted(group, key=place) for _stamp, group in groupby(owed, key=attrgetter("stamp")))
    return list(islice(chain.from_iterable(together), count))


def is_filling(space: Space, peer: str) -> bool:
    """Whether existing items are still being sent to a replica."""
    replica = space.replica_status().get(peer)
    return replica is not None and replica.status == "CREATING"


def place(write: Any) -> tuple[int, bytes]:
    """Where a write stands among those of its space."""
    return write.stamp, write.key


@world.operation(resource=table_target)
def check_writes(call: Call[DynamoDB], *, table_name: str, ids: list[str]) -> Reply:
    """Those of another Region's writes that this Region lacks."""
    (table,) = chosen(call.state, table_name).values()
    writes = [read_id(ident, table) for ident in ids]
    lacking = call.region.engine.lacks(table.items, writes)
    return {"Missing": [ident for ident, lacks in zip(ids, lacking, strict=True) if lacks]}


def read_id(ident: str, table: Table) -> tuple[bytes, str, int]:
    """Key, writer and stamp of a write of `table`, as `described_write` named it; raises ValidationException."""
    try:
        space, key, writer, stamp = read_token(ident, 4)
        found = bytes.fromhex(key), writer, int(stamp, 16)
    except ValueError:
        raise ValidationException("An Id is not one that ListStrandedWrites gave.") from None
    if space != space_name(table.items):
        raise ValidationException(f"An Id is of another table than {table.name}.")
    return found


@world.operation(resource=table_target)
def list_replication_links(call: Call[DynamoDB], *, table_name: str | None = None) -> Reply:
    """Replication from this Region, table by table and Region by Region."""
    reason = call.state.healing.reason
    links = [
        {
            "TableName": table.name,
            "Region": peer,
            "Status": replica.status,
            "PendingWrites": replica.backlog,
            "LagMilliseconds": replica.lag_ms,
            **({"Reason": reason} if reason else {}),
        }
        for table in chosen(call.state, table_name).values()
        for peer, replica in sorted(table.items.replica_status().items())
    ]
    return {"Links": links}


def chosen(state: DynamoDB, table_name: str | None) -> dict[str, Table]:
    """The tables asked for, by the names of their item spaces; raises ResourceNotFoundException."""
    if table_name is None:
        tables = list(state.tables.values())
    else:
        table = state.tables.get(table_name)
        if table is None:
            raise ResourceNotFoundException(f"There is no table {table_name} here.")
        tables = [table]
    return {space_name(table.items): table for table in tables}


def space_name(space: Space) -> str:
    """The engine's name of a table's items, as its ledger and its stranded writes have it."""
    return space.name


def described_conflict(conflict: Any, table: Table, here: str) -> dict[str, Any]:
    """One entry of the ledger."""
    return {
        "Id": conflict.id,
        "TableName": table.name,
        "Key": key_text(conflict.key, table),
        "Winner": described_side(conflict.winner),
        "Loser": described_side(conflict.loser),
        "DetectedAt": conflict.noticed_ms / 1000,
        "DetectedIn": here,
    }


def described_side(side: Any) -> dict[str, Any]:
    """One of the two versions."""
    return version(side.region, side.stamp, side.context, side.value)


def version(region: str, stamp: int, context: bytes, stored: bytes | None) -> dict[str, Any]:
    """A version of an item; a deletion has no item."""
    described: dict[str, Any] = {
        "Region": region,
        "Timestamp": (stamp >> STAMP_SHIFT) / 1000,
        "Clock": f"{stamp:016x}",
        "RequestId": context.decode("utf-8", "replace"),
        "Deleted": stored is None,
    }
    if stored is not None:
        described["Item"] = bytes(image(stored)).decode()
    return described


def described_write(write: Any, table: Table, call: Call[DynamoDB], missing_in: str) -> dict[str, Any]:
    """One stranded write; its item, while no later or concurrent write has overwritten it here."""
    held = table.items.stamped(write.key)
    stands = held is not None and held[0] == write.stamp
    written = version(call.region.name, write.stamp, write.context, held[1] if held is not None and stands else None)
    if not stands:
        written["Deleted"] = False
    return {
        "Id": token(write.space, write.key.hex(), write.writer, f"{write.stamp:016x}"),
        "TableName": table.name,
        "Key": key_text(write.key, table),
        "Written": written,
        "MissingIn": missing_in,
    }


def key_text(raw: bytes, table: Table) -> str:
    """The primary key in DynamoDB JSON."""
    return orjson.dumps(read_key(raw, table.schema)).decode()


def token(*parts: str) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def read_token(text: str, count: int) -> list[str]:
    """The other end of `token`; raises ValidationException."""
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text))
    except ValueError:
        parts = None
    if not isinstance(parts, list) or len(parts) != count or not all(isinstance(each, str) for each in parts):
        raise ValidationException("The token is not one that this operation gave.")
    return parts
