"""What became of stranded writes: by the word of the Region that lacked them, the ledgers and the lists of now."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from outlast.ops.ledger.fates import Fate, exported, follow, lines
from outlast.ops.ledger.model import Conflict, Ledger, Stranded, Unseen, Version
from outlast.ops.ledger.show import export
from outlast.ops.outcome import UsageError
from tests.unit.ops_kit.stubs import StubClients

A, B = "us-east-1", "us-west-2"
NOTHING = Ledger(1000.0, (A, B), (), (), (), ())


def write(key: str) -> Stranded:
    written = Version(A, 900.0, f"clock {key}", f"request {key}", {"id": {"S": key}})
    return Stranded(f"id {key}", "stock", {"id": {"S": key}}, written, A, B, checked=True)


ONE, TWO = write("one"), write("two")
WINNER = Version(B, 901.0, "later", "r", {"id": {"S": "one"}})
LOST = Conflict("c", "stock", ONE.key, WINNER, ONE.written, 950.0, (B,))


def fates(
    now: Ledger, lacked: list[Stranded] | str, *writes: Stranded, lacked_at_home: list[Stranded] | str | None = None
) -> list[Fate]:
    """The fates, when the receiver answers so, and so does the Region that made what the receiver lacks."""
    clients = StubClients()
    left = [each for each in writes if each in lacked] if not isinstance(lacked, str) else []
    answers = [(B, list(writes), lacked)]
    if left:
        answers += [(A, left, left if lacked_at_home is None else lacked_at_home), (B, left, left)]
    for region, asked, answer in answers:
        stub = clients.stub("outlast", region)
        if isinstance(answer, str):
            stub.add_client_error("check_writes", answer)
        else:
            given = {"TableName": "stock", "Ids": [each.ident for each in asked]}
            stub.add_response("check_writes", {"Missing": [each.ident for each in answer]}, given)
    found = follow(clients, now, writes)
    clients.used()
    assert [each.write for each in found] == list(writes)
    return [each.fate for each in found]


def test_what_came_arrived_or_was_overwritten() -> None:
    assert fates(NOTHING, [], ONE, TWO) == ["arrived", "arrived"]
    assert fates(replace(NOTHING, conflicts=(LOST,)), [], ONE, TWO) == ["overwritten", "arrived"]


def test_what_is_lacked_waits_or_is_lost() -> None:
    assert fates(replace(NOTHING, stranded=(ONE,)), [ONE, TWO], ONE, TWO) == ["still missing", "lost"]
    assert fates(NOTHING, [ONE, TWO], ONE, TWO, lacked_at_home=[TWO]) == ["still missing", "lost"]
    assert fates(NOTHING, [ONE], ONE, lacked_at_home="ResourceNotFoundException") == ["lost"]


def test_nothing_is_told_that_nobody_can_know() -> None:
    assert fates(NOTHING, "ServiceUnavailable", ONE) == ["not known"]
    assert fates(NOTHING, [ONE], ONE, lacked_at_home="ServiceUnavailable") == ["not known"]
    holder, receiver = (replace(NOTHING, unseen=(Unseen(name, "conflicts", "why"),)) for name in (A, B))
    assert fates(holder, [ONE], ONE, TWO) == ["not known", "arrived"]
    assert fates(receiver, [ONE], ONE, TWO) == ["lost", "not known"]
    assert fates(replace(NOTHING, more=True), [ONE], ONE, TWO) == ["not known", "not known"]


def test_an_export_is_read_back_and_its_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "night.json"
    export(replace(NOTHING, stranded=(ONE, TWO), conflicts=(LOST,)), path)
    assert exported(path) == [ONE, TWO]
    clients = StubClients()
    for region in (B, A, B):
        clients.stub("outlast", region).add_response("check_writes", {"Missing": [TWO.ident]})
    followed = follow(clients, NOTHING, exported(path))
    assert list(lines(followed)) == [
        "1970-01-01T00:15:00.000Z  stock id=one  of us-east-1, was missing in us-west-2: arrived",
        "1970-01-01T00:15:00.000Z  stock id=two  of us-east-1, was missing in us-west-2: lost",
        "1 arrived, 1 lost.",
    ]
    assert [each.document()["fate"] for each in followed] == ["arrived", "lost"]
    assert list(lines([])) == ["The file names no stranded write."]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", '{"stranded": 1}', '{"stranded": [1]}', '{"stranded": [{"ident": "x"}]}'],
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no ledger"):
        exported(path)
    with pytest.raises(UsageError, match="cannot be read"):
        exported(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("member", "value"), [("at_s", 1e30), ("at_s", "soon"), ("at_s", None), ("clock", []), ("region", None)]
)
def test_a_member_of_another_kind_is_refused(tmp_path: Path, member: str, value: object) -> None:
    path = tmp_path / "changed.json"
    export(replace(NOTHING, stranded=(ONE,)), path)
    read = json.loads(path.read_text())
    read["stranded"][0]["written"][member] = value
    path.write_text(json.dumps(read))
    with pytest.raises(UsageError, match="is no ledger"):
        exported(path)
