"""Canaries: made, run by their schedule, measured, stopped, updated, removed."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from outlast.cloud.contract import Fault
from outlast.cloud.services.lambda_ import lambda_
from outlast.cloud.services.synthetics import synthetics
from tests.unit.lambda_.regions import ACCOUNT, ROLE, Place, open_place
from tests.unit.lambda_.test_lambda_resources import Aws, stack

PASSES = """
from aws_synthetics.common import synthetics_logger as logger

def handler(event, context):
    logger.info("well")
    return "ok"
"""
FAILS = "def handler(e, c):\n raise ValueError('no order was placed')"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_place(tmp_path_factory.mktemp("region"), lambda_, synthetics) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def place(shared: Place) -> AsyncIterator[Place]:
    """One Region for all tests of the module, as new for each."""
    yield shared
    await shared.reset()


def code(text: str) -> dict[str, Any]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("python/check.py", text)
    return {"ZipFile": buffer.getvalue(), "Handler": "check.handler"}


async def create(place: Place, text: str = PASSES, **changes: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "Name": "watch", "Code": code(text), "ArtifactS3Location": "s3://artifacts/canaries",
        "ExecutionRoleArn": ROLE, "Schedule": {"Expression": "rate(1 second)"},
        "RuntimeVersion": "syn-python-selenium-8.0", **changes,
    }  # fmt: skip
    await place.call("synthetics", "CreateCanary", **params)
    return await in_state(place, "READY", "STOPPED")


async def in_state(place: Place, *states: str) -> dict[str, Any]:
    for _ in range(1000):
        canary: dict[str, Any] = (await place.call("synthetics", "GetCanary", Name="watch"))["Canary"]
        if canary["Status"]["State"] in states:
            return canary
        await asyncio.sleep(0.01)
    raise AssertionError(f"the canary is {canary['Status']}")


async def runs(place: Place, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    for _ in range(1000):
        found: list[dict[str, Any]] = (await place.call("synthetics", "GetCanaryRuns", Name="watch"))["CanaryRuns"]
        done = [run for run in found if run["Status"]["State"] != "RUNNING"]
        if enough(done):
            return done
        await asyncio.sleep(0.01)
    raise AssertionError(f"the runs are {found}")


async def test_a_canary_runs_by_its_schedule_and_publishes(place: Place) -> None:
    canary = await create(place)
    assert canary["EngineArn"].startswith(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:cwsyn-watch-")
    await place.call("synthetics", "StartCanary", Name="watch")
    done = await runs(place, lambda done: len(done) >= 2)
    assert [run["Status"]["State"] for run in done] == ["PASSED"] * len(done)
    first, second = done[-1]["Timeline"], done[-2]["Timeline"]
    assert 0.9 < second["Started"] - first["Started"] < 2
    assert set(place.metric("CloudWatchSynthetics", "SuccessPercent", CanaryName="watch")) == {100.0}
    assert len(place.metric("CloudWatchSynthetics", "Duration", CanaryName="watch")) >= 2
    last = await place.call("synthetics", "DescribeCanariesLastRun")
    assert last["CanariesLastRun"][0]["LastRun"]["Name"] == "watch"
    await place.call("synthetics", "StopCanary", Name="watch")
    await in_state(place, "STOPPED")
    count = len((await place.call("synthetics", "GetCanaryRuns", Name="watch"))["CanaryRuns"])
    await asyncio.sleep(1.2)
    assert len((await place.call("synthetics", "GetCanaryRuns", Name="watch"))["CanaryRuns"]) == count


async def test_a_run_leaves_its_log_and_a_report(place: Place) -> None:
    await create(place, Schedule={"Expression": "rate(0 minute)"})
    await place.call("synthetics", "StartCanary", Name="watch")
    (run,) = await runs(place, lambda done: len(done) == 1)
    await in_state(place, "STOPPED")
    head = "canaries/canary/us-east-1/watch-"
    assert run["ArtifactS3Location"].startswith(f"artifacts/{head}")
    names = sorted(key.rpartition("/")[2] for bucket, key in place.around.objects if bucket == "artifacts")
    assert names[-1] == "SyntheticsReport-PASSED.json"
    log = next(body for (_, key), body in place.around.objects.items() if key.endswith("-log.txt"))
    assert b"well" in log
    report = next(body for (_, key), body in place.around.objects.items() if key.endswith(".json"))
    assert json.loads(report)["canaryRunId"] == run["Id"]
    writer = next(who for service, name, _, who in place.around.asked if (service, name) == ("s3", "PutObject"))
    assert writer.role_arn == ROLE


async def test_a_failing_check_says_why(place: Place) -> None:
    await create(place, FAILS, Schedule={"Expression": "rate(0 minute)", "RetryConfig": {"MaxRetries": 1}})
    await place.call("synthetics", "StartCanary", Name="watch")
    again, first = await runs(place, lambda done: len(done) == 2)
    assert again["Status"]["State"] == first["Status"]["State"] == "FAILED"
    assert first["Status"]["StateReason"] == "ValueError: no order was placed"
    assert first["Status"]["StateReasonCode"] == "CANARY_FAILURE"
    assert (again["RetryAttempt"], again["ScheduledRunId"]) == (1, first["Id"])
    assert place.metric("CloudWatchSynthetics", "SuccessPercent", CanaryName="watch") == [0.0]
    assert place.metric("CloudWatchSynthetics", "Failed", CanaryName="watch") == [1.0]


async def test_a_canary_that_cannot_run_is_told_apart(place: Place) -> None:
    await create(place, "from selenium import webdriver", Schedule={"Expression": "rate(0 minute)"})
    await place.call("synthetics", "StartCanary", Name="watch")
    (run,) = await runs(place, lambda done: len(done) == 1)
    assert run["Status"]["StateReasonCode"] == "EXECUTION_FAILURE"
    assert run["Status"]["TestResult"] == "UNKNOWN"
    assert "without a browser" in run["Status"]["StateReason"]


async def test_a_slow_canary_is_ended(place: Place) -> None:
    await create(
        place, "import time\ndef handler(e, c): time.sleep(60)",
        Schedule={"Expression": "rate(0 minute)"}, RunConfig={"TimeoutInSeconds": 3},
    )  # fmt: skip
    await place.call("synthetics", "StartCanary", Name="watch")
    (run,) = await runs(place, lambda done: len(done) == 1)
    assert "timed out after 3.00 seconds" in run["Status"]["StateReason"]


async def test_a_canary_is_updated_while_it_runs(place: Place) -> None:
    text = "import os\ndef handler(e, c):\n if os.environ['MODE'] == 'bad': raise RuntimeError('bad')"
    await create(place, text, RunConfig={"EnvironmentVariables": {"MODE": "good"}})
    await place.call("synthetics", "StartCanary", Name="watch")
    await runs(place, lambda done: any(run["Status"]["State"] == "PASSED" for run in done))
    await place.call("synthetics", "UpdateCanary", Name="watch", RunConfig={"EnvironmentVariables": {"MODE": "bad"}})
    await runs(place, lambda done: any(run["Status"]["State"] == "FAILED" for run in done))
    await place.call("synthetics", "UpdateCanary", Name="watch", Code=code(PASSES))
    await runs(place, lambda done: done[0]["Status"]["State"] == "PASSED")
    assert (await in_state(place, "RUNNING"))["Status"]["State"] == "RUNNING"


async def refused(place: Place, code: str, operation: str, **params: Any) -> str:
    with pytest.raises(Fault) as caught:
        await place.call("synthetics", operation, **params)
    assert caught.value.code == code, caught.value.message
    return caught.value.message


async def test_states_are_guarded(place: Place) -> None:
    await create(place)
    await refused(place, "ConflictException", "StopCanary", Name="watch")
    await place.call("synthetics", "StartCanary", Name="watch")
    await refused(place, "ConflictException", "StartCanary", Name="watch")
    await refused(place, "ConflictException", "DeleteCanary", Name="watch")
    await refused(place, "ResourceNotFoundException", "GetCanary", Name="other")
    await place.call("synthetics", "StopCanary", Name="watch")
    await in_state(place, "STOPPED")
    await place.call("synthetics", "DeleteCanary", Name="watch")
    assert place.state("lambda").functions == {}
    await refused(place, "ResourceNotFoundException", "GetCanary", Name="watch")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"RuntimeVersion": "syn-nodejs-puppeteer-9.0"}, "syn-nodejs-puppeteer-9.0"),
        ({"Schedule": {"Expression": "rate(2 days)"}}, "rate(2 days)"),
        ({"RunConfig": {"ActiveTracing": True}}, "ActiveTracing"),
        ({"ArtifactS3Location": "no bucket"}, "no bucket"),
        ({"Code": {"Handler": "check.handler"}}, "ZipFile"),
        ({"VpcConfig": {}}, "VpcConfig"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(place: Place, changes: dict[str, Any], named: str) -> None:
    params: dict[str, Any] = {
        "Name": "watch", "Code": code(PASSES), "ArtifactS3Location": "s3://artifacts", "ExecutionRoleArn": ROLE,
        "Schedule": {"Expression": "rate(1 minute)"}, "RuntimeVersion": "syn-python-selenium-8.0",
    }  # fmt: skip
    assert named in await refused(place, "ValidationException", "CreateCanary", **{**params, **changes})


async def test_canaries_go_on_after_their_region_came_back(tmp_path: Path) -> None:
    async with open_place(tmp_path, lambda_, synthetics) as first:
        await create(first, Tags={"a": "b"})
        await first.call("synthetics", "StartCanary", Name="watch")
        before = len(await runs(first, lambda done: len(done) >= 1))
    async with open_place(tmp_path, lambda_, synthetics) as second:
        await runs(second, lambda done: len(done) > before)
        arn = f"arn:aws:synthetics:us-east-1:{ACCOUNT}:canary:watch"
        assert (await second.call("synthetics", "ListTagsForResource", ResourceArn=arn))["Tags"] == {"a": "b"}


async def test_a_stack_makes_changes_and_removes_a_canary(place: Place) -> None:
    (kind,) = synthetics.resource_types
    properties: dict[str, Any] = {
        "Name": "watch",
        "Code": {"Handler": "check.handler", "Script": PASSES},
        "ArtifactS3Location": "s3://artifacts/x",
        "ExecutionRoleArn": ROLE,
        "Schedule": {"Expression": "rate(1 second)", "DurationInSeconds": "0"},
        "RunConfig": {"TimeoutInSeconds": "5", "MemoryInMB": 960},
        "RuntimeVersion": "syn-python-selenium-8.0",
        "SuccessRetentionPeriod": 7,
        "StartCanaryAfterCreation": "true",
    }
    assert properties.keys() <= kind.properties
    aws = Aws(place)
    made = await kind.create(aws, properties, stack("Canary"))
    assert (made.physical_id, made.attributes["State"]) == ("watch", "RUNNING")
    assert await kind.create(aws, properties, stack("Canary")) == made
    await runs(place, lambda done: bool(done) and done[0]["Status"]["State"] == "PASSED")
    changed = {**properties, "Code": {"Handler": "check.handler", "Script": FAILS}}
    assert await kind.update(aws, "watch", properties, changed, stack("Canary")) == made
    await runs(place, lambda done: done[0]["Status"]["State"] == "FAILED")
    assert await kind.update(aws, "watch", properties, {**properties, "Name": "other"}, stack("Canary")) is None
    await kind.delete(aws, "watch", changed, stack("Canary"))
    await kind.delete(aws, "watch", changed, stack("Canary"))
    assert place.state("synthetics").canaries == {}
