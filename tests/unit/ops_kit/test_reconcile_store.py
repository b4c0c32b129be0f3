"""The replica in DynamoDB: strong reads, bounded; writes by conditional transactions only, repeated safely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY

from outlast.cli import ops_reconcile
from outlast.ops.act import audit as audits
from outlast.ops.act.audit import AuditLog
from outlast.ops.ledger.model import Conflict, Ledger, Unseen
from outlast.ops.outcome import Exit, OpsError, RefusedError, UndecidedError, UsageError
from outlast.ops.reconcile.items import Ref
from outlast.ops.reconcile.rules import Table, library, parse
from outlast.ops.reconcile.run import Look, Reconciler
from outlast.ops.reconcile.show import lines, told
from outlast.ops.reconcile.store import CHANGED, DynamoStore
from outlast.ops.reconcile.writes import Condition, Repair, Term, Update
from tests.unit.ops_kit.stubs import StubClients
from tests.unit.ops_kit.test_reconcile_judge import conflict, held, order, product

A, B = "us-east-1", "us-west-2"
TABLE = Table("orders", "O", "order_id", skip=("heartbeat-",))
RULES = parse(library()["orders"], "orders.yaml", {"products": "P", "orders": "O", "customers": "C"})
REPAIR = Repair("x", (Update("O", "order_id", Ref("S", "o"), Condition((Term("a", "present"),)), {"a": {"S": "b"}}),))


def key_schema(*names: str) -> dict[str, Any]:
    kinds = ("HASH", "RANGE")
    return {"Table": {"KeySchema": [{"AttributeName": n, "KeyType": k} for n, k in zip(names, kinds, strict=False)]}}


def store(clients: StubClients, limit: int = 10) -> DynamoStore:
    return DynamoStore(clients.of("dynamodb", A), A, limit)


def test_a_scan_reads_strongly_page_by_page_and_skips_what_is_no_business_data() -> None:
    clients = StubClients()
    stub = clients.stub("dynamodb", A)
    stub.add_response("describe_table", key_schema("order_id"), {"TableName": "O"})
    first = {"Items": [order("o-1"), order("heartbeat-x")], "LastEvaluatedKey": {"order_id": {"S": "o-1"}}}
    stub.add_response("scan", first, {"TableName": "O", "ConsistentRead": True})
    wanted = {"TableName": "O", "ConsistentRead": True, "ExclusiveStartKey": {"order_id": {"S": "o-1"}}}
    stub.add_response("scan", {"Items": [order("o-2")]}, wanted)
    assert sorted(key.text for key in store(clients).scan(TABLE)) == ["o-1", "o-2"]
    clients.used()


def test_too_much_is_not_judged_in_part() -> None:
    clients = StubClients()
    stub = clients.stub("dynamodb", A)
    stub.add_response("describe_table", key_schema("order_id"))
    stub.add_response("scan", {"Items": [order(f"o-{number}") for number in range(4)]})
    with pytest.raises(UndecidedError, match="more than 3 items"):
        store(clients, 3).scan(TABLE)


def test_a_table_of_another_form_is_refused() -> None:
    clients = StubClients()
    clients.stub("dynamodb", A).add_response("describe_table", key_schema("order_id", "line"))
    with pytest.raises(UsageError, match="key of O is order_id and line"):
        store(clients).scan(TABLE)


def test_items_are_fetched_until_all_have_come() -> None:
    clients = StubClients()
    stub = clients.stub("dynamodb", A)
    rest = {"O": {"Keys": [{"order_id": {"S": "o-2"}}], "ConsistentRead": True}}
    stub.add_response("batch_get_item", {"Responses": {"O": [order("o-1")]}, "UnprocessedKeys": rest})
    stub.add_response("batch_get_item", {"Responses": {"O": [order("o-2")]}}, {"RequestItems": rest})
    assert len(store(clients).fetch(TABLE, [Ref("S", "o-1"), Ref("S", "o-2"), Ref("S", "o-1")])) == 2
    clients.used()


def cancelled(stub: Any, *codes: str) -> None:
    reasons = [{"Code": code} for code in codes]
    stub.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
    )


def test_a_table_whose_key_is_binary_is_refused_and_not_taken_for_an_empty_one() -> None:
    clients = StubClients()
    binary = {"AttributeDefinitions": [{"AttributeName": "order_id", "AttributeType": "B"}]}
    clients.stub("dynamodb", A).add_response("describe_table", {"Table": {**key_schema("order_id")["Table"], **binary}})
    with pytest.raises(UsageError, match="key of O is binary"):
        store(clients).scan(TABLE)


def test_a_call_that_is_repeated_has_one_token_and_the_next_call_another() -> None:
    """What was repaired may break again in the same way: then it is not taken for the repetition of the first."""
    clients = StubClients()
    stub = clients.stub("dynamodb", A)
    tokens: list[str] = []
    clients.of("dynamodb", A).meta.events.register(
        "provide-client-params.dynamodb.TransactWriteItems",
        lambda params, **_: tokens.append(params["ClientRequestToken"]),
    )
    stub.add_client_error("transact_write_items", "InternalServerError", http_status_code=500)
    for _ in range(2):
        stub.add_response("transact_write_items", {})
    assert [store(clients).write(REPAIR) for _ in range(2)] == ["", ""]
    first, again, second = tokens
    assert first == again != second
    assert len(first) <= 36
    clients.used()


def test_writes_are_one_transaction_with_a_token() -> None:
    clients = StubClients()
    stub = clients.stub("dynamodb", A)
    stub.add_client_error("transact_write_items", "InternalServerError", http_status_code=500)
    stub.add_response("transact_write_items", {}, {"TransactItems": ANY, "ClientRequestToken": ANY})
    assert store(clients).write(REPAIR) == ""
    cancelled(stub, "None")
    assert store(clients).write(REPAIR) == "TransactionCanceledException"
    cancelled(stub, "None", "ConditionalCheckFailed")
    assert store(clients).write(REPAIR) == CHANGED
    cancelled(stub, "None", "TransactionConflict")
    assert store(clients).write(REPAIR) == "TransactionConflict"
    stub.add_client_error("transact_write_items", "AccessDeniedException")
    assert store(clients).write(REPAIR) == "AccessDeniedException"
    clients.used()


def load(clients: StubClients, region: str, state: Any, times: int = 1) -> None:
    stub = clients.stub("dynamodb", region)
    for _ in range(times):
        for alias, key in (("orders", "order_id"), ("products", "product_id")):
            stub.add_response("describe_table", key_schema(key))
            stub.add_response("scan", {"Items": list(state[alias].values())})


def reconciler(clients: StubClients, folder: Path, *regions: str, ledger: Any = lambda: None) -> Reconciler:
    stores = [DynamoStore(clients.of("dynamodb", region), region) for region in regions]
    log = AuditLog(folder / "audit.jsonl", "tester", lambda: 0.0)
    return Reconciler(stores, RULES, log, ledger, patience_s=0.0, now_s=lambda: 0.0, sleep=lambda _: None)


def test_a_dead_region_is_told_and_nothing_is_repaired_without_it(tmp_path: Path) -> None:
    clients = StubClients()
    load(clients, B, held([product("o-9")], []))
    clients.stub("dynamodb", A).add_client_error("describe_table", "AccessDeniedException")
    run = reconciler(clients, tmp_path, A, B)
    look = run.look()
    assert look.judged_in == B
    assert [(each.region, each.why) for each in look.unseen] == [(A, "AccessDeniedException")]
    assert ops_reconcile.exit_of(look) == Exit.MISSED
    with pytest.raises(RefusedError, match="us-east-1 could not be read"):
        run.apply(look)
    assert "us-east-1: tables could not be read" in "\n".join(lines(look))


@pytest.mark.parametrize(
    ("codes", "exit_code"),
    [
        (("AccessDeniedException", "UnrecognizedClientException"), Exit.ERROR),
        (("AccessDeniedException", "KMSInvalidStateException"), Exit.UNDECIDED),
        (("KMSInvalidStateException", "KMSInvalidStateException"), Exit.UNDECIDED),
    ],
)
def test_nothing_is_decided_without_any_region(tmp_path: Path, codes: tuple[str, str], exit_code: Exit) -> None:
    """Credentials that are refused everywhere are an error, as for every verb."""
    clients = StubClients()
    for region, code in zip((A, B), codes, strict=True):
        clients.stub("dynamodb", region).add_client_error("describe_table", code)
    with pytest.raises(OpsError, match="No replica can be read") as raised:
        reconciler(clients, tmp_path, A, B).look()
    assert raised.value.exit is exit_code


def test_a_repair_is_made_and_written_down(tmp_path: Path) -> None:
    clients = StubClients()
    broken, whole = held([product("o-9")], []), held([product()], [])
    load(clients, A, broken)
    stub = clients.stub("dynamodb", A)
    stub.add_response("transact_write_items", {})
    for alias, table in (("orders", "O"), ("products", "P")):
        stub.add_response("batch_get_item", {"Responses": {table: list(whole[alias].values())}})
    load(clients, A, whole)
    run = reconciler(clients, tmp_path, A)
    look = run.look()
    assert ops_reconcile.exit_of(look) == Exit.MISSED
    assert "repair: take the mark away" in "\n".join(lines(look))
    done = run.apply(look)
    assert (len(done.made), done.not_made, done.left.findings) == (1, (), ())
    assert ops_reconcile.exit_of(done.left) == Exit.GOOD
    assert next(told(done)) == "1 repairs made, 0 not made."
    entries = audits.read(tmp_path / "audit.jsonl")
    assert [entry.action for entry in entries] == ["reconcile", "repaired", "reconciled"]
    assert entries[1].detail["repair"]["writes"][0]["kind"] == "update"
    assert done.document()["left"]["findings"] == []


def kept(*conflicts: Conflict, unseen: tuple[Unseen, ...] = (), more: bool = False) -> Ledger:
    return Ledger(0.0, (A, B), conflicts, (), (), unseen, more)


@pytest.mark.parametrize(
    ("ledger", "told_of"),
    [
        (kept(unseen=(Unseen(B, "conflicts", "ConnectTimeoutError"),)), f"{B}: conflicts could not be read"),
        (kept(more=True), "entries beyond the most that are read of a Region's ledger; narrow it with --since"),
    ],
)
def test_a_ledger_that_was_not_read_whole_leaves_it_undecided(tmp_path: Path, ledger: Ledger, told_of: str) -> None:
    """Nothing found in a part of it is not nothing found."""
    clients = StubClients()
    load(clients, A, held([product("o-1")], [order("o-1")]))
    look = reconciler(clients, tmp_path, A, ledger=lambda: ledger).look()
    assert look.findings == ()
    assert ops_reconcile.exit_of(look) == Exit.UNDECIDED
    assert told_of in "\n".join(lines(look))
    assert told_of in look.document()["unread"][0]


def test_overwritten_versions_are_settled_by_name(tmp_path: Path) -> None:
    clients = StubClients()
    whole = held([product("o-2")], [order("o-2")])
    load(clients, A, whole, 3)
    run = reconciler(clients, tmp_path, A, ledger=lambda: kept(conflict(product("o-1"), product("o-2"))))
    look: Look = run.look()
    (finding,) = look.of("overwritten")
    assert f"--settle '{finding.ledger[0]}'" in "\n".join(lines(look))
    with pytest.raises(OpsError, match="no open conflict other"):
        run.settle(look, ["other"])
    assert run.settle(look, ["all"]) == finding.ledger
    assert run.look().findings == ()


def test_a_look_that_did_not_see_everything_decides_nothing() -> None:
    look = Look(0.0, B, (A, B), 0, (), (), ledger=False)
    assert ops_reconcile.exit_of(look) == Exit.GOOD
    assert "Nothing found. 0 items of us-east-1, us-west-2, judged in us-west-2; no ledger" in "\n".join(lines(look))
