"""Which Region is asked for faults: one that the world has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from outlast.cli.ops_faults import app, faults_of, place
from outlast.cli.ops_target import Target

USUAL = ("us-east-1", "us-west-2", "us-east-2")


def target(regions: tuple[str, ...], asked: list[tuple[str, str]]) -> Target:
    def of(service: str, region: str) -> object:
        asked.append((service, region))
        return object()

    return cast(Target, _Target(cast(Any, SimpleNamespace(of=of)), regions))


class _Target:
    def __init__(self, clients: Any, regions: tuple[str, ...]) -> None:
        self.clients = clients
        self.regions = regions

    has = Target.has


@pytest.mark.parametrize(
    ("regions", "expected"),
    [(USUAL, "us-east-2"), ((), "us-east-2"), (("eu-west-1", "eu-west-3"), "eu-west-3")],
)
def test_faults_are_asked_for_where_the_world_has_a_region(regions: tuple[str, ...], expected: str) -> None:
    asked: list[tuple[str, str]] = []
    here = target(regions, asked)
    assert place(here.regions, []) == expected
    faults_of(here, expected)
    assert ("fis", expected) in asked


@pytest.mark.parametrize(("kind", "hint"), [("gray-failur", "Did you mean gray-failure?"), ("xyz", "region-killed")])
def test_a_mistyped_kind_is_answered_with_what_there_is(kind: str, hint: str) -> None:
    said = CliRunner().invoke(app, ["begin", kind, "us-east-1"])
    assert said.exit_code == 2
    assert f"There is no kind of fault {kind}." in said.output
    assert hint in said.output
