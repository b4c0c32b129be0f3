"""`outlast fault` in worlds of any Regions: faults are listed and ended wherever they were begun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from outlast.cli.ops_faults import experiments, place, whereabouts
from outlast.ops.outcome import OpsError, UsageError
from tests.unit.ops_kit.stubs import StubClients

A, B = "us-east-1", "us-west-2"


def one(ident: str) -> dict[str, Any]:
    return {"id": ident, "experimentTemplateId": "EXT1", "state": {"status": "running"},
            "creationTime": datetime(2026, 1, 1, tzinfo=UTC)}  # fmt: skip


def test_a_fault_is_asked_for_where_it_does_not_hit() -> None:
    assert place((A, B, "us-east-2"), [A]) == "us-east-2"
    assert place((A, B, "us-east-2"), ["us-east-2"]) == B
    assert place((A, B), [B]) == A
    assert place((A,), [A]) == A


def test_the_faults_of_all_regions_are_listed_whatever_regions_those_are() -> None:
    clients = StubClients()
    clients.stub("fis", A).add_response("list_experiments", {"experiments": [one("EXP1")], "nextToken": "n"})
    clients.stub("fis", A).add_response("list_experiments", {"experiments": [one("EXP2")]}, {"nextToken": "n"})
    clients.stub("fis", B).add_response("list_experiments", {"experiments": [one("EXP3")]})
    found, silent = experiments(clients, (A, B))
    assert ([each["id"] for each in found], silent) == (["EXP1", "EXP2", "EXP3"], {})


def test_a_region_that_is_lost_is_named_and_hides_no_other() -> None:
    clients = StubClients()
    clients.silent("fis", A)
    clients.stub("fis", B).add_response("list_experiments", {"experiments": [one("EXP3")]})
    found, silent = experiments(clients, (A, B))
    assert ([each["id"] for each in found], list(silent)) == (["EXP3"], [A])
    clients.silent("fis", B)
    with pytest.raises(OpsError, match="No Region"):
        experiments(clients, (A, B))


def test_a_fault_is_found_where_it_was_begun() -> None:
    clients = StubClients()
    clients.stub("fis", A).add_client_error("get_experiment", "ResourceNotFoundException")
    clients.stub("fis", B).add_response("get_experiment", {"experiment": {"id": "EXP3"}})
    assert whereabouts(clients, (A, B), "EXP3") == B
    clients.stub("fis", A).add_client_error("get_experiment", "ResourceNotFoundException")
    clients.silent("fis", B)
    with pytest.raises(UsageError, match=f"no fault EXP9; {B} could not be asked"):
        whereabouts(clients, (A, B), "EXP9")
