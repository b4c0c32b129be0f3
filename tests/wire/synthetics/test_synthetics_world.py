"""A canary on a running world: it asks an API by its name, publishes, and leaves its artifacts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.conftest import World
from tests.wire.apigateway.test_apigateway_world import host_of, ordering
from tests.wire.lambda_.made import package, role

CHECK = """
import os, urllib.request
from aws_synthetics.common import synthetics_logger as logger

def handler(event, context):
    with urllib.request.urlopen(os.environ["TARGET"], timeout=5) as answer:
        logger.info("the answer is %s", answer.status)
        if answer.status != 200:
            raise RuntimeError("not well")
"""


def until(true: Callable[[], Any], what: str) -> Any:
    for _ in range(200):
        found = true()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(what)


def test_a_canary_watches_an_api_from_another_region(world: World) -> None:
    name = f"watch-{uuid.uuid4().hex[:8]}"
    bucket = f"artifacts-{uuid.uuid4().hex[:8]}"
    synthetics, s3 = world.client("synthetics", "us-east-2"), world.client("s3", "us-east-2")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    with ordering(world) as (ident, _), role(world, name, "s3:PutObject") as arn:
        until(lambda: world.client("iam", "us-east-2").get_role(RoleName=name), "the role is known")
        time.sleep(0.5)
        synthetics.create_canary(
            Name=name,
            Code={"ZipFile": package(python__check=CHECK), "Handler": "check.handler"},
            ArtifactS3Location=f"s3://{bucket}/runs",
            ExecutionRoleArn=arn,
            Schedule={"Expression": "rate(1 second)"},
            RunConfig={"EnvironmentVariables": {"TARGET": f"https://{host_of(ident)}/live/ping"}},
            RuntimeVersion="syn-python-selenium-8.0",
        )

        def state() -> str:
            return str(synthetics.get_canary(Name=name)["Canary"]["Status"]["State"])

        def runs() -> list[dict[str, Any]]:
            found = synthetics.get_canary_runs(Name=name)["CanaryRuns"]
            return [run for run in found if run["Status"]["State"] != "RUNNING"]

        until(lambda: state() == "READY", "the canary gets ready")
        synthetics.start_canary(Name=name)
        passed = until(lambda: [run for run in runs() if run["Status"]["State"] == "PASSED"], f"it passes: {runs()}")
        keys = until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), "artifacts are kept")
        assert passed[0]["ArtifactS3Location"].startswith(f"{bucket}/runs/canary/us-east-2/{name}-")
        errors = {"services": ["execute-api"], "parameters": {"share": 1.0}}
        troubles = [("service-errors", errors, "500"), ("certificate-expired", {}, "expired"),
                    ("certificate-wrong", {}, "mismatch")]  # fmt: skip
        for kind, fields, why in troubles:

            def failed(why: str = why) -> bool:
                return any(why in each["Status"].get("StateReason", "") for each in runs())

            fault = world.fault(kind, "us-east-1", **fields)
            try:
                until(failed, f"{kind} fails it: {runs()}")
            finally:
                world.end_fault(fault)
            until(lambda: runs()[0]["Status"]["State"] == "PASSED", f"it passes after {kind}: {runs()}")
        cloudwatch, now = world.client("cloudwatch", "us-east-2"), time.time()
        dimensions = [{"Name": "CanaryName", "Value": name}]

        def published() -> bool:
            points = cloudwatch.get_metric_statistics(
                Namespace="CloudWatchSynthetics", MetricName="SuccessPercent", Dimensions=dimensions,
                StartTime=now - 300, EndTime=now + 300, Period=300, Statistics=["Minimum", "Maximum"],
            )["Datapoints"]  # fmt: skip
            return {(point["Minimum"], point["Maximum"]) for point in points} == {(0.0, 100.0)}

        until(published, "the metric tells passes from failures")
        synthetics.stop_canary(Name=name)
        until(lambda: state() == "STOPPED", "the canary stops")
        synthetics.delete_canary(Name=name)
    for each in s3.list_objects_v2(Bucket=bucket).get("Contents", keys):
        s3.delete_object(Bucket=bucket, Key=each["Key"])
    s3.delete_bucket(Bucket=bucket)
