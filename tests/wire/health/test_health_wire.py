"""AWS Health on a running world: a gray failure is told after a while, by both endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World


def open_issues(world: World, endpoint: str, region: str) -> list[dict[str, Any]]:
    chosen = {"regions": [region], "eventStatusCodes": ["open"]}
    events: list[dict[str, Any]] = world.client("health", endpoint).describe_events(filter=chosen)["events"]
    return events


def until(seconds: float, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.mark.slow
def test_a_gray_failure_is_told_and_closed(make_world: Callable[..., World]) -> None:
    world = make_world()
    with pytest.raises(ClientError) as caught:
        world.client("health", "eu-west-1").describe_events()
    assert "has no endpoint in eu-west-1" in caught.value.response["Error"]["Message"]
    fault = world.fault("gray-failure", "eu-west-1", parameters={"error_share": 0.1})
    assert open_issues(world, "us-east-1", "eu-west-1") == []
    for endpoint in ("us-east-1", "us-west-2"):
        until(45, lambda endpoint=endpoint: bool(open_issues(world, endpoint, "eu-west-1")))  # type: ignore[misc]
    (event,) = open_issues(world, "us-east-1", "eu-west-1")
    details = world.client("health").describe_event_details(eventArns=[event["arn"]])["successfulSet"]
    assert "increased error rates and latencies" in details[0]["eventDescription"]["latestDescription"]
    world.end_fault(fault)
    until(10, lambda: not open_issues(world, "us-east-1", "eu-west-1"))
