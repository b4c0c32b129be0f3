"""DynamoDB Streams: ListStreams, DescribeStream, GetShardIterator, GetRecords.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.errors import (
    ExpiredIteratorException,
    ResourceNotFoundException,
    TrimmedDataAccessException,
)
from outlast.cloud.services.dynamodb.names import arn_resource, constraint, table_name, table_of_arn
from outlast.cloud.services.dynamodb.service import dynamodbstreams
from outlast.cloud.services.dynamodb.state import NOT_FOUND, DynamoDB
from outlast.cloud.services.dynamodb.stream_log import RETENTION_MS, StreamLog, sequence_number, sequence_text
from outlast.cloud.services.dynamodb.table import Document, Table

ITERATOR_MS = 15 * 60 * 1000
MAX_RECORDS = 1000
RECORDS_BYTES = 1024 * 1024
MAX_LISTED = 100


class Found(NamedTuple):
    """A stream that still has its records, present or past."""

    table: Table
    entry: Document
    log: StreamLog

    @property
    def arn(self) -> str:
        return f"{self.table.arn}/stream/{self.entry['Label']}"


def streams_of(state: DynamoDB) -> Iterable[tuple[Table, Document]]:
    """Every stream of every table, a table's oldest first."""
    for name in sorted(state.tables):
        table = state.tables[name]
        for entry in table.doc.get("OldStreams") or ():
            yield table, entry
        if table.doc.get("Stream"):
            yield table, table.doc["Stream"]


def find(call: Call[DynamoDB], arn: str) -> Found:
    """The stream of an ARN; raises ResourceNotFoundException."""
    region, account, name, rest = table_of_arn(arn)
    table = call.state.tables.get(name)
    if not rest.startswith("/stream/"):
        raise ValidationException(f"Invalid StreamArn: {arn}")
    if table is not None and (region, account) == (call.region.name, call.region.account_id):
        label = rest.removeprefix("/stream/")
        for owner, entry in streams_of(call.state):
            if owner is table and entry["Label"] == label:
                log = table.stream if table.stream is not None and table.stream.label == label else None
                return Found(table, entry, log or table.stream_log(entry))
    raise ResourceNotFoundException(f"{NOT_FOUND}: Stream: {arn} not found")


@dynamodbstreams.operation()
def list_streams(
    call: Call[DynamoDB],
    *,
    table_name: str | None = None,
    limit: int | None = None,
    exclusive_start_stream_arn: str | None = None,
) -> Reply:
    """List streams, those of one table or all."""
    wanted = _wanted_name(call, table_name)
    shown = []
    for table, entry in streams_of(call.state):
        if wanted is None or table.name == wanted:
            arn = f"{table.arn}/stream/{entry['Label']}"
            shown.append({"StreamArn": arn, "TableName": table.name, "StreamLabel": entry["Label"]})
    shown.sort(key=lambda each: each["StreamArn"])
    if exclusive_start_stream_arn is not None:
        if not table_of_arn(exclusive_start_stream_arn)[3].startswith("/stream/"):
            raise ValidationException(f"Invalid ExclusiveStartStreamArn: {exclusive_start_stream_arn}")
        shown = [each for each in shown if each["StreamArn"] > exclusive_start_stream_arn]
    most = at_most(limit, MAX_LISTED)
    reply: dict[str, Any] = {"Streams": shown[:most]}
    if len(shown) > most:
        reply["LastEvaluatedStreamArn"] = shown[most - 1]["StreamArn"]
    return reply


def at_most(limit: int | None, highest: int) -> int:
    """How many to show; raises ValidationException for a Limit over the highest."""
    if limit is not None and limit > highest:
        raise constraint(str(limit), "limit", f"Member must have value less than or equal to {highest}")
    return limit or highest


def status_of(found: Found) -> str:
    """A stream's status: it begins and ends with its table's update."""
    changing = found.table.status in ("CREATING", "UPDATING") and found.entry is found.table.doc.get("Stream")
    if found.entry["Enabled"]:
        return "ENABLING" if changing else "ENABLED"
    return "DISABLING" if changing else "DISABLED"


def _wanted_name(call: Call[DynamoDB], given: str | None) -> str | None:
    return None if given is None else table_name(given, call.region)


def _shards(found: Found) -> list[Document]:
    """The shards that may still hold records, oldest first, as DescribeStream shows them."""
    oldest = found.log.oldest()
    shards = []
    parent = None
    for shard in found.entry["Shards"]:
        end = shard.get("End")
        if end is not None and end <= oldest and shard is not found.entry["Shards"][-1]:
            parent = None
            continue
        numbers = {"StartingSequenceNumber": sequence_text(shard["First"])}
        if end is not None:
            numbers["EndingSequenceNumber"] = sequence_text(max(end - 1, shard["First"]))
        shown: Document = {"ShardId": shard["Id"], "SequenceNumberRange": numbers}
        if parent is not None:
            shown["ParentShardId"] = parent
        parent = shard["Id"]
        shards.append(shown)
    return shards


@dynamodbstreams.operation(resource=arn_resource("StreamArn"))
def describe_stream(
    call: Call[DynamoDB],
    *,
    stream_arn: str,
    limit: int | None = None,
    exclusive_start_shard_id: str | None = None,
    shard_filter: dict[str, Any] | None = None,
) -> Reply:
    """Describe a stream and its shards."""
    found = find(call, stream_arn)
    shards = _shards(found)
    if shard_filter is not None:
        shards = _filtered(shards, shard_filter)
    if exclusive_start_shard_id is not None:
        shards = [shard for shard in shards if shard["ShardId"] > exclusive_start_shard_id]
    most = at_most(limit, MAX_LISTED)
    entry = found.entry
    described: Document = {
        "StreamArn": found.arn,
        "StreamLabel": entry["Label"],
        "StreamStatus": status_of(found),
        "StreamViewType": entry["ViewType"],
        "CreationRequestDateTime": entry["CreatedMs"] / 1000,
        "TableName": found.table.name,
        "KeySchema": found.table.doc["KeySchema"],
        "Shards": shards[:most],
    }
    if len(shards) > most:
        described["LastEvaluatedShardId"] = shards[most - 1]["ShardId"]
    return {"StreamDescription": described}


def _filtered(shards: list[Document], wanted: Mapping[str, Any]) -> list[Document]:
    """The children of one shard."""
    kind, shard_id = wanted.get("Type"), wanted.get("ShardId")
    if kind != "CHILD_SHARDS" or not shard_id:
        raise ValidationException("ShardFilter must have Type CHILD_SHARDS and a ShardId")
    return [shard for shard in shards if shard.get("ParentShardId") == shard_id]


@dynamodbstreams.operation(resource=arn_resource("StreamArn"))
def get_shard_iterator(
    call: Call[DynamoDB],
    *,
    stream_arn: str,
    shard_id: str,
    shard_iterator_type: str,
    sequence_number: str | None = None,
) -> Reply:
    """An iterator into a shard; it is good for fifteen minutes."""
    found = find(call, stream_arn)
    shard = next((each for each in found.entry["Shards"] if each["Id"] == shard_id), None)
    if shard is None:
        raise ResourceNotFoundException(f"{NOT_FOUND}: Shard does not exist")
    oldest = found.log.oldest()
    if shard_iterator_type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        number = _number(sequence_number, shard, found.log)
        if number < oldest and oldest > shard["First"]:
            raise TrimmedDataAccessException(
                "The operation attempted to read past the oldest stream record in a shard."
            )
        start = number + (shard_iterator_type == "AFTER_SEQUENCE_NUMBER")
    elif sequence_number is not None:
        raise ValidationException(f"SequenceNumber must not be given with ShardIteratorType {shard_iterator_type}")
    elif shard_iterator_type == "LATEST":
        start = shard["End"] if shard.get("End") is not None else found.log.next
    else:
        start = max(shard["First"], oldest) if shard.get("End") is None else shard["First"]
    return {"ShardIterator": _iterator(found, shard_id, start, call.now_ms)}


def _number(text: str | None, shard: Mapping[str, Any], log: StreamLog) -> int:
    if text is None:
        raise ValidationException("SequenceNumber is required for this ShardIteratorType")
    number = sequence_number(text) if text.isdigit() else -1
    end = shard.get("End") or log.next
    if not shard["First"] <= number < max(end, shard["First"] + 1):
        raise ValidationException(
            f"Invalid SequenceNumber. SequenceNumber {text} is not in the range of the shard {shard['Id']}"
        )
    return number


def _iterator(found: Found, shard_id: str, start: int, now_ms: int) -> str:
    packed = base64.b64encode(orjson.dumps([found.arn, shard_id, start, now_ms])).decode()
    return f"{found.arn}|1|{packed}"


@dynamodbstreams.operation(resource=lambda params, region: str(params.get("ShardIterator", "*")).partition("|")[0])
def get_records(call: Call[DynamoDB], *, shard_iterator: str, limit: int | None = None) -> Reply:
    """Records from where the iterator stands, up to 1,000 or 1 MB, and the iterator to go on with."""
    try:
        arn, shard_id, start, made_ms = orjson.loads(base64.b64decode(shard_iterator.split("|")[2], validate=True))
    except (IndexError, ValueError, binascii.Error, TypeError):
        raise ValidationException("Invalid ShardIterator") from None
    if call.now_ms - made_ms > ITERATOR_MS:
        raise ExpiredIteratorException("The shard iterator has expired")
    found = find(call, arn)
    shard = next((each for each in found.entry["Shards"] if each["Id"] == shard_id), None)
    if shard is None:
        raise ResourceNotFoundException(f"{NOT_FOUND}: Shard does not exist")
    end = shard.get("End")
    most = at_most(limit, MAX_RECORDS)
    records: list[Any] = []
    size = 0
    position = start
    horizon_ms = call.now_ms - RETENTION_MS
    for number, record in found.log.read(start, end):
        if len(records) == most or (records and size + len(record) > RECORDS_BYTES):
            break
        position = number + 1
        if _too_old(record, horizon_ms):
            continue
        records.append(orjson.Fragment(record))
        size += len(record)
    else:
        position = max(position, start)
        if end is not None:
            position = end
    reply: dict[str, Any] = {"Records": records}
    if end is None or position < end:
        reply["NextShardIterator"] = _iterator(found, shard_id, position, call.now_ms)
    return reply


def _too_old(record: bytes, horizon_ms: int) -> bool:
    """Whether a record lies beyond the 24 hours that a stream shows."""
    marker = b'"ApproximateCreationDateTime":'
    at = record.index(marker) + len(marker)
    return int(record[at : at + 10]) * 1000 < horizon_ms
