"""The ledger of all Regions: each conflict once, silent Regions named, text and rows that can be relied on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outlast.cli import ops_conflicts
from outlast.ops.ledger.gather import gather
from outlast.ops.ledger.model import Ledger, Link
from outlast.ops.ledger.moment import since
from outlast.ops.ledger.show import export, lines
from outlast.ops.outcome import Exit, UsageError
from tests.unit.ops_kit.stubs import StubClients

A, B = "us-east-1", "us-west-2"
NOW_S = 1_800_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW_S + seconds, UTC)


def version(region: str, seconds: float, **item: str) -> dict[str, Any]:
    return {
        "Region": region,
        "Timestamp": at(seconds),
        "Clock": f"{int((NOW_S + seconds) * 1000):016x}",
        "RequestId": f"PutItem {region}",
        "Deleted": not item,
        **({"Item": json.dumps({name: {"S": value} for name, value in item.items()})} if item else {}),
    }


def conflict(number: int, seen_in: str) -> dict[str, Any]:
    return {
        "Id": f"{seen_in}-{number}",
        "TableName": "stock",
        "Key": json.dumps({"id": {"S": f"p-{number}"}}),
        "Winner": version(B, number + 0.5, id=f"p-{number}", owner="b", at="2"),
        "Loser": version(A, number, id=f"p-{number}", owner="a"),
        "DetectedAt": at(number + 1),
        "DetectedIn": seen_in,
    }


def stranded(number: int) -> dict[str, Any]:
    key = json.dumps({"id": {"S": f"p-{number}"}})
    written = version(A, number, id=f"p-{number}")
    return {"Id": f"w-{number}", "TableName": "stock", "Key": key, "Written": written, "MissingIn": B}


def load(
    clients: StubClients,
    region: str,
    peers: str | tuple[str, ...],
    conflicts: list[Any],
    writes: list[Any],
    check: Callable[[Any], None] = lambda stub: None,
) -> None:
    """What a Region answers, in the order in which it is asked."""
    stub = clients.stub("outlast", region)
    first, *others = (peers,) if isinstance(peers, str) else peers
    stub.add_response("list_replication_links", {"Links": [link(first)]})
    stub.add_response("list_stranded_writes", {"Writes": writes})
    for _ in others:
        stub.add_response("list_stranded_writes", {"Writes": []})
    check(stub)
    stub.add_response("list_conflicts", {"Conflicts": conflicts})


def link(peer: str) -> dict[str, Any]:
    return {"TableName": "stock", "Region": peer, "Status": "ACTIVE", "PendingWrites": 3, "LagMilliseconds": 40}


@pytest.fixture
def both() -> StubClients:
    clients = StubClients()
    load(clients, A, B, [conflict(2, A)], [stranded(9)])
    asked = {"TableName": "stock", "Ids": ["w-9"]}
    conflicts = [conflict(1, B), conflict(2, B)]
    load(clients, B, A, conflicts, [], lambda stub: stub.add_response("check_writes", {"Missing": ["w-9"]}, asked))
    return clients


def test_a_write_that_lost_to_a_later_one_elsewhere_is_told_once_with_the_first_winner() -> None:
    clients = StubClients()
    later = {**conflict(2, A), "Id": "later", "Winner": version(A, 9, id="p-2", owner="c")}
    load(clients, A, B, [later], [])
    load(clients, B, A, [conflict(2, B)], [])
    (told,) = gather(clients, (A, B), now_s=NOW_S).conflicts
    assert (told.winner.region, told.detected_in) == (B, (A, B))


def test_a_conflict_that_two_regions_noticed_is_one(both: StubClients) -> None:
    ledger = gather(both, (A, B), now_s=NOW_S)
    assert [each.key["id"]["S"] for each in ledger.conflicts] == ["p-1", "p-2"]
    assert [each.detected_in for each in ledger.conflicts] == [(B,), (A, B)]
    (first, _) = ledger.conflicts
    assert (first.winner.region, first.loser.region) == (B, A)
    assert first.differs == ("at", "owner")
    assert first.detected_s == NOW_S + 2
    assert [(each.held_in, each.missing_in, each.checked) for each in ledger.stranded] == [(A, B, True)]
    assert f"held in {A}, missing in {B}" in "\n".join(lines(ledger))
    assert {(each.origin, each.receiver, each.pending, each.lag_ms) for each in ledger.links} == {
        (A, B, 3, 40.0),
        (B, A, 3, 40.0),
    }
    assert ledger.unseen == ()
    both.used()


def test_a_write_that_arrives_and_loses_while_all_is_read_is_told_as_overwritten() -> None:
    """`load` gives what is in the ledger only once the other Region has said that it does not lack the write."""
    clients = StubClients()
    load(clients, A, B, [], [stranded(2)])
    load(clients, B, A, [conflict(2, B)], [], lambda stub: stub.add_response("check_writes", {"Missing": []}))
    ledger = gather(clients, (A, B), now_s=NOW_S)
    assert (len(ledger.stranded), [each.key["id"]["S"] for each in ledger.conflicts]) == (0, ["p-2"])


def test_pages_are_read_until_the_limit() -> None:
    clients = StubClients()
    stub = clients.stub("outlast", A)
    stub.add_response("list_replication_links", {"Links": []})
    stub.add_response("list_conflicts", {"Conflicts": [conflict(1, A)], "NextToken": "next"})
    stub.add_response("list_conflicts", {"Conflicts": [conflict(2, A), conflict(3, A)]}, None)
    ledger = gather(clients, (A,), now_s=NOW_S, limit=2)
    assert [each.ident for each in ledger.conflicts] == [f"{A}-1", f"{A}-2"]
    assert ledger.more
    assert "raise --limit" in list(lines(ledger))[-1]


@pytest.mark.parametrize("answers", [True, False])
def test_an_unconfirmed_write_counts_unless_the_other_region_says_that_it_has_it(answers: bool) -> None:
    clients = StubClients()
    load(clients, A, B, [], [stranded(8), stranded(9)])

    def check(stub: Any) -> None:
        if answers:
            stub.add_response("check_writes", {"Missing": ["w-8"]})
        else:
            stub.add_client_error("check_writes", "AccessDeniedException")

    load(clients, B, A, [], [], check)
    ledger = gather(clients, (A, B), now_s=NOW_S)
    told = "\n".join(lines(ledger))
    if answers:
        assert [(each.ident, each.checked) for each in ledger.stranded] == [("w-8", True)]
        assert told.endswith("1 stranded.")
    else:
        assert [(each.ident, each.checked) for each in ledger.stranded] == [("w-8", False), ("w-9", False)]
        assert f"not confirmed by {B}" in told
        assert "2 of these may have arrived" in told


def test_what_is_asked_for_reaches_the_service() -> None:
    clients = StubClients()
    stub = clients.stub("outlast", A)
    moment = datetime.fromtimestamp(NOW_S - 600, UTC)
    wanted = {"TableName": "stock", "Since": moment, "MaxResults": 200}
    stub.add_response("list_replication_links", {"Links": []}, {"TableName": "stock"})
    stub.add_response("list_conflicts", {"Conflicts": []}, wanted)
    gather(clients, (A,), now_s=NOW_S, table="stock", since_s=NOW_S - 600)
    clients.used()


def test_a_dead_region_is_named_and_the_others_are_read() -> None:
    dead = "eu-west-1"
    both = StubClients()
    load(both, A, (B, dead), [conflict(2, A)], [])
    load(both, B, (A, dead), [conflict(1, B), conflict(2, B)], [])
    both.silent("outlast", dead)
    ledger = gather(both, (A, B, dead), now_s=NOW_S)
    assert [(each.region, each.what, each.why) for each in ledger.unseen] == [(dead, "links", "ConnectTimeoutError")]
    assert len(ledger.conflicts) == 2
    assert "not all was seen: eu-west-1" in list(lines(ledger))[-1]
    assert ops_conflicts.exit_of(ledger) == Exit.UNDECIDED


def test_a_table_that_nobody_has_is_an_error_and_one_that_some_have_is_not() -> None:
    clients = StubClients()
    clients.stub("outlast", A).add_client_error("list_replication_links", "ResourceNotFoundException")
    with pytest.raises(UsageError, match="no table nothing"):
        gather(clients, (A,), now_s=NOW_S, table="nothing")
    clients = StubClients()
    clients.stub("outlast", A).add_client_error("list_replication_links", "ResourceNotFoundException")
    load(clients, B, A, [conflict(1, B)], [])
    ledger = gather(clients, (A, B), now_s=NOW_S, table="stock")
    assert len(ledger.conflicts) == 1
    assert ops_conflicts.exit_of(ledger) == Exit.GOOD


def test_aws_keeps_no_ledger() -> None:
    with pytest.raises(UsageError, match="AWS keeps no ledger") as caught:
        gather(StubClients("aws"), (A,), now_s=NOW_S)
    assert caught.value.exit == Exit.USAGE
    assert "\n" not in str(caught.value)


def test_the_text_shows_both_versions_and_what_differs(both: StubClients) -> None:
    text = "\n".join(lines(gather(both, (A, B), now_s=NOW_S)))
    assert "stock id=p-1  noticed in us-west-2" in text
    assert "owner=b" in text
    assert "owner=a  without at" in text
    assert "stock id=p-9  held in us-east-1, missing in us-west-2" in text
    assert "2 overwritten; 1 stranded." in text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90s", NOW_S - 90),
        ("10m", NOW_S - 600),
        ("1.5h", NOW_S - 5400),
        ("2d", NOW_S - 172_800),
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()),
        ("2026-11-23T10:00:00", datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()),
        ("2026-11-23T10:00:00+02:00", datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp()),
    ],
)
def test_moments(text: str, wanted: float) -> None:
    assert since(text, NOW_S) == wanted


@pytest.mark.parametrize("text", ["", "yesterday", "10", "-5m", "10 minutes"])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment"):
        since(text, NOW_S)


def test_exports(both: StubClients, tmp_path: Path) -> None:
    ledger = gather(both, (A, B), now_s=NOW_S)
    export(ledger, tmp_path / "ledger.json")
    written = json.loads((tmp_path / "ledger.json").read_text())
    assert written["schema"] == "outlast.ledger/1"
    assert written["conflicts"][0]["loser"]["item"]["owner"] == {"S": "a"}
    assert written["conflicts"][0]["differs"] == ["at", "owner"]
    export(ledger, tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open(newline="") as page:
        rows = list(csv.DictReader(page))
    assert [row["kind"] for row in rows] == ["stands", "overwritten", "stands", "overwritten", "stranded"]
    assert rows[1]["overwritten_by"] == f"PutItem {B}"
    with pytest.raises(UsageError, match=r"\.json or \.csv"):
        export(ledger, tmp_path / "ledger.xls")


def test_links_without_a_known_lag_are_told_so() -> None:
    ledger = Ledger(NOW_S, (A,), (), (), (Link("stock", A, B, "ACTIVE", 0, None),), ())
    assert "us-east-1 -> us-west-2  ACTIVE, 0 pending" in next(iter(lines(ledger)))
