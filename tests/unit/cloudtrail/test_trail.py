"""The audit trail's records and files: what stands in them, what never does, what is bounded, what is found again."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from outlast.cloud.contract import Fault, Principal
from outlast.cloud.contract.trail import DATA_EVENTS
from outlast.cloud.gateway import pipeline, trail
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.gateway.trail import Journal
from outlast.cloud.wire import load, redacted
from tests.unit.gateway.doubles import Policies, make_gate, signed


@pytest_asyncio.fixture
async def gate(tmp_path: Path) -> AsyncIterator[tuple[Gate, Policies]]:
    gate, _notes, policies = await make_gate(tmp_path)
    gate.trail = Journal(gate.region, tmp_path / "cloudtrail")
    yield gate, policies
    await gate.region.engine.close()


def files(gate: Gate) -> list[Path]:
    return sorted(Path(gate.region.folder, "cloudtrail").glob("*"))


async def records(gate: Gate) -> list[dict[str, Any]]:
    assert gate.trail is not None
    return [dict(each) for each in (await gate.trail.look(None, None, None, 50, "")).records]


@pytest.mark.asyncio
async def test_a_request_that_was_allowed_leaves_a_whole_record(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    request = signed("DescribeTable", b'{"TableName": "t-one"}')
    request.headers["user-agent"] = "test/1"
    response = await pipeline.respond(here, request, "127.0.0.9")
    (record,) = await records(here)
    assert response.status == 200
    who = record.pop("userIdentity")
    assert who["type"] == "Root"
    assert who["arn"] == "arn:aws:iam::111122223333:root"
    assert record.pop("eventID")
    assert record.pop("eventTime").endswith("Z")
    assert record.pop("requestID") in dict(response.headers).values()
    record.pop("username")
    assert record == {
        "eventVersion": "1.11",
        "eventSource": "dynamodb.amazonaws.com",
        "eventName": "DescribeTable",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.9",
        "userAgent": "test/1",
        "requestParameters": {"tableName": "t-one"},
        "responseElements": None,
        "resources": [{"accountId": "111122223333", "ARN": "arn:aws:dynamodb:us-east-1:111122223333:table/t-one"}],
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }


@pytest.mark.asyncio
async def test_refusals_are_told_with_who_and_why(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    bad = signed("DescribeTable", b'{"TableName": "t-one"}', secret="wrong")
    await pipeline.respond(here, bad, "127.0.0.1")
    await pipeline.respond(here, signed("DescribeTable", b"{}"), "127.0.0.1")
    broken, forged = await records(here)
    assert broken["errorCode"] == "ValidationException"
    assert broken["userIdentity"]["type"] != "Unknown"
    assert forged["errorCode"] == "InvalidSignatureException"
    assert forged["userIdentity"]["type"] == "Unknown"
    assert forged["userIdentity"]["accessKeyId"]


@pytest.mark.asyncio
async def test_data_events_are_kept_only_when_asked_and_without_contents(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    assert here.trail is not None
    operations = here.hosted["dynamodb"].service.operations
    operations["DescribeTable"] = replace(operations["DescribeTable"], data=True)
    request = signed("DescribeTable", b'{"TableName": "t-one"}')
    await pipeline.respond(here, request, "127.0.0.1")
    here.trail.flush()
    assert not files(here)
    here.trail.data = True
    await pipeline.respond(here, request, "127.0.0.1")
    here.trail.flush()
    (file,) = files(here)
    record = json.loads(file.read_text())
    assert (record["eventCategory"], record["requestParameters"]) == ("Data", {"tableName": "t-one"})
    assert await records(here) == []


@pytest.mark.asyncio
async def test_a_refused_data_event_repeats_no_value(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    assert here.trail is not None
    here.trail.data = True
    operations = here.hosted["dynamodb"].service.operations
    operations["DescribeTable"] = replace(operations["DescribeTable"], data=True)
    where = {"requestID": "r", "sourceIPAddress": "127.0.0.1", "userAgent": "", "accessKeyId": ""}
    fault = Fault("SECRET cannot be converted to a numeric value")
    here.trail.refused(here.hosted["dynamodb"], "DescribeTable", who("ann"), {}, fault, where)
    here.trail.flush()
    text = files(here)[0].read_text()
    assert json.loads(text)["errorCode"] == fault.code
    assert "SECRET" not in text


def test_a_data_event_has_names_and_no_contents() -> None:
    given = {
        "TableName": "t",
        "Key": {"pk": {"S": "SECRET"}},
        "Item": {"pk": {"S": "SECRET"}},
        "ExpressionAttributeValues": {":v": {"S": "SECRET"}},
        "Statement": "SELECT * FROM t WHERE pk = 'SECRET'",
        "Payload": b"SECRET",
        "Limit": 5,
    }
    assert redacted.data(given) == {"tableName": "t", "limit": 5}
    assert redacted.data({"Bucket": "b", "Key": "a/b", "Body": b"SECRET"}) == {"bucket": "b", "key": "a/b"}


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("lambda", "CreateFunction", {"Code": {"ZipFile": b"SECRET"}, "Environment": {"Variables": {"A": "SECRET"}}}),
        ("cloudformation", "CreateStack", {"Parameters": [{"ParameterKey": "p", "ParameterValue": "SECRET"}]}),
        ("iam", "CreateLoginProfile", {"UserName": "ann", "Password": "SECRET"}),
        ("s3", "CreateBucket", {"Bucket": "b", "NotInTheModel": "SECRET"}),
    ],
)
@pytest.mark.asyncio
async def test_secrets_are_hidden(service: str, operation: str, params: dict[str, Any]) -> None:
    shown = load(service).operations[operation].redacted(params)
    text = json.dumps(shown)
    assert "SECRET" not in text.replace("SECURITY", "")
    assert "HIDDEN_DUE_TO_SECURITY_REASONS" in text


@pytest.mark.asyncio
async def test_every_data_event_is_an_operation_of_its_service() -> None:
    for service, names in DATA_EVENTS.items():
        assert names <= set(load(service).operations), service


def who(name: str) -> Principal:
    return Principal("user", f"arn:aws:iam::111122223333:user/{name}", "111122223333", "AIDA", "AKIAX")


def noted(gate: Gate, number: int, name: str = "ann") -> None:
    assert gate.trail is not None
    hosted = gate.hosted["dynamodb"]
    declared = hosted.service.operations["DescribeTable"]
    where = {"requestID": str(number), "sourceIPAddress": "127.0.0.1", "userAgent": "", "accessKeyId": ""}
    gate.trail.note(hosted, declared, who(name), {"TableName": f"t-{number}"}, {}, where)


@pytest.mark.asyncio
async def test_a_request_that_no_json_holds_is_recorded_without_its_parameters(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    assert here.trail is not None
    hosted = here.hosted["dynamodb"]
    where = {"requestID": "1", "sourceIPAddress": "127.0.0.1", "userAgent": "", "accessKeyId": ""}
    here.trail.note(hosted, hosted.service.operations["DescribeTable"], who("ann"), {"TableName": 2**70}, {}, where)
    (record,) = await records(here)
    assert (record["eventName"], record["requestParameters"]) == ("DescribeTable", None)


@pytest.mark.asyncio
async def test_pages_go_back_through_the_files(gate: tuple[Gate, Policies], monkeypatch: pytest.MonkeyPatch) -> None:
    here, _ = gate
    assert here.trail is not None
    monkeypatch.setattr(trail, "FILE_BYTES", 4000)
    for number in range(20):
        noted(here, number)
        here.trail.flush()
    assert len(files(here)) > 2
    seen, token = [], ""
    for _ in range(10):
        page = await here.trail.look(None, None, None, 3, token)
        seen += [int(each["requestID"]) for each in page.records]
        token = page.next_token
        noted(here, 1000)
        if not token:
            break
    assert seen == list(range(19, -1, -1))
    with pytest.raises(ValueError):
        await here.trail.look(None, None, None, 3, "rubbish")


@pytest.mark.asyncio
async def test_files_and_what_waits_are_bounded(
    gate: tuple[Gate, Policies], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here, _ = gate
    assert here.trail is not None
    monkeypatch.setattr(trail, "FILE_BYTES", 500)
    monkeypatch.setattr(trail, "MOST_PENDING", 5)
    for number in range(100):
        noted(here, number)
        if number % 5 == 4:
            here.trail.flush()
    for number in range(9):
        noted(here, number)
    with caplog.at_level(logging.WARNING):
        here.trail.flush()
    assert "lost 4 records" in caplog.text
    assert len(files(here)) == trail.MOST_FILES


@pytest.mark.asyncio
async def test_what_is_looked_up_by_attribute(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    assert here.trail is not None
    noted(here, 1, "ann")
    noted(here, 2, "bob")
    for attribute, expected in (
        (("Username", "bob"), ["2"]),
        (("EventName", "DescribeTable"), ["2", "1"]),
        (("EventSource", "s3.amazonaws.com"), []),
        (("ResourceName", "t-1"), ["1"]),
        (("ReadOnly", "true"), ["2", "1"]),
        (("AccessKeyId", "AKIAX"), ["2", "1"]),
    ):
        page = await here.trail.look(None, None, attribute, 50, "")
        assert [each["requestID"] for each in page.records] == expected, attribute
    assert (await here.trail.look(None, 0.0, None, 50, "")).records == []


@pytest.mark.asyncio
async def test_a_cut_last_line_and_a_disk_that_refuses(
    gate: tuple[Gate, Policies], caplog: pytest.LogCaptureFixture
) -> None:
    here, _ = gate
    assert here.trail is not None
    noted(here, 1)
    here.trail.flush()
    (file,) = files(here)
    with file.open("ab") as end:
        end.write(b'{"eventVersion": \n')
    assert [each["requestID"] for each in await records(here)] == ["1"]

    class Refusing:
        def append(self, data: bytes) -> None:
            raise OSError("no space left")

        def close(self) -> None:
            return None

    here.trail._file = Refusing()  # type: ignore[assignment]
    for number in (2, 3):
        noted(here, number)
        here.trail.flush()
    assert caplog.text.count("cannot be written") == 1


@pytest.mark.asyncio
async def test_a_fault_of_iam_is_called_as_cloudtrail_calls_it(gate: tuple[Gate, Policies]) -> None:
    class AccessDeniedException(Fault):
        """As a service raises it."""

    here, _ = gate
    assert here.trail is not None
    hosted = here.hosted["dynamodb"]
    where = {"requestID": "r", "sourceIPAddress": "127.0.0.1", "userAgent": "", "accessKeyId": ""}
    here.trail.refused(hosted, "DescribeTable", who("ann"), {}, AccessDeniedException("no"), where)
    (record,) = await records(here)
    assert (record["errorCode"], record["errorMessage"]) == ("AccessDenied", "no")


@pytest.mark.asyncio
async def test_what_a_change_answered_is_kept_without_secrets(gate: tuple[Gate, Policies]) -> None:
    here, _ = gate
    assert here.trail is not None
    hosted = here.hosted["dynamodb"]
    reads = hosted.service.operations["DescribeTable"]
    changes = replace(reads, operation=load("iam").operations["CreateAccessKey"])
    key = {"UserName": "ann", "AccessKeyId": "AKIALOCALA", "Status": "Active", "SecretAccessKey": "s3cret"}
    where = trail.origin(signed("DescribeTable", b"{}"), "id", "127.0.0.1")
    here.trail.note(hosted, changes, None, {}, {"AccessKey": key}, where)
    here.trail.note(hosted, reads, None, {}, {"Table": {"TableName": "t"}}, where)
    read, changed = await records(here)
    assert read["responseElements"] is None
    assert "tlsDetails" not in changed
    shown = {"userName": "ann", "accessKeyId": "AKIALOCALA", "status": "Active", "secretAccessKey": redacted.HIDDEN}
    assert changed["responseElements"] == {"accessKey": shown}
