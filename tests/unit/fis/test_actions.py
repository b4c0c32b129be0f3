"""Actions of experiments: what they become, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract.faults import KINDS
from outlast.cloud.services.fis.errors import ValidationException
from outlast.cloud.services.fis.model import ACTIONS, check_actions, seconds_of, spec_of


def action(ident: str = "outlast:gray-failure", **parameters: str) -> dict[str, Any]:
    return {"actionId": ident, "parameters": {"duration": "PT1M", **parameters}}


def test_every_fault_of_the_world_is_an_action() -> None:
    assert {one.removeprefix("outlast:") for one in ACTIONS if one.startswith("outlast:")} == KINDS


@pytest.mark.parametrize(("text", "seconds"), [("PT30S", 30), ("PT5M", 300), ("PT1H30M10S", 5410), ("PT12H", 43_200)])
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "PT", "30S", "P1D", "PT0S", "PT13H", "PT-5S", "PT5S5M"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValidationException):
        seconds_of(text)


def test_an_action_becomes_a_fault() -> None:
    given = action(regions="us-east-1, us-west-2", services="dynamodb", error_share="0.3", delay_ms="2000")
    spec = spec_of(given, "eu-west-1")
    assert spec is not None
    assert (spec.kind, spec.regions, spec.services, spec.duration_s) == (
        "gray-failure", ("us-east-1", "us-west-2"), ("dynamodb",), 60.0,
    )  # fmt: skip
    assert spec.parameters == {"error_share": 0.3, "delay_ms": 2000.0}
    here = spec_of(action("outlast:region-killed"), "eu-west-1")
    assert here is not None
    assert here.regions == ("eu-west-1",)
    assert spec_of(action("aws:fis:wait"), "eu-west-1") is None


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({}, "needs an action"),
        ({"a": action("aws:ec2:stop-instances")}, "aws:ec2:stop-instances is not supported"),
        ({"a": action(colour="red")}, "has no parameter colour"),
        ({"a": action(error_share="many")}, "error_share must be a number"),
        ({"a": action(error_share="nan")}, "error_share must be a number, not nan"),
        ({"a": action(error_share="-inf")}, "error_share must be a number, not -inf"),
        ({"a": {"actionId": "aws:fis:wait"}}, "needs the parameter duration"),
        ({"a": {**action(), "targets": {"X": "y"}}}, "takes no targets"),
        ({"a": {**action(), "startAfter": ["b"]}}, "starts after b, which is not in the template"),
        ({"a": {**action(), "startAfter": ["b"]}, "b": {**action(), "startAfter": ["a"]}}, "in a circle"),
    ],
)
def test_templates_that_could_not_run_are_refused(actions: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationException, match=message):
        check_actions(actions)
