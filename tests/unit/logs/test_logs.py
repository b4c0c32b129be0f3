"""Log events are kept, read in order, filtered, turned into metrics, and expire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import Addresses, Call, Fault, Meter, Principal, Region
from outlast.cloud.effects import Effects, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine
from outlast.cloud.services.logs.errors import (
    InvalidOperationException,
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from outlast.cloud.services.logs.operations import events, filters, groups, policies, streams, tags
from outlast.cloud.services.logs.service import _policy
from outlast.cloud.services.logs.state import LogStore
from outlast.cloud.services.logs.timers import expire, put_metrics

NOW_MS = 1_700_000_000_000
ACCOUNT = "111122223333"
ROOT = Principal(kind="root", arn=f"arn:aws:iam::{ACCOUNT}:root", account_id=ACCOUNT)


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


class SetClock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.time_ms = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms

    def now_s(self) -> float:
        return self.time_ms / 1000

    def monotonic_s(self) -> float:
        return self.time_ms / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Stage:
    """Logs in one Region on a real engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = SetClock()
        self.calls: list[dict[str, Any]] = []
        self.region: Region
        self.state: LogStore

    async def open(self) -> None:
        effects = Effects(self.clock, RealEntropy(), RealDisk(), Alone())
        engine = await Engine.open(self._folder, region="us-east-1", key=bytes(32), effects=effects)
        self.region = Region(
            name="us-east-1", account_id=ACCOUNT, names=("us-east-1",), effects=effects, engine=engine, meter=Meter(),
            addresses=Addresses({}, {}, {}, "", ""), secret=bytes(32), capabilities={"aws": self._aws},
        )  # fmt: skip
        self.state = LogStore.open(self.region)

    async def _aws(self, service: str, operation: str, params: Mapping[str, Any], **who: Any) -> dict[str, Any]:
        self.calls.append({"operation": operation, **params, **who})
        return {}

    async def reopen(self) -> None:
        await self.region.engine.close()
        await self.open()

    def call(self) -> Call[LogStore]:
        return Call(state=self.state, region=self.region, principal=ROOT, request_id="r", now_ms=self.clock.now_ms(),
                    service="logs", operation="")  # fmt: skip

    def put(
        self, *messages: str, stream: str = "s", group: str = "g", at_ms: int = 0, step_ms: int = 1
    ) -> dict[str, Any]:
        given = [{"timestamp": NOW_MS + at_ms + n * step_ms, "message": one} for n, one in enumerate(messages)]
        return dict(events.put_log_events(self.call(), log_group_name=group, log_stream_name=stream, log_events=given))

    def filtered(self, pattern: str = "", **more: Any) -> list[str]:
        reply = events.filter_log_events(self.call(), log_group_name="g", filter_pattern=pattern, **more)
        return [one["message"] for one in reply["events"]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "data")
    await stage.open()
    groups.create_log_group(stage.call(), log_group_name="g")
    streams.create_log_stream(stage.call(), log_group_name="g", log_stream_name="s")
    yield stage
    await stage.region.engine.close()


async def test_events_are_read_in_order_of_time(stage: Stage) -> None:
    stage.put("b", "c", at_ms=10)
    stage.put("a")
    reply = events.get_log_events(stage.call(), log_group_name="g", log_stream_name="s", start_from_head=True)
    assert [one["message"] for one in reply["events"]] == ["a", "b", "c"]
    assert reply["events"][0]["timestamp"] == NOW_MS
    await stage.reopen()
    assert stage.filtered() == ["a", "b", "c"]
    (shown,) = streams.describe_log_streams(stage.call(), log_group_name="g")["logStreams"]
    assert (shown["firstEventTimestamp"], shown["lastEventTimestamp"]) == (NOW_MS, NOW_MS + 11)


async def test_pages_go_both_ways_and_end_where_they_began(stage: Stage) -> None:
    stage.put(*[f"m{n}" for n in range(5)])

    def read(**more: Any) -> tuple[list[str], Any]:
        reply = events.get_log_events(stage.call(), log_group_name="g", log_stream_name="s", limit=2, **more)
        return [one["message"] for one in reply["events"]], reply

    newest, reply = read()
    assert newest == ["m3", "m4"]
    older, reply2 = read(next_token=reply["nextBackwardToken"])
    assert older == ["m1", "m2"]
    assert read(next_token=reply2["nextForwardToken"])[0] == ["m3", "m4"]
    first, reply = read(start_from_head=True)
    assert first == ["m0", "m1"]
    _, reply = read(next_token=reply["nextForwardToken"])
    last, reply = read(next_token=reply["nextForwardToken"])
    assert last == ["m4"]
    end = reply["nextForwardToken"]
    nothing, reply = read(next_token=end)
    assert (nothing, reply["nextForwardToken"]) == ([], end)
    stage.put("m5", at_ms=100)
    assert read(next_token=end)[0] == ["m5"]
    with pytest.raises(InvalidParameterException, match="nextToken is invalid"):
        read(next_token="x/1")


async def test_a_group_is_searched_over_all_its_streams(stage: Stage) -> None:
    streams.create_log_stream(stage.call(), log_group_name="g", log_stream_name="t")
    stage.put("ERROR 1", "fine", "ERROR 3", step_ms=10)
    stage.put("ERROR 2", stream="t", at_ms=5)
    assert stage.filtered("ERROR") == ["ERROR 1", "ERROR 2", "ERROR 3"]
    assert stage.filtered("ERROR", log_stream_names=["t"]) == ["ERROR 2"]
    assert stage.filtered("ERROR", log_stream_name_prefix="s") == ["ERROR 1", "ERROR 3"]
    assert stage.filtered("ERROR", start_time=NOW_MS + 5, end_time=NOW_MS + 20) == ["ERROR 2", "ERROR 3"]
    assert stage.filtered("ERROR", start_time=NOW_MS + 6, end_time=NOW_MS + 19) == []
    collected: list[str] = []
    token = None
    while True:
        reply = events.filter_log_events(stage.call(), log_group_name="g", limit=1, next_token=token)
        collected += [one["message"] for one in reply["events"]]
        token = reply.get("nextToken")
        if token is None:
            break
    assert collected == ["ERROR 1", "ERROR 2", "fine", "ERROR 3"]
    with pytest.raises(ResourceNotFoundException, match=r"The specified log stream does not exist\."):
        stage.filtered(log_stream_names=["none"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(1, "a"), (0, "b")], "must be in chronological order"),
        ([(0, "x" * 1_048_576)], "Upload too large"),
        ([(-86_400_001, "a"), (0, "b")], "cannot span more than 24 hours"),
    ],
)
async def test_batches_have_limits(stage: Stage, given: list[tuple[int, str]], message: str) -> None:
    batch = [{"timestamp": NOW_MS + at_ms, "message": text} for at_ms, text in given]
    with pytest.raises(InvalidParameterException) as caught:
        events.put_log_events(stage.call(), log_group_name="g", log_stream_name="s", log_events=batch)
    assert message in caught.value.message


async def test_events_too_old_or_too_new_are_rejected_and_the_rest_is_kept(stage: Stage) -> None:
    groups.put_retention_policy(stage.call(), log_group_name="g", retention_in_days=1)
    day = 86_400_000
    batch = [(-15 * day, "old"), (-2 * day, "expired"), (0, "good"), (3 * 3_600_000, "new")]
    given = [{"timestamp": NOW_MS + at_ms, "message": text} for at_ms, text in batch]
    reply = events.put_log_events(stage.call(), log_group_name="g", log_stream_name="s", log_events=given)
    assert reply["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 3,
    }
    assert stage.filtered() == ["good"]


async def test_old_events_go_when_their_time_is_over(stage: Stage) -> None:
    stage.put(*[f"m{n}" for n in range(1200)])
    groups.put_retention_policy(stage.call(), log_group_name="g", retention_in_days=1)
    await expire(stage.state)
    assert len(stage.filtered()) == 1200
    stage.clock.time_ms += 86_400_000 + 600
    await expire(stage.state)
    assert stage.filtered() == [f"m{n}" for n in range(600, 1200)]
    groups.delete_retention_policy(stage.call(), log_group_name="g")
    stage.clock.time_ms += 86_400_000
    await expire(stage.state)
    assert len(stage.filtered()) == 600
    groups.put_retention_policy(stage.call(), log_group_name="g", retention_in_days=1)
    await expire(stage.state)
    assert streams.describe_log_streams(stage.call(), log_group_name="g")["logStreams"] == []


async def test_a_group_made_again_has_none_of_the_old_events(stage: Stage) -> None:
    stage.put("secret")
    groups.delete_log_group(stage.call(), log_group_name="g")
    with pytest.raises(ResourceNotFoundException, match=r"The specified log group does not exist\."):
        stage.filtered()
    groups.create_log_group(stage.call(), log_group_name="g")
    streams.create_log_stream(stage.call(), log_group_name="g", log_stream_name="s")
    assert stage.filtered() == []
    await expire(stage.state)
    assert list(stage.region.engine.space("logs/events").range()) == []


async def test_groups_and_streams_are_listed(stage: Stage) -> None:
    for name in ("a/1", "a/2"):
        groups.create_log_group(stage.call(), log_group_name=name, tags={"k": name})
    shown = groups.describe_log_groups(stage.call(), log_group_name_prefix="a/")["logGroups"]
    assert [one["logGroupName"] for one in shown] == ["a/1", "a/2"]
    assert shown[0]["arn"] == "arn:aws:logs:us-east-1:111122223333:log-group:a/1:*"
    first = groups.describe_log_groups(stage.call(), limit=2)
    assert [one["logGroupName"] for one in first["logGroups"]] == ["a/1", "a/2"]
    rest = groups.describe_log_groups(stage.call(), next_token=first["nextToken"])["logGroups"]
    assert [one["logGroupName"] for one in rest] == ["g"]
    streams.create_log_stream(stage.call(), log_group_name="g", log_stream_name="t")
    stage.put("x", stream="t")
    ordered = streams.describe_log_streams(stage.call(), log_group_name="g", order_by="LastEventTime", descending=True)
    assert [one["logStreamName"] for one in ordered["logStreams"]] == ["t", "s"]
    with pytest.raises(ResourceAlreadyExistsException):
        streams.create_log_stream(stage.call(), log_group_name="g", log_stream_name="t")
    streams.delete_log_stream(stage.call(), log_group_name="g", log_stream_name="t")
    assert len(streams.describe_log_streams(stage.call(), log_group_name="g")["logStreams"]) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kms_key_id": "arn:aws:kms:x"}, "kmsKeyId is not supported"),
        ({"log_group_class": "INFREQUENT_ACCESS"}, "INFREQUENT_ACCESS is not supported"),
        ({"tags": {"aws:x": "y"}}, "aws: prefixed"),
    ],
)
async def test_groups_that_cannot_be_made(stage: Stage, given: dict[str, Any], message: str) -> None:
    with pytest.raises(Fault) as caught:
        groups.create_log_group(stage.call(), log_group_name="n", **given)
    assert message in caught.value.message


async def test_protection_and_tags(stage: Stage) -> None:
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:g"
    groups.put_log_group_deletion_protection(stage.call(), log_group_identifier=arn, deletion_protection_enabled=True)
    with pytest.raises(InvalidOperationException):
        groups.delete_log_group(stage.call(), log_group_name="g")
    tags.tag_resource(stage.call(), resource_arn=arn, tags={"a": "1", "b": "2"})
    tags.untag_resource(stage.call(), resource_arn=arn, tag_keys=["a"])
    assert tags.list_tags_for_resource(stage.call(), resource_arn=arn)["tags"] == {"b": "2"}
    assert tags.list_tags_log_group(stage.call(), log_group_name="g")["tags"] == {"b": "2"}


async def test_metric_filters_and_embedded_metrics_become_data(stage: Stage) -> None:
    transformation = {"metricName": "Errors", "metricNamespace": "App", "metricValue": "1"}
    latency = {"metricName": "Latency", "metricNamespace": "App", "metricValue": "$.ms", "dimensions": {"Op": "$.op"}}
    for name, pattern, one in (("e", "ERROR", transformation), ("l", "{ $.ms > 0 }", latency)):
        filters.put_metric_filter(stage.call(), log_group_name="g", filter_name=name, filter_pattern=pattern,
                                  metric_transformations=[one])  # fmt: skip
    embedded = {"_aws": {"Timestamp": NOW_MS, "CloudWatchMetrics": [
        {"Namespace": "Emf", "Dimensions": [["S"]], "Metrics": [{"Name": "N", "Unit": "Count"}]}]},
        "S": "x", "N": 3}  # fmt: skip
    stage.put("ERROR one", "fine", json.dumps({"ms": 7, "op": "get"}), json.dumps(embedded))
    await put_metrics(stage.state)
    found = {one["Namespace"]: one["MetricData"] for one in stage.calls}
    assert [(one["MetricName"], one.get("Value")) for one in found["App"]] == [("Errors", 1.0), ("Latency", 7.0)]
    assert found["App"][1]["Dimensions"] == [{"Name": "Op", "Value": "get"}]
    assert found["Emf"][0]["Values"] == [3.0]
    assert all(one["principal"].kind == "service-linked" for one in stage.calls)
    await stage.reopen()
    assert len(filters.describe_metric_filters(stage.call(), log_group_name="g")["metricFilters"]) == 2
    filters.delete_metric_filter(stage.call(), log_group_name="g", filter_name="e")
    with pytest.raises(ResourceNotFoundException):
        filters.delete_metric_filter(stage.call(), log_group_name="g", filter_name="e")


async def test_a_pattern_can_be_tried(stage: Stage) -> None:
    reply = filters.test_metric_filter(stage.call(), filter_pattern="[a, b = 2*]", log_event_messages=["x 1", "y 23"])
    assert reply["matches"] == [{"eventNumber": 2, "eventMessage": "y 23", "extractedValues": {"$a": "y", "$b": "23"}}]


async def test_resource_policies(stage: Stage) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*"}]})
    policies.put_resource_policy(stage.call(), policy_name="p", policy_document=document)
    assert policies.describe_resource_policies(stage.call())["resourcePolicies"][0]["policyDocument"] == document
    assert _policy(stage.state, "arn") == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*"}],
    }
    policies.delete_resource_policy(stage.call(), policy_name="p")
    assert _policy(stage.state, "arn") is None
    with pytest.raises(InvalidParameterException):
        policies.put_resource_policy(stage.call(), policy_name="p", policy_document="{")
